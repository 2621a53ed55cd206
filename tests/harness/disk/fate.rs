//! What a crash makes of one sector.

use super::sector::{SECTOR, Sector, sector_mut};
use crate::random::Random;
use std::fmt;
use std::str::FromStr;

/// What a crash makes of one pending sector. Written as a letter, with a number where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// `n`: it reached the disk.
    New,
    /// `o`: it did not; what was there before still is.
    Old,
    /// `h256`: only its first bytes reached the disk.
    Head(u16),
    /// `t256`: only its bytes from this one on reached the disk.
    Tail(u16),
    /// `z`: it holds zeros.
    Zeros,
    /// `f`: it holds 0xFF in every byte.
    Ones,
    /// `b9`: what was there before, but for one bit, counted from the first byte's lowest.
    Bit(u16),
    /// `g7`: it holds nothing of either, but bytes from this seed.
    Garbage(u64),
}

impl Fate {
    /// Where the new bytes end or begin, if only some of them reached the disk.
    #[must_use]
    pub const fn torn_at(&self) -> Option<u16> {
        match self {
            Self::Head(at) | Self::Tail(at) => Some(*at),
            _ => None,
        }
    }

    /// Makes of `sector`, which holds the old bytes, what the disk holds after the crash.
    pub fn strike(self, sector: &mut Sector, new: &Sector) {
        match self {
            Self::New => *sector = *new,
            Self::Old => {}
            Self::Head(len) => {
                let len = usize::from(len).min(SECTOR);
                sector[..len].copy_from_slice(&new[..len]);
            }
            Self::Tail(from) => {
                let from = usize::from(from).min(SECTOR);
                sector[from..].copy_from_slice(&new[from..]);
            }
            Self::Zeros => sector.fill(0),
            Self::Ones => sector.fill(0xFF),
            Self::Bit(bit) => sector[usize::from(bit) / 8 % SECTOR] ^= 1 << (bit % 8),
            Self::Garbage(seed) => garbage(seed, sector),
        }
    }
}

/// Lets the sector at `offset` rot: where the fate brings new bytes, they are the old ones inverted.
pub fn rot(bytes: &mut [u8], offset: usize, fate: Fate) {
    let sector = sector_mut(bytes, offset);
    let inverted = sector.map(|byte| !byte);
    fate.strike(sector, &inverted);
}

/// Fills a sector with bytes from a seed.
pub(super) fn garbage(seed: u64, sector: &mut Sector) {
    let mut random = Random::new(seed);
    for chunk in sector.as_chunks_mut::<8>().0 {
        *chunk = random.next().to_le_bytes();
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("n"),
            Self::Old => f.write_str("o"),
            Self::Head(len) => write!(f, "h{len}"),
            Self::Tail(from) => write!(f, "t{from}"),
            Self::Zeros => f.write_str("z"),
            Self::Ones => f.write_str("f"),
            Self::Bit(bit) => write!(f, "b{bit}"),
            Self::Garbage(seed) => write!(f, "g{seed}"),
        }
    }
}

/// Why a text is no fate, or none of a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoFate(String);

impl fmt::Display for NoFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not what a crash makes of a sector", self.0)
    }
}

impl std::error::Error for NoFate {}

impl FromStr for Fate {
    type Err = NoFate;

    fn from_str(text: &str) -> Result<Self, NoFate> {
        let no_fate = || NoFate(text.to_owned());
        let (letter, number) = text.split_at_checked(1).ok_or_else(no_fate)?;
        let small = || number.parse().map_err(|_| no_fate());
        match (letter, number.is_empty()) {
            ("n", true) => Ok(Self::New),
            ("o", true) => Ok(Self::Old),
            ("z", true) => Ok(Self::Zeros),
            ("f", true) => Ok(Self::Ones),
            ("h", false) => small().map(Self::Head),
            ("t", false) => small().map(Self::Tail),
            ("b", false) => small().map(Self::Bit),
            ("g", false) => number.parse().map(Self::Garbage).map_err(|_| no_fate()),
            _ => Err(no_fate()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Fate; 8] = [
        Fate::Bit(4095),
        Fate::New,
        Fate::Old,
        Fate::Head(256),
        Fate::Tail(100),
        Fate::Zeros,
        Fate::Ones,
        Fate::Garbage(u64::MAX),
    ];

    #[test]
    fn each_leaves_what_it_says() {
        let left = |fate: Fate| {
            let mut sector = [1; SECTOR];
            fate.strike(&mut sector, &[2; SECTOR]);
            (sector[0], sector[99], sector[100], sector[255], sector[256], sector[511])
        };
        assert_eq!(left(Fate::New), (2, 2, 2, 2, 2, 2));
        assert_eq!(left(Fate::Old), (1, 1, 1, 1, 1, 1));
        assert_eq!(left(Fate::Head(256)), (2, 2, 2, 2, 1, 1));
        assert_eq!(left(Fate::Tail(100)), (1, 1, 2, 2, 2, 2));
        assert_eq!(left(Fate::Zeros), (0, 0, 0, 0, 0, 0));
        assert_eq!(left(Fate::Ones), (255, 255, 255, 255, 255, 255));
        assert_eq!(left(Fate::Bit(800)), (1, 1, 0, 1, 1, 1));
        assert_eq!(left(Fate::Bit(4095)), (1, 1, 1, 1, 1, 129));
        assert_ne!(left(Fate::Garbage(1)), left(Fate::Garbage(2)));
        assert_eq!(left(Fate::Garbage(1)), left(Fate::Garbage(1)));
    }

    #[test]
    fn comes_back_from_its_text_and_nothing_else_does() {
        for fate in ALL {
            assert_eq!(fate.to_string().parse(), Ok(fate));
        }
        for text in ["", "x", "h", "n1", "h-1", "g", "é"] {
            assert!(text.parse::<Fate>().is_err(), "{text}");
        }
    }
}
