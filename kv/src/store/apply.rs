//! One change on the index.

use crate::format::layout::Layout;
use crate::index::{Entry, Index, Stored};
use crate::log::{By, Change, Segments, What};
use crate::planted::{Bug, planted};

/// Does what the change says, and counts it as of `frame`, unless it is counted already. Live
/// writes and replay both come here, so that what is recovered is what was there. It looks nothing
/// up in the tree: the change names what it replaces.
pub(super) fn apply(
    index: &mut Index,
    mut counts: Option<&mut Segments>,
    layout: &Layout,
    (frame, change): (u64, Change),
) {
    if let What::Move { key, moved } = &change.what
        && !index.may_hold(key, moved.sequence)
        && !planted(Bug::MoveResurrects)
    {
        return;
    }
    if let Some(segments) = &mut counts {
        segments.count(&change, frame);
    }
    let Change { what, sequence, modified, timed, replaced, record } = change;
    match what {
        What::Set { key, size, inline } => {
            let value = match inline {
                Some(bytes) => Stored::Inline { bytes, timed },
                None => Stored::Record(record),
            };
            index.insert(key, Entry { sequence, modified, size, value }, replaced.is_some());
        }
        What::Move { key, moved } => {
            let (size, value) = (u64::from(moved.size), Stored::Record(moved.record));
            index.insert(key, Entry { sequence: moved.sequence, modified, size, value }, true);
        }
        What::Remove { key } => index.remove(key, replaced.is_some()),
        What::RemoveRange { from, to } => {
            for (key, entry) in index.remove_range(from, to) {
                if let Some(segments) = &mut counts {
                    segments.forget(entry.replaced(layout, key.as_bytes()), By::Frame(frame));
                }
            }
        }
    }
}
