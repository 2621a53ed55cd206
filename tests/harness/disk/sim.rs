//! A disk in memory that forgets what was not flushed.

use super::plan::{Call, Fault, Pending, Plan};
use crate::random::Random;
use nerite::device::check_request;
use nerite::{
    BlockDevice, DeviceError, DeviceErrorKind, Geometry, MemoryDevice, ReadRequest, WriteRequest,
};
use std::sync::{Mutex, MutexGuard};

/// Bytes that a disk writes as one: the unit in which a crash takes or leaves.
pub const SECTOR: usize = 512;

/// What a crash makes of one pending sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It reached the disk.
    New,
    /// It did not; what was there before still is.
    Old,
    /// Its first bytes reached the disk.
    Torn {
        /// How many.
        prefix: usize,
    },
    /// It holds nothing of either, but bytes from this seed.
    Garbage(u64),
    /// It holds zeros.
    Zeros,
}

impl Fate {
    fn strike(self, sector: &mut [u8], new: &[u8; SECTOR]) {
        match self {
            Self::New => sector.copy_from_slice(new),
            Self::Old => {}
            Self::Torn { prefix } => sector[..prefix].copy_from_slice(&new[..prefix]),
            Self::Garbage(seed) => sector.copy_from_slice(&Random::new(seed).bytes(SECTOR)),
            Self::Zeros => sector.fill(0),
        }
    }
}

/// A disk in memory with a cache that a crash loses.
///
/// Reads see every write at once. A flush makes durable what was written before it; at a crash,
/// each 512-byte sector written since meets a [`Fate`] of its own.
#[derive(Debug)]
pub struct SimDisk {
    geometry: Geometry,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What reads see.
    live: Vec<u8>,
    /// What a crash can't take.
    durable: Vec<u8>,
    /// Sectors written since the last flush, in order, as (offset on the disk, new bytes).
    pending: Vec<(usize, [u8; SECTOR])>,
    plan: Plan,
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
        let (live, durable) = (bytes.clone(), bytes);
        let state = State { live, durable, pending: Vec::new(), plan: Plan::default() };
        Self { geometry, state: Mutex::new(state) }
    }

    /// Lets a call to come fail.
    pub fn inject(&self, fault: Fault) {
        self.state().plan.add(fault);
    }

    /// How many sectors were written since the last flush; one written twice counts twice.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.state().pending.len()
    }

    /// What is on the disk when power is lost now. `fate` is asked for each pending sector by its
    /// number, in the order in which they were written. The disk itself goes on.
    #[must_use]
    pub fn crash(&self, mut fate: impl FnMut(usize) -> Fate) -> Vec<u8> {
        let state = self.state();
        let mut bytes = state.durable.clone();
        for (number, (offset, new)) in state.pending.iter().enumerate() {
            fate(number).strike(&mut bytes[*offset..offset + SECTOR], new);
        }
        bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }

    fn offset(&self, block: u64, len: usize) -> Result<usize, DeviceError> {
        check_request(&self.geometry, block, len)?;
        let offset = block * u64::from(self.geometry.block_size);
        Ok(usize::try_from(offset).expect("the whole disk is in memory"))
    }
}

impl State {
    fn write(&mut self, mut offset: usize, bytes: &[u8]) {
        for sector in bytes.as_chunks().0 {
            self.live[offset..offset + SECTOR].copy_from_slice(sector);
            self.pending.push((offset, *sector));
            offset += SECTOR;
        }
    }

    fn flush(&mut self) {
        for (offset, new) in self.pending.drain(..) {
            self.durable[offset..offset + SECTOR].copy_from_slice(&new);
        }
    }

    fn drop_pending(&mut self) {
        self.pending.clear();
        self.live.clone_from(&self.durable);
    }
}

impl BlockDevice for SimDisk {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        let state = self.state();
        for request in requests {
            let offset = self.offset(request.block, request.buf.len())?;
            request.buf.copy_from_slice(&state.live[offset..offset + request.buf.len()]);
        }
        Ok(())
    }

    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        let mut state = self.state();
        if state.plan.strike(Call::Write).is_some() {
            let block = requests.first().map(|request| request.block);
            return Err(DeviceError::new(DeviceErrorKind::Io, block));
        }
        for request in requests {
            let offset = self.offset(request.block, request.len())?;
            state.write(offset, &request.bufs.concat());
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DeviceError> {
        let mut state = self.state();
        let Some(fault) = state.plan.strike(Call::Flush) else {
            state.flush();
            return Ok(());
        };
        if fault.pending == Pending::Dropped {
            state.drop_pending();
        }
        Err(DeviceError::new(DeviceErrorKind::Io, None))
    }
}
