//! What `create` and `open` are told.

use crate::format::INLINE_LEN_MAX;
use crate::format::layout::Layout;
use crate::index::Index;
use uuid::Uuid;

/// How a store is made.
///
/// ```
/// # use nerite::CreateOptions;
/// let options = CreateOptions::new(0x5eed).block_size(512);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CreateOptions {
    pub(crate) seed: u64,
    pub(crate) uuid: Option<Uuid>,
    pub(crate) block_size: Option<u32>,
    pub(crate) force: bool,
    pub(crate) inline_max: u16,
}

/// The longest values that leaves hold themselves, unless `create` is told otherwise.
const INLINE_MAX: u16 = 128;

impl CreateOptions {
    /// A store with the defaults. The 64 bits of `seed` must be random: they tell this store from
    /// all others that were ever made on the device.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, uuid: None, block_size: None, force: false, inline_max: INLINE_MAX }
    }

    /// The store's name; by default made from the seed.
    #[must_use]
    pub const fn uuid(mut self, uuid: Uuid) -> Self {
        self.uuid = Some(uuid);
        self
    }

    /// Bytes in a block of the store: a power of two from 512 to 65,536, and at least the device's
    /// own. By default 4,096, on devices below 1 MiB 512, or the device's physical block where that is
    /// larger.
    #[must_use]
    pub const fn block_size(mut self, bytes: u32) -> Self {
        self.block_size = Some(bytes);
        self
    }

    /// Values of up to so many bytes, at most 512, are kept in the index itself: reading them takes
    /// no second look at the device, and its leaves are larger for it. By default 128.
    #[must_use]
    pub const fn inline_values(mut self, bytes: u16) -> Self {
        self.inline_max = if bytes < INLINE_LEN_MAX { bytes } else { INLINE_LEN_MAX };
        self
    }

    /// Take a device that holds something already, and lose what it holds.
    #[must_use]
    pub const fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }
}

/// How a store is opened.
///
/// ```
/// # use nerite::OpenOptions;
/// let options = OpenOptions::new(0x5eed).read_only(true);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    pub(crate) seed: u64,
    pub(crate) read_only: bool,
    pub(crate) without_flush: bool,
    pub(crate) limits: Limits,
}

/// The tail takes a quarter of the device, at most, and an eighth where segments are no longer than
/// this: these are freed one by one, and late.
const SEGMENT_SMALL: u64 = 4096;

/// Keys that one commit can change though the delta is to have fewer.
const GROUP_ENTRIES_MIN: usize = 64;

/// A step fills so many segments, at most, or so many nodes where these are more.
const STEP_SEGMENTS: u64 = 4;
const STEP_NODES_MIN: usize = 16;

/// What a store may take of memory, and how much replay may have to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Keys in a delta.
    pub(crate) delta_entries: usize,
    /// Bytes of a delta.
    pub(crate) delta_bytes: usize,
    /// Bytes of the log that replay reads.
    pub(crate) tail_bytes: u64,
    /// Bytes of nodes in memory.
    pub(crate) cache_bytes: usize,
    /// Leaves that one step of a checkpoint reads, and nodes that it writes.
    pub(crate) step_nodes: usize,
    /// Cells in a node.
    pub(crate) node_entries: usize,
}

impl Limits {
    const GUEST: Self = Self {
        delta_entries: 8 << 10,
        delta_bytes: 3 << 20,
        tail_bytes: 8 << 20,
        cache_bytes: 8 << 20,
        step_nodes: 64,
        node_entries: usize::MAX,
    };
    const HOST: Self = Self {
        delta_entries: 64 << 10,
        delta_bytes: 32 << 20,
        tail_bytes: 16 << 20,
        cache_bytes: 256 << 20,
        step_nodes: 256,
        node_entries: usize::MAX,
    };
}

impl Limits {
    /// What a device of this size allows: the tail keeps all that lies in it, and a step needs free
    /// segments.
    pub(super) fn on(mut self, layout: &Layout) -> Self {
        let part = if layout.segment_len() > SEGMENT_SMALL { 4 } else { 8 };
        self.tail_bytes = self.tail_bytes.min(layout.len() / part);
        let segments = layout.segment_len().saturating_mul(STEP_SEGMENTS);
        let nodes = segments.checked_div(layout.node_len_max().into());
        let nodes = nodes.and_then(|nodes| usize::try_from(nodes).ok()).unwrap_or(usize::MAX);
        self.step_nodes = self.step_nodes.min(nodes.max(STEP_NODES_MIN));
        self
    }

    /// Keys that one commit can change.
    pub(super) fn group_entries(&self) -> usize {
        self.delta_entries.max(GROUP_ENTRIES_MIN)
    }

    /// Whether it is time to freeze the delta. Both deltas together are what replay must read.
    pub(super) fn is_full(&self, index: &Index) -> bool {
        let delta = index.delta();
        let full = delta.count() >= self.delta_entries
            || delta.len() >= self.delta_bytes
            || index.log_len() >= self.tail_bytes / 9 * 8;
        full && delta.count() > 0
    }
}

impl OpenOptions {
    /// For reading and writing. The 64 bits of `seed` must be random, and others at every open:
    /// they tell what this mount writes from what a lost one wrote (`docs/design.md`, epochs).
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, read_only: false, without_flush: false, limits: Limits::GUEST }
    }

    /// Only for reading: nothing is written or flushed, whatever the device allows.
    #[must_use]
    pub const fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Take a device that has no working flush. What is acknowledged may then be lost in a power
    /// failure, and damage may be found where there was only a loss.
    #[must_use]
    pub const fn without_flush(mut self, accept: bool) -> Self {
        self.without_flush = accept;
        self
    }

    /// Memory as a host has it, and not a guest of 32 MiB: deltas of 65,536 keys and 32 MiB, 16 MiB
    /// of log to replay, a cache of 256 MiB, and steps of 256 nodes.
    #[must_use]
    pub const fn for_host(mut self) -> Self {
        self.limits = Limits::HOST;
        self
    }

    /// A checkpoint begins when this many keys have changed. By default 8,192. There are two deltas,
    /// and one commit can exceed this.
    #[must_use]
    pub const fn delta_entries(mut self, keys: usize) -> Self {
        self.limits.delta_entries = keys;
        self
    }

    /// A checkpoint begins when the changed keys take this many bytes. By default 3 MiB.
    #[must_use]
    pub const fn delta_bytes(mut self, bytes: usize) -> Self {
        self.limits.delta_bytes = bytes;
        self
    }

    /// A checkpoint begins when the log behind the last one has 8/9 as many bytes: so about this
    /// much is read when the store is opened. By default 8 MiB; never more than a quarter of the
    /// device.
    #[must_use]
    pub const fn tail_bytes(mut self, bytes: u64) -> Self {
        self.limits.tail_bytes = bytes;
        self
    }

    /// Bytes of the index that are kept in memory. By default 8 MiB.
    #[must_use]
    pub const fn cache_bytes(mut self, bytes: usize) -> Self {
        self.limits.cache_bytes = bytes;
        self
    }

    /// Leaves that one step of a checkpoint reads, and nodes that it writes, about; at least 1. By
    /// default 64. This bounds what one call does, and the memory that it takes. Where segments are
    /// small it is less: as many as fill four of them, or 16.
    #[must_use]
    pub const fn step_nodes(mut self, nodes: usize) -> Self {
        self.limits.step_nodes = if nodes > 0 { nodes } else { 1 };
        self
    }

    /// Keys in a node of the index, at least 3; by default as many as fit. Few make a high tree of
    /// many small nodes, which is good for tests and for nothing else.
    #[must_use]
    pub const fn node_entries(mut self, keys: usize) -> Self {
        self.limits.node_entries = if keys > 3 { keys } else { 3 };
        self
    }
}
