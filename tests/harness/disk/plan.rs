//! Which request fails or goes astray, and how. A fault has a text form.

use std::fmt;
use std::str::FromStr;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strike {
    /// A read fails.
    ReadFails,
    /// A write fails when this many of its sectors have been written.
    WriteFails {
        /// Sectors from its first on.
        landed: usize,
    },
    /// A flush fails.
    FlushFails(Unflushed),
    /// A flush panics.
    FlushPanics,
    /// A write succeeds, but one of its sectors keeps what it held: it is stale from then on.
    WriteLost {
        /// Of the write's sectors, counted from its first.
        sector: usize,
    },
    /// A write succeeds, but one of its sectors landed elsewhere, on the sector at `offset`.
    WriteMisdirected {
        /// Of the write's sectors, counted from its first.
        sector: usize,
        /// Where it landed, in bytes on the disk.
        offset: usize,
    },
}

/// What a failed flush does with the writes that it should have made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unflushed {
    /// They still wait: a later flush makes them durable.
    Kept,
    /// They are lost: what was durable reads back.
    Dropped,
    /// They are lost, but a cache still shows them, marked clean (as Linux does), until the cache
    /// is dropped.
    Cached,
}

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Read,
    Write,
    Flush,
}

impl Strike {
    /// Whether what a store has written may be lost by it.
    #[must_use]
    pub const fn is_of_writing(self) -> bool {
        !matches!(self.hits(), Request::Read)
    }

    const fn hits(self) -> Request {
        match self {
            Self::ReadFails => Request::Read,
            Self::FlushFails(_) | Self::FlushPanics => Request::Flush,
            Self::WriteFails { .. } | Self::WriteLost { .. } | Self::WriteMisdirected { .. } => {
                Request::Write
            }
        }
    }
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// One request is struck and the next one works.
    Once,
    /// One request is struck, and all of its kind after it.
    Forever,
}

/// One planned fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// What goes wrong.
    pub strike: Strike,
    /// How many requests of that kind still work.
    pub after: u64,
    /// How often it strikes.
    pub repeat: Repeat,
}

impl Fault {
    /// The next request of that kind is struck, and no other.
    #[must_use]
    pub const fn next(strike: Strike) -> Self {
        Self { strike, after: 0, repeat: Repeat::Once }
    }
}

/// `read 2`, `write 3 0 always`: the strike, how many requests still work, and whether it stays.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.strike {
            Strike::ReadFails => f.write_str("read"),
            Strike::WriteFails { landed } => write!(f, "write {landed}"),
            Strike::FlushFails(Unflushed::Kept) => f.write_str("flush kept"),
            Strike::FlushFails(Unflushed::Dropped) => f.write_str("flush dropped"),
            Strike::FlushFails(Unflushed::Cached) => f.write_str("flush cached"),
            Strike::FlushPanics => f.write_str("flush panics"),
            Strike::WriteLost { sector } => write!(f, "write lost {sector}"),
            Strike::WriteMisdirected { sector, offset } => {
                write!(f, "write astray {sector} {offset}")
            }
        }?;
        let repeat = if self.repeat == Repeat::Forever { " always" } else { "" };
        write!(f, " {}{repeat}", self.after)
    }
}

/// Why a text is no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoFault(String);

impl fmt::Display for NoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no fault of a disk", self.0)
    }
}

impl std::error::Error for NoFault {}

impl FromStr for Fault {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        parse(text).ok_or_else(|| NoFault(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Fault> {
    let words: Vec<_> = text.split_whitespace().collect();
    let (words, repeat) = match &words[..] {
        [words @ .., "always"] => (words, Repeat::Forever),
        words => (words, Repeat::Once),
    };
    let (after, words) = words.split_last()?;
    let strike = match words {
        ["read"] => Strike::ReadFails,
        ["write", landed] => Strike::WriteFails { landed: landed.parse().ok()? },
        ["flush", "kept"] => Strike::FlushFails(Unflushed::Kept),
        ["flush", "dropped"] => Strike::FlushFails(Unflushed::Dropped),
        ["flush", "cached"] => Strike::FlushFails(Unflushed::Cached),
        ["flush", "panics"] => Strike::FlushPanics,
        ["write", "lost", sector] => Strike::WriteLost { sector: sector.parse().ok()? },
        ["write", "astray", sector, offset] => {
            Strike::WriteMisdirected { sector: sector.parse().ok()?, offset: offset.parse().ok()? }
        }
        _ => return None,
    };
    Some(Fault { strike, after: after.parse().ok()?, repeat })
}

/// The faults to come.
#[derive(Debug, Default)]
pub(super) struct Plan(Vec<Fault>);

impl Plan {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts one request and tells what strikes it.
    pub(super) fn strike(&mut self, request: Request) -> Option<Strike> {
        let mut struck = None;
        self.0.retain_mut(|fault| {
            if fault.strike.hits() != request {
                return true;
            }
            let Some(left) = fault.after.checked_sub(1) else {
                struck = Some(fault.strike);
                return fault.repeat == Repeat::Forever;
            };
            fault.after = left;
            true
        });
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_comes_back_from_its_text_and_nothing_else_does() {
        let strikes = [
            Strike::ReadFails,
            Strike::WriteFails { landed: usize::MAX },
            Strike::FlushFails(Unflushed::Kept),
            Strike::FlushFails(Unflushed::Dropped),
            Strike::FlushFails(Unflushed::Cached),
            Strike::FlushPanics,
            Strike::WriteLost { sector: 3 },
            Strike::WriteMisdirected { sector: 3, offset: 4096 },
        ];
        for strike in strikes {
            for repeat in [Repeat::Once, Repeat::Forever] {
                let fault = Fault { strike, after: 7, repeat };
                assert_eq!(fault.to_string().parse(), Ok(fault));
            }
        }
        for text in
            ["", "read", "read x", "always", "read always", "flush 1", "write 1 2 3", "off 1"]
        {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
