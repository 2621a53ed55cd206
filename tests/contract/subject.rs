//! What the clauses run over.

use nerite::{
    BlockDevice, CreateOptions, Digest, Key, KvRead, KvWrite, MemoryDevice, OpenOptions, Store,
};
use nerite_tests::{Contents, Model, TestClock, contents, differences};
use std::sync::Arc;

/// One promise of the contract, asked of a new and empty store. Every look at the clock moves it.
pub(crate) type Clause = fn(&dyn KvWrite, &TestClock);

/// Bytes of every device: enough for any clause though no space is reclaimed, and for its longest
/// value. Small devices are the matter of `model.rs`.
const SIZE: u32 = 32 << 20;

/// Something that keeps its bytes while no store is open on it.
pub(crate) trait Medium: Sized {
    /// How a store sees it.
    type Device: BlockDevice;
    /// Of the store.
    const BLOCK_SIZE: u32;

    /// A new one of [`SIZE`] bytes.
    fn blank() -> Self;

    /// Attaches it, alone.
    fn device(&self) -> Self::Device;

    /// An empty store on a new one.
    fn formatted() -> Self {
        let medium = Self::blank();
        let options = CreateOptions::new(1).block_size(Self::BLOCK_SIZE);
        Store::create(&medium.device(), options).expect("a blank device takes a store");
        medium
    }

    /// Opens the store on it; `seed` differs at each opening.
    fn open(&self, clock: &TestClock, seed: u64) -> Store<Self::Device> {
        Store::open(self.device(), clock.clone(), OpenOptions::new(seed)).expect("the store opens")
    }
}

/// Memory, in sectors, for a store of another block size.
pub(crate) struct Ram<const BLOCK_SIZE: u32>(Arc<MemoryDevice>);

impl<const BLOCK_SIZE: u32> Medium for Ram<BLOCK_SIZE> {
    type Device = Arc<MemoryDevice>;
    const BLOCK_SIZE: u32 = BLOCK_SIZE;

    fn blank() -> Self {
        Self(Arc::new(MemoryDevice::new(512, SIZE / 512)))
    }

    fn device(&self) -> Self::Device {
        Arc::clone(&self.0)
    }
}

/// An image file.
#[cfg(feature = "host")]
pub(crate) struct Image(tempfile::TempDir);

#[cfg(feature = "host")]
impl Image {
    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("store.img")
    }
}

#[cfg(feature = "host")]
impl Medium for Image {
    type Device = nerite_hostfs::FileDevice;
    const BLOCK_SIZE: u32 = 4096;

    fn blank() -> Self {
        let image = Self(tempfile::tempdir().expect("a folder for the image"));
        nerite_hostfs::FileDevice::create(image.path(), SIZE.into()).expect("a new image");
        image
    }

    fn device(&self) -> Self::Device {
        nerite_hostfs::FileDevice::open(self.path()).expect("nobody else has it open")
    }
}

pub(crate) fn on_the_model(clause: Clause) {
    let clock = TestClock::new(1000);
    clause(&Model::new(clock.clone()), &clock);
}

pub(crate) fn on_ram<const BLOCK_SIZE: u32>(clause: Clause) {
    on_a_store::<Ram<BLOCK_SIZE>>(clause);
}

#[cfg(feature = "host")]
pub(crate) fn on_a_file(clause: Clause) {
    on_a_store::<Image>(clause);
}

/// How a store that was written to is left.
#[derive(Clone, Copy, Debug)]
enum End {
    Closed,
    Dropped,
}

/// Runs the clause on a new store, and compares what the store holds when opened again: after
/// `close`, and after it was merely dropped.
fn on_a_store<M: Medium>(clause: Clause) {
    for end in [End::Closed, End::Dropped] {
        let clock = TestClock::new(1000);
        let medium = M::formatted();
        let store = medium.open(&clock, 2);
        clause(&store, &clock);
        let (held, digest) = everything(&store);
        match end {
            End::Closed => drop(store.close().expect("the store closes")),
            End::Dropped => drop(store),
        }
        // Twice: what opening finds, opening finds again.
        for seed in [3, 4] {
            let (found, digest_found) = everything(&medium.open(&clock, seed));
            let lost = differences(&held, &found);
            assert!(lost.is_empty(), "{end:?}, then opened:\n{}", lost.join("\n"));
            assert_eq!(digest_found, digest, "{end:?}, then opened");
        }
    }
}

fn everything(kv: &dyn KvRead) -> (Contents, Digest) {
    (contents(kv), kv.digest(&Key::ROOT).expect("the root has a digest"))
}
