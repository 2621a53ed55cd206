//! "Frame" and "Replay" of `docs/format.md`: the groups from the tail start on.

use super::bytes::{Bytes, Wrong, crc32c, demand};
use super::record::Record;
use super::superblock::{NONE, Point, Superblock};

const FIRST: u16 = 1;
const LAST: u16 = 2;
const MOUNT: u16 = 4;

/// A frame that chains.
struct Frame<'a> {
    flags: u16,
    time: u64,
    records: Vec<Record<'a>>,
    /// What the one behind it must fit.
    behind: Point,
}

/// The records of all groups that are whole, each with its time.
pub(crate) fn replay<'a>(
    image: Bytes<'a>,
    superblock: &Superblock,
) -> Result<Vec<(Record<'a>, u64)>, Wrong> {
    let (mut point, mut done, mut group) = (superblock.tail_start, Vec::new(), Vec::new());
    while let Some(frame) = next(image, superblock, &point) {
        if frame.flags & FIRST != 0 {
            group.clear();
        }
        let time = frame.time;
        group.extend(frame.records.into_iter().map(|record| {
            let time = record.time.unwrap_or(time);
            (record, time)
        }));
        if frame.flags & LAST != 0 {
            done.append(&mut group);
        }
        point = frame.behind;
    }
    let reached = point.number > superblock.must_reach;
    demand(reached, || format!("the chain ends before frame {}", point.number))?;
    Ok(done)
}

fn next<'a>(image: Bytes<'a>, superblock: &Superblock, point: &Point) -> Option<Frame<'a>> {
    let open = (point.open, point.block);
    let places = [open, (point.next[0], 0)];
    let exists =
        |&(segment, block): &(u32, u32)| segment != NONE && block < superblock.segment_blocks;
    places.into_iter().filter(exists).find_map(|place| frame(image, superblock, point, place).ok())
}

fn frame<'a>(
    image: Bytes<'a>,
    superblock: &Superblock,
    point: &Point,
    (segment, block): (u32, u32),
) -> Result<Frame<'a>, Wrong> {
    let at = superblock.at(segment, block);
    let header = Bytes(image.slice(at, 140)?);
    let no = || format!("no frame at {at}");
    demand(header.slice(0, 4)? == b"NrFr", no)?;
    demand(header.u32(8)? == crc32c(header.slice(12, 128)?), no)?;
    let len = u64::from(header.u32(132)?) + 140;
    let blocks = superblock.blocks(len);
    demand(u64::from(block) + blocks <= superblock.segment_blocks.into(), no)?;
    let check = header.u32(4)?;
    demand(check == crc32c(image.slice(at + 8, blocks * superblock.block - 8)?), no)?;
    demand(header.slice(16, 16)? == superblock.uuid, no)?;
    demand(header.u64(32)? == superblock.birth, no)?;
    demand((header.u32(80)?, header.u32(84)?) == (segment, block), no)?;

    let (flags, epoch) = (header.u16(12)?, header.u64(40)?);
    let [number, generation, sequence] = [header.u64(56)?, header.u64(72)?, header.u64(116)?];
    let named = [header.u32(88)?, header.u32(92)?];
    demand(number == point.number && sequence == point.sequence, no)?;
    demand(header.u32(96)? == point.previous_check, no)?;
    let mounts = flags & MOUNT != 0 && header.u64(48)? == point.epoch;
    demand(epoch == point.epoch || mounts, no)?;
    let demanded = number == superblock.must_reach + 1 && point.epoch != superblock.epoch;
    demand(!demanded || epoch == superblock.epoch, no)?;
    if segment == point.open {
        demand(generation == point.generation && named == point.next, no)?;
    } else {
        demand(generation == number && named[0] == point.next[1], no)?;
    }

    let (mut records, mut next) = (Vec::new(), at + 140);
    for _ in 0..header.u32(136)? {
        let record = Record::read(image, next)?;
        demand(record.sequence == sequence + records.len() as u64, no)?;
        next += record.pointer.len;
        records.push(record);
    }
    demand(next == at + len, no)?;
    let behind = Point {
        open: segment,
        block: block + u32::try_from(blocks).map_err(|_| no())?,
        generation,
        next: named,
        number: number + 1,
        epoch,
        previous_check: check,
        sequence: sequence + records.len() as u64,
    };
    Ok(Frame { flags, time: header.u64(124)?, records, behind })
}
