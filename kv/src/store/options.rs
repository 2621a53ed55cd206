//! What `create` and `open` are told.

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
}

impl CreateOptions {
    /// A store with the defaults. The 64 bits of `seed` must be random: they tell this store from
    /// all others that were ever made on the device.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, uuid: None, block_size: None, force: false }
    }

    /// The store's name; by default made from the seed.
    #[must_use]
    pub const fn uuid(mut self, uuid: Uuid) -> Self {
        self.uuid = Some(uuid);
        self
    }

    /// Bytes in a block of the store: a power of two from 512 to 65,536, and at least the device's
    /// own. By default 4,096, or the device's physical block where that is larger.
    #[must_use]
    pub const fn block_size(mut self, bytes: u32) -> Self {
        self.block_size = Some(bytes);
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
}

impl OpenOptions {
    /// For reading and writing. The 64 bits of `seed` must be random, and others at every open:
    /// they tell what this mount writes from what a lost one wrote (`docs/design.md`, epochs).
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, read_only: false, without_flush: false }
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
}
