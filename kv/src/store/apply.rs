//! One change on the index.

use crate::index::{Entry, Index};
use crate::log::{Change, Segments, What};

/// Does what the change says. Live writes and replay both come here, so that what is recovered is
/// what was there. It looks nothing up: the change names what it replaces.
pub(super) fn apply(index: &mut Index, segments: &mut Segments, change: Change) {
    let Change { what, sequence, modified, replaced, record } = change;
    if let Some(replaced) = replaced {
        segments.subtract(replaced);
    }
    match what {
        What::Set { key, size } => {
            segments.add(record);
            index.insert(key, Entry { sequence, modified, size, record });
        }
        What::Remove { key } => index.remove(key.as_bytes()),
        What::RemoveRange { from, to } => {
            for entry in index.remove_range(from.as_bytes(), to.as_bytes()) {
                if let Some(replaced) = segments.replaced(entry.record) {
                    segments.subtract(replaced);
                }
            }
        }
    }
}
