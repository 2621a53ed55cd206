//! What a store must say when one sector has rotted.

use super::failure::Failure;
use super::oracle::{Expected, Verdict};
use super::shape::Shape;
use crate::TestClock;
use crate::disk::{Fate, SECTOR, rot};
use nerite::{Corruption, Error, Key, KvRead, OpenOptions, Part, Store};

/// Where the number of a superblock's state stands in it (`docs/format.md`, superblock).
const CHECKPOINT_AT: usize = 100;

/// A disk on which nothing was pending, and one sector that rots there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rot<'a> {
    pub(super) shape: &'a Shape,
    /// What was there before.
    pub(super) sound: &'a [u8],
    /// Where the sector lies, in bytes on the disk.
    pub(super) offset: usize,
    pub(super) fate: Fate,
}

impl Rot<'_> {
    /// What is left.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.sound.to_vec();
        rot(&mut bytes, self.offset, self.fate);
        bytes
    }

    /// What was acknowledged is there, but for the last group if the damage is to that, or the
    /// store says that it is damaged, and where. In the superblock, damage to a slot that is not in
    /// force, or to a copy that has a twin, is no loss. A key that can be read is right.
    pub(super) fn judge(&self, expected: &Expected) -> Result<(), Failure> {
        let expected = expected.with_damage_at(self.offset);
        let disk = self.shape.disk(self.bytes());
        let store = match Store::open(disk, TestClock::new(0), OpenOptions::new(1)) {
            Ok(store) => store,
            Err(Error::Corrupt(corruption)) => return self.told(&corruption),
            Err(error) => return Err(Failure::new(format!("open: {error}"))),
        };
        match expected.judge(&store) {
            Ok(_) => Ok(()),
            Err(Verdict::Corrupt(corruption)) => {
                self.told(&corruption)?;
                let mut keys = expected.keys();
                keys.try_for_each(|key| self.judge_key(&store, key, &expected))
            }
            Err(Verdict::Failure(failure)) => Err(failure),
        }
    }

    /// Another key than that which could not be read.
    fn judge_key(&self, kv: &impl KvRead, key: &Key, expected: &Expected) -> Result<(), Failure> {
        match kv.get(key) {
            Ok(value) if expected.may_hold(key, Some(&value)) => Ok(()),
            Err(Error::NotFound(_)) if expected.may_hold(key, None) => Ok(()),
            Err(Error::Corrupt(corruption)) => self.told(&corruption),
            other => Err(Failure::new(format!("get {key}, beside the damage: {other:?}"))),
        }
    }

    /// The store may say so.
    fn told(&self, corruption: &Corruption) -> Result<(), Failure> {
        let offset = self.offset;
        if self.is_no_loss() {
            let told =
                format!("damage at byte {offset}, where a twin or a newer state is, is fatal");
            return Err(Failure::new(format!("{told}: {corruption}")));
        }
        if !self.is_place(corruption.part, corruption.at) {
            return Err(Failure::new(format!("byte {offset} is damaged, not so: {corruption}")));
        }
        Ok(())
    }

    fn is_no_loss(&self) -> bool {
        let pages = self.shape.superblocks_len() / self.shape.page_len();
        let (page, within) = (self.page(), self.offset % self.shape.page_len());
        let newest = (0..pages).map(|page| self.checkpoint(page)).max();
        let has_twin = pages == 4 && self.checkpoint(page ^ 2) == self.checkpoint(page);
        let is_in_force = newest == Some(self.checkpoint(page));
        page < pages && (has_twin || !is_in_force || within >= SECTOR)
    }

    fn page(&self) -> usize {
        self.offset / self.shape.page_len()
    }

    fn checkpoint(&self, page: usize) -> u64 {
        let at = page * self.shape.page_len() + CHECKPOINT_AT;
        let field = self.sound.get(at..).and_then(<[u8]>::first_chunk);
        field.map_or(0, |field| u64::from_le_bytes(*field))
    }

    /// Whether what the store names can be the damaged place, as far as that can be told.
    fn is_place(&self, part: Part, at: u64) -> bool {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        // No structure of these stores is longer than a page, and pages and segments are alike.
        let len = self.shape.page_len();
        let holds = at < self.offset + SECTOR && self.offset < at.saturating_add(len);
        match part {
            // A slot is named by any of its copies.
            Part::Superblock => {
                self.offset < self.shape.superblocks_len() && self.page() % 2 == at / len % 2
            }
            // What is missing from the chain is named by the first place where it can have been: if it
            // did not fit there, it was at the start of another segment.
            Part::Frame => holds || at / len != self.page(),
            _ => holds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::life::{Disk, two_values};
    use super::super::shape::Oddities;
    use super::*;
    use crate::disk::Event;

    const SMALL: Shape =
        Shape { kib: 64, block: 512, clock_moves: false, small_deltas: false, odd: Oddities::NONE };

    fn made(shape: &Shape) -> Vec<u8> {
        Disk::formatted(shape, 3).unwrap().bytes
    }

    #[test]
    fn only_the_slot_in_force_can_be_lost_and_only_where_it_has_one_copy() {
        let is_no_loss = |kib, offset: usize| {
            let shape = Shape { kib, ..SMALL };
            Rot { shape: &shape, sound: &made(&shape), offset, fate: Fate::Ones }.is_no_loss()
        };
        // The second state that `create` writes is in force.
        assert_eq!([0, 4096, 8192].map(|at| is_no_loss(64, at)), [true, false, false]);
        assert_eq!([0, 4096, 8192, 12288].map(|at| is_no_loss(256, at)), [true; 4]);
        assert!(!is_no_loss(256, 16384), "the log");
        assert!(is_no_loss(64, 4096 + 512), "nothing is there");
    }

    #[test]
    fn damage_must_be_told_by_its_place() {
        let sound = made(&SMALL);
        let is_place = |offset, part, at| {
            let fate = Fate::Ones;
            Rot { shape: &SMALL, sound: &sound, offset, fate }.is_place(part, at)
        };
        assert!(is_place(4096, Part::Superblock, 4096) && !is_place(4096, Part::Superblock, 0));
        assert!(!is_place(8192, Part::Superblock, 0));
        for part in [Part::Node, Part::Record, Part::Table, Part::Frame] {
            assert!(is_place(9216, part, 8192) && is_place(9216, part, 9216 + 400), "{part:?}");
            assert!(!is_place(9216, part, 9216 + 512), "{part:?}: behind it");
        }
        assert!(!is_place(20000, Part::Node, 8192) && !is_place(20000, Part::Record, 8192));
        assert!(is_place(20000, Part::Frame, 8192), "where the chain may have gone on");
    }

    #[test]
    fn damage_may_be_told_but_only_that_of_the_last_group_may_pass_for_a_crash() {
        let (shape, sound, lapse) = two_values();
        let Event::Write(last) = &lapse.events[0] else { panic!("the frame") };
        let after = &lapse.known(2).expected;
        let rot = |offset, expected: &Expected| {
            let fate = Fate::Ones;
            Rot { shape: &shape, sound: &sound, offset, fate }.judge(expected)
        };
        assert_eq!(rot(last[0].0, after), Ok(()), "it is cut");
        assert_eq!(rot(last[0].0 - SECTOR, after), Ok(()), "it is told");
        assert_eq!((rot(0, after), rot(4096, after)), (Ok(()), Ok(())), "there is another copy");
        let mut sealed = after.clone();
        sealed.seal();
        let failure = rot(last[0].0, &sealed).unwrap_err().to_string();
        assert!(failure.contains("/b is missing"), "{failure}");
    }
}
