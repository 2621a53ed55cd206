//! The driver as a block device.

use crate::config::{Config, F_VERSION_1, RangeLimits, SECTOR_SIZE, WANTED};
use crate::engine::{Engine, QUEUE, reset};
use crate::fault::Fault;
use crate::hal::Hal;
use crate::queue::{Payload, Queue};
use core::fmt;
use nerite::device::check_request;
use nerite::{
    BlockDevice, DeviceError, DeviceErrorKind, Flush, Geometry, ReadRequest, WriteRequest,
};
use spin::{Mutex, MutexGuard};
use virtio_drivers::transport::{DeviceStatus, DeviceType, Transport};

const FLUSH: u32 = 4;
const DISCARD: u32 = 11;
const WRITE_ZEROES: u32 = 13;

/// A virtio-blk disk.
///
/// Its blocks are the device's logical ones. It claims a working flush only if the device offers
/// one; whether the device's flush reaches the medium is up to the host (QEMU: `cache=unsafe` does
/// not).
///
/// The requests of one call go to the device together, as many as its queue takes. Calls from
/// several threads wait for each other.
///
/// A device that breaks the protocol, or completes nothing for 30 seconds, is reset and answers
/// [`Fault::GivenUp`] from then on. A call does not return while the device has its buffers, and so
/// not from a device that can't even be reset.
pub struct VirtioBlk<H, T> {
    engine: Mutex<Engine<H, T>>,
    geometry: Geometry,
    can_flush: bool,
    discard: Option<RangeLimits>,
    zeroes: Option<RangeLimits>,
}

impl<H: Hal, T: Transport> VirtioBlk<H, T> {
    /// Takes over the device behind `transport`, which is reset first.
    ///
    /// # Errors
    /// [`DeviceErrorKind::Unsupported`] if it is no block device of virtio 1.0 or later, has blocks
    /// of an impossible size, or does not come up; [`DeviceErrorKind::Io`] if it can't reach the
    /// queue's memory.
    pub fn new(mut transport: T) -> Result<Self, DeviceError> {
        if transport.device_type() != DeviceType::Block {
            return Err(Fault::Setup("the device is no disk").at(None));
        }
        let features = negotiate::<H>(&mut transport)?;
        let config = Config::read(&mut transport, features)
            .map_err(|_| Fault::Setup("the configuration can't be read").at(None))?;
        let geometry = config.geometry()?;
        let block_size = geometry.block_size;
        let queue =
            Queue::new::<H>(transport.max_queue_size(QUEUE)).map_err(|fault| fault.at(None))?;
        let limits = config.limits(block_size, queue.size())?;
        let at = *queue.addresses();
        transport.queue_set(QUEUE, queue.size().into(), at.descriptors, at.available, at.used);
        transport.set_status(READY | DeviceStatus::DRIVER_OK);
        Ok(Self {
            engine: Mutex::new(Engine::new(transport, queue, limits)),
            geometry,
            can_flush: config.can_flush(),
            discard: config.discard_limits(block_size),
            zeroes: config.zeroes_limits(block_size),
        })
    }

    /// Fills `count` blocks from `block` on with zeros, which the device does by itself.
    ///
    /// # Errors
    /// As [`BlockDevice::write`]; [`DeviceErrorKind::Unsupported`] if the device can't.
    pub fn write_zeroes(&self, block: u64, count: u64) -> Result<(), DeviceError> {
        let unsupported = || DeviceError::new(DeviceErrorKind::Unsupported, Some(block));
        self.ranges(WRITE_ZEROES, self.zeroes.ok_or_else(unsupported)?, block, count)
    }

    /// Does something to all of the blocks, in as many requests as it takes.
    fn ranges(
        &self,
        kind: u32,
        limits: RangeLimits,
        block: u64,
        count: u64,
    ) -> Result<(), DeviceError> {
        self.check_writable(block)?;
        let error = || DeviceError::new(DeviceErrorKind::OutOfRange, Some(block));
        let end = block.checked_add(count).filter(|&end| end <= self.geometry.block_count);
        let sectors = u64::from(self.geometry.block_size / SECTOR_SIZE);
        // Within the capacity, which is in sectors.
        let (mut at, end) = (block * sectors, end.ok_or_else(error)? * sectors);
        let mut engine = self.lock();
        let mut batch = engine.begin()?;
        let mut result = Ok(());
        while at < end && result.is_ok() {
            let mut stop = at.saturating_add(limits.sectors_max.into()).min(end);
            let aligned = stop - stop % u64::from(limits.alignment);
            if stop < end && aligned > at {
                stop = aligned;
            }
            let count = u32::try_from(stop - at).unwrap_or(limits.sectors_max);
            result = batch.send(kind, Some(at / sectors), Payload::Range(at, count));
            at = stop;
        }
        batch.end(result)
    }

    fn lock(&self) -> MutexGuard<'_, Engine<H, T>> {
        loop {
            // Whoever has it may need the CPU to go on.
            match self.engine.try_lock() {
                Some(engine) => return engine,
                None => H::wait(),
            };
        }
    }

    fn check_writable(&self, block: u64) -> Result<(), DeviceError> {
        if self.geometry.read_only {
            return Err(DeviceError::new(DeviceErrorKind::ReadOnly, Some(block)));
        }
        Ok(())
    }
}

impl<H: Hal, T: Transport> BlockDevice for VirtioBlk<H, T> {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        for request in &*requests {
            check_request(&self.geometry, request.block, request.buf.len())?;
        }
        let mut engine = self.lock();
        let mut batch = engine.begin()?;
        let result =
            requests.iter_mut().try_for_each(|request| batch.read(request.block, request.buf));
        batch.end(result)
    }

    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        for request in requests {
            self.check_writable(request.block)?;
            check_request(&self.geometry, request.block, request.len())?;
        }
        let mut engine = self.lock();
        let mut batch = engine.begin()?;
        let result =
            requests.iter().try_for_each(|request| batch.write(request.block, request.bufs));
        batch.end(result)
    }

    /// A device without a volatile cache may still know the request: it is sent to each that does.
    fn flush(&self) -> Result<(), DeviceError> {
        let mut engine = self.lock();
        let mut batch = engine.begin()?;
        let result = match (self.can_flush, self.geometry.flush) {
            (true, _) => batch.send(FLUSH, None, Payload::Nothing),
            (false, Flush::WriteThrough) => Ok(()),
            (false, _) => Err(Fault::Unsupported.at(None)),
        };
        batch.end(result)
    }

    fn discard(&self, block: u64, count: u64) -> Result<(), DeviceError> {
        match self.discard {
            Some(limits) => self.ranges(DISCARD, limits, block, count),
            None => Ok(()),
        }
    }
}

impl<H, T> fmt::Debug for VirtioBlk<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtioBlk").field("geometry", &self.geometry).finish_non_exhaustive()
    }
}

/// What is acknowledged before the device may be used.
const READY: DeviceStatus =
    DeviceStatus::ACKNOWLEDGE.union(DeviceStatus::DRIVER).union(DeviceStatus::FEATURES_OK);

/// Resets the device and agrees on the features with it (3.1.1).
fn negotiate<H: Hal>(transport: &mut impl Transport) -> Result<u64, DeviceError> {
    reset::<H>(transport);
    transport.set_status(DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER);
    let features = transport.read_device_features() & WANTED;
    if features & F_VERSION_1 == 0 {
        return Err(Fault::Setup("the device is older than virtio 1.0").at(None));
    }
    transport.write_driver_features(features);
    transport.set_status(READY);
    if !transport.get_status().contains(DeviceStatus::FEATURES_OK) {
        return Err(Fault::Setup("the device does not accept the features").at(None));
    }
    Ok(features)
}
