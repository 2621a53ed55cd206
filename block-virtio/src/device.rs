//! The driver as a block device.

use crate::config::Config;
use crate::transfer::{Transfer, device_error};
use core::fmt;
use nerite::device::check_request;
use nerite::{BlockDevice, DeviceError, DeviceErrorKind, Geometry, ReadRequest, WriteRequest};
use spin::Mutex;
use virtio_drivers::Hal;
use virtio_drivers::device::blk::VirtIOBlk;
use virtio_drivers::transport::{DeviceType, Transport};

/// A virtio-blk disk.
///
/// Its blocks are the device's logical ones. It claims a working flush only if the device offers
/// one; whether the device's flush reaches the medium is up to the host (QEMU: `cache=unsafe` does
/// not).
pub struct VirtioBlk<H: Hal, T: Transport> {
    transfer: Mutex<Transfer<VirtIOBlk<H, T>>>,
    geometry: Geometry,
}

impl<H: Hal, T: Transport> VirtioBlk<H, T> {
    /// Takes over the device behind `transport`.
    ///
    /// # Errors
    /// [`DeviceErrorKind::Unsupported`] if it is no block device or has blocks of an impossible
    /// size; [`DeviceErrorKind::Io`] if it does not come up.
    pub fn new(mut transport: T) -> Result<Self, DeviceError> {
        if transport.device_type() != DeviceType::Block {
            return Err(DeviceError::new(DeviceErrorKind::Unsupported, None));
        }
        let config = Config::read(&mut transport).map_err(|error| device_error(error, None))?;
        let driver = VirtIOBlk::new(transport).map_err(|error| device_error(error, None))?;
        let geometry = config.geometry(driver.capacity())?;
        let request_max = config.request_max(geometry.block_size)?;
        let transfer = Transfer::new(driver, geometry.block_size, request_max);
        Ok(Self { transfer: Mutex::new(transfer), geometry })
    }
}

impl<H: Hal, T: Transport> BlockDevice for VirtioBlk<H, T> {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        let mut transfer = self.transfer.lock();
        for request in requests {
            check_request(&self.geometry, request.block, request.buf.len())?;
            transfer.read(request)?;
        }
        Ok(())
    }

    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        let mut transfer = self.transfer.lock();
        for request in requests {
            if self.geometry.read_only {
                return Err(DeviceError::new(DeviceErrorKind::ReadOnly, Some(request.block)));
            }
            check_request(&self.geometry, request.block, request.len())?;
            transfer.write(request)?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DeviceError> {
        // Every request was waited for, so all that the flush must cover has completed.
        self.transfer.lock().flush()
    }
}

impl<H: Hal, T: Transport> fmt::Debug for VirtioBlk<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtioBlk").field("geometry", &self.geometry).finish_non_exhaustive()
    }
}
