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
    /// A state of the superblock is written before the nodes that it names are flushed.
    FlipBeforeNodes,
    /// The tail starts where the delta was frozen before all of that is in the tree.
    TailStartEarly,
    /// What was frozen is not there when the store is opened again.
    FrozenLost,
    /// A removal of a range brings older values back when it is gone from memory: it hides nothing
    /// but what memory has.
    RangeResurrects,
    /// A removal of a range hides what was set behind it.
    RangeHidesNewer,
    /// The chain may end before the frame that the superblock knows to be durable.
    MustReachIgnored,
    /// A node is taken as it is read, whatever its check and that in its pointer say.
    NodeUnchecked,
    /// A commit that fails does not poison the log.
    NotPoisoned,
    /// What a crash has left of another frame is written over as it is.
    RemainsKept,
    /// What disowns remains is not flushed before the frame that goes over them.
    RemainsUnflushed,
    /// A whole frame that was disowned may stay where the chain goes on elsewhere.
    WholeRemainsKept,
    /// A segment is freed though the older slot's state names what is in it.
    ReleaseAtFlip,
    /// What is moved does not count as gone from where it was.
    CountDrifts,
    /// The cleaner brings back what was removed.
    MoveResurrects,
    /// The cleaner gives what it moves another time.
    MoveChangesTime,
    /// What a commit replaces is named as it was before room was made.
    ReplacedStale,
    /// Nothing is kept for removals.
    ReserveIgnored,
    /// A cached node is named by its place alone.
    NodeStale,
    /// A frame is taken though an extent that it places is not there.
    ExtentUnproven,
    /// The cleaner moves an extent to the offset of another one.
    ExtentMisplaced,
    /// The extents of an object stay when its key goes.
    ExtentsKept,
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
        pub const ALL: [(&str, Self); 28] = [
            ("unchained-frames", Self::UnchainedFrames),
            ("check-after-data", Self::CheckAfterData),
            ("tail-rewrite", Self::TailRewrite),
            ("epoch-not-random", Self::EpochNotRandom),
            ("flush-retried", Self::FlushRetried),
            ("first-keeps-unfinished", Self::FirstKeepsUnfinished),
            ("durable-from-cache", Self::DurableFromCache),
            ("flip-before-nodes", Self::FlipBeforeNodes),
            ("tail-start-early", Self::TailStartEarly),
            ("frozen-lost", Self::FrozenLost),
            ("range-resurrects", Self::RangeResurrects),
            ("range-hides-newer", Self::RangeHidesNewer),
            ("must-reach-ignored", Self::MustReachIgnored),
            ("node-unchecked", Self::NodeUnchecked),
            ("not-poisoned", Self::NotPoisoned),
            ("remains-kept", Self::RemainsKept),
            ("remains-unflushed", Self::RemainsUnflushed),
            ("whole-remains-kept", Self::WholeRemainsKept),
            ("release-at-flip", Self::ReleaseAtFlip),
            ("count-drifts", Self::CountDrifts),
            ("move-resurrects", Self::MoveResurrects),
            ("move-changes-time", Self::MoveChangesTime),
            ("replaced-stale", Self::ReplacedStale),
            ("reserve-ignored", Self::ReserveIgnored),
            ("node-stale", Self::NodeStale),
            ("extent-unproven", Self::ExtentUnproven),
            ("extent-misplaced", Self::ExtentMisplaced),
            ("extents-kept", Self::ExtentsKept),
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
