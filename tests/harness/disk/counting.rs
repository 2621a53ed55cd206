//! What a store asks of its device, counted.

use nerite::{BlockDevice, DeviceError, Geometry, ReadRequest, WriteRequest};
use std::sync::atomic::{AtomicU64, Ordering};

/// What was asked of a device, failed calls included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests to read; one call can bring many.
    pub reads: u64,
    /// Blocks that they named.
    pub blocks_read: u64,
    /// Requests to write; one call can bring many.
    pub writes: u64,
    /// Blocks that they named.
    pub blocks_written: u64,
    /// Calls of `flush`.
    pub flushes: u64,
}

/// A device that counts what is asked of it.
#[derive(Debug)]
pub struct CountingDevice<D> {
    device: D,
    reads: AtomicU64,
    blocks_read: AtomicU64,
    writes: AtomicU64,
    blocks_written: AtomicU64,
    flushes: AtomicU64,
}

impl<D: BlockDevice> CountingDevice<D> {
    /// Counts from 0 on what is asked of `device`.
    pub const fn new(device: D) -> Self {
        let (reads, blocks_read) = (AtomicU64::new(0), AtomicU64::new(0));
        let (writes, blocks_written) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { device, reads, blocks_read, writes, blocks_written, flushes: AtomicU64::new(0) }
    }

    /// What was counted so far; counting begins again at 0.
    pub fn take(&self) -> Counts {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        Counts {
            reads: take(&self.reads),
            blocks_read: take(&self.blocks_read),
            writes: take(&self.writes),
            blocks_written: take(&self.blocks_written),
            flushes: take(&self.flushes),
        }
    }

    fn count(&self, requests: &AtomicU64, blocks: &AtomicU64, len: usize) {
        requests.fetch_add(1, Ordering::SeqCst);
        let block_size = u64::from(self.device.geometry().block_size);
        blocks.fetch_add((len as u64).div_ceil(block_size), Ordering::SeqCst);
    }
}

impl<D: BlockDevice> BlockDevice for CountingDevice<D> {
    fn geometry(&self) -> Geometry {
        self.device.geometry()
    }

    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        for request in requests.iter() {
            self.count(&self.reads, &self.blocks_read, request.buf.len());
        }
        self.device.read(requests)
    }

    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        for request in requests {
            self.count(&self.writes, &self.blocks_written, request.len());
        }
        self.device.write(requests)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        self.device.flush()
    }

    fn discard(&self, block: u64, count: u64) -> Result<(), DeviceError> {
        self.device.discard(block, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerite::MemoryDevice;

    #[test]
    fn requests_blocks_and_flushes_are_counted_and_taken() {
        let device = CountingDevice::new(MemoryDevice::new(512, 8));
        let (one, two) = ([1; 512], [2; 1024]);
        let gathered = [&one[..], &two];
        let requests = [
            WriteRequest { block: 0, bufs: &gathered },
            WriteRequest { block: 4, bufs: &gathered[..1] },
        ];
        device.write(&requests).unwrap();
        device.flush().unwrap();
        let mut buf = [0; 1024];
        device.read(&mut [ReadRequest { block: 1, buf: &mut buf }]).unwrap();
        assert_eq!(buf, two);
        let counts = Counts { reads: 1, blocks_read: 2, writes: 2, blocks_written: 4, flushes: 1 };
        assert_eq!(device.take(), counts);
        assert_eq!(device.take(), Counts::default());
    }

    #[test]
    fn what_fails_is_counted_too() {
        let device = CountingDevice::new(MemoryDevice::new(512, 1));
        device.write(&[WriteRequest { block: 1, bufs: &[&[0; 512]] }]).unwrap_err();
        assert_eq!(device.take(), Counts { writes: 1, blocks_written: 1, ..Counts::default() });
    }
}
