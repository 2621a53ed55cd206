//! Extents: records outside the chain that are written together with the frames which place them.
//!
//! Invariants:
//! - They lie among the survivors, where nothing durable names anything.
//! - They are written in the same call as their frames, and one flush is for both. So a crash can keep a
//!   frame and lose what it places: replay proves that (`proof.rs`).

use super::change::Pending;
use super::outside::Outside;
use crate::error::Error;
use crate::format::layout::Layout;
use crate::format::pointer::Pointer;
use crate::format::record::{Operation, Record};
use crate::format::survivors::{HEADER_LEN, put_header};
use alloc::vec::Vec;

/// Extents behind one header.
#[derive(Debug)]
struct Run {
    at: u64,
    count: usize,
    /// Bytes of the records.
    len: usize,
}

/// Where the extents of a commit will lie; then, with their bytes.
#[derive(Debug)]
pub(super) struct Extents {
    pub(super) outside: Outside,
    birth: u64,
    /// Those that are still to be made, the next one last.
    runs: Vec<Run>,
    /// The run that is being made, its bytes, and how many more extents it has.
    open: Option<(Run, Vec<u8>)>,
}

impl Extents {
    /// Finds room outside the chain for the extents among the operations.
    ///
    /// # Errors
    /// `NoSpace`.
    pub(super) fn plan(
        mut outside: Outside,
        birth: u64,
        operations: &[Pending<'_>],
    ) -> Result<Self, Error> {
        let extents = operations.iter().filter(|pending| is_extent(pending));
        let lens: Vec<u64> = extents.map(Pending::live_len).collect();
        let layout = outside.layout;
        let free = (outside.free.len() as u64)
            .saturating_mul(layout.segment_len())
            .saturating_add(outside.room());
        let (mut runs, mut rest) = (Vec::new(), &lens[..]);
        while !rest.is_empty() {
            let Ok((at, count, len)) = outside.place_run(rest) else {
                let needed = lens.iter().fold(0, |sum: u64, len| sum.saturating_add(*len));
                let free = free.min(needed.saturating_sub(1));
                return Err(Error::NoSpace { needed, free });
            };
            runs.push(Run { at, count, len });
            rest = rest.get(count..).unwrap_or_default();
        }
        runs.reverse();
        Ok(Self { outside, birth, runs, open: None })
    }

    /// Segments that they open.
    pub(super) fn opened(&self) -> u32 {
        u32::try_from(self.outside.taken.len()).unwrap_or(u32::MAX)
    }

    /// Bytes that they take, whole blocks.
    pub(super) fn len(&self) -> u64 {
        let len = |run: &Run| self.outside.layout.whole(run.len.saturating_add(HEADER_LEN) as u64);
        self.runs.iter().map(len).sum()
    }

    /// Adds the next extent, and tells where it will lie.
    pub(super) fn add(&mut self, record: &Record<'_>) -> Option<Pointer> {
        if self.open.is_none() {
            let run = self.runs.pop()?;
            let whole = self.outside.layout.whole(run.len.saturating_add(HEADER_LEN) as u64);
            let mut bytes = Vec::with_capacity(usize::try_from(whole).ok()?);
            put_header(&mut bytes, self.birth, run.at, u32::try_from(run.len).ok()?);
            self.open = Some((run, bytes));
        }
        let (run, bytes) = self.open.as_mut()?;
        let start = bytes.len();
        let check = record.encode(bytes);
        let len = u32::try_from(bytes.len().checked_sub(start)?).ok()?;
        let at = run.at.checked_add(start as u64)?;
        run.count = run.count.saturating_sub(1);
        if run.count == 0 {
            pad(bytes, &self.outside.layout);
            self.outside.runs.push((run.at, core::mem::take(bytes)));
            self.open = None;
        }
        Some(Pointer { at, len, check })
    }
}

fn is_extent(pending: &Pending<'_>) -> bool {
    matches!(pending.operation, Operation::Extent { .. })
}

fn pad(bytes: &mut Vec<u8>, layout: &Layout) {
    bytes.resize(bytes.len().next_multiple_of(layout.block_len as usize), 0);
}
