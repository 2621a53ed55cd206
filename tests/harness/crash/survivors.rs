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

/// Where frames and records begin, and the fields of a frame's header that decide (`docs/format.md`,
/// frame): a sector torn there, or a byte beside, is more like a whole one than others.
const EDGES: [u16; 12] = [0, 4, 8, 12, 16, 40, 48, 56, 64, 80, 88, 140];

/// Draws what becomes of sectors.
#[derive(Debug)]
pub(super) struct Tears {
    pub(super) random: Random,
    /// Where sectors were torn at earlier losses of power.
    pub(super) earlier: Vec<u16>,
}

impl Tears {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), earlier: Vec::new() }
    }

    /// Takes note of where sectors were torn.
    pub(super) fn note<'a>(&mut self, fates: impl Iterator<Item = &'a Fate>) {
        self.earlier = fates.filter_map(Fate::torn_at).collect();
    }

    /// A byte within a sector at which it is torn.
    fn byte(&mut self) -> u16 {
        let near = match self.random.below(4) {
            0 | 1 => *self.random.pick(&EDGES),
            2 if !self.earlier.is_empty() => *self.random.pick(&self.earlier),
            _ => return uniform(&mut self.random),
        };
        let beside = *self.random.pick(&[near.saturating_sub(1), near, near + 1]);
        beside.min(SECTOR_LEN)
    }

    fn tears(&mut self) -> [Fate; 5] {
        [
            Fate::Head(self.byte()),
            Fate::Tail(self.byte()),
            Fate::Zeros,
            Fate::Ones,
            Fate::Garbage(self.random.next() >> 48),
        ]
    }

    fn any(&mut self) -> Fate {
        match self.random.below(8) {
            0..3 => Fate::New,
            3..6 => Fate::Old,
            _ => {
                let tears = self.tears();
                *self.random.pick(&tears)
            }
        }
    }

    fn drawn(&mut self, pending: usize) -> Vec<Fate> {
        (0..pending).map(|_| self.any()).collect()
    }

    /// One sector is torn while the others survive, or do not; and some mixtures. Of many sectors some
    /// are drawn.
    fn torn(&mut self, pending: usize) -> Vec<Vec<Fate>> {
        let mut all = Vec::new();
        for number in 0..pending.min(ALL_SUBSETS) {
            let one = if pending > ALL_SUBSETS { self.random.below(pending) } else { number };
            for others in [Fate::New, Fate::Old] {
                for fate in self.tears() {
                    all.push((0..pending).map(|n| if n == one { fate } else { others }).collect());
                }
            }
        }
        if pending > 1 {
            all.extend((0..8).map(|_| self.drawn(pending)));
        }
        all
    }
}

#[expect(clippy::cast_possible_truncation, reason = "512 fits")]
const SECTOR_LEN: u16 = SECTOR as u16;

#[expect(clippy::cast_possible_truncation, reason = "below 512")]
fn uniform(random: &mut Random) -> u16 {
    random.below(SECTOR) as u16
}

/// Fates for `pending` sectors, the most telling first, in a fixed order for one generator.
pub(super) fn survivors(pending: usize, effort: Effort, tears: &mut Tears) -> Vec<Vec<Fate>> {
    match effort {
        Effort::Full => {
            let mut all = in_order(pending);
            all.extend(subsets(pending, &mut tears.random));
            all.extend(tears.torn(pending));
            all
        }
        Effort::InOrder(more) => {
            let mut some = in_order(pending);
            let more = if pending > 1 { more } else { 0 };
            some.extend((0..more).map(|_| tears.drawn(pending)));
            some
        }
        Effort::Sample(count) => {
            let mut some = vec![choose(pending, |_| false), choose(pending, |_| true)];
            some.truncate(if pending == 0 { 1 } else { 2 });
            while pending > 0 && some.len() < count {
                some.push(tears.drawn(pending));
            }
            some
        }
    }
}

/// The sectors survive up to one, or from one on.
fn in_order(pending: usize) -> Vec<Vec<Fate>> {
    let mut some: Vec<_> = (0..=pending).map(|at| choose(pending, |n| n < at)).collect();
    some.extend((1..pending).map(|at| choose(pending, |n| n >= at)));
    some
}

/// Whether the sectors survived up to one, or from one on.
pub(super) fn is_in_order(fates: &[Fate]) -> bool {
    let whole = fates.iter().all(|fate| matches!(fate, Fate::New | Fate::Old));
    whole && changes(fates) == 1
}

/// Each sector survives whole or not at all, in no order.
fn subsets(pending: usize, random: &mut Random) -> Vec<Vec<Fate>> {
    if pending <= ALL_SUBSETS {
        let subsets = (0..1usize << pending).map(|mask| choose(pending, |n| mask >> n & 1 == 1));
        return subsets.filter(|fates| changes(fates) > 1).collect();
    }
    let mut family = Vec::new();
    for one in 0..pending {
        family.push(choose(pending, |n| n == one));
        family.push(choose(pending, |n| n != one));
    }
    for _ in 0..32 {
        let bits = random.next();
        family.push(choose(pending, |n| bits >> (n % 64) & 1 == 1));
    }
    family
}

/// How often the next sector met another fate.
fn changes(fates: &[Fate]) -> usize {
    fates.windows(2).filter(|two| two[0] != two[1]).count()
}

fn choose(pending: usize, survives: impl Fn(usize) -> bool) -> Vec<Fate> {
    (0..pending).map(|n| if survives(n) { Fate::New } else { Fate::Old }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn distinct(pending: usize, effort: Effort) -> HashSet<Vec<Fate>> {
        survivors(pending, effort, &mut Tears::new(1)).into_iter().collect()
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
        let tried = survivors(5, Effort::Sample(12), &mut Tears::new(2));
        assert_eq!(tried.len(), 12);
        assert_eq!(tried[..2], [vec![Fate::Old; 5], vec![Fate::New; 5]]);
        assert_eq!(survivors(0, Effort::Sample(12), &mut Tears::new(2)), [Vec::new()]);
    }

    #[test]
    fn sectors_are_torn_at_the_edges_of_fields_where_they_were_torn_before_and_elsewhere() {
        let mut tears = Tears::new(3);
        tears.note([Fate::New, Fate::Head(300)].iter());
        let drawn: Vec<_> = (0..2000).map(|_| tears.byte()).collect();
        let near = |at: u16| drawn.iter().filter(|byte| at.abs_diff(**byte) <= 1).count();
        for at in EDGES {
            assert!(near(at) > 20, "{at}");
        }
        assert!(near(300) > 200);
        assert!(drawn.iter().filter(|byte| **byte > 310).count() > 100);
        assert!(drawn.iter().all(|&byte| byte <= SECTOR_LEN));
    }

    #[test]
    fn of_many_sectors_any_may_be_the_torn_one() {
        let tried = distinct(200, Effort::Full);
        let torn = |fates: &&Vec<Fate>| fates[20..].iter().any(|fate| fate.torn_at().is_some());
        assert!(tried.iter().filter(torn).count() > 20);
    }
}
