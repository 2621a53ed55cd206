//! Which of the pending sectors survive a crash, and what becomes of the others.

use crate::Random;
use crate::disk::{Fate, SECTOR};

/// Up to so many pending sectors every subset of survivors is tried.
const ALL_SUBSETS: usize = 10;

/// How thoroughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// Every subset, as far as that goes, and every sector torn in every way.
    Full,
    /// All that survive up to one sector, or from one on, and this many more. Frames lie one behind the
    /// other: where they meet, a crash tells more than elsewhere.
    InOrder(usize),
    /// So many, drawn at random, none and all among them.
    Sample(usize),
}

/// Fates for `pending` sectors, each list once, in a fixed order for one generator.
pub(super) fn survivors(pending: usize, effort: Effort, random: &mut Random) -> Vec<Vec<Fate>> {
    match effort {
        Effort::Full => {
            let mut all = subsets(pending, random);
            all.extend(torn(pending, random));
            all
        }
        Effort::InOrder(more) => {
            let mut some: Vec<_> = (0..=pending).map(|at| choose(pending, |n| n < at)).collect();
            some.extend((1..pending).map(|at| choose(pending, |n| n >= at)));
            let more = if pending > 1 { more } else { 0 };
            some.extend((0..more).map(|_| drawn(pending, random)));
            some
        }
        Effort::Sample(count) => {
            let mut some = vec![choose(pending, |_| false), choose(pending, |_| true)];
            some.truncate(if pending == 0 { 1 } else { 2 });
            while pending > 0 && some.len() < count {
                some.push(drawn(pending, random));
            }
            some
        }
    }
}

fn drawn(pending: usize, random: &mut Random) -> Vec<Fate> {
    (0..pending).map(|_| any(random)).collect()
}

/// Whether the sectors survived up to one, or from one on.
pub(super) fn is_in_order(fates: &[Fate]) -> bool {
    let whole = fates.iter().all(|fate| matches!(fate, Fate::New | Fate::Old));
    whole && fates.windows(2).filter(|two| two[0] != two[1]).count() == 1
}

/// Each sector survives whole or not at all.
fn subsets(pending: usize, random: &mut Random) -> Vec<Vec<Fate>> {
    if pending <= ALL_SUBSETS {
        return (0..1usize << pending)
            .map(|mask| choose(pending, |n| mask >> n & 1 == 1))
            .collect();
    }
    let mut family = vec![choose(pending, |_| false), choose(pending, |_| true)];
    for one in 0..pending {
        family.push(choose(pending, |n| n == one));
        family.push(choose(pending, |n| n != one));
        family.push(choose(pending, |n| n < one));
        family.push(choose(pending, |n| n >= one));
    }
    for _ in 0..32 {
        let bits = random.next();
        family.push(choose(pending, |n| bits >> (n % 64) & 1 == 1));
    }
    family
}

fn choose(pending: usize, survives: impl Fn(usize) -> bool) -> Vec<Fate> {
    (0..pending).map(|n| if survives(n) { Fate::New } else { Fate::Old }).collect()
}

/// One sector is torn while the others survive, or do not; and some mixtures.
fn torn(pending: usize, random: &mut Random) -> Vec<Vec<Fate>> {
    let mut all = Vec::new();
    for one in 0..pending.min(ALL_SUBSETS) {
        for others in [Fate::New, Fate::Old] {
            for fate in tears(random) {
                all.push((0..pending).map(|n| if n == one { fate } else { others }).collect());
            }
        }
    }
    if pending > 1 {
        all.extend((0..8).map(|_| drawn(pending, random)));
    }
    all
}

/// A byte within a sector, as a fate holds it.
#[expect(clippy::cast_possible_truncation, reason = "below 512")]
fn byte(random: &mut Random) -> u16 {
    random.below(SECTOR) as u16
}

fn tears(random: &mut Random) -> [Fate; 5] {
    [
        Fate::Head(byte(random)),
        Fate::Tail(byte(random)),
        Fate::Zeros,
        Fate::Ones,
        Fate::Garbage(random.next() >> 48),
    ]
}

fn any(random: &mut Random) -> Fate {
    match random.below(8) {
        0..3 => Fate::New,
        3..6 => Fate::Old,
        _ => *random.pick(&tears(&mut random.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn distinct(pending: usize, effort: Effort) -> HashSet<Vec<Fate>> {
        survivors(pending, effort, &mut Random::new(1)).into_iter().collect()
    }

    #[test]
    fn every_subset_is_tried_while_they_are_few() {
        for pending in 0..=ALL_SUBSETS {
            let tried = distinct(pending, Effort::Full);
            let whole =
                |fates: &&Vec<Fate>| fates.iter().all(|fate| matches!(fate, Fate::New | Fate::Old));
            assert_eq!(tried.iter().filter(whole).count(), 1 << pending, "{pending}");
            assert!(tried.iter().all(|fates| fates.len() == pending));
        }
    }

    #[test]
    fn every_sector_is_torn_in_every_way() {
        let tried = distinct(3, Effort::Full);
        for one in 0..3 {
            let kinds = tried.iter().map(|fates| std::mem::discriminant(&fates[one]));
            assert_eq!(kinds.collect::<HashSet<_>>().len(), 7, "sector {one}");
        }
    }

    #[test]
    fn of_many_sectors_none_all_each_alone_and_each_missing_are_tried() {
        let tried = distinct(40, Effort::Full);
        for one in 0..40 {
            assert!(tried.contains(&choose(40, |n| n == one)));
            assert!(tried.contains(&choose(40, |n| n != one)));
        }
        assert!(tried.contains(&choose(40, |_| true)) && tried.contains(&choose(40, |_| false)));
        assert!(tried.len() < 1000);
    }

    #[test]
    fn in_order_is_up_to_a_sector_or_from_one_on() {
        let tried = distinct(4, Effort::InOrder(0));
        assert_eq!(tried.len(), 8, "5 up to one, 3 from one on");
        assert_eq!(tried.iter().filter(|fates| is_in_order(fates)).count(), 6, "and none and all");
        assert!(!is_in_order(&[Fate::New, Fate::Old, Fate::New]));
        assert!(!is_in_order(&[Fate::New, Fate::Zeros]));
        assert_eq!(distinct(0, Effort::InOrder(3)).len(), 1);
        assert_eq!(distinct(1, Effort::InOrder(3)).len(), 2);
    }

    #[test]
    fn a_sample_is_as_large_as_it_is_told_and_holds_none_and_all() {
        let tried = survivors(5, Effort::Sample(12), &mut Random::new(2));
        assert_eq!(tried.len(), 12);
        assert_eq!(tried[..2], [vec![Fate::Old; 5], vec![Fate::New; 5]]);
        assert_eq!(survivors(0, Effort::Sample(12), &mut Random::new(2)), [Vec::new()]);
    }
}
