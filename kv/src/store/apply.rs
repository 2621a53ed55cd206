//! One change on the index.

use crate::format::index_key::Keyspace;
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
        What::SetObject { key, object } => {
            let value = Stored::Object { id: object.id, timed };
            let entry = Entry { sequence, modified, size: object.size, value };
            index.insert(key, entry, replaced.is_some());
        }
        What::Place { key, placed } => {
            let (size, value) = (u64::from(placed.size), Stored::Record(placed.record));
            let entry = Entry { sequence: placed.sequence, modified, size, value };
            index.insert(key, entry, replaced.is_some());
        }
        What::Remove { key } => index.remove(key, replaced.is_some()),
        What::RemoveRange { from, to } => {
            for (key, entry) in index.remove_range(from, to) {
                if let Some(segments) = &mut counts {
                    let record = entry.replaced(layout, key.as_bytes());
                    let keyspace = Keyspace::of(key.as_bytes());
                    segments.forget((keyspace, record), By::Frame(frame));
                }
            }
        }
    }
}
