//! Blocks that can't be read.

use super::{BLOCK, BLOCKS, SUPERBLOCK_PAGES, contents, key, new_disk, open, try_open};
use nerite::{BlockDevice, DeviceError, DeviceErrorKind, Error, Geometry, KvWrite};
use nerite::{ReadRequest, WriteRequest};
use nerite_tests::SimDisk;
use std::cell::RefCell;

/// A disk on which reads of some blocks fail, until they are written.
struct Unreadable<'a> {
    disk: &'a SimDisk,
    blocks: RefCell<Vec<u64>>,
}

impl<'a> Unreadable<'a> {
    fn new(disk: &'a SimDisk, blocks: impl IntoIterator<Item = u64>) -> Self {
        Self { disk, blocks: RefCell::new(blocks.into_iter().collect()) }
    }
}

fn covers(block: u64, len: usize, sought: u64) -> bool {
    (block..block + len as u64 / u64::from(BLOCK)).contains(&sought)
}

impl BlockDevice for Unreadable<'_> {
    fn geometry(&self) -> Geometry {
        self.disk.geometry()
    }

    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        let blocks = self.blocks.borrow();
        let hit = |request: &ReadRequest<'_>| {
            blocks.iter().copied().find(|block| covers(request.block, request.buf.len(), *block))
        };
        match requests.iter().find_map(hit) {
            Some(block) => Err(DeviceError::new(DeviceErrorKind::Io, Some(block))),
            None => self.disk.read(requests),
        }
    }

    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        for request in requests {
            self.blocks.borrow_mut().retain(|block| !covers(request.block, request.len(), *block));
        }
        self.disk.write(requests)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.disk.flush()
    }
}

/// Two values, each in a block of the first segment, and the log sealed.
fn closed() -> SimDisk {
    let disk = new_disk();
    let store = open(&disk, 2);
    store.set(&key("a"), &[1; 1000]).unwrap();
    store.set(&key("b"), &[1; 1000]).unwrap();
    store.close().unwrap();
    disk
}

/// Only what the tail has, and where its next frame may be, must be readable: there an end can't be
/// told from a loss.
#[test]
fn a_block_that_nothing_needs_can_be_unreadable() {
    let disk = closed();
    let log = SUPERBLOCK_PAGES as u64;
    let refused: Vec<u64> = (0..u64::from(BLOCKS))
        .filter(|&block| match try_open(Unreadable::new(&disk, [block]), 3) {
            Ok(store) => {
                assert_eq!(contents(&store).len(), 2, "block {block}");
                false
            }
            Err(Error::Device(_)) => true,
            Err(error) => panic!("block {block}: {error}"),
        })
        .collect();
    // Two frames, the block behind them, and the next segment's first one.
    assert_eq!(refused, [log, log + 1, log + 2, log + 4]);
    let beyond = log + 5..u64::from(BLOCKS);
    assert_eq!(contents(&open(Unreadable::new(&disk, beyond), 3)).len(), 2);
}

/// Either slot is a whole state, and the first commit writes what could not be read.
#[test]
fn a_copy_of_the_superblock_can_be_unreadable_and_a_slot_too() {
    for blocks in [&[0][..], &[1], &[2], &[3], &[0, 2], &[1, 3], &[0, 1], &[1, 2, 3]] {
        let disk = closed();
        let device = Unreadable::new(&disk, blocks.iter().copied());
        let store = open(&device, 3);
        assert_eq!(contents(&store).len(), 2, "{blocks:?}");
        store.set(&key("c"), b"x").unwrap();
        assert_eq!(store.verify().unwrap(), [], "{blocks:?}");
        store.close().unwrap();
        assert_eq!(contents(&open(&device, 4)).len(), 3, "{blocks:?}");
    }
    let disk = closed();
    let told = try_open(Unreadable::new(&disk, 0..4), 3);
    assert!(matches!(told, Err(Error::Device(_))), "{told:?}");
}
