//! Which call fails, and what the disk does then.

/// A kind of call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A write fails as a whole: nothing of it reaches the disk.
    Write,
    /// A flush fails.
    Flush,
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The call fails and the next one works.
    Once,
    /// The call and all after it fail.
    Forever,
}

/// What a failed flush does with the writes that it should have made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// They still wait: a later flush makes them durable.
    Kept,
    /// They are lost: what was durable reads back.
    Dropped,
}

/// One planned fault.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The calls that are counted and fail.
    pub call: Call,
    /// How many of them still work.
    pub after: u64,
    /// How often it strikes.
    pub repeat: Repeat,
    /// What happens to pending writes when it strikes a flush.
    pub pending: Pending,
}

/// The faults to come.
#[derive(Debug, Default)]
pub(super) struct Plan(Vec<Fault>);

impl Plan {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Counts one call and tells what strikes it.
    pub(super) fn strike(&mut self, call: Call) -> Option<Fault> {
        let mut struck = None;
        self.0.retain_mut(|fault| {
            if fault.call != call {
                return true;
            }
            let Some(left) = fault.after.checked_sub(1) else {
                struck = Some(*fault);
                return fault.repeat == Repeat::Forever;
            };
            fault.after = left;
            true
        });
        struck
    }
}
