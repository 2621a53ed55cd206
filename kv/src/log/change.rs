//! An operation before it is committed, and what it does to the index once it is: the one form that
//! live writes and replay both apply.

use crate::clock::Timestamp;
use crate::format::index_key::IndexKey;
use crate::format::pointer::Pointer;
use crate::format::record::{Moved, Operation, Record, Replaced};
use alloc::boxed::Box;

/// An operation that is to be committed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending<'a> {
    pub(crate) operation: Operation<'a>,
    /// `None`: the time of the commit.
    pub(crate) modified: Option<Timestamp>,
    pub(crate) replaced: Option<Replaced>,
}

impl Pending<'_> {
    pub(crate) const fn record_len(&self) -> u64 {
        self.operation.record_len(self.modified)
    }

    /// Whether it sets a value in place of none, or of a shorter record: more is live then.
    pub(crate) fn grows(&self) -> bool {
        let is_set = matches!(self.operation, Operation::Set { .. });
        is_set && self.replaced.is_none_or(|old| u64::from(old.len) < self.record_len())
    }
}

/// A record of a group that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) what: What,
    pub(crate) sequence: u64,
    pub(crate) modified: Timestamp,
    /// The record had a time of its own.
    pub(crate) timed: bool,
    pub(crate) replaced: Option<Replaced>,
    pub(crate) record: Pointer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The key has a value of `size` bytes, in the record.
    Set {
        key: IndexKey,
        size: u64,
        /// The value itself, if it is short enough to be kept in the index.
        inline: Option<Box<[u8]>>,
    },
    Remove {
        key: IndexKey,
    },
    /// Every key from `from` on and below `to` is gone.
    RemoveRange {
        from: IndexKey,
        to: IndexKey,
    },
    /// The record of the key's value lies elsewhere.
    Move {
        key: IndexKey,
        moved: Moved,
    },
}

impl Change {
    /// What `record`, which lies there, does in a frame of this time. The index keeps values of up
    /// to `inline_max` bytes.
    pub(crate) fn new(
        record: &Record<'_>,
        pointer: Pointer,
        frame_time: Timestamp,
        inline_max: u16,
    ) -> Self {
        let what = match record.operation {
            Operation::Set { key, value } => What::Set {
                key: IndexKey::from_checked(key),
                size: value.len() as u64,
                inline: (value.len() <= usize::from(inline_max)).then(|| value.into()),
            },
            Operation::Remove { key } => What::Remove { key: IndexKey::from_checked(key) },
            Operation::RemoveRange { from, to } => What::RemoveRange {
                from: IndexKey::from_checked(from),
                to: IndexKey::from_checked(to),
            },
            Operation::Move { key, moved } => {
                What::Move { key: IndexKey::from_checked(key), moved }
            }
        };
        Self {
            what,
            sequence: record.sequence,
            modified: record.modified.unwrap_or(frame_time),
            timed: record.modified.is_some(),
            replaced: record.replaced,
            record: pointer,
        }
    }
}
