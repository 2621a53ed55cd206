//! Walks through the log.

use super::{BLOCK, device, key, lived, new_device, open};
use nerite::{
    BlockDevice, DeviceError, DeviceErrorKind, Fault, Geometry, KvWrite, LogItem, LogOperation,
    LogReader, MemoryDevice, Part, ReadRequest, Usage, WriteRequest,
};
use nerite_tests::Random;

/// What a walk has come to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    frames: Vec<u64>,
    /// Sequences and what was done.
    operations: Vec<(u64, String)>,
    nodes: usize,
    survivors: usize,
    /// The parts that are damaged, and where.
    damaged: Vec<(Part, u64)>,
    end: Option<u64>,
}

fn seen<D: BlockDevice>(mut walk: nerite::LogWalk<'_, D>) -> Seen {
    let mut seen = Seen::default();
    while let Some(item) = walk.next().unwrap() {
        match item {
            LogItem::Frame(frame) => seen.frames.push(frame.number),
            LogItem::Record(record) => seen.operations.push((record.sequence, said(&record))),
            LogItem::Node { .. } => seen.nodes += 1,
            LogItem::Survivors { .. } => seen.survivors += 1,
            LogItem::Damaged { corruption, .. } => {
                seen.damaged.push((corruption.part, corruption.at));
            }
            LogItem::End { frame, .. } => seen.end = Some(frame),
            _ => {}
        }
    }
    seen
}

fn said(record: &nerite::LogRecord<'_>) -> String {
    match &record.operation {
        LogOperation::Set { key, value } => format!("set {key} {}", value.len()),
        LogOperation::Remove { key } => format!("remove {key}"),
        LogOperation::RemoveRange { range } => format!("remove {range}"),
        LogOperation::Move { key, sequence, .. } => format!("move {key} of {sequence}"),
        _ => "something else".to_owned(),
    }
}

fn tail(image: Vec<u8>) -> Seen {
    seen(LogReader::open(device(image)).unwrap().tail())
}

/// Ten sets of 100 bytes, each a frame of one block, the first one at the log's start, and two
/// removals; the log is sealed if told so.
fn ten_sets(sealed: bool) -> Vec<u8> {
    let device = new_device(1024);
    let store = open(&device, 2);
    (0..10u8).for_each(|n| store.set(&key(&format!("d/k{n}")), &[n; 100]).unwrap());
    store.remove(&key("d/k0")).unwrap();
    store.remove(&key("d")).unwrap();
    if sealed {
        store.close().unwrap();
    }
    device.to_bytes()
}

/// The block of the first frame.
const FIRST: usize = 4;

#[test]
fn the_tail_is_told_as_it_was_written() {
    let seen = tail(ten_sets(false));
    assert_eq!(seen.frames, (1..=12).collect::<Vec<_>>());
    let mut said: Vec<_> = (0..10).map(|n| (n + 1, format!("set /d/k{n} 100"))).collect();
    said.extend([(11, "remove /d/k0".into()), (12, "remove /d/".into())]);
    assert_eq!(seen.operations, said);
    assert_eq!((seen.end, &seen.damaged), (Some(13), &Vec::new()));
    assert_eq!(seen, tail(ten_sets(true)));
}

#[test]
fn a_frame_tells_what_it_is() {
    let reader = LogReader::open(device(ten_sets(true))).unwrap();
    let head = reader.head();
    assert_eq!((head.tail_frame, head.tail_sequence, head.must_reach), (1, 1, 12));
    assert_eq!(head.tail_at, FIRST as u64 * u64::from(BLOCK));
    let mut walk = reader.tail();
    let Some(LogItem::Frame(frame)) = walk.next().unwrap() else { panic!() };
    assert_eq!((frame.at, frame.len, frame.segment), (head.tail_at, 4096, 0));
    assert_eq!((frame.number, frame.group, frame.sequence, frame.records), (1, 1, 1, 1));
    assert!(frame.is_first && frame.is_last && frame.is_mount);
    let Some(LogItem::Record(record)) = walk.next().unwrap() else { panic!() };
    assert_eq!((record.at, record.sequence, record.modified), (head.tail_at + 140, 1, frame.time));
    assert_eq!(u64::from(record.len), 26 + 5 + 100);
}

/// Whichever bit has rotted, it is told, and so are all operations but the one that it is in.
#[test]
fn a_flipped_bit_in_a_frame_is_told_and_costs_one_operation_at_most() {
    let sound = ten_sets(true);
    let all = tail(sound.clone()).operations;
    let mut random = Random::new(7);
    for block in FIRST..FIRST + 12 {
        for attempt in 0..40 {
            // Its own check, which the next frame has too, and anywhere.
            let bit = if attempt == 0 { 40 } else { random.below(300 * 8) };
            let mut damaged = sound.clone();
            damaged[block * BLOCK as usize + bit / 8] ^= 1 << (bit % 8);
            let seen = tail(damaged);
            let context = format!("bit {bit} of block {block}: {seen:?}");
            let at = (block * BLOCK as usize) as u64;
            let is_here = |(_, found): &(Part, u64)| (at..at + 4096).contains(found);
            assert!(!seen.damaged.is_empty() && seen.damaged.iter().all(is_here), "{context}");
            let lost: Vec<_> =
                all.iter().filter(|operation| !seen.operations.contains(operation)).collect();
            let hit = (block - FIRST) as u64 + 1;
            assert!(lost.iter().all(|(sequence, _)| *sequence == hit), "{context}");
            // Its record is whole where the bit is of the frame's header or of what fills it.
            let in_record = (140 * 8..271 * 8).contains(&bit);
            assert!(hit > 10 || lost.is_empty() != in_record, "{context}");
            assert_eq!(seen.operations.len() + lost.len(), 12, "{context}");
            assert_eq!(seen.end, Some(13), "{context}");
        }
    }
}

#[test]
fn behind_several_lost_frames_the_walk_goes_on() {
    let mut damaged = ten_sets(true);
    damaged[(FIRST + 2) * BLOCK as usize..(FIRST + 6) * BLOCK as usize].fill(0xEE);
    let seen = tail(damaged);
    assert_eq!(seen.frames, [1, 2, 7, 8, 9, 10, 11, 12]);
    assert_eq!(seen.damaged, [(Part::Frame, (FIRST as u64 + 2) * u64::from(BLOCK))]);
    assert_eq!(seen.end, Some(13));
}

#[test]
fn a_frame_that_nothing_says_was_durable_ends_the_walk_and_is_no_damage() {
    let mut torn = ten_sets(false);
    torn[(FIRST + 11) * BLOCK as usize + 150] ^= 1;
    let seen = tail(torn.clone());
    assert_eq!((seen.frames.len(), seen.end, seen.damaged), (11, Some(12), Vec::new()));
    // The same, where the log was sealed behind it, is damage.
    let mut rotten = ten_sets(true);
    rotten[(FIRST + 11) * BLOCK as usize..][..BLOCK as usize].fill(0);
    let seen = tail(rotten);
    assert_eq!((seen.frames.len(), seen.end, seen.damaged.len()), (11, Some(13), 1));
}

/// Frames of a group that a crash tore are whole, but nothing says that the first was durable.
#[test]
fn what_is_left_of_a_torn_group_does_not_count() {
    let device = new_device(8192);
    let store = open(&device, 2);
    (0..60).for_each(|n| store.set(&key(&format!("d/{n}")), &vec![n; 30_000]).unwrap());
    store.rename(&key("d"), &key("e")).unwrap();
    let frames = seen(LogReader::open(&device).unwrap().tail()).frames.len();
    assert_eq!(frames, 60 + 15, "the rename is a group of many frames");
    let mut torn = device.to_bytes();
    let reader = LogReader::open(&device).unwrap();
    let mut walk = reader.tail();
    while let Some(item) = walk.next().unwrap() {
        if let LogItem::Frame(frame) = item
            && frame.number == 61
        {
            torn[usize::try_from(frame.at).unwrap() + 500] ^= 1;
        }
    }
    let seen = tail(torn);
    assert_eq!((seen.frames.len(), seen.end, seen.damaged), (60, Some(61), Vec::new()));
}

#[test]
fn a_frame_that_is_gone_from_a_segment_is_told_if_it_was_durable() {
    let mut damaged = ten_sets(true);
    damaged[(FIRST + 5) * BLOCK as usize..][..BLOCK as usize].fill(0);
    let reader = LogReader::open(device(damaged)).unwrap();
    let seen = seen(reader.segment(1));
    assert_eq!(seen.frames, [5, 7, 8]);
    assert_eq!(seen.damaged.len(), 1);
}

#[test]
fn of_a_damaged_record_the_key_is_told_as_far_as_it_shows() {
    let mut damaged = ten_sets(true);
    damaged[(FIRST + 3) * BLOCK as usize + 140 + 26 + 20] ^= 1;
    let reader = LogReader::open(device(damaged)).unwrap();
    let mut walk = reader.tail();
    let mut told = Vec::new();
    while let Some(item) = walk.next().unwrap() {
        if let LogItem::Damaged { corruption, name: Some(name), .. } = item {
            told.push((corruption.part, corruption.fault, name.to_string()));
        }
    }
    assert_eq!(told, [(Part::Record, Fault::Check, "/d/k3".to_owned())]);
}

#[test]
fn every_segment_of_a_store_that_has_lived_can_be_walked_through() {
    let device = lived(1);
    let reader = LogReader::open(&device).unwrap();
    let segments = reader.head().segment_count;
    let all: Vec<_> = (0..segments).map(|segment| seen(reader.segment(segment))).collect();
    assert!(all.iter().all(|seen| seen.damaged.is_empty()), "{all:?}");
    let sum = |of: fn(&Seen) -> usize| all.iter().map(of).sum::<usize>();
    assert!(sum(|seen| seen.nodes) > 50 && sum(|seen| seen.frames.len()) > 500);
    // What the tail has, the segments have.
    let tail = seen(reader.tail());
    assert!(tail.frames.len() > 20 && tail.damaged.is_empty());
    let operations: Vec<_> = all.iter().flat_map(|seen| &seen.operations).collect();
    assert!(tail.operations.iter().all(|operation| operations.contains(&operation)));
    assert_eq!(seen(reader.segment(segments)), Seen::default());
}

#[test]
fn a_store_tells_of_each_segment_what_lies_in_it() {
    let device = lived(1);
    let store = open(&device, 9);
    let segments = store.segments();
    let reader = LogReader::open(&device).unwrap();
    assert_eq!(segments.len(), reader.head().segment_count as usize);
    let mut tail = Vec::new();
    let mut walk = reader.tail();
    while let Some(item) = walk.next().unwrap() {
        if let LogItem::Frame(frame) = item {
            tail.push(frame.segment);
        }
    }
    tail.dedup();
    let of = |usage| segments.iter().filter(move |segment| segment.usage == usage);
    let numbers = |usage| of(usage).map(|segment| segment.number);
    assert!(tail.iter().all(|segment| numbers(Usage::Tail).any(|number| number == *segment)));
    // The tail can start at the very end of a segment.
    assert!((tail.len()..=tail.len() + 1).contains(&numbers(Usage::Tail).count()));
    assert_eq!(numbers(Usage::Next).count(), 2);
    assert!(numbers(Usage::Nodes).all(|number| seen(reader.segment(number)).nodes > 0));
    let live: u64 = of(Usage::Chain).map(|segment| segment.live_bytes).sum();
    assert!(live > 0 && of(Usage::Free).all(|segment| segment.live_bytes == 0));
}

#[test]
fn in_a_segment_every_damaged_frame_and_node_is_told() {
    let sound = lived(2).to_bytes();
    let segment_of = |at: u64| u32::try_from((at - 16384) / 16384).unwrap();
    let reader = LogReader::open(device(sound.clone())).unwrap();
    let mut random = Random::new(3);
    let mut places = Vec::new();
    for segment in 0..reader.head().segment_count {
        let mut walk = reader.segment(segment);
        while let Some(item) = walk.next().unwrap() {
            match item {
                LogItem::Frame(frame) => places.push((Part::Frame, frame.at)),
                LogItem::Node { at, .. } => places.push((Part::Node, at)),
                _ => {}
            }
        }
    }
    for _ in 0..100 {
        let (part, at) = *random.pick(&places);
        let mut damaged = sound.clone();
        // Behind what tells a node from other bytes, and the magic of a frame.
        damaged[usize::try_from(at).unwrap() + 40 + random.below(470)] ^= 4;
        let reader = LogReader::open(device(damaged)).unwrap();
        let seen = seen(reader.segment(segment_of(at)));
        assert!(seen.damaged.contains(&(part, at)), "{part:?} at {at}: {:?}", seen.damaged);
    }
}

/// A device on which the blocks of a range can't be read.
struct Unreadable(MemoryDevice, std::ops::Range<u64>);

impl BlockDevice for Unreadable {
    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }
    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        let hit = |request: &ReadRequest<'_>| {
            let end = request.block + request.buf.len() as u64 / 512;
            request.block < self.1.end && self.1.start < end
        };
        if requests.iter().any(hit) {
            return Err(DeviceError::new(DeviceErrorKind::Io, Some(self.1.start)));
        }
        self.0.read(requests)
    }
    fn write(&self, _: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        Err(DeviceError::new(DeviceErrorKind::Io, None))
    }
    fn flush(&self) -> Result<(), DeviceError> {
        Ok(())
    }
}

#[test]
fn what_can_not_be_read_is_told_as_damage_and_the_walk_goes_on() {
    let from = (FIRST as u64 + 4) * 8;
    let reader = LogReader::open(Unreadable(device(ten_sets(true)), from..from + 8)).unwrap();
    let seen = seen(reader.tail());
    assert_eq!(seen.frames, [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(seen.damaged, [(Part::Frame, from * 512)]);
    let segment = super::log::seen(reader.segment(1));
    assert!(segment.damaged.contains(&(Part::Frame, from * 512)), "{:?}", segment.damaged);
}

/// Whatever lies on the device, a walk ends, and its reads stay within the log.
#[test]
fn nothing_on_the_disk_makes_a_walk_fail_or_go_on_for_ever() {
    let sound = lived(4).to_bytes();
    let mut random = Random::new(5);
    for _ in 0..60 {
        let mut damaged = sound.clone();
        for _ in 0..random.below(400) {
            let (at, len) = (16384 + random.below(damaged.len() - 16384), random.below(600));
            let end = (at + len).min(damaged.len());
            let from = 16384 + random.below(damaged.len() - 16384 - len);
            match random.below(3) {
                0 => damaged[at] ^= 1 << random.below(8),
                1 => damaged[at..end].fill(0),
                _ => damaged.copy_within(from..from + (end - at), at),
            }
        }
        let reader = LogReader::open(device(damaged)).unwrap();
        assert!(seen(reader.tail()).end.is_some());
        for segment in 0..reader.head().segment_count {
            seen(reader.segment(segment));
        }
    }
}
