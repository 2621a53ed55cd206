//! A disk in memory that forgets what was not flushed, and fails as it is told.

use super::fate::{Fate, garbage, rot};
use super::medium::{Event, Medium, Written};
use super::monitor::Monitor;
use super::plan::{Fault, Plan, Request, Strike, Unflushed};
use super::sector::{SECTOR, sector, sector_mut};
use nerite::device::check_request;
use nerite::{
    BlockDevice, DeviceError, DeviceErrorKind, Geometry, MemoryDevice, ReadRequest, WriteRequest,
};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A disk in memory with a cache that a crash loses.
///
/// Reads see every write at once. A flush makes durable what was written before it; at a crash,
/// each 512-byte sector written since meets a [`Fate`] of its own. A discard is a write of garbage.
#[derive(Debug)]
pub struct SimDisk {
    geometry: Geometry,
    state: Mutex<State>,
}

/// What lies beyond the end of a disk that has shrunk without saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Requests fail.
    Fails,
    /// Reads give zeros, and writes go nowhere.
    Zeros,
}

#[derive(Debug)]
struct State {
    /// What reads see.
    live: Vec<u8>,
    medium: Medium,
    plan: Plan,
    /// What has struck since the last look.
    struck: Vec<Strike>,
    trace: Option<Vec<Event>>,
    monitor: Option<Monitor>,
    end: Option<(usize, Beyond)>,
}

impl SimDisk {
    /// A disk of zeros.
    #[must_use]
    pub fn new(block_size: u32, block_count: u32) -> Self {
        Self::from_bytes(block_size, MemoryDevice::new(block_size, block_count).to_bytes())
    }

    /// A disk that holds these bytes, whole blocks of them, all durable.
    #[must_use]
    pub fn from_bytes(block_size: u32, bytes: Vec<u8>) -> Self {
        let block_count = bytes.len() as u64 / u64::from(block_size);
        let geometry = Geometry::new(block_size, block_count);
        assert_eq!(geometry.size(), bytes.len() as u64, "whole blocks of {block_size} bytes");
        let (live, medium) = (bytes.clone(), Medium::new(bytes));
        let (plan, struck) = (Plan::default(), Vec::new());
        let (trace, monitor, end) = (None, None, None);
        let state = State { live, medium, plan, struck, trace, monitor, end };
        Self { geometry, state: Mutex::new(state) }
    }

    /// The same disk with another geometry in front: read-only, without a flush, with discard.
    #[must_use]
    pub fn with_geometry(mut self, change: impl FnOnce(&mut Geometry)) -> Self {
        change(&mut self.geometry);
        self
    }

    /// Lets a request to come fail or go astray.
    pub fn inject(&self, fault: Fault) {
        self.state().plan.add(fault);
    }

    /// Lets all requests to come work.
    pub fn heal(&self) {
        self.state().plan.clear();
    }

    /// Which faults have struck since the last look. Without one, a disk never fails.
    #[must_use]
    pub fn take_struck(&self) -> Vec<Strike> {
        std::mem::take(&mut self.state().struck)
    }

    /// From now on the disk ends at this byte, though its geometry does not say so.
    pub fn end_at(&self, offset: usize, beyond: Beyond) {
        self.state().end = Some((offset, beyond));
    }

    /// From now on `take_trace` tells what happens.
    pub fn record(&self) {
        self.state().trace = Some(Vec::new());
    }

    /// What has happened since the last look, or since `record`.
    #[must_use]
    pub fn take_trace(&self) -> Vec<Event> {
        self.state().trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// From now on the disk panics when acknowledged data is written over.
    pub fn watch(&self, monitor: Monitor) {
        self.state().monitor = Some(monitor);
    }

    /// What the monitor knows, for the disk that is left after a crash.
    #[must_use]
    pub fn monitor(&self) -> Option<Monitor> {
        self.state().monitor.clone()
    }

    /// What was written since the last verdict has been acknowledged.
    pub fn acknowledge(&self) {
        self.state().monitor.iter_mut().for_each(Monitor::acknowledge);
    }

    /// What lies in these sectors was found, and counts as acknowledged from now on.
    pub fn adopt(&self, sectors: &[usize]) {
        self.state().monitor.iter_mut().for_each(|monitor| monitor.adopt(sectors));
    }

    /// What was written since the last verdict has not been acknowledged.
    pub fn disclaim(&self) {
        self.state().monitor.iter_mut().for_each(Monitor::disclaim);
    }

    /// Drops from the cache what is not pending: reads see what the disk has. This is what a file
    /// device does when it is opened.
    pub fn drop_cache(&self) {
        let mut state = self.state();
        state.live = state.medium.visible();
    }

    /// Lets a sector rot where it lies, in bytes on the disk.
    pub fn rot(&self, offset: usize, fate: Fate) {
        let mut state = self.state();
        rot(&mut state.live, offset, fate);
        let rotten = *sector(&state.live, offset);
        *sector_mut(&mut state.medium.durable, offset) = rotten;
    }

    /// How many sectors were written since the last flush; one written twice counts twice.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.state().medium.pending.len()
    }

    /// What is on the disk when power is lost now. `fate` is asked for each pending sector by its
    /// number, in the order in which they were written. The disk itself goes on.
    #[must_use]
    pub fn crash(&self, fate: impl FnMut(usize) -> Fate) -> Vec<u8> {
        self.state().medium.crash(fate)
    }

    /// A test may go on after a panic: the monitor's, or one that it has planned.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offset(&self, block: u64, len: usize) -> Result<usize, DeviceError> {
        check_request(&self.geometry, block, len)?;
        let offset = block * u64::from(self.geometry.block_size);
        Ok(usize::try_from(offset).expect("the whole disk is in memory"))
    }

    /// The sectors that the requests write, in order.
    fn sectors(&self, requests: &[WriteRequest<'_>]) -> Result<Vec<Written>, DeviceError> {
        let mut sectors = Vec::new();
        for request in requests {
            let offset = self.offset(request.block, request.len())?;
            let bytes = request.bufs.concat();
            let written = bytes.as_chunks().0.iter().enumerate();
            sectors.extend(written.map(|(number, new)| (offset + number * SECTOR, *new)));
        }
        Ok(sectors)
    }
}

impl State {
    fn write(&mut self, sectors: Vec<Written>) {
        for (offset, new) in &sectors {
            if let Some(Err(wrong)) = self.monitor.as_mut().map(|monitor| monitor.write(*offset)) {
                panic!("{wrong}");
            }
            *sector_mut(&mut self.live, *offset) = *new;
        }
        self.happen(Event::Write(sectors));
    }

    /// Nobody needs these bytes.
    fn release(&mut self, bytes: Range<usize>) {
        if let Some(monitor) = &mut self.monitor {
            bytes.clone().step_by(SECTOR).for_each(|offset| monitor.release(offset));
        }
    }

    /// Counts one request, tells what strikes it, and remembers that.
    fn strike(&mut self, request: Request) -> Option<Strike> {
        let strike = self.plan.strike(request);
        self.struck.extend(strike);
        strike
    }

    fn happen(&mut self, event: Event) {
        self.medium.happen(&event);
        if let Some(trace) = &mut self.trace {
            trace.push(event);
        }
    }

    /// Whether a request for these bytes reaches beyond the end of a disk that has shrunk.
    fn reaches_beyond(&self, offset: usize, len: usize) -> Option<Beyond> {
        self.end.filter(|(end, _)| offset + len > *end).map(|(_, beyond)| beyond)
    }

    /// What the strike makes of a write: the sectors that land, and whether it fails.
    fn astray(strike: Option<Strike>, mut sectors: Vec<Written>) -> (Vec<Written>, bool) {
        match strike {
            Some(Strike::WriteFails { landed }) => {
                sectors.truncate(landed);
                return (sectors, true);
            }
            Some(Strike::WriteLost { sector }) if sector < sectors.len() => {
                sectors.remove(sector);
            }
            Some(Strike::WriteMisdirected { sector, offset }) if sector < sectors.len() => {
                sectors[sector].0 = offset;
            }
            _ => {}
        }
        (sectors, false)
    }
}

fn failed(block: Option<u64>) -> DeviceError {
    DeviceError::new(DeviceErrorKind::Io, block)
}

impl BlockDevice for SimDisk {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        let mut state = self.state();
        if state.strike(Request::Read).is_some() {
            return Err(failed(requests.first().map(|request| request.block)));
        }
        for request in requests {
            let offset = self.offset(request.block, request.buf.len())?;
            match state.reaches_beyond(offset, request.buf.len()) {
                Some(Beyond::Fails) => return Err(failed(Some(request.block))),
                Some(Beyond::Zeros) => request.buf.fill(0),
                None => {
                    let bytes = &state.live[offset..offset + request.buf.len()];
                    request.buf.copy_from_slice(bytes);
                }
            }
        }
        Ok(())
    }

    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        let block = requests.first().map(|request| request.block);
        let mut sectors = self.sectors(requests)?;
        let mut state = self.state();
        if self.geometry.read_only {
            return Err(DeviceError::new(DeviceErrorKind::ReadOnly, block));
        }
        let beyond = |(offset, _): &Written| state.reaches_beyond(*offset, SECTOR);
        if sectors.iter().any(|sector| beyond(sector) == Some(Beyond::Fails)) {
            return Err(failed(block));
        }
        sectors.retain(|sector| beyond(sector).is_none());
        let strike = state.strike(Request::Write);
        let (sectors, fails) = State::astray(strike, sectors);
        state.write(sectors);
        if fails { Err(failed(block)) } else { Ok(()) }
    }

    fn flush(&self) -> Result<(), DeviceError> {
        let mut state = self.state();
        match state.strike(Request::Flush) {
            None => {
                state.happen(Event::Flush);
                return Ok(());
            }
            Some(Strike::FlushPanics) => panic!("a flush that was asked to panic"),
            Some(Strike::FlushFails(Unflushed::Dropped)) => {
                state.happen(Event::Lost);
                state.live = state.medium.visible();
            }
            Some(Strike::FlushFails(Unflushed::Cached)) => state.happen(Event::Lost),
            Some(_) => {}
        }
        Err(failed(None))
    }

    fn discard(&self, block: u64, count: u64) -> Result<(), DeviceError> {
        let size = self.geometry.block_size as usize;
        let len = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(size);
        let start = self.offset(block, len)?;
        if self.geometry.discard {
            let discarded = (start..start + len).step_by(SECTOR).map(|offset| {
                let mut bytes = [0; SECTOR];
                garbage(offset as u64, &mut bytes);
                (offset, bytes)
            });
            let mut state = self.state();
            state.release(start..start + len);
            state.write(discarded.collect());
            state.release(start..start + len);
        }
        Ok(())
    }
}
