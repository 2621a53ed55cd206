//! The simulated disk does what it says, before anything is judged by it.

use super::{Beyond, Event, Fate, Fault, Monitor, Repeat, SECTOR, SimDisk, Strike, Unflushed};
use nerite::{BlockDevice, DeviceError, DeviceErrorKind, ReadRequest, WriteRequest};
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// The first byte of each sector that no crash can take.
fn durable(disk: &SimDisk) -> Vec<u8> {
    heads(&disk.crash(|_| Fate::Old))
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
    let fates =
        [Fate::New, Fate::Old, Fate::Head(10), Fate::Zeros, Fate::Tail(10), Fate::Garbage(4)];
    let crashed = disk.crash(|number| fates[number]);
    assert_eq!(heads(&crashed[..2560]), [2, 1, 2, 0, 1]);
    assert_eq!((crashed[1024 + 9], crashed[1024 + 10]), (2, 1));
    assert_eq!((crashed[2048 + 9], crashed[2048 + 10]), (1, 2));
    assert!(crashed[2560..3072].iter().any(|&byte| byte > 2), "garbage is neither");
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
fn a_failed_read_reads_nothing_and_the_next_one_works() {
    let disk = SimDisk::new(1024, BLOCKS);
    disk.inject(Fault { strike: Strike::ReadFails, after: 1, repeat: Repeat::Once });
    let mut buf = [9; 1024];
    disk.read(&mut [ReadRequest { block: 1, buf: &mut buf }]).unwrap();
    buf.fill(9);
    let failed = disk.read(&mut [ReadRequest { block: 1, buf: &mut buf }]).unwrap_err();
    assert_eq!((failed.kind(), failed.block()), (DeviceErrorKind::Io, Some(1)));
    assert_eq!(disk.take_struck(), [Strike::ReadFails]);
    assert_eq!(buf, [9; 1024]);
    disk.read(&mut [ReadRequest { block: 1, buf: &mut buf }]).unwrap();
    assert_eq!(buf, [0; 1024]);
    assert_eq!(disk.take_struck(), [], "taken, and nothing struck again");
}

#[test]
fn a_failed_write_lands_as_far_as_it_is_told() {
    for (landed, expected) in [(0, [1, 1, 0, 0]), (1, [1, 1, 2, 0]), (9, [1, 1, 2, 2])] {
        let disk = SimDisk::new(1024, BLOCKS);
        let strike = Strike::WriteFails { landed };
        disk.inject(Fault { strike, after: 1, repeat: Repeat::Once });
        write(&disk, 0, 1).unwrap();
        assert_eq!(write(&disk, 1, 2).unwrap_err().block(), Some(1));
        assert_eq!(live(&disk)[..4], expected);
        write(&disk, 1, 3).unwrap();
        assert_eq!(live(&disk)[..4], [1, 1, 3, 3]);
    }
}

#[test]
fn a_lost_write_leaves_a_stale_sector_and_a_misdirected_one_hits_another() {
    let disk = SimDisk::from_bytes(1024, vec![1; 1024 * BLOCKS as usize]);
    disk.inject(Fault::next(Strike::WriteLost { sector: 1 }));
    write(&disk, 0, 2).unwrap();
    assert_eq!(live(&disk), [2, 1, 1, 1, 1, 1, 1, 1]);
    disk.inject(Fault::next(Strike::WriteMisdirected { sector: 0, offset: 3072 }));
    write(&disk, 1, 3).unwrap();
    disk.flush().unwrap();
    assert_eq!(live(&disk), [2, 1, 1, 3, 1, 1, 3, 1]);
    assert_eq!(durable(&disk), live(&disk));
}

#[test]
fn a_failed_flush_keeps_drops_or_merely_shows_what_was_pending() {
    // What is read, what is durable, what is durable after another flush, what is read then when
    // the cache is dropped.
    let cases = [
        (Unflushed::Kept, [5, 0, 5, 5]),
        (Unflushed::Dropped, [0, 0, 0, 0]),
        (Unflushed::Cached, [5, 0, 0, 0]),
    ];
    for (unflushed, expected) in cases {
        let disk = SimDisk::new(1024, BLOCKS);
        disk.inject(Fault::next(Strike::FlushFails(unflushed)));
        write(&disk, 0, 5).unwrap();
        disk.flush().unwrap_err();
        let (read, safe) = (live(&disk)[0], durable(&disk)[0]);
        disk.flush().unwrap();
        let safe_now = durable(&disk)[0];
        disk.drop_cache();
        assert_eq!([read, safe, safe_now, live(&disk)[0]], expected, "{unflushed:?}");
    }
}

#[test]
fn dropping_the_cache_keeps_what_is_pending() {
    let disk = SimDisk::new(1024, BLOCKS);
    write(&disk, 0, 5).unwrap();
    disk.drop_cache();
    assert_eq!((live(&disk)[0], durable(&disk)[0]), (5, 0));
}

#[test]
fn a_fault_for_ever_stays_until_healed_and_leaves_other_requests_alone() {
    let disk = SimDisk::new(1024, BLOCKS);
    let strike = Strike::FlushFails(Unflushed::Kept);
    disk.inject(Fault { strike, after: 1, repeat: Repeat::Forever });
    disk.flush().unwrap();
    for _ in 0..3 {
        disk.flush().unwrap_err();
        write(&disk, 0, 1).unwrap();
    }
    disk.heal();
    disk.flush().unwrap();
}

#[test]
fn requests_off_the_disk_or_not_of_whole_blocks_are_refused() {
    let disk = SimDisk::new(1024, BLOCKS);
    assert_eq!(write(&disk, 4, 1).unwrap_err().kind(), DeviceErrorKind::OutOfRange);
    let half = disk.write(&[WriteRequest { block: 0, bufs: &[&[1; 512]] }]);
    assert_eq!(half.unwrap_err().kind(), DeviceErrorKind::Misaligned);
    assert_eq!(disk.discard(3, 2).unwrap_err().kind(), DeviceErrorKind::OutOfRange);
    assert_eq!(disk.pending(), 0);
    let read_only = disk.with_geometry(|geometry| geometry.read_only = true);
    assert_eq!(write(&read_only, 0, 1).unwrap_err().kind(), DeviceErrorKind::ReadOnly);
}

#[test]
fn a_disk_that_has_shrunk_fails_or_lies_beyond_its_end() {
    let disk = SimDisk::from_bytes(1024, vec![1; 1024 * BLOCKS as usize]);
    disk.end_at(1024, Beyond::Fails);
    write(&disk, 0, 2).unwrap();
    write(&disk, 1, 2).unwrap_err();
    let mut buf = [9; 1024];
    disk.read(&mut [ReadRequest { block: 1, buf: &mut buf }]).unwrap_err();
    disk.end_at(1024, Beyond::Zeros);
    write(&disk, 1, 2).unwrap();
    disk.read(&mut [ReadRequest { block: 1, buf: &mut buf }]).unwrap();
    assert_eq!(buf, [0; 1024]);
    assert_eq!(heads(&disk.crash(|_| Fate::New)), [2, 2, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_discard_is_a_pending_write_of_garbage_if_the_disk_discards() {
    let disk = SimDisk::from_bytes(1024, vec![1; 1024 * BLOCKS as usize]);
    disk.discard(1, 1).unwrap();
    assert_eq!((disk.pending(), live(&disk)), (0, vec![1; 8]));
    let disk = disk.with_geometry(|geometry| geometry.discard = true);
    disk.discard(1, 1).unwrap();
    assert_eq!(disk.pending(), 2);
    assert_ne!(live(&disk)[2..4], [1, 1]);
    assert_eq!(durable(&disk), [1; 8]);
    disk.flush().unwrap();
    assert_eq!(durable(&disk), live(&disk));
}

#[test]
fn a_rotten_sector_is_another_one_wherever_it_is_read() {
    let disk = SimDisk::from_bytes(1024, vec![1; 1024 * BLOCKS as usize]);
    disk.rot(512, Fate::New);
    disk.rot(1024, Fate::Zeros);
    assert_eq!(live(&disk), [1, 254, 0, 1, 1, 1, 1, 1]);
    assert_eq!(durable(&disk), live(&disk));
}

#[test]
fn a_trace_leads_from_the_first_bytes_to_the_same_crash() {
    use super::Medium;
    let first = vec![1; 1024 * BLOCKS as usize];
    let disk = SimDisk::from_bytes(1024, first.clone());
    disk.record();
    write(&disk, 0, 2).unwrap();
    disk.flush().unwrap();
    write(&disk, 1, 3).unwrap();
    disk.inject(Fault::next(Strike::FlushFails(Unflushed::Dropped)));
    disk.flush().unwrap_err();
    write(&disk, 2, 4).unwrap();
    let trace = disk.take_trace();
    let kinds: Vec<_> = trace.iter().map(|event| matches!(event, Event::Write(_))).collect();
    assert_eq!(kinds, [true, false, true, false, true]);
    let mut medium = Medium::new(first);
    for event in &trace {
        medium.happen(event);
    }
    for fate in [Fate::New, Fate::Old, Fate::Garbage(3)] {
        assert_eq!(medium.crash(|_| fate), disk.crash(|_| fate));
    }
    assert!(disk.take_trace().is_empty(), "taken");
}

/// What the monitor says when `block` is written.
fn watched(disk: &SimDisk, block: u64) -> Result<(), String> {
    let written = catch_unwind(AssertUnwindSafe(|| write(disk, block, 9).unwrap()));
    written.map_err(|panic| panic.downcast_ref::<String>().expect("a message").clone())
}

#[test]
fn the_monitor_sees_a_write_over_acknowledged_data_and_no_other() {
    let disk = SimDisk::new(1024, BLOCKS);
    disk.watch(Monitor::new(4096, 1024));
    (0..2).for_each(|block| write(&disk, block, 1).unwrap());
    disk.acknowledge();
    write(&disk, 2, 1).unwrap();
    disk.disclaim();
    write(&disk, 3, 1).unwrap();
    assert_eq!(watched(&disk, 0), Ok(()), "exempt, as superblocks are");
    assert_eq!(watched(&disk, 2), Ok(()), "its call has failed");
    assert_eq!(watched(&disk, 3), Ok(()), "not acknowledged yet");
    let told = watched(&disk, 1).unwrap_err();
    assert!(told.contains("byte 1024"), "{told}");
    // What is known outlives the crash.
    let next = SimDisk::from_bytes(1024, disk.crash(|_| Fate::New));
    next.watch(disk.monitor().expect("it is watched"));
    assert_eq!(watched(&next, 2), Ok(()));
    watched(&next, 1).unwrap_err();
    let next = next.with_geometry(|geometry| geometry.discard = true);
    next.discard(1, 1).unwrap();
    next.acknowledge();
    assert_eq!(watched(&next, 1), Ok(()), "released");
}
