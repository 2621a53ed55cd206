//! A RAM disk.

use crate::device::{
    BlockDevice, DeviceError, DeviceErrorKind, Geometry, ReadRequest, WriteRequest, check_request,
};
use crate::lock::Mutex;
use alloc::vec;
use alloc::vec::Vec;

/// A block device in memory: what is written is durable at once, and gone with the process.
#[derive(Debug)]
pub struct MemoryDevice {
    geometry: Geometry,
    bytes: Mutex<Vec<u8>>,
}

impl MemoryDevice {
    /// A device of `block_count` zeroed blocks of `block_size` bytes, all allocated now.
    #[must_use]
    pub fn new(block_size: u32, block_count: u32) -> Self {
        let len = (block_size as usize).saturating_mul(block_count as usize);
        Self::from_bytes(block_size, vec![0; len])
    }

    /// A device that holds these bytes; what is left over after the last whole block is ignored.
    #[must_use]
    pub fn from_bytes(block_size: u32, bytes: Vec<u8>) -> Self {
        let block_count = (bytes.len() / (block_size.max(1) as usize)) as u64;
        Self { geometry: Geometry::new(block_size, block_count), bytes: Mutex::new(bytes) }
    }

    /// A copy of everything on the device.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.lock().clone()
    }

    fn offset(&self, block: u64, len: usize) -> Result<usize, DeviceError> {
        check_request(&self.geometry, block, len)?;
        block
            .checked_mul(u64::from(self.geometry.block_size))
            .and_then(|offset| usize::try_from(offset).ok())
            .ok_or(DeviceError::new(DeviceErrorKind::OutOfRange, Some(block)))
    }
}

impl BlockDevice for MemoryDevice {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        let bytes = self.bytes.lock();
        for request in requests {
            let offset = self.offset(request.block, request.buf.len())?;
            let source = bytes.get(offset..).and_then(|rest| rest.get(..request.buf.len()));
            let source =
                source.ok_or(DeviceError::new(DeviceErrorKind::OutOfRange, Some(request.block)))?;
            request.buf.copy_from_slice(source);
        }
        Ok(())
    }

    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        let mut bytes = self.bytes.lock();
        for request in requests {
            let offset = self.offset(request.block, request.len())?;
            let mut rest = bytes.get_mut(offset..).unwrap_or_default();
            for buf in request.bufs {
                let Some((target, after)) = rest.split_at_mut_checked(buf.len()) else {
                    return Err(DeviceError::new(DeviceErrorKind::OutOfRange, Some(request.block)));
                };
                target.copy_from_slice(buf);
                rest = after;
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DeviceError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathers_and_refuses_what_is_not_whole_blocks_on_the_device() {
        let device = MemoryDevice::new(512, 4);
        device.write(&[WriteRequest { block: 2, bufs: &[&[1; 100], &[2; 412]] }]).unwrap();
        let mut buf = [9; 1024];
        device.read(&mut [ReadRequest { block: 1, buf: &mut buf }]).unwrap();
        assert_eq!((buf[511], buf[512], buf[611], buf[612], buf[1023]), (0, 1, 1, 2, 2));
        let mut read = |block, len: usize| {
            device.read(&mut [ReadRequest { block, buf: &mut buf[..len] }]).unwrap_err().kind()
        };
        assert_eq!(read(0, 100), DeviceErrorKind::Misaligned);
        assert_eq!(read(3, 1024), DeviceErrorKind::OutOfRange);
        assert_eq!(read(u64::MAX, 512), DeviceErrorKind::OutOfRange);
    }
}
