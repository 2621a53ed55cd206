//! A walk through the log for those who look at it, whole or damaged: along the chain from its tail
//! start, or through one segment.
//!
//! Invariants:
//! - It only reads, and nothing on the device makes it end before its time: damage is something that it
//!   comes to, as frames are.
//! - Along the chain it comes to what replay does. Where a frame is missing that was durable, it goes on
//!   with the next one of which that is known; replay ends there.
//! - It ends: each step goes on to another block, or to a higher number.

use super::disk::Disk;
use super::frames::Frames;
use super::records::{Piece, Records};
use super::replay::demanded_epoch;
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::frame::{FrameHeader, HEADER_LEN};
use crate::format::node::{self, Node};
use crate::format::place::Place;
use crate::format::point::ChainPoint;
use crate::format::pointer::Pointer;
use crate::format::record::Record;
use crate::format::superblock::Superblock;
use crate::format::{FRAME_LEN_MAX, UNFLUSHED_MAX, survivors};

/// Bytes behind a missing frame in which the next one is looked for.
const SEARCH_LEN: u64 = UNFLUSHED_MAX + 2 * FRAME_LEN_MAX as u64;

/// What a walk comes to.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A frame whose header is whole. If the rest is not, damage follows.
    Frame {
        header: FrameHeader,
        len: u64,
    },
    /// Copies of records.
    Survivors {
        at: u64,
        len: u64,
    },
    /// A record of what was come to last. A frame's time is that of those without one.
    Record {
        record: Record<'a>,
        pointer: Pointer,
        time: Timestamp,
    },
    Node {
        node: Node,
        len: u64,
    },
    /// Damage, to so many bytes. The key is what looks like that of a damaged record.
    Damaged {
        corruption: Corruption,
        len: u64,
        key: Option<&'a [u8]>,
    },
    /// The chain ends here; the frame of this number would be the next.
    End {
        at: u64,
        number: u64,
    },
}

/// What is come to, without what is lent.
enum Next {
    Frame(FrameHeader),
    Survivors { at: u64, len: u64 },
    Node { node: Node, len: u64 },
    Damaged { part: Part, at: u64, len: u64, fault: Fault },
    End { at: u64, number: u64 },
}

/// A walk. Memory is that of one frame, or of one run of survivors, twice.
pub(crate) struct Walk<'a, D> {
    frames: Frames<'a, D>,
    superblock: &'a Superblock,
    way: Way,
    /// Those of what was come to last.
    records: Records,
    time: Timestamp,
    /// What is wrong with the frame that was come to last.
    damage: Option<Corruption>,
}

enum Way {
    Chain(Chain),
    Segment(Within),
    Ended,
}

/// Where the chain is followed.
struct Chain {
    point: ChainPoint,
    /// The frame before was damaged: its check is not known for certain.
    loose: bool,
    /// The frame behind one that is missing.
    ahead: Option<FrameHeader>,
}

/// Where a segment is walked through.
struct Within {
    place: Place,
    /// The generation and number that the next frame has if none is missing.
    due: Option<(u64, u64)>,
}

impl<'a, D: BlockDevice> Walk<'a, D> {
    /// Along the chain from the tail start of this state.
    pub(crate) fn tail(disk: &'a Disk<D>, superblock: &'a Superblock) -> Self {
        let chain = Chain { point: superblock.tail_start, loose: false, ahead: None };
        Self::new(disk, superblock, Way::Chain(chain))
    }

    /// Through a segment, whatever it is used for. What lies there may be left from an earlier use.
    pub(crate) fn segment(disk: &'a Disk<D>, superblock: &'a Superblock, segment: u32) -> Self {
        let within = Within { place: Place { segment, block: 0 }, due: None };
        let is_there = segment < superblock.layout.segment_count;
        Self::new(disk, superblock, if is_there { Way::Segment(within) } else { Way::Ended })
    }

    fn new(disk: &'a Disk<D>, superblock: &'a Superblock, way: Way) -> Self {
        let (records, time) = (Records::default(), Timestamp::default());
        let frames = Frames::new(disk, superblock);
        Self { frames, superblock, way, records, time, damage: None }
    }

    /// What comes next; `None` behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<Step<'_>>, Error> {
        if let Some(corruption) = self.damage.take() {
            return Ok(Some(Step::Damaged { corruption, len: 0, key: None }));
        }
        if self.records.advance() {
            let time = self.time;
            return Ok(self.records.piece().map(|piece| match piece {
                Piece::Record { record, pointer } => Step::Record { record, pointer, time },
                Piece::Damaged { at, len, fault, key } => {
                    let corruption = Corruption { part: Part::Record, at, fault };
                    Step::Damaged { corruption, len, key }
                }
            }));
        }
        let next = match core::mem::replace(&mut self.way, Way::Ended) {
            Way::Chain(chain) => Some(self.follow(chain)?),
            Way::Segment(within) => self.look(within)?,
            Way::Ended => None,
        };
        Ok(next.map(|next| self.step(next)))
    }

    fn step(&self, next: Next) -> Step<'_> {
        match next {
            Next::Frame(header) => Step::Frame { header, len: header.len(&self.superblock.layout) },
            Next::Survivors { at, len } => Step::Survivors { at, len },
            Next::Node { node, len } => Step::Node { node, len },
            Next::Damaged { part, at, len, fault } => {
                Step::Damaged { corruption: Corruption { part, at, fault }, len, key: None }
            }
            Next::End { at, number } => Step::End { at, number },
        }
    }

    /// Takes the records of the frame of this header, and tells its check, if that is certain.
    fn open(&mut self, header: &FrameHeader) -> Result<Option<u32>, Error> {
        let layout = &self.superblock.layout;
        let at = layout.at(header.place.segment, header.place.block);
        let mut check = None;
        let bytes = readable(self.frames.read(header.place, header.len(layout)))?;
        let opened = bytes.map(|bytes| {
            check = header.open(bytes).ok().map(|(_, check)| check);
            let end = HEADER_LEN.saturating_add(header.records_len as usize);
            bytes.get(HEADER_LEN..end).unwrap_or_default().to_vec()
        });
        let fault = if opened.is_some() { Fault::Check } else { Fault::Unreadable };
        let first = header.sequence;
        let sequences = first..first.saturating_add(u64::from(header.record_count));
        let start = at.saturating_add(HEADER_LEN as u64);
        self.records = Records::new(opened.unwrap_or_default(), start, Some(sequences));
        self.time = header.time;
        self.damage = check.is_none().then_some(Corruption { part: Part::Frame, at, fault });
        Ok(check)
    }

    /// The header of the frame at `place`; none if it can't be read.
    fn header(&mut self, place: Place) -> Result<Option<FrameHeader>, Error> {
        Ok(readable(self.frames.header(place))?.flatten())
    }

    // Along the chain.

    fn follow(&mut self, mut chain: Chain) -> Result<Next, Error> {
        let layout = &self.superblock.layout;
        if let Some(header) = chain.ahead.take() {
            return self.pass(chain, header);
        }
        let point = chain.point;
        let demanded = demanded_epoch(self.superblock, &point);
        for place in point.places(layout) {
            let fits = |header: &FrameHeader| {
                chain.accepts(header) && demanded.is_none_or(|epoch| header.epoch == epoch)
            };
            let header = self.header(place)?.filter(fits);
            if let Some(header) = header
                && (self.is_whole(&header)? || self.was_durable(&point)?)
            {
                return self.pass(chain, header);
            }
        }
        if !self.was_durable(&point)? {
            return Ok(Next::End { at: point.at(layout), number: point.number });
        }
        self.lose(chain)
    }

    /// Whether all checks of the frame fit, as replay asks for.
    fn is_whole(&mut self, header: &FrameHeader) -> Result<bool, Error> {
        let opened = readable(self.frames.records(header))?.flatten();
        Ok(opened.is_some_and(|(mut rest, _)| {
            while let Ok((_, len, _)) = Record::decode(rest) {
                rest = rest.get(len..).unwrap_or_default();
            }
            rest.is_empty()
        }))
    }

    /// Goes behind a frame.
    fn pass(&mut self, mut chain: Chain, header: FrameHeader) -> Result<Next, Error> {
        let layout = &self.superblock.layout;
        let check = self.open(&header)?;
        chain.loose = check.is_none();
        let behind = chain.point.advance(&header, check.unwrap_or(0), header.blocks(layout));
        if behind.is_some() {
            self.way = Way::Chain(chain);
        }
        Ok(Next::Frame(header))
    }

    /// The next frame is missing, or several are: takes what is left of its records, and goes on with
    /// one behind it.
    fn lose(&mut self, mut chain: Chain) -> Result<Next, Error> {
        let layout = &self.superblock.layout;
        let point = chain.point;
        // It stood in the header.
        self.time = Timestamp::default();
        chain.ahead = self.ahead(&point)?;
        let last = chain.ahead.map_or(u64::MAX, |ahead| ahead.sequence);
        let (mut at, mut len) = (point.at(layout), 0);
        for place in point.places(layout) {
            let end = chain.ahead.map(|ahead| ahead.place);
            let end = end.filter(|end| end.segment == place.segment && end.block > place.block);
            let end = end.map_or(layout.segment_blocks, |end| end.block);
            let blocks = u64::from(end.saturating_sub(place.block));
            let room = blocks.saturating_mul(u64::from(layout.block_len));
            let room = room.min(layout.whole(u64::from(FRAME_LEN_MAX)));
            let Some(bytes) = readable(self.frames.read(place, room))? else { continue };
            let bytes = bytes.get(HEADER_LEN..).unwrap_or_default().to_vec();
            let start = layout.at(place.segment, place.block);
            let records_at = start.saturating_add(HEADER_LEN as u64);
            let left = Records::padded(bytes, records_at, point.sequence..last);
            if left.begins() {
                self.records = left;
                (at, len) = (start, room);
                break;
            }
        }
        chain.loose = true;
        chain.point.number = match &chain.ahead {
            Some(ahead) => ahead.number,
            // Nothing is known of what follows.
            None => self.superblock.must_reach.saturating_add(1),
        };
        chain.point.open = chain.point.open.filter(|_| chain.ahead.is_some());
        self.way = Way::Chain(chain);
        let fault = Fault::Missing { frame: point.number };
        Ok(Next::Damaged { part: Part::Frame, at, len, fault })
    }

    /// Whether something says that the frame that comes next was durable.
    fn was_durable(&mut self, point: &ChainPoint) -> Result<bool, Error> {
        let reached = point.number <= self.superblock.must_reach;
        Ok(reached || self.ahead(point)?.is_some())
    }

    /// The first whole header behind `point` that says that the frame there was durable, or is of one
    /// that was.
    fn ahead(&mut self, point: &ChainPoint) -> Result<Option<FrameHeader>, Error> {
        let must_reach = self.superblock.must_reach;
        let next = point.next_segments.into_iter().flatten();
        let next = next.map(|segment| (Place { segment, block: 0 }, point.number));
        for (place, generation) in point.open.map(|open| (open, 0)).into_iter().chain(next) {
            let found = self.search(place, |header| {
                header.number > point.number
                    && header.generation >= generation
                    && (header.durable >= point.number || header.number <= must_reach)
            });
            if let Some(header) = found? {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// The first header from `place` on in its segment that is looked for.
    fn search(
        &mut self,
        mut place: Place,
        is_it: impl Fn(&FrameHeader) -> bool,
    ) -> Result<Option<FrameHeader>, Error> {
        let layout = &self.superblock.layout;
        let blocks = u32::try_from(layout.blocks(SEARCH_LEN)).unwrap_or(u32::MAX);
        let end = place.block.saturating_add(blocks).min(layout.segment_blocks);
        while place.block < end {
            let header = self.header(place)?;
            if let Some(found) = header.filter(&is_it) {
                return Ok(Some(found));
            }
            let blocks = header.map_or(1, |header| header.blocks(layout));
            place.block = place.block.saturating_add(blocks);
        }
        Ok(None)
    }

    // Through a segment.

    fn look(&mut self, mut within: Within) -> Result<Option<Next>, Error> {
        let layout = &self.superblock.layout;
        while within.place.block < layout.segment_blocks {
            let place = within.place;
            let (blocks, next) = self.at(place, &mut within.due)?;
            within.place.block = place.block.saturating_add(blocks);
            if next.is_some() {
                self.way = Way::Segment(within);
                return Ok(next);
            }
        }
        Ok(None)
    }

    /// What begins at `place`, and how many blocks it has. A missing frame has none of its own.
    fn at(
        &mut self,
        place: Place,
        due: &mut Option<(u64, u64)>,
    ) -> Result<(u32, Option<Next>), Error> {
        let Superblock { layout, birth, .. } = self.superblock;
        let at = layout.at(place.segment, place.block);
        let blocks = |len: u64| u32::try_from(layout.blocks(len)).unwrap_or(u32::MAX).max(1);
        let damaged =
            |part, fault| Some(Next::Damaged { part, at, len: layout.block_len.into(), fault });
        if let Some(header) = self.header(place)? {
            let number = due.replace((header.generation, header.number.saturating_add(1)));
            let gap = number.filter(|due| {
                due.0 == header.generation && due.1 < header.number && due.1 <= header.durable
            });
            if let Some((_, frame)) = gap {
                *due = Some((header.generation, header.number));
                let fault = Fault::Missing { frame };
                return Ok((0, Some(Next::Damaged { part: Part::Frame, at, len: 0, fault })));
            }
            self.open(&header)?;
            return Ok((header.blocks(layout), Some(Next::Frame(header))));
        }
        let room = layout.rest(Some(place));
        let most = room.min(u64::from(layout.node_len_max()));
        let Some(block) = readable(self.frames.read(place, most))? else {
            return Ok((1, damaged(Part::Frame, Fault::Unreadable)));
        };
        if FrameHeader::decode(block) == Err(Fault::Check) {
            return Ok((1, damaged(Part::Frame, Fault::Check)));
        }
        if let Ok(records_len) = survivors::records_len(block, *birth, at) {
            let len = u64::from(records_len).saturating_add(survivors::HEADER_LEN as u64);
            if len > room {
                return Ok((1, damaged(Part::Record, Fault::Field("length"))));
            }
            let bytes = readable(self.frames.read(place, layout.whole(len)))?.unwrap_or_default();
            let end = usize::try_from(len).unwrap_or(usize::MAX);
            let bytes = bytes.get(survivors::HEADER_LEN..end).unwrap_or_default().to_vec();
            let start = at.saturating_add(survivors::HEADER_LEN as u64);
            (self.records, self.time) = (Records::new(bytes, start, None), Timestamp::default());
            return Ok((blocks(len), Some(Next::Survivors { at, len: layout.whole(len) })));
        }
        let Some((end, level, _)) = node::first_key(block, *birth, at) else {
            return Ok((1, None));
        };
        let len = layout.whole(end).min(most);
        let bytes = block.get(..usize::try_from(len).unwrap_or(0)).unwrap_or_default();
        let next = match open_node(bytes, (at, *birth, level)) {
            Ok(node) => Some(Next::Node { node, len }),
            Err(fault) => damaged(Part::Node, fault),
        };
        Ok((blocks(len), next))
    }
}

impl Chain {
    fn accepts(&self, header: &FrameHeader) -> bool {
        let mut point = self.point;
        if self.loose {
            point.previous_check = header.previous_check;
        }
        point.accepts(header)
    }
}

/// The node in `bytes`, by the check that it has itself: nothing leads to it.
fn open_node(bytes: &[u8], (at, birth, level): (u64, u64, u8)) -> Result<Node, Fault> {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let check = node::stored_check(bytes).ok_or(Fault::Field("length"))?;
    Node::open(bytes, Pointer { at, len, check }, birth, level)
}

/// What can't be read is lost, as what is damaged.
fn readable<T>(told: Result<T, Error>) -> Result<Option<T>, Error> {
    match told {
        Ok(told) => Ok(Some(told)),
        Err(Error::Device(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
