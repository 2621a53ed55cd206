//! The disk and the store of a script: what is the same in all its lives.
//!
//! ```text
//! disk 64K block 512 clock still deltas large dirty discards
//! ```

use crate::Random;
use crate::disk::{SECTOR, SimDisk};
use nerite::OpenOptions;
use std::fmt;

/// The disk and its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// KiB that the store takes of the disk.
    pub kib: u32,
    /// Bytes in a block of the store.
    pub block: u32,
    /// The clock goes on from step to step; otherwise it stands still.
    pub clock_moves: bool,
    /// Deltas and nodes are of a few keys, so that checkpoints go on within a short life.
    pub small_deltas: bool,
    /// What few have.
    pub odd: Oddities,
}

/// What few shapes have. Written as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// `alike`: all mounts are given the same seed that follow one which has acknowledged something.
    Alike,
    /// `dirty`: the disk held garbage and another store before.
    Dirty,
    /// `larger`: the disk has grown since the store was made.
    Larger,
    /// `pages`: the disk's own blocks have 4,096 bytes; otherwise they are sectors.
    Pages,
    /// `discards`: the disk makes use of discards.
    Discards,
    /// `worn`: the store has been written to for so long that no segment was spared.
    Worn,
}

impl Oddity {
    const ALL: [(&str, Self); 6] = [
        ("alike", Self::Alike),
        ("dirty", Self::Dirty),
        ("larger", Self::Larger),
        ("pages", Self::Pages),
        ("discards", Self::Discards),
        ("worn", Self::Worn),
    ];
}

/// Some [`Oddity`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oddities(u8);

impl Oddities {
    /// None.
    pub const NONE: Self = Self(0);

    /// These and this one.
    #[must_use]
    pub const fn and(self, one: Oddity) -> Self {
        Self(self.0 | 1 << one as u8)
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, one: Oddity) -> bool {
        self.0 & 1 << one as u8 != 0
    }
}

/// Bytes in a disk's own block, if they are not sectors.
const PAGE: usize = 4096;

/// Bytes by which a disk has grown.
const GROWTH: usize = 3 * PAGE;

impl Shape {
    /// Bytes of superblock slots at the start of the disk (`docs/format.md`, layout).
    #[must_use]
    pub const fn superblocks_len(&self) -> usize {
        self.copies() * 2 * self.page_len()
    }

    /// Bytes from one copy of the superblock to the next.
    #[must_use]
    pub const fn page_len(&self) -> usize {
        if self.block > 4096 { self.block as usize } else { 4096 }
    }

    /// Copies of each superblock slot.
    #[must_use]
    pub const fn copies(&self) -> usize {
        if self.kib < 256 { 1 } else { 2 }
    }

    /// How a mount of this seed opens the store.
    #[must_use]
    pub const fn options(&self, seed: u64) -> OpenOptions {
        let options = OpenOptions::new(seed);
        if self.small_deltas {
            options.delta_entries(3).node_entries(3).step_nodes(1).cache_bytes(16 << 10)
        } else {
            options
        }
    }

    /// The disk with these bytes.
    #[must_use]
    pub fn disk(&self, bytes: Vec<u8>) -> SimDisk {
        let block = if self.odd.has(Oddity::Pages) { PAGE } else { SECTOR };
        let block = u32::try_from(block).expect("a small number");
        let discards = self.odd.has(Oddity::Discards);
        SimDisk::from_bytes(block, bytes).with_geometry(|geometry| geometry.discard = discards)
    }

    /// Whether it shows when acknowledged data is written over: a disk that discards is told when a
    /// segment may be used again.
    #[must_use]
    pub const fn is_watched(&self) -> bool {
        self.odd.has(Oddity::Discards)
    }

    /// What is on the disk before anything is made of it.
    #[must_use]
    pub fn blank(&self, seed: u64) -> Vec<u8> {
        let len = self.kib as usize * 1024;
        if self.odd.has(Oddity::Dirty) { Random::new(!seed).bytes(len) } else { vec![0; len] }
    }

    /// What is on the disk when the store has been made there: it may have grown since.
    #[must_use]
    pub fn grown(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.odd.has(Oddity::Larger) {
            bytes.extend(Random::new(GROWTH as u64).bytes(GROWTH));
        }
        bytes
    }

    /// From its words, and what is left of them.
    pub(super) fn from_words<'a>(words: &'a [&'a str]) -> Option<(Self, &'a [&'a str])> {
        let ["disk", kib, "block", block, "clock", clock, "deltas", deltas, rest @ ..] = words
        else {
            return None;
        };
        let (mut odd, mut rest) = (Oddities::NONE, rest);
        while let [word, behind @ ..] = rest
            && let Some((_, one)) = Oddity::ALL.iter().find(|(name, _)| name == word)
        {
            (odd, rest) = (odd.and(*one), behind);
        }
        let clock_moves = match *clock {
            "moves" => true,
            "still" => false,
            _ => return None,
        };
        let small_deltas = match *deltas {
            "small" => true,
            "large" => false,
            _ => return None,
        };
        let (kib, block) = (kib.strip_suffix('K')?.parse().ok()?, block.parse().ok()?);
        Some((Self { kib, block, clock_moves, small_deltas, odd }, rest))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kib, block, clock_moves, small_deltas, odd } = self;
        let clock = if *clock_moves { "moves" } else { "still" };
        let deltas = if *small_deltas { "small" } else { "large" };
        write!(f, "disk {kib}K block {block} clock {clock} deltas {deltas}")?;
        let mut names = Oddity::ALL.iter().filter(|(_, one)| odd.has(*one));
        names.try_for_each(|(name, _)| write!(f, " {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerite::BlockDevice;

    fn plain(kib: u32, block: u32) -> Shape {
        let odd = Oddities::NONE;
        Shape { kib, block, clock_moves: true, small_deltas: false, odd }
    }

    #[test]
    fn superblocks_take_what_the_format_says() {
        let len = |kib, block| plain(kib, block).superblocks_len();
        assert_eq!((len(64, 512), len(255, 4096)), (8192, 8192));
        assert_eq!((len(256, 512), len(1024, 8192)), (16384, 32768));
    }

    #[test]
    fn comes_back_from_its_words_with_each_oddity() {
        for (name, one) in Oddity::ALL {
            let shape = Shape { odd: Oddities::NONE.and(one), ..plain(64, 4096) };
            let line = format!("{shape} seed 7");
            let words: Vec<_> = line.split(' ').collect();
            assert_eq!(Shape::from_words(&words), Some((shape, &["seed", "7"][..])), "{name}");
        }
    }

    #[test]
    fn an_odd_disk_is_as_it_says() {
        let odd = |one| Shape { odd: Oddities::NONE.and(one), ..plain(64, 4096) };
        let geometry = |shape: Shape| shape.disk(shape.grown(shape.blank(1))).geometry();
        assert_eq!(geometry(plain(64, 4096)).block_size, 512);
        assert_eq!(geometry(odd(Oddity::Pages)).block_size, 4096);
        assert!(geometry(odd(Oddity::Discards)).discard);
        assert_eq!(geometry(odd(Oddity::Larger)).size(), (64 << 10) + 3 * 4096);
        assert!(odd(Oddity::Dirty).blank(1).iter().any(|&byte| byte != 0));
        assert!(plain(64, 512).blank(1).iter().all(|&byte| byte == 0));
    }
}
