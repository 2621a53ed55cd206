//! Bugs that tests plant, to see that the crash explorer finds them.
//!
//! Only a build with `--cfg planted` can plant any. In every other build [`planted`] is `false` when
//! the code is compiled, and nothing of them is left. Each is one that engines of this kind have
//! had, and breaks one rule of `docs/design.md`.
#![allow(unreachable_pub, reason = "public in builds that can plant bugs")]

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A frame chains by its number and place alone.
    UnchainedFrames,
    /// Each record's check stands behind the record, so that the frame check is blind to it.
    CheckAfterData,
    /// A frame is written together with the block before it.
    TailRewrite,
    /// A mount's epoch counts up from the one before.
    EpochNotRandom,
    /// A flush that failed is tried again, and its success believed.
    FlushRetried,
    /// A FIRST frame goes on with what an unfinished group has left.
    FirstKeepsUnfinished,
    /// What a writing open has read is taken for durable without a flush.
    DurableFromCache,
    /// A new state of the superblock goes to one copy of its slot.
    SingleCopy,
}

#[cfg(not(planted))]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}

#[cfg(planted)]
pub use switch::plant;
#[cfg(planted)]
pub(crate) use switch::planted;

#[cfg(planted)]
mod switch {
    use super::Bug;
    use core::sync::atomic::{AtomicU8, Ordering};

    /// The number of the bug that is planted, from 1.
    static PLANTED: AtomicU8 = AtomicU8::new(0);

    impl Bug {
        /// All of them, with the names by which tests ask for them.
        pub const ALL: [(&str, Self); 8] = [
            ("unchained-frames", Self::UnchainedFrames),
            ("check-after-data", Self::CheckAfterData),
            ("tail-rewrite", Self::TailRewrite),
            ("epoch-not-random", Self::EpochNotRandom),
            ("flush-retried", Self::FlushRetried),
            ("first-keeps-unfinished", Self::FirstKeepsUnfinished),
            ("durable-from-cache", Self::DurableFromCache),
            ("single-copy", Self::SingleCopy),
        ];
    }

    /// Plants this bug, or none, in the whole process.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(0, |bug| bug as u8 + 1), Ordering::SeqCst);
    }

    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as u8 + 1
    }
}
