//! What the driver promises, on disks that are late, out of order, wrong, or silent.

use crate::fake::{Disk, Ended, FakeTransport, Machine, fragment_memory, hide, honest};
use crate::{Fault, VirtioBlk};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::error::Error as _;
use nerite::{BlockDevice, DeviceError, DeviceErrorKind, Flush, ReadRequest, WriteRequest};

type Driver = VirtioBlk<Machine, FakeTransport>;

fn start(disk: Disk) -> (Driver, Rc<RefCell<Disk>>) {
    let transport = FakeTransport::new(disk);
    let disk = transport.0.clone();
    (VirtioBlk::new(transport).unwrap(), disk)
}

fn setup_error(disk: Disk) -> DeviceError {
    VirtioBlk::<Machine, _>::new(FakeTransport::new(disk)).unwrap_err()
}

fn fault(error: &DeviceError) -> Fault {
    *error.source().expect("it has a cause").downcast_ref().expect("it is a fault")
}

/// Reads so many single sectors in one call, from the first on.
fn read_sectors(driver: &Driver, count: u64) -> Result<Vec<u8>, DeviceError> {
    let mut buf = vec![0xee; count as usize * 512];
    let mut requests: Vec<_> =
        (0..).zip(buf.chunks_mut(512)).map(|(block, buf)| ReadRequest { block, buf }).collect();
    driver.read(&mut requests)?;
    Ok(buf)
}

fn numbered(count: u64) -> Vec<u8> {
    (0..count).flat_map(|sector| [sector as u8; 512]).collect()
}

fn feature(disk: Disk, bits: &[u32]) -> Disk {
    let features = bits.iter().fold(disk.features, |all, bit| all | 1 << bit);
    Disk { features, ..disk }
}

fn ending(disk: Disk, ending: impl FnMut(&mut Vec<Ended>) + 'static) -> Disk {
    Disk { ending: Some(Box::new(ending)), ..disk }
}

#[test]
fn the_requests_of_one_call_share_a_notification() {
    let (driver, disk) = start(honest(64));
    assert_eq!(read_sectors(&driver, 60).unwrap(), numbered(60));
    assert_eq!((disk.borrow().notifications, disk.borrow().most), (1, 60));
}

#[test]
fn more_requests_than_fit_go_as_soon_as_there_is_room() {
    let (driver, disk) = start(honest(256));
    assert_eq!(read_sectors(&driver, 256).unwrap(), numbered(256));
    // 256 descriptors, three for each.
    assert_eq!((disk.borrow().notifications, disk.borrow().most), (4, 85));
    let (driver, disk) = start(Disk { depth: 9, ..honest(256) });
    assert_eq!(read_sectors(&driver, 256).unwrap(), numbered(256));
    assert_eq!(disk.borrow().most, 2);
}

#[test]
fn scattered_buffers_are_one_request_without_a_copy() {
    let (driver, disk) = start(honest(64));
    let whole: Vec<u8> = (0..1536_u32).map(|at| (at % 251) as u8).collect();
    let (head, tail) = whole.split_at(30);
    let (body, padding) = tail.split_at(1001);
    let request = WriteRequest { block: 2, bufs: &[head, &[], body, padding] };
    driver.write(&[request]).unwrap();
    assert_eq!(disk.borrow().seen, [(1, 2, 1536, 3)]);
    assert_eq!(disk.borrow().bytes[1024..][..1536], whole);
    assert_eq!(disk.borrow().bytes[..1024], numbered(2));
}

#[test]
fn a_write_in_more_pieces_than_the_device_takes_is_cut_at_blocks() {
    let mut disk = honest(64);
    disk.config[12] = 3;
    let (driver, disk) = start(disk);
    let bufs = [&[1; 500][..], &[2; 524], &[3; 100], &[4; 400], &[5; 12]];
    driver.write(&[WriteRequest { block: 1, bufs: &bufs }]).unwrap();
    // The first two sectors in two pieces; the third has to be one of its own.
    assert_eq!(disk.borrow().seen, [(1, 1, 1024, 2), (1, 3, 512, 3)]);
    assert_eq!(disk.borrow().bytes[512..2048], bufs.concat());
}

#[test]
fn a_block_in_more_pieces_than_the_device_takes_is_copied() {
    // A device that does not tell takes one piece.
    let disk = honest(1024);
    let (driver, disk) = start(Disk { features: 1 << 32 | 1 << 9, ..disk });
    let bytes: Vec<u8> = (0..400 * 512_u32).map(|at| (at % 253) as u8).collect();
    let bufs: Vec<&[u8]> = bytes.chunks(1000).collect();
    driver.write(&[WriteRequest { block: 3, bufs: &bufs }]).unwrap();
    assert_eq!(disk.borrow().bytes[3 * 512..][..bytes.len()], bytes);
    assert!(disk.borrow().seen.iter().all(|seen| seen.3 == 1));
}

#[test]
fn a_segment_is_no_longer_than_the_device_takes() {
    let mut disk = feature(honest(64), &[1]);
    disk.config[8..12].copy_from_slice(&600_u32.to_le_bytes());
    let (driver, disk) = start(disk);
    let mut buf = vec![0; 8 * 512];
    driver.read(&mut [ReadRequest { block: 1, buf: &mut buf }]).unwrap();
    assert_eq!(buf, numbered(9)[512..]);
    assert_eq!(disk.borrow().seen, [(0, 1, 8 * 512, 7)]);
}

#[test]
fn memory_that_is_contiguous_in_pages_only_is_listed_page_by_page() {
    let (driver, disk) = start(honest(200));
    fragment_memory(4096);
    let mut buf = vec![0; 100 * 512 + 77];
    driver.read(&mut [ReadRequest { block: 9, buf: &mut buf[77..] }]).unwrap();
    assert_eq!(buf[77..], numbered(109)[9 * 512..]);
    let seen = disk.borrow().seen.clone();
    assert!(matches!(seen[..], [(0, 9, 51_200, 13 | 14)]), "{seen:?}");
}

#[test]
fn a_long_transfer_is_cut_into_requests_that_run_together() {
    let (driver, disk) = start(honest(5000));
    let mut buf = vec![0; 5000 * 512];
    driver.read(&mut [ReadRequest { block: 0, buf: &mut buf }]).unwrap();
    assert_eq!(buf, numbered(5000));
    let seen = disk.borrow().seen.clone();
    assert_eq!(seen, [(0, 0, 1 << 20, 1), (0, 2048, 1 << 20, 1), (0, 4096, 904 * 512, 1)]);
    assert_eq!(disk.borrow().notifications, 1);
}

#[test]
fn requests_may_end_late_and_in_any_order() {
    let mut waits = 0;
    let disk = ending(honest(64), move |ended| {
        waits += 1;
        ended.reverse();
        ended.truncate(if waits % 5 == 0 { 3 } else { 0 });
    });
    let (driver, disk) = start(disk);
    assert_eq!(read_sectors(&driver, 60).unwrap(), numbered(60));
    assert_eq!(disk.borrow().notifications, 1);
    driver.flush().unwrap();
}

/// The ring's indexes have 16 bits. With `EVENT_IDX` a notification was lost where they wrap.
#[test]
fn the_queue_goes_on_where_its_indexes_wrap() {
    let (driver, disk) = start(honest(16));
    for _ in 0..6_000 {
        assert_eq!(read_sectors(&driver, 12).unwrap(), numbered(12));
    }
    assert_eq!(disk.borrow().seen.len(), 72_000);
    assert_eq!(disk.borrow().notifications, 6_000);
    assert_eq!(disk.borrow().accepted & (1 << 28 | 1 << 29), 0, "neither is agreed on");
}

#[test]
fn a_device_that_looks_by_itself_is_not_notified() {
    let (driver, disk) = start(Disk { wants_no_notification: true, ..honest(16) });
    assert_eq!(read_sectors(&driver, 12).unwrap(), numbered(12));
    assert_eq!(disk.borrow().notifications, 0);
}

#[test]
fn an_error_names_its_block_and_the_device_goes_on() {
    let (driver, disk) = start(Disk { bad_sector: Some(7), ..honest(64) });
    let error = read_sectors(&driver, 20).unwrap_err();
    assert_eq!((error.kind(), error.block()), (DeviceErrorKind::Io, Some(7)));
    assert_eq!(fault(&error), Fault::Reported);
    let write = WriteRequest { block: 7, bufs: &[&[1; 512]] };
    assert_eq!(driver.write(&[write]).unwrap_err().block(), Some(7));
    disk.borrow_mut().bad_sector = None;
    assert_eq!(read_sectors(&driver, 20).unwrap(), numbered(20));
    assert_eq!(disk.borrow().resets, 1, "only when it was set up");
}

#[test]
fn a_read_that_was_not_filled_is_an_error() {
    let (driver, _) = start(ending(honest(8), |ended| ended[1].1 = 511));
    let error = read_sectors(&driver, 2).unwrap_err();
    assert_eq!((fault(&error), error.block()), (Fault::Short(511), Some(1)));
}

/// Each of these makes the driver reset the device before the call returns, and give it up.
#[test]
fn a_device_that_breaks_the_protocol_is_given_up() {
    type Lie = fn(&mut Vec<Ended>);
    let lies: [(Lie, Fault); 8] = [
        (|ended| ended[1] = ended[0], Fault::Unknown(0)),
        (|ended| ended[1].0 = 9, Fault::Unknown(0)),
        (|ended| ended[1].0 = 256, Fault::Unknown(0)),
        (|ended| ended[1].0 |= 1 << 16, Fault::Unknown(0)),
        (|ended| ended[1].1 = 514, Fault::Long(514)),
        (|ended| ended[1].2 = Some(3), Fault::Status(3)),
        (|ended| ended[1].2 = None, Fault::Status(255)),
        (|ended| ended.push(ended[0]), Fault::Surplus),
    ];
    for (lie, expected) in lies {
        let (driver, disk) = start(ending(honest(8), lie));
        let error = read_sectors(&driver, 2).unwrap_err();
        let kind = core::mem::discriminant;
        assert_eq!(kind(&fault(&error)), kind(&expected), "{error:?}");
        assert_eq!((error.kind(), disk.borrow().resets), (DeviceErrorKind::Io, 2));
        disk.borrow_mut().ending = None;
        assert_eq!(fault(&read_sectors(&driver, 1).unwrap_err()), Fault::GivenUp);
        assert_eq!(fault(&driver.flush().unwrap_err()), Fault::GivenUp);
        assert_eq!(disk.borrow().notifications, 1, "nothing was sent any more");
    }
}

#[test]
fn a_silent_device_is_given_up_in_time() {
    // One request ends, and then no other.
    let mut left = 1;
    let disk = ending(honest(8), move |ended| ended.truncate(core::mem::take(&mut left)));
    let (driver, disk) = start(disk);
    let error = driver.write(&[WriteRequest { block: 1, bufs: &[&[1; 512]] }; 2]).unwrap_err();
    assert_eq!((error.kind(), fault(&error)), (DeviceErrorKind::Timeout, Fault::Silent));
    assert_eq!(disk.borrow().resets, 2);
    assert_eq!(fault(&driver.flush().unwrap_err()), Fault::GivenUp);
}

#[test]
fn a_flush_is_sent_when_all_writes_have_completed() {
    let (driver, disk) = start(honest(300));
    let writes = [WriteRequest { block: 1, bufs: &[&[1; 512]] }; 100];
    driver.write(&writes).unwrap();
    driver.flush().unwrap();
    assert_eq!(disk.borrow().seen.last(), Some(&(4, 0, 0, 0)));
    disk.borrow_mut().ending = Some(Box::new(|ended| ended[0].2 = Some(1)));
    assert_eq!(fault(&driver.flush().unwrap_err()), Fault::Reported);
    disk.borrow_mut().ending = Some(Box::new(|ended| ended[0].2 = Some(2)));
    assert_eq!(driver.flush().unwrap_err().kind(), DeviceErrorKind::Unsupported);
}

#[test]
fn a_device_without_a_flush_says_so() {
    let without = |disk: Disk| Disk { features: disk.features & !(1 << 9), ..disk };
    let (driver, disk) = start(without(honest(8)));
    assert_eq!(driver.geometry().flush, Flush::Unavailable);
    assert_eq!(driver.flush().unwrap_err().kind(), DeviceErrorKind::Unsupported);
    assert!(disk.borrow().seen.is_empty());

    // A cache that can't be flushed but turned off is turned off.
    let (driver, disk) = start(feature(without(honest(8)), &[11]));
    assert_eq!((driver.geometry().flush, disk.borrow().config[32]), (Flush::WriteThrough, 0));
    driver.flush().unwrap();
    let (driver, disk) = start(feature(honest(8), &[11]));
    assert_eq!((driver.geometry().flush, disk.borrow().config[32]), (Flush::Supported, 1));
}

#[test]
fn discards_and_zeros_keep_to_what_the_device_takes() {
    let (driver, disk) = start(feature(honest(256), &[13, 14]));
    assert!(driver.geometry().discard);
    driver.discard(5, 200).unwrap();
    let cut = [(11, 5, 99), (11, 104, 96), (11, 200, 5)];
    assert_eq!(disk.borrow().ranges, cut, "at most 100 sectors, cut at multiples of 8");
    assert_eq!(disk.borrow().notifications, 1);
    driver.write_zeroes(0, 65).unwrap();
    assert_eq!(disk.borrow().ranges[3..], [(13, 0, 64), (13, 64, 1)]);
    driver.discard(9, 0).unwrap();
    let error = driver.discard(250, 7).unwrap_err();
    assert_eq!((error.kind(), error.block()), (DeviceErrorKind::OutOfRange, Some(250)));
    assert_eq!(driver.discard(1, u64::MAX).unwrap_err().kind(), DeviceErrorKind::OutOfRange);

    let (driver, disk) = start(honest(8));
    driver.discard(0, 8).unwrap();
    assert_eq!(driver.write_zeroes(0, 8).unwrap_err().kind(), DeviceErrorKind::Unsupported);
    assert!(!driver.geometry().discard && disk.borrow().seen.is_empty());
}

#[test]
fn what_can_not_be_is_refused_before_anything_is_sent() {
    let (driver, disk) = start(honest(8));
    let mut good = [0; 512];
    let mut bad = [0; 1024];
    let mut requests =
        [ReadRequest { block: 0, buf: &mut good }, ReadRequest { block: 7, buf: &mut bad }];
    assert_eq!(driver.read(&mut requests).unwrap_err().kind(), DeviceErrorKind::OutOfRange);
    let write = |bufs| driver.write(&[WriteRequest { block: 0, bufs }]);
    assert_eq!(write(&[&[0; 511]]).unwrap_err().kind(), DeviceErrorKind::Misaligned);
    write(&[]).unwrap();
    write(&[&[], &[]]).unwrap();
    assert!(disk.borrow().seen.is_empty());

    let (driver, disk) = start(feature(honest(8), &[5, 13, 14]));
    let error = driver.write(&[WriteRequest { block: 3, bufs: &[&[0; 512]] }]).unwrap_err();
    assert_eq!((error.kind(), error.block()), (DeviceErrorKind::ReadOnly, Some(3)));
    assert_eq!(driver.discard(0, 1).unwrap_err().kind(), DeviceErrorKind::ReadOnly);
    assert_eq!(driver.write_zeroes(0, 1).unwrap_err().kind(), DeviceErrorKind::ReadOnly);
    assert!(driver.geometry().read_only && disk.borrow().seen.is_empty());
}

#[test]
fn memory_that_no_device_reaches_is_an_error_and_the_rest_completes() {
    let (driver, disk) = start(honest(8));
    let hidden = [1; 512];
    hide(&hidden);
    let writes = [
        WriteRequest { block: 1, bufs: &[&[9; 512]] },
        WriteRequest { block: 2, bufs: &[&hidden] },
    ];
    let error = driver.write(&writes).unwrap_err();
    assert_eq!((fault(&error), error.block()), (Fault::Unreachable, Some(2)));
    assert_eq!((disk.borrow().bytes[512], disk.borrow().bytes[1024]), (9, 2));
    read_sectors(&driver, 1).unwrap();
}

#[test]
fn blocks_are_the_devices() {
    let mut disk = feature(honest(64), &[6, 10]);
    disk.config[20..24].copy_from_slice(&4096_u32.to_le_bytes());
    disk.config[24] = 1;
    let (driver, disk) = start(disk);
    let geometry = driver.geometry();
    assert_eq!((geometry.block_size, geometry.physical_block_size), (4096, 8192));
    assert_eq!(geometry.block_count, 8);
    driver.write(&[WriteRequest { block: 7, bufs: &[&[1; 4096]] }]).unwrap();
    assert_eq!(disk.borrow().seen, [(1, 56, 4096, 1)]);
}

#[test]
fn a_device_that_is_too_old_or_does_not_agree_is_refused() {
    let old = setup_error(Disk { features: 1 << 9, ..honest(8) });
    assert_eq!(fault(&old), Fault::Setup("the device is older than virtio 1.0"));
    let stubborn = setup_error(Disk { refuses_features: true, ..honest(8) });
    assert_eq!(fault(&stubborn), Fault::Setup("the device does not accept the features"));
    let short = setup_error(Disk { depth: 2, ..honest(8) });
    assert_eq!(fault(&short), Fault::Setup("the queue is too short"));
    assert_eq!(short.kind(), DeviceErrorKind::Unsupported);
}
