//! Turns the caller's buffers into as many bytes as one request takes.

use crate::hal::Hal;
use crate::queue::Segment;
use alloc::vec::Vec;
use core::ptr::NonNull;

/// What one request may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// In bytes.
    pub(crate) block_size: usize,
    /// The most bytes; at least a block.
    pub(crate) transfer_max: usize,
    /// The most segments; at least one.
    pub(crate) segments_max: usize,
    /// The most bytes of one segment; at least one.
    pub(crate) segment_max: usize,
}

/// Lists in `segments` where the bytes lie that one request takes, from byte `skip` of the
/// concatenation of `parts` on. Returns how many bytes those are: whole blocks, and none if not even
/// one block fits into the limits. `None` if the device can't reach them.
///
/// The parts from `skip` on have whole blocks together.
pub(crate) fn fill<H: Hal>(
    parts: impl Iterator<Item = (NonNull<u8>, usize)>,
    mut skip: usize,
    limits: &Limits,
    segments: &mut Vec<Segment>,
) -> Option<usize> {
    segments.clear();
    let mut total = 0;
    'parts: for (start, len) in parts {
        let mut at = skip.min(len);
        skip -= at;
        while at < len {
            let want = (len - at).min(limits.transfer_max - total).min(limits.segment_max);
            if want == 0 || segments.len() == limits.segments_max {
                break 'parts;
            }
            // `at` is within the part, so no address overflows.
            let memory = start.map_addr(|address| address.saturating_add(at));
            let run = H::physical(memory, want).filter(|run| (1..=want).contains(&run.len))?;
            segments.push(Segment { address: run.address, len: u32::try_from(run.len).ok()? });
            at += run.len;
            total += run.len;
        }
    }
    let mut excess = total % limits.block_size;
    total -= excess;
    while let Some(last) = segments.pop_if(|_| excess > 0) {
        let cut = excess.min(last.len as usize);
        excess -= cut;
        let len = last.len - u32::try_from(cut).ok()?;
        if len > 0 {
            segments.push(Segment { len, ..last });
        }
    }
    Some(total)
}
