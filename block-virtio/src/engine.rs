//! Sends requests to the device and waits for them.
//!
//! - Memory is lent to the device only while a [`Batch`] lives: it ends when nothing is in flight
//!   any more, or when the device was reset.
//! - A batch begins with nothing in flight. So a flush follows writes that have completed.
//! - A device that broke the protocol, or was silent for too long, is reset and given up.

use crate::config::SECTOR_SIZE;
use crate::fault::Fault;
use crate::hal::Hal;
use crate::queue::{Payload, Queue, Request, Segment};
use crate::segments::{Limits, fill};
use alloc::vec::Vec;
use core::hint::spin_loop;
use core::iter::once;
use core::marker::PhantomData;
use core::mem::take;
use core::ptr::NonNull;
use core::time::Duration;
use nerite::DeviceError;
use virtio_drivers::transport::{DeviceStatus, Transport};

pub(crate) const READ: u32 = 0;
pub(crate) const WRITE: u32 = 1;

/// The driver uses one queue.
pub(crate) const QUEUE: u16 = 0;
/// How often the driver looks for a completion before it lets the machine wait.
const POLLS: u32 = 1000;
/// How long no completion may come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Writes that are too scattered are copied together in pieces of at most this many bytes.
const COPY_MAX: usize = 128 << 10;

/// The device, and what has been learned of it.
#[derive(Debug)]
pub(crate) struct Engine<H, T> {
    transport: T,
    queue: Queue,
    limits: Limits,
    /// Of the request that is made; it keeps what it was allocated with.
    segments: Vec<Segment>,
    given_up: bool,
    hal: PhantomData<fn() -> H>,
}

impl<H: Hal, T: Transport> Engine<H, T> {
    pub(crate) fn new(transport: T, queue: Queue, limits: Limits) -> Self {
        let segments = Vec::with_capacity(limits.segments_max);
        Self { transport, queue, limits, segments, given_up: false, hal: PhantomData }
    }

    /// Begins to send requests.
    pub(crate) fn begin(&mut self) -> Result<Batch<'_, H, T>, DeviceError> {
        if self.given_up {
            return Err(Fault::GivenUp.at(None));
        }
        Ok(Batch { engine: self, failed: None, copy: Vec::new() })
    }

    /// Takes everything back from the device.
    fn give_up(&mut self) {
        self.given_up = true;
        reset::<H>(&mut self.transport);
        self.queue.forget();
    }
}

/// Returns when the device has let go of all memory. One that does not would write into memory that
/// has other uses by now: there is nothing to return to then.
pub(crate) fn reset<H: Hal>(transport: &mut impl Transport) {
    transport.set_status(DeviceStatus::empty());
    while transport.get_status() != DeviceStatus::empty() {
        H::wait();
    }
}

/// Requests that go to the device together, and the memory that they lend it, for `'a`. A batch is
/// never leaked: its end is what takes the memory back.
#[derive(Debug)]
pub(crate) struct Batch<'a, H: Hal, T: Transport> {
    engine: &'a mut Engine<H, T>,
    /// The first request that failed.
    failed: Option<DeviceError>,
    /// What was copied together, while the device has it.
    copy: Vec<u8>,
}

impl<'a, H: Hal, T: Transport> Batch<'a, H, T> {
    /// Reads whole blocks from `block` on.
    pub(crate) fn read(&mut self, mut block: u64, buf: &'a mut [u8]) -> Result<(), DeviceError> {
        let len = buf.len();
        let memory = NonNull::from(buf).cast();
        let mut done = 0;
        while done < len && self.failed.is_none() {
            let bytes = self.piece(READ, block, once((memory, len)), done)?;
            if bytes == 0 {
                return Err(Fault::Unreachable.at(Some(block)));
            }
            done += bytes;
            block += self.blocks(bytes);
        }
        Ok(())
    }

    /// Writes `bufs`, whole blocks together, from `block` on.
    pub(crate) fn write(
        &mut self,
        mut block: u64,
        bufs: &'a [&'a [u8]],
    ) -> Result<(), DeviceError> {
        let len = bufs.iter().fold(0, |sum: usize, buf| sum.saturating_add(buf.len()));
        let parts = bufs.iter().map(|buf| (NonNull::from(*buf).cast(), buf.len()));
        let mut done = 0;
        while done < len && self.failed.is_none() {
            let bytes = match self.piece(WRITE, block, parts.clone(), done)? {
                0 => self.copy(block, bufs, done)?,
                bytes => bytes,
            };
            done += bytes;
            block += self.blocks(bytes);
        }
        Ok(())
    }

    fn blocks(&self, bytes: usize) -> u64 {
        (bytes / self.engine.limits.block_size) as u64
    }

    /// Sends what one request takes of `parts` from byte `skip` on. Returns how many bytes those
    /// are: 0 if they lie in more pieces than the device takes for one block.
    fn piece(
        &mut self,
        kind: u32,
        block: u64,
        parts: impl Iterator<Item = (NonNull<u8>, usize)>,
        skip: usize,
    ) -> Result<usize, DeviceError> {
        let mut segments = take(&mut self.engine.segments);
        let bytes = fill::<H>(parts, skip, &self.engine.limits, &mut segments);
        let sent = match bytes {
            Some(0) => Ok(()),
            Some(_) if kind == READ => self.send(kind, Some(block), Payload::Read(&segments)),
            Some(_) => self.send(kind, Some(block), Payload::Write(&segments)),
            None => Err(Fault::Unreachable.at(Some(block))),
        };
        self.engine.segments = segments;
        sent.map(|()| bytes.unwrap_or(0))
    }

    /// Writes a piece of `bufs` from byte `skip` on by way of memory in one piece. Returns its
    /// length.
    fn copy(&mut self, block: u64, bufs: &[&[u8]], skip: usize) -> Result<usize, DeviceError> {
        let mut copy = take(&mut self.copy);
        copy.clear();
        let mut skip = skip;
        let max = COPY_MAX.max(self.engine.limits.block_size);
        for buf in bufs {
            let rest = buf.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(buf.len());
            copy.extend(rest.iter().take(max - copy.len()));
        }
        let part = once((NonNull::from(copy.as_mut_slice()).cast(), copy.len()));
        // The batch keeps what the device reads.
        self.copy = copy;
        let bytes = self.piece(WRITE, block, part, 0)?;
        self.drain()?;
        if bytes == 0 { Err(Fault::Unreachable.at(Some(block))) } else { Ok(bytes) }
    }

    /// Sends one request when there is room for it; it may wait for others. `block` is where it
    /// begins, if it concerns any.
    pub(crate) fn send(
        &mut self,
        kind: u32,
        block: Option<u64>,
        payload: Payload<'_>,
    ) -> Result<(), DeviceError> {
        let segments = match payload {
            Payload::Read(segments) | Payload::Write(segments) => segments.len(),
            Payload::Range(..) => 1,
            Payload::Nothing => 0,
        };
        while !self.engine.queue.has_room(segments) {
            self.reap()?;
        }
        let sector = match (payload, block) {
            (Payload::Read(_) | Payload::Write(_), Some(block)) => {
                // Within the capacity, which is in sectors.
                block * (self.engine.limits.block_size as u64 / u64::from(SECTOR_SIZE))
            }
            _ => 0,
        };
        self.engine.queue.add(&Request { kind, sector, payload, block });
        Ok(())
    }

    /// Waits for all, and tells the first failure; `result` is what the caller met.
    pub(crate) fn end(mut self, result: Result<(), DeviceError>) -> Result<(), DeviceError> {
        self.drain()?;
        match self.failed.take() {
            Some(error) => Err(error),
            None => result,
        }
    }

    fn drain(&mut self) -> Result<(), DeviceError> {
        while self.engine.queue.in_flight() > 0 {
            self.reap()?;
        }
        Ok(())
    }

    /// Waits until at least one request has come back, and takes all that have.
    fn reap(&mut self) -> Result<(), DeviceError> {
        let engine = &mut *self.engine;
        if engine.queue.publish() {
            engine.transport.notify(QUEUE);
        }
        let before = engine.queue.in_flight();
        let (mut polls, mut waited) = (0, Duration::ZERO);
        loop {
            match engine.queue.take() {
                Ok(Some(completion)) => {
                    if let (Err(fault), None) = (completion.result, &self.failed) {
                        self.failed = Some(fault.at(completion.block));
                    }
                }
                Ok(None) if engine.queue.in_flight() < before => return Ok(()),
                Ok(None) if polls < POLLS => {
                    polls += 1;
                    spin_loop();
                }
                Ok(None) if waited < PATIENCE => waited = waited.saturating_add(H::wait()),
                Ok(None) => return Err(self.give_up(Fault::Silent)),
                Err(fault) => return Err(self.give_up(fault)),
            }
        }
    }

    fn give_up(&mut self, fault: Fault) -> DeviceError {
        self.engine.give_up();
        fault.at(None)
    }
}

impl<H: Hal, T: Transport> Drop for Batch<'_, H, T> {
    /// The memory that was lent goes back to its owner.
    fn drop(&mut self) {
        if self.engine.queue.in_flight() > 0 {
            self.engine.give_up();
        }
    }
}
