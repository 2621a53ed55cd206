//! Which request fails or goes astray, and how.

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
