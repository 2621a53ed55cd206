//! What is found without the index, in any segment: records and leaves of any age.
//!
//! Only what is older than the tail is taken: the tail tells by itself what counts in it. Whether an
//! older version was overwritten or removed since, nobody knows where the record of that was used again.

use super::source::Source;
use super::tree::Span;
use super::version::{Version, Versions};
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::record::Operation;
use crate::format::superblock::Superblock;
use crate::log::{Walk, WalkStep};

/// Looks through all segments for keys in these holes, which are in key order.
pub(super) fn carve<D: BlockDevice>(
    source: &Source<'_, D>,
    state: &Superblock,
    holes: &[&Span],
    found: &mut Versions,
) -> Result<(), Error> {
    let before = state.tail_start.sequence;
    for segment in 0..source.layout.segment_count {
        let mut walk = Walk::segment(source.disk, state, segment);
        while let Some(step) = walk.next()? {
            match step {
                WalkStep::Record { record, pointer, time } if record.sequence < before => {
                    let wanted = match record.operation {
                        Operation::RemoveRange { .. } => true,
                        operation => operation.key().is_some_and(|key| is_in(holes, key)),
                    };
                    if wanted {
                        found.add_record(&record, pointer, time);
                    }
                }
                WalkStep::Node { node, .. } if node.level() == 0 => {
                    for cell in 0..node.len() {
                        let key = node.key(cell);
                        let entry = node.entry(cell).ok().filter(|_| is_in(holes, &key));
                        if let Some(entry) = entry.filter(|entry| entry.sequence < before) {
                            found.add(&key, Version::of_entry(&entry));
                        }
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_in(holes: &[&Span], key: &[u8]) -> bool {
    let behind = holes.partition_point(|(from, _)| **from <= *key);
    let last = behind.checked_sub(1).and_then(|last| holes.get(last));
    last.is_some_and(|(_, to)| to.as_ref().is_none_or(|to| *key < **to))
}
