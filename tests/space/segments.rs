//! The device as the cleaner sees it: segments, what lies in them, and which are free.
//!
//! Invariant: a segment becomes free only when nothing in it is live, no slot of the superblock names
//! what is in it, and the tail of neither slot reaches it.

use std::collections::VecDeque;

/// Where bytes go. Each has an open segment of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Chain,
    Index,
    Survivors,
}

const STREAMS: usize = 3;

/// There is no free segment left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) stream: Option<Stream>,
    pub(crate) sealed: bool,
    pub(crate) used: usize,
    /// Bytes of what is named by the newest state.
    pub(crate) live: usize,
    /// Bytes of dead nodes that a slot of the superblock still names.
    pub(crate) held: usize,
    pub(crate) items: Vec<usize>,
    /// Counts the chain's segments; 0 for others.
    pub(crate) order: usize,
    /// The commit that wrote the youngest record in it, by whichever segment that has come.
    pub(crate) written: usize,
}

impl Segment {
    const FREE: Self = Self {
        stream: None,
        sealed: false,
        used: 0,
        live: 0,
        held: 0,
        items: Vec::new(),
        order: 0,
        written: 0,
    };

    /// Whether a tail that starts at the chain's segment `tail` reaches it.
    pub(crate) fn in_tail(&self, tail: usize) -> bool {
        self.stream == Some(Stream::Chain) && self.order >= tail
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Segments {
    pub(crate) len: usize,
    pub(crate) block: usize,
    pub(crate) all: Vec<Segment>,
    free: Vec<usize>,
    /// The chain goes on there. They are not free.
    named: VecDeque<usize>,
    open: [Option<usize>; STREAMS],
    /// Where each item lies.
    pub(crate) places: Vec<Option<usize>>,
    pub(crate) order: usize,
}

impl Segments {
    pub(crate) fn new(count: usize, len: usize, block: usize, items: usize) -> Self {
        Self {
            len,
            block,
            all: vec![Segment::FREE; count],
            free: (2..count).collect(),
            named: VecDeque::from([0, 1]),
            open: [None; STREAMS],
            places: vec![None; items],
            order: 0,
        }
    }

    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    pub(crate) fn padded(&self, len: usize) -> usize {
        len.next_multiple_of(self.block)
    }

    /// Bytes left in the open segment.
    pub(crate) fn rest(&self, stream: Stream) -> usize {
        self.open[stream as usize].map_or(0, |open| self.len - self.all[open].used)
    }

    /// Seals the open segment and opens another.
    pub(crate) fn roll(&mut self, stream: Stream) -> Result<(), Full> {
        let taken = self.free.pop().ok_or(Full)?;
        let mut opened = taken;
        if stream == Stream::Chain {
            self.named.push_back(taken);
            opened = self.named.pop_front().expect("two are named");
            self.order += 1;
        }
        if let Some(old) = self.open[stream as usize].replace(opened) {
            self.all[old].sealed = true;
        }
        let order = if stream == Stream::Chain { self.order } else { 0 };
        self.all[opened] = Segment { stream: Some(stream), order, ..Segment::FREE };
        Ok(())
    }

    /// Takes bytes of the open segment, which must have them.
    pub(crate) fn take(&mut self, stream: Stream, len: usize) {
        let open = self.open[stream as usize].expect("an open segment");
        self.all[open].used += len;
        assert!(self.all[open].used <= self.len, "a segment is too short");
    }

    /// `item` lies in the open segment from now on.
    pub(crate) fn put(&mut self, stream: Stream, item: usize, len: usize, written: usize) {
        let open = self.open[stream as usize].expect("an open segment");
        let segment = &mut self.all[open];
        segment.live += len;
        segment.items.push(item);
        segment.written = segment.written.max(written);
        self.places[item] = Some(open);
    }

    /// `item` is dead. Returns where it was.
    pub(crate) fn kill(&mut self, item: usize, len: usize) -> Option<usize> {
        let place = self.places[item].take()?;
        self.all[place].live -= len;
        Some(place)
    }

    /// What is live in a segment. An item that came there twice is told twice.
    pub(crate) fn live_items(&self, segment: usize) -> impl Iterator<Item = usize> {
        let items = self.all[segment].items.iter().copied();
        items.filter(move |item| self.places[*item] == Some(segment))
    }

    /// Whether a segment may be used again, when the tail starts at the chain's segment `tail`.
    pub(crate) fn is_dead(&self, segment: usize, tail: usize) -> bool {
        let it = &self.all[segment];
        it.sealed && it.live == 0 && it.held == 0 && !it.in_tail(tail)
    }

    pub(crate) fn release(&mut self, tail: usize) {
        for segment in 0..self.all.len() {
            if self.is_dead(segment, tail) {
                self.all[segment] = Segment::FREE;
                self.free.push(segment);
            }
        }
    }

    /// How many free segments are opened by writing pieces of these lengths.
    pub(crate) fn needs(&self, stream: Stream, lens: impl Iterator<Item = usize>) -> usize {
        let (mut rest, mut opened) = (self.rest(stream), 0);
        for len in lens {
            if len > rest {
                opened += 1;
                rest = self.len;
            }
            rest -= len;
        }
        opened
    }
}
