//! What the tail says, damaged or not.
//!
//! A group that a crash has left unfinished never counted. One in which something is damaged was whole
//! once, as it was durable: what is left of it counts, each record by its own check.

use super::loss::{Loss, Lost};
use super::source::Source;
use super::version::Versions;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::superblock::Superblock;
use crate::log::{Walk, WalkStep};
use crate::store::names::Name;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// The tail.
#[derive(Default)]
pub(super) struct Tail {
    pub(super) versions: Versions,
    /// Keys of which a newer version may be among what was lost.
    pub(super) doubted: BTreeSet<Vec<u8>>,
    /// Something is damaged that only the older state needs.
    pub(super) is_older_damaged: bool,
    /// Part of the group that is not at its end.
    group: Versions,
    is_last: bool,
    is_damaged: bool,
}

/// Reads the tail from this state's start on. What lies before the frame of number `needed` is in the
/// newest tree.
pub(super) fn read<D: BlockDevice>(
    source: &Source<'_, D>,
    state: &Superblock,
    needed: u64,
    losses: &mut Vec<Loss>,
) -> Result<Tail, Error> {
    let mut tail = Tail::default();
    let mut number = 0;
    let mut walk = Walk::tail(source.disk, state);
    while let Some(step) = walk.next()? {
        match step {
            WalkStep::Frame { header, .. } => {
                if header.first {
                    tail.settle();
                }
                number = header.number;
                tail.is_last |= header.last;
                let (found, named) = (state.checkpoint, header.checkpoint);
                if named > found.saturating_add(1) && losses.is_empty() {
                    let at = source.layout.superblock_at(0, 0);
                    let fault = Fault::Older { found, named };
                    let corruption = Corruption { part: Part::Superblock, at, fault };
                    losses.push(Loss { corruption, lost: Lost::Unknown });
                }
            }
            WalkStep::Record { record, pointer, time } => {
                tail.group.add_record(&record, pointer, time);
            }
            WalkStep::Damaged { corruption, key, .. } => {
                tail.is_damaged = true;
                if let Fault::Missing { frame } = corruption.fault {
                    number = frame;
                }
                let is_older = number < needed;
                tail.is_older_damaged |= is_older;
                let lost = match (corruption.part, key.and_then(Name::of)) {
                    _ if is_older => Lost::Nothing,
                    (Part::Record, Some(name)) => {
                        tail.doubted.insert(name.index_key().as_bytes().into());
                        Lost::Doubted(name)
                    }
                    // What is left of its records follows, and what is not is told.
                    (Part::Frame, _) if corruption.fault == Fault::Check => Lost::Nothing,
                    _ => Lost::Unknown,
                };
                losses.push(Loss { corruption, lost });
            }
            WalkStep::End { .. } => tail.settle(),
            WalkStep::Survivors { .. } | WalkStep::Node { .. } => {}
        }
    }
    Ok(tail)
}

impl Tail {
    fn settle(&mut self) {
        let group = core::mem::take(&mut self.group);
        if self.is_last || self.is_damaged {
            self.versions.extend(group);
        }
        (self.is_last, self.is_damaged) = (false, false);
    }
}
