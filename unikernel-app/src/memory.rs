//! Arithmetic with memory ranges.

use core::ops::Range;

/// The longest range within one of `regions` that touches none of `reserved`.
#[must_use]
pub fn longest_gap(
    regions: impl Iterator<Item = Range<u64>>,
    reserved: &[Range<u64>],
) -> Option<Range<u64>> {
    regions
        .flat_map(|region| {
            // A gap starts where the region does, or where something reserved ends.
            let starts = reserved.iter().map(|taken| taken.end);
            starts.chain([region.start]).filter_map(move |start| gap_at(start, &region, reserved))
        })
        .max_by_key(|gap| gap.end - gap.start)
}

fn gap_at(start: u64, region: &Range<u64>, reserved: &[Range<u64>]) -> Option<Range<u64>> {
    let free = region.contains(&start) && !reserved.iter().any(|taken| taken.contains(&start));
    let ends = reserved.iter().filter(|taken| !taken.is_empty()).map(|taken| taken.start);
    let end = ends.filter(|&end| end > start).fold(region.end, u64::min);
    free.then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_avoids_what_is_reserved() {
        let ram = || [0..100, 200..1000].into_iter();
        assert_eq!(longest_gap(ram(), &[]), Some(200..1000));
        assert_eq!(longest_gap(ram(), &[0..300, 700..710, 705..720]), Some(300..700));
        assert_eq!(longest_gap(ram(), &[0..0, 150..960]), Some(0..100));
        assert_eq!(longest_gap(ram(), &[0..0, 0..2000]), None);
        assert_eq!(longest_gap(ram(), &[0..0, 500..500]), Some(200..1000), "nothing is reserved");
    }
}
