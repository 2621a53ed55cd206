//! `map`: a picture of the segments.

use crate::cli::verbs as cli;
use crate::color;
use crate::failure::Failure;
use crate::open::Opened;
use crate::out::Out;
use nerite::{Segment, Usage};
use serde_json::json;
use std::fmt::Write as _;
use std::io;

/// Segments on a line of text, and in a row of the picture.
const ROW: usize = 32;
const ROW_DRAWN: usize = 64;

/// Pixels of a segment in the picture, with the gap to the next one.
const CELL: usize = 12;
const GAP: usize = 2;

/// A use: how it is shown, called, and drawn, and its colour on terminals. Where it has live bytes, a
/// digit follows the letter.
const USES: [(Usage, char, &str, &str, &str); 6] = [
    (Usage::Tail, 't', "tail of the log", "#d55e00", "31"),
    (Usage::Chain, 'c', "log", "#e69f00", "33"),
    (Usage::Survivors, 's', "survivors", "#009e73", "32"),
    (Usage::Nodes, 'n', "nodes", "#0072b2", "34"),
    (Usage::Next, '+', "next", "#cc79a7", "35"),
    (Usage::Free, '.', "free", "#dddddd", "2"),
];

/// Shows what each segment is used for, and how much of it is live.
pub(crate) fn map(at: &Opened<'_>, args: &cli::Map, out: &mut Out) -> Result<(), Failure> {
    let (info, segments) = (at.store.info(), at.store.segments());
    if let Some(path) = &args.svg {
        let mut file = Out::file(path, at.image)?;
        file.bytes(drawn(&segments, info.segment_size).as_bytes())?;
        return file.flush();
    }
    if args.json {
        for segment in &segments {
            out.line(json!({
                "segment": segment.number,
                "use": of(segment.usage).2,
                "live": segment.live_bytes,
                "size": info.segment_size,
            }))?;
        }
        return Ok(());
    }
    let is_colored = color::is_on(&io::stdout());
    for (row, line) in segments.chunks(ROW).enumerate() {
        let cell = |segment| {
            let text: String = cell(segment, info.segment_size).iter().collect();
            color::paint(is_colored, of(segment.usage).4, &text)
        };
        let cells: String = line.iter().map(cell).collect();
        out.line(format_args!("{:>6}  {cells}", row * ROW))?;
    }
    let count = segments.len();
    out.line(format_args!("\n{count} segments of {} bytes:", info.segment_size))?;
    for (usage, letter, name, _, code) in USES {
        let (count, live) = sums(&segments, usage);
        let letter = color::paint(is_colored, code, &letter.to_string());
        let percent = percent(live, count as u64 * info.segment_size);
        match usage {
            Usage::Free | Usage::Next => out.line(format_args!("  {letter}  {count:>5} {name}"))?,
            _ => out.line(format_args!("  {letter}  {count:>5} {name}, {percent} % live"))?,
        }
    }
    out.line("The digit is the share that is live: 0 is none, 1 up to a ninth, 9 almost all.")
}

fn of(usage: Usage) -> (Usage, char, &'static str, &'static str, &'static str) {
    // A use that is not known here is shown as if nothing were there.
    USES.into_iter().find(|known| known.0 == usage).unwrap_or(USES[5])
}

/// How many segments have this use, and what is live in them.
fn sums(segments: &[Segment], usage: Usage) -> (usize, u64) {
    let all = segments.iter().filter(|segment| segment.usage == usage);
    all.fold((0, 0), |(count, live), segment| (count + 1, live + segment.live_bytes))
}

fn percent(part: u64, whole: u64) -> u64 {
    (u128::from(part) * 100)
        .checked_div(whole.into())
        .and_then(|p| u64::try_from(p).ok())
        .unwrap_or(0)
}

fn cell(segment: &Segment, size: u64) -> [char; 2] {
    let (usage, letter, ..) = of(segment.usage);
    let ninths = (u128::from(segment.live_bytes) * 9).div_ceil(u128::from(size.max(1)));
    let digit = u32::try_from(ninths).unwrap_or(9).min(9);
    match usage {
        Usage::Free | Usage::Next => [letter, letter],
        _ => [letter, char::from_digit(digit, 10).unwrap_or('9')],
    }
}

/// The same as a picture.
fn drawn(segments: &[Segment], size: u64) -> String {
    let rows = segments.len().div_ceil(ROW_DRAWN);
    let (width, grid) = (ROW_DRAWN * CELL + 2 * CELL, rows * CELL);
    let height = grid + (USES.len() + 4) * CELL * 2;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    // Writing to a string can't fail.
    for (index, segment) in segments.iter().enumerate() {
        let (_, _, name, colour, _) = of(segment.usage);
        let (x, y) = (CELL + index % ROW_DRAWN * CELL, CELL + index / ROW_DRAWN * CELL);
        let edge = CELL - GAP;
        let share = percent(segment.live_bytes, size);
        let title = format!("segment {}: {name}, {share} % live", segment.number);
        let _ = writeln!(
            svg,
            "<g><title>{title}</title><rect x=\"{x}\" y=\"{y}\" width=\"{edge}\" height=\"{edge}\" \
             fill=\"{colour}\" fill-opacity=\"{}\"/>",
            opacity(segment.usage, share)
        );
        let _ = writeln!(svg, "</g>");
    }
    for (index, (usage, _, name, colour, _)) in USES.into_iter().enumerate() {
        let y = grid + (index + 2) * CELL * 2;
        let (count, live) = sums(segments, usage);
        let share = percent(live, count as u64 * size);
        let more =
            if opacity(usage, 0) == "1" { String::new() } else { format!(", {share} % live") };
        let _ = writeln!(
            svg,
            "<rect x=\"{CELL}\" y=\"{}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{y}\">{count} {name}{more}</text>",
            y - CELL + GAP,
            CELL * 3
        );
    }
    let y = grid + (USES.len() + 2) * CELL * 2;
    let _ = writeln!(
        svg,
        "<text x=\"{CELL}\" y=\"{y}\">{} segments of {size} bytes; the darker, the more of one is \
         live</text>\n</svg>",
        segments.len()
    );
    svg
}

/// Paler where less is live.
fn opacity(usage: Usage, percent: u64) -> String {
    match usage {
        Usage::Free | Usage::Next => "1".to_owned(),
        _ => format!("0.{:02}", (30 + percent * 69 / 100).min(99)),
    }
}
