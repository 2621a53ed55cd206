//! The simulated disk does what it says, before anything is judged by it.

use super::{Call, Fate, Fault, Pending, Repeat, SECTOR, SimDisk};
use crate::random::Random;
use nerite::{BlockDevice, DeviceError, DeviceErrorKind, ReadRequest, WriteRequest};

const BLOCKS: u32 = 4;

fn write(disk: &SimDisk, block: u64, byte: u8) -> Result<(), DeviceError> {
    disk.write(&[WriteRequest { block, bufs: &[&[byte; 1024]] }])
}

/// The first byte of each sector that `disk` reads back.
fn live(disk: &SimDisk) -> Vec<u8> {
    let mut bytes = vec![0; 1024 * BLOCKS as usize];
    disk.read(&mut [ReadRequest { block: 0, buf: &mut bytes }]).unwrap();
    heads(&bytes)
}

fn heads(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks_exact(SECTOR).map(|sector| sector[0]).collect()
}

#[test]
fn what_is_flushed_survives_any_crash() {
    let disk = SimDisk::new(1024, BLOCKS);
    write(&disk, 1, 7).unwrap();
    assert_eq!(disk.pending(), 2);
    disk.flush().unwrap();
    assert_eq!(disk.pending(), 0);
    for fate in [Fate::New, Fate::Old, Fate::Garbage(1), Fate::Zeros] {
        assert_eq!(heads(&disk.crash(|_| fate)), [0, 0, 7, 7, 0, 0, 0, 0]);
    }
}

#[test]
fn each_unflushed_sector_meets_its_own_fate() {
    let disk = SimDisk::from_bytes(1024, vec![1; 1024 * BLOCKS as usize]);
    (0..3).for_each(|block| write(&disk, block, 2).unwrap());
    assert_eq!(live(&disk), [2, 2, 2, 2, 2, 2, 1, 1]);
    let fates = [
        Fate::New,
        Fate::Old,
        Fate::Torn { prefix: 10 },
        Fate::Zeros,
        Fate::Garbage(3),
        Fate::Garbage(4),
    ];
    let crashed = disk.crash(|number| fates[number]);
    assert_eq!(heads(&crashed[..2048]), [2, 1, 2, 0]);
    assert_eq!((crashed[1024 + 9], crashed[1024 + 10]), (2, 1));
    assert_eq!(crashed[2048..2560], Random::new(3).bytes(SECTOR));
    assert_eq!(crashed[2560..3072], Random::new(4).bytes(SECTOR));
    assert_eq!(heads(&crashed[3072..]), [1, 1]);
}

#[test]
fn a_sector_written_twice_can_survive_as_either() {
    let disk = SimDisk::new(512, 1);
    for byte in [1, 2] {
        disk.write(&[WriteRequest { block: 0, bufs: &[&[byte; 512]] }]).unwrap();
    }
    let only = |kept| heads(&disk.crash(|n| if n == kept { Fate::New } else { Fate::Old }));
    assert_eq!((only(0), only(1), only(9)), (vec![1], vec![2], vec![0]));
}

#[test]
fn a_failed_write_leaves_the_disk_as_it_was() {
    let disk = SimDisk::new(1024, BLOCKS);
    let (repeat, pending) = (Repeat::Once, Pending::Kept);
    disk.inject(Fault { call: Call::Write, after: 1, repeat, pending });
    write(&disk, 0, 1).unwrap();
    assert_eq!(write(&disk, 1, 2).unwrap_err().block(), Some(1));
    assert_eq!(live(&disk), [1, 1, 0, 0, 0, 0, 0, 0]);
    write(&disk, 1, 3).unwrap();
    assert_eq!(live(&disk), [1, 1, 3, 3, 0, 0, 0, 0]);
}

#[test]
fn a_failed_flush_drops_or_keeps_what_was_pending() {
    for (pending, kept) in [(Pending::Dropped, 0), (Pending::Kept, 5)] {
        let disk = SimDisk::new(1024, BLOCKS);
        disk.inject(Fault { call: Call::Flush, after: 0, repeat: Repeat::Once, pending });
        write(&disk, 0, 5).unwrap();
        disk.flush().unwrap_err();
        assert_eq!(heads(&disk.crash(|_| Fate::Old))[0], 0, "{pending:?}");
        assert_eq!(live(&disk)[0], kept, "{pending:?}");
        disk.flush().unwrap();
        assert_eq!(heads(&disk.crash(|_| Fate::Old))[0], kept, "{pending:?}");
    }
}

#[test]
fn a_fault_for_ever_stays_and_leaves_other_calls_alone() {
    let disk = SimDisk::new(1024, BLOCKS);
    let (repeat, pending) = (Repeat::Forever, Pending::Kept);
    disk.inject(Fault { call: Call::Flush, after: 1, repeat, pending });
    disk.flush().unwrap();
    for _ in 0..3 {
        disk.flush().unwrap_err();
        write(&disk, 0, 1).unwrap();
    }
}

#[test]
fn requests_off_the_disk_or_not_of_whole_blocks_are_refused() {
    let disk = SimDisk::new(1024, BLOCKS);
    assert_eq!(write(&disk, 4, 1).unwrap_err().kind(), DeviceErrorKind::OutOfRange);
    let half = disk.write(&[WriteRequest { block: 0, bufs: &[&[1; 512]] }]);
    assert_eq!(half.unwrap_err().kind(), DeviceErrorKind::Misaligned);
    assert_eq!(disk.pending(), 0);
}
