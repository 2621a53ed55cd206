//! Large devices, of which memory holds what was written.

use super::{key, open, try_open};
use nerite::{BlockDevice, CreateOptions, DeviceError, Error, Geometry, KvWrite, Part, Store};
use nerite::{OpenOptions, ReadRequest, WriteRequest};
use nerite_tests::{CountingDevice, TestClock};
use std::cell::RefCell;
use std::collections::BTreeMap;

const BLOCK: usize = 4096;
const MIB: u64 = 1 << 20;

/// Its blocks are zeros until they are written.
struct Sparse {
    blocks: RefCell<BTreeMap<u64, Vec<u8>>>,
    len: u64,
}

impl BlockDevice for Sparse {
    fn geometry(&self) -> Geometry {
        Geometry::new(super::BLOCK, self.len / BLOCK as u64)
    }

    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        let blocks = self.blocks.borrow();
        for request in requests {
            for (number, buf) in (request.block..).zip(request.buf.chunks_mut(BLOCK)) {
                match blocks.get(&number) {
                    Some(block) => buf.copy_from_slice(block),
                    None => buf.fill(0),
                }
            }
        }
        Ok(())
    }

    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        for request in requests {
            for (number, block) in (request.block..).zip(request.bufs.concat().chunks(BLOCK)) {
                self.blocks.borrow_mut().insert(number, block.to_vec());
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DeviceError> {
        Ok(())
    }
}

fn new_disk(len: u64) -> Sparse {
    let disk = Sparse { blocks: RefCell::default(), len };
    Store::create(&disk, CreateOptions::new(1)).unwrap();
    disk
}

#[test]
fn opening_a_closed_store_reads_no_more_on_a_large_device_than_on_one_with_segments_of_10_mib() {
    for gib in [1, 64, 1024, 64 << 10] {
        let disk = CountingDevice::new(new_disk(gib << 30));
        let store = open(&disk, 2);
        store.set(&key("a"), b"x").unwrap();
        store.close().unwrap();
        disk.take();
        drop(open(&disk, 3));
        let read = disk.take().blocks_read * BLOCK as u64;
        // Up to 10 of the open segment, and 2 of each of three others.
        assert!(read <= 17 * MIB, "{gib} GiB: {read} bytes");
    }
}

/// The frames of a group say nothing of the first one, which is lost: what follows them does, far
/// from it.
#[test]
fn the_loss_of_the_first_frame_of_a_long_group_in_a_new_segment_shows() {
    let disk = new_disk(64 << 30);
    let options = OpenOptions::new(2).tail_bytes(64 * MIB);
    let store = Store::open(&disk, TestClock::new(1), options).unwrap();
    assert_eq!(store.info().segment_size, 16 * MIB);
    // Each takes 16 of the 4,096 blocks of a segment.
    for n in 0..90 {
        store.set(&key(&format!("d/{n}")), &vec![n; 64_000]).unwrap();
    }
    for n in 90..=255 {
        store.set(&key(&format!("fill{n}")), &vec![n; 64_000]).unwrap();
    }
    let used = disk.blocks.borrow().keys().next_back().copied().unwrap();
    store.rename(&key("d"), &key("e")).unwrap();
    store.set(&key("behind"), b"x").unwrap();
    drop(store);
    let first = 4 + 16 * MIB / BLOCK as u64;
    assert!(used < first, "the group is in the second segment");
    let behind = disk.blocks.borrow().keys().next_back().copied().unwrap();
    assert!((behind - first) * BLOCK as u64 > 5 * MIB - MIB / 2);
    disk.blocks.borrow_mut().get_mut(&first).unwrap()[100] ^= 1;
    let told = try_open(&disk, 3);
    let Err(Error::Corrupt(corruption)) = told else { panic!("not noticed: {told:?}") };
    assert_eq!(corruption.part, Part::Frame);
}
