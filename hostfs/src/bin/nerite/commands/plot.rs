//! A picture of how long calls took: for each kind of work, how many of them took no longer.

use std::fmt::Write as _;

/// What is drawn: a name, and how long calls took in microseconds, the shortest first.
pub(super) struct Curve<'a> {
    pub(super) name: &'a str,
    pub(super) micros: Vec<f64>,
}

const WIDTH: u32 = 720;
const HEIGHT: u32 = 400;
/// Where the axes begin and end.
const LEFT: u32 = 70;
const TOP: u32 = 40;
const RIGHT: u32 = 560;
const BOTTOM: u32 = 340;

const COLOURS: [&str; 4] = ["#0072b2", "#009e73", "#e69f00", "#cc79a7"];

/// The curves as SVG. Time grows by tens.
pub(super) fn drawn(title: &str, curves: &[Curve<'_>]) -> String {
    let all = || curves.iter().flat_map(|curve| &curve.micros).map(|micros| micros.max(0.1));
    let low = all().fold(f64::MAX, f64::min).min(1e6).log10().floor();
    let high = all().fold(0.1, f64::max).log10().ceil().max(low + 1.0);
    let y = |micros: f64| {
        let share = (micros.max(0.1).log10() - low) / (high - low);
        f64::from(BOTTOM) - share * f64::from(BOTTOM - TOP)
    };
    let x = |share: f64| f64::from(LEFT) + share * f64::from(RIGHT - LEFT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"14\">{title}</text>\n"
    );
    // Writing to a string can't fail.
    let mut power = low;
    while power <= high {
        let (at, text) = (y(10f64.powf(power)), shown(10f64.powf(power)));
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            LEFT - 6,
            at + 4.0
        );
        power += 1.0;
    }
    for percent in [0u32, 25, 50, 75, 100] {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{percent} %</text>",
            x(f64::from(percent) / 100.0),
            BOTTOM + 18
        );
    }
    let _ =
        writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">calls that took no longer</text>", BOTTOM + 40);
    for (index, curve) in (0u32..).zip(curves) {
        let colour = COLOURS[index as usize % COLOURS.len()];
        let points: Vec<_> = points(&curve.micros)
            .map(|(share, micros)| format!("{:.1},{:.1}", x(share), y(micros)))
            .collect();
        let at = TOP + 10 + index * 22;
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\
             <text x=\"{}\" y=\"{at}\" fill=\"{colour}\">{}</text>",
            points.join(" "),
            RIGHT + 12,
            curve.name
        );
    }
    svg + "</svg>\n"
}

/// A hundred steps at most, each with the share of calls up to it, and the last one.
fn points(micros: &[f64]) -> impl Iterator<Item = (f64, f64)> {
    let steps = micros.len().min(100);
    (0..=steps).filter_map(move |step| {
        let last = micros.len().checked_sub(1)?;
        let index = last * step / steps;
        let share = f64::from(u32::try_from(step).ok()?) / f64::from(u32::try_from(steps).ok()?);
        micros.get(index).map(|micros| (share, *micros))
    })
}

fn shown(micros: f64) -> String {
    match micros {
        micros if micros >= 1e6 => format!("{} s", micros / 1e6),
        micros if micros >= 1e3 => format!("{} ms", micros / 1e3),
        micros => format!("{micros} us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_from_the_shortest_to_the_longest_call_in_no_more_than_101_points() {
        let micros: Vec<f64> = (1..=1000).map(f64::from).collect();
        let all: Vec<_> = points(&micros).collect();
        assert_eq!((all.len(), all[0], all[100]), (101, (0.0, 1.0), (1.0, 1000.0)));
        assert_eq!(points(&[7.0]).collect::<Vec<_>>(), [(0.0, 7.0), (1.0, 7.0)]);
        assert_eq!(points(&[]).count(), 0);
    }

    #[test]
    fn every_point_lies_within_the_picture() {
        for micros in [vec![0.0, 1e9], vec![5.0], vec![], vec![1.0, 10.0, 100.0]] {
            let svg = drawn("t", &[Curve { name: "write", micros }]);
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN"));
            let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
            for point in points.split_whitespace() {
                let (x, y) = point.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!((0.0..=720.0).contains(&x) && (0.0..=400.0).contains(&y), "{point}");
            }
        }
    }
}
