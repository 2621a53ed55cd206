//! The queue: requests on their way to the device and back (VIRTIO 1.2, 2.7).
//!
//! What the device writes decides nothing unchecked: the driver keeps its own copy of what is in
//! flight and of how chains are linked, and of the shared memory it reads only the used ring, the
//! statuses, and whether the device wants to be notified.
//!
//! `VirtQueue` of virtio-drivers is not used: its length is fixed when it is compiled, it wants the
//! buffers of a request a second time when that ends, and it cuts the device's ids to 16 bits.

use crate::fault::Fault;
use crate::hal::Hal;
use crate::shared::{Addresses, DEPTH_MAX, Shared, Words};
use alloc::vec;
use alloc::vec::Vec;
use core::iter::once;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::fence;

const NEXT: u16 = 1;
const DEVICE_WRITES: u16 = 2;
/// In the available ring: send no interrupts.
const NO_INTERRUPT: u16 = 1;
/// In the used ring: the device looks by itself.
const NO_NOTIFY: u16 = 1;

const OK: u8 = 0;
const IO_ERROR: u8 = 1;
const UNSUPPORTED: u8 = 2;
/// No device writes this: it did not write the status at all.
const UNWRITTEN: u8 = 0xff;

/// A piece of the caller's memory, as the device sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) address: u64,
    pub(crate) len: u32,
}

/// What a request carries besides its header.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload<'a> {
    /// The device reads these.
    Write(&'a [Segment]),
    /// The device writes these.
    Read(&'a [Segment]),
    /// Sectors from the first on, and how many.
    Range(u64, u32),
    Nothing,
}

impl Payload<'_> {
    fn segments(&self) -> &[Segment] {
        match self {
            Self::Write(segments) | Self::Read(segments) => segments,
            Self::Range(..) | Self::Nothing => &[],
        }
    }
}

/// A request, as it stands in its header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) kind: u32,
    pub(crate) sector: u64,
    pub(crate) payload: Payload<'a>,
    /// What an error names.
    pub(crate) block: Option<u64>,
}

/// A chain that the device has.
#[derive(Clone, Copy, Debug)]
struct Flight {
    block: Option<u64>,
    descriptors: usize,
    /// Bytes that the device fills, without the status.
    fills: u32,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    pub(crate) block: Option<u64>,
    pub(crate) result: Result<(), Fault>,
}

#[derive(Debug)]
pub(crate) struct Queue {
    size: u16,
    shared: Shared,
    addresses: Addresses,
    /// Descriptors that no chain has; all vectors keep what they were allocated with.
    free: Vec<u16>,
    /// For each descriptor of a chain the next one.
    links: Vec<u16>,
    flights: Vec<Option<Flight>>,
    in_flight: u16,
    /// How many chains were put on the available ring, told to the device, and taken from the used
    /// ring. They wrap.
    added: u16,
    published: u16,
    taken: u16,
}

impl Queue {
    /// `size` is what the device offers; what is used is a power of two.
    pub(crate) fn new<H: Hal>(size: u32) -> Result<Self, Fault> {
        let size = u16::try_from(size).unwrap_or(u16::MAX).min(DEPTH_MAX);
        if size < 4 {
            return Err(Fault::Setup("the queue is too short"));
        }
        let size = 1 << size.ilog2();
        let shared = Shared::new();
        shared.available.0.flags.store(NO_INTERRUPT, Relaxed);
        Ok(Self {
            size,
            shared,
            addresses: shared.addresses::<H>()?,
            free: (0..size).collect(),
            links: vec![0; usize::from(size)],
            flights: vec![None; usize::from(size)],
            in_flight: 0,
            added: 0,
            published: 0,
            taken: 0,
        })
    }

    pub(crate) const fn size(&self) -> u16 {
        self.size
    }

    pub(crate) const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Requests that the device has, or will when they are published.
    pub(crate) const fn in_flight(&self) -> u16 {
        self.in_flight
    }

    /// Whether a request of so many segments fits now.
    pub(crate) fn has_room(&self, segments: usize) -> bool {
        self.free.len() >= segments.saturating_add(2)
    }

    /// Puts a request in line. The caller has asked for room, and keeps the memory of the segments
    /// alive and to itself until the request has come back or the device is reset.
    pub(crate) fn add(&mut self, request: &Request<'_>) {
        let segments = request.payload.segments();
        let is_range = matches!(request.payload, Payload::Range(..));
        let descriptors = segments.len() + usize::from(is_range) + 2;
        let first = self.free.len().saturating_sub(descriptors);
        let ids = self.free.get(first..).unwrap_or_default();
        let Some(&head) = ids.first() else { return };
        let at = usize::from(head);
        let mut data_flags = NEXT;
        let mut fills = 0;
        if let Payload::Read(segments) = request.payload {
            data_flags |= DEVICE_WRITES;
            fills = segments.iter().fold(0, |sum, segment| segment.len.saturating_add(sum));
        }
        let words = |table| table + u64::from(head) * u64::from(Words::LEN);
        if let Some(header) = self.shared.headers.0.get(at) {
            header.header(request.kind, request.sector);
        }
        if let (Payload::Range(sector, count), Some(range)) =
            (request.payload, self.shared.ranges.0.get(at))
        {
            range.range(sector, count);
        }
        if let Some(status) = self.shared.written.0.statuses.get(at) {
            status.store(UNWRITTEN, Relaxed);
        }
        let range = is_range.then(|| (words(self.addresses.ranges), Words::LEN, NEXT));
        let parts = once((words(self.addresses.headers), Words::LEN, NEXT))
            .chain(range)
            .chain(segments.iter().map(|segment| (segment.address, segment.len, data_flags)))
            .chain(once((self.addresses.statuses + u64::from(head), 1, DEVICE_WRITES)));
        let nexts = ids.iter().skip(1).chain(once(&0));
        for (((address, len, flags), &id), &next) in parts.zip(ids).zip(nexts) {
            let id = usize::from(id);
            if let (Some(descriptor), Some(link)) =
                (self.shared.descriptors.0.get(id), self.links.get_mut(id))
            {
                descriptor.set(address, len, flags, next);
                *link = next;
            }
        }
        self.free.truncate(first);
        if let Some(flight) = self.flights.get_mut(at) {
            *flight = Some(Flight { block: request.block, descriptors, fills });
        }
        let slot = usize::from(self.added % self.size);
        if let Some(entry) = self.shared.available.0.ring.get(slot) {
            entry.store(head, Relaxed);
        }
        self.added = self.added.wrapping_add(1);
        self.in_flight += 1;
    }

    /// Shows the device all that was added, and tells whether it must be notified.
    pub(crate) fn publish(&mut self) -> bool {
        if self.published == self.added {
            return false;
        }
        self.published = self.added;
        self.shared.available.0.index.store(self.added, Release);
        // A device that goes to sleep clears its flag, then looks at the index once more: of the
        // two, one sees the other's.
        fence(SeqCst);
        self.shared.written.0.used.flags.load(Relaxed) & NO_NOTIFY == 0
    }

    /// The next request that came back, if there is one. After an error the device can't be
    /// trusted any more.
    pub(crate) fn take(&mut self) -> Result<Option<Completion>, Fault> {
        let used = &self.shared.written.0.used;
        let waiting = used.index.load(Acquire).wrapping_sub(self.taken);
        if waiting == 0 {
            return Ok(None);
        }
        if waiting > self.in_flight {
            return Err(Fault::Surplus);
        }
        let slot = usize::from(self.taken % self.size);
        let Some(element) = used.ring.get(slot) else { return Err(Fault::Surplus) };
        let (id, len) = (element.id.load(Relaxed), element.len.load(Relaxed));
        let head = u16::try_from(id).map_err(|_| Fault::Unknown(id))?;
        let at = usize::from(head);
        let flight = self.flights.get_mut(at).and_then(Option::take).ok_or(Fault::Unknown(id))?;
        self.taken = self.taken.wrapping_add(1);
        self.in_flight -= 1;
        self.recycle(head, flight.descriptors);
        // The status counts as one byte.
        if len > flight.fills.saturating_add(1) {
            return Err(Fault::Long(len));
        }
        let status = self.shared.written.0.statuses.get(at).map(|status| status.load(Relaxed));
        let result = match status {
            Some(OK) if flight.fills > 0 && len <= flight.fills => Err(Fault::Short(len)),
            Some(OK) => Ok(()),
            Some(IO_ERROR) => Err(Fault::Reported),
            Some(UNSUPPORTED) => Err(Fault::Unsupported),
            status => return Err(Fault::Status(status.unwrap_or(UNWRITTEN))),
        };
        Ok(Some(Completion { block: flight.block, result }))
    }

    /// Forgets what is in flight: the device was reset, and takes and gives nothing any more.
    pub(crate) fn forget(&mut self) {
        self.flights.fill(None);
        self.in_flight = 0;
    }

    fn recycle(&mut self, head: u16, descriptors: usize) {
        let mut at = head;
        for _ in 0..descriptors {
            self.free.push(at);
            at = self.links.get(usize::from(at)).copied().unwrap_or(at);
        }
    }
}
