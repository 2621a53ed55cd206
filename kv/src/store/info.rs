//! What a store tells of itself.

use crate::device::Flush;
use uuid::Uuid;

/// What was decided when the store was made, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The version of the format on the disk.
    pub version: u16,
    /// The store's name.
    pub uuid: Uuid,
    /// Bytes in a block.
    pub block_size: u32,
    /// Blocks that the store has; the device may have more.
    pub block_count: u64,
    /// Bytes in a segment.
    pub segment_size: u64,
    /// Segments in the log.
    pub segment_count: u32,
    /// The newest checkpoint.
    pub checkpoint: u64,
    /// The epoch of the last mount that wrote.
    pub epoch: u64,
    /// Whether the device's flush works.
    pub flush: Flush,
    /// Bytes of the longest value that can be asked for: as many as all segments have. Whether there
    /// is room for it is another matter.
    pub value_len_max: u64,
}

/// How much a store holds, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Keys that have a value.
    pub keys: u64,
    /// Bytes of the records that brought these values, headers included.
    pub live_bytes: u64,
}

/// What a store holds and how much room it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// Keys that have a value; too high by what unfinished removals hide, which
    /// [`Store::count`](crate::Store::count) looks up.
    pub keys: u64,
    /// Bytes of the records that brought these values, headers included; too high by what
    /// unfinished removals hide.
    pub live_bytes: u64,
    /// Bytes of the index on the device: its nodes and the segment table.
    pub index_bytes: u64,
    /// Removals of dictionaries, or parts of them, that checkpoints have yet to work off: what they
    /// hide is not counted off. 0 if `keys` and `live_bytes` are exact.
    pub removals_unfinished: u64,
    /// Bytes that the log has taken.
    pub used_bytes: u64,
    /// Bytes that new commits can take.
    pub free_bytes: u64,
    /// The frame that will be written next.
    pub next_frame: u64,
    /// Where the log was found cut at open, if it was.
    pub cut: Option<Cut>,
}

/// The end of a chain behind which more was written than could be used: a crash took the rest, or
/// damage to the last flush group did, which looks the same (`docs/design.md`, limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// Where the next frame was expected, in bytes on the device.
    pub at: u64,
    /// The number of the frame that was expected there.
    pub frame: u64,
    /// Frames found beyond it, whole or in part.
    pub frames_beyond: u64,
}
