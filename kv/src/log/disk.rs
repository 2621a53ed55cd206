//! The device by byte addresses.

use crate::device::{BlockDevice, Geometry, ReadRequest, WriteRequest};
use crate::error::Error;
use crate::planted::{Bug, planted};
use alloc::vec::Vec;

/// A device addressed in bytes. Addresses and lengths are multiples of its block size.
#[derive(Debug)]
pub(crate) struct Disk<D> {
    device: D,
    geometry: Geometry,
}

impl<D: BlockDevice> Disk<D> {
    pub(crate) fn new(device: D) -> Result<Self, Error> {
        let geometry = device.geometry();
        if !geometry.block_size.is_power_of_two() || geometry.block_size < 512 {
            return Err(Error::Unsupported("the device's block size"));
        }
        if geometry.buffer_alignment > 1 {
            return Err(Error::Unsupported("a device that needs aligned buffers"));
        }
        Ok(Self { device, geometry })
    }

    pub(crate) const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    pub(crate) const fn device(&self) -> &D {
        &self.device
    }

    pub(crate) fn into_device(self) -> D {
        self.device
    }

    pub(crate) fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Error> {
        let request = ReadRequest { block: self.block(at), buf };
        Ok(self.device.read(&mut [request])?)
    }

    /// All at once: on return they have completed, which does not make them durable.
    pub(crate) fn write_many<'a>(
        &self,
        sources: impl IntoIterator<Item = (u64, &'a [u8])>,
    ) -> Result<(), Error> {
        let sources: Vec<_> = sources.into_iter().map(|(at, bytes)| (at, [bytes])).collect();
        let requests: Vec<_> = sources
            .iter()
            .map(|(at, bufs)| WriteRequest { block: self.block(*at), bufs })
            .collect();
        Ok(self.device.write(&requests)?)
    }

    pub(crate) fn discard(&self, at: u64, len: u64) -> Result<(), Error> {
        let count = len / u64::from(self.geometry.block_size);
        Ok(self.device.discard(self.block(at), count)?)
    }

    pub(crate) fn flush(&self) -> Result<(), Error> {
        if planted(Bug::FlushRetried) && self.device.flush().is_ok() {
            return Ok(());
        }
        Ok(self.device.flush()?)
    }

    fn block(&self, at: u64) -> u64 {
        at / u64::from(self.geometry.block_size)
    }
}
