//! Cuts requests to the size that the device takes, and gathers the buffers of a write.

use crate::config::SECTOR_SIZE;
use alloc::vec::Vec;
use nerite::{DeviceError, DeviceErrorKind, ReadRequest, WriteRequest};
use virtio_drivers::Error;
use virtio_drivers::Hal;
use virtio_drivers::device::blk::VirtIOBlk;
use virtio_drivers::transport::Transport;

/// Scattered writes are copied together in pieces of at most this many bytes.
const BOUNCE_MAX: usize = 128 << 10;

/// What is below: one request each, of whole sectors, not empty.
pub(crate) trait Sectors {
    fn read(&mut self, sector: usize, buf: &mut [u8]) -> Result<(), Error>;
    fn write(&mut self, sector: usize, buf: &[u8]) -> Result<(), Error>;
    fn flush(&mut self) -> Result<(), Error>;
}

impl<H: Hal, T: Transport> Sectors for VirtIOBlk<H, T> {
    fn read(&mut self, sector: usize, buf: &mut [u8]) -> Result<(), Error> {
        self.read_blocks(sector, buf)
    }

    fn write(&mut self, sector: usize, buf: &[u8]) -> Result<(), Error> {
        self.write_blocks(sector, buf)
    }

    fn flush(&mut self) -> Result<(), Error> {
        Self::flush(self)
    }
}

/// Serves requests that were checked against the geometry.
pub(crate) struct Transfer<S> {
    sectors: S,
    block_size: usize,
    request_max: usize,
    /// Always empty between requests; its capacity is all that it ever has.
    bounce: Vec<u8>,
}

impl<S: Sectors> Transfer<S> {
    /// `request_max` is a multiple of `block_size`, and that of [`SECTOR_SIZE`].
    pub(crate) fn new(sectors: S, block_size: u32, request_max: usize) -> Self {
        let block_size = block_size as usize;
        let bounce_max = BOUNCE_MAX.max(block_size).min(request_max);
        Self { sectors, block_size, request_max, bounce: Vec::with_capacity(bounce_max) }
    }

    pub(crate) fn read(&mut self, request: &mut ReadRequest<'_>) -> Result<(), DeviceError> {
        let mut block = request.block;
        for piece in request.buf.chunks_mut(self.request_max) {
            let sector = self.sector(block)?;
            self.sectors.read(sector, piece).map_err(|error| device_error(error, Some(block)))?;
            block += (piece.len() / self.block_size) as u64;
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, request: &WriteRequest<'_>) -> Result<(), DeviceError> {
        let mut block = request.block;
        if let [buf] = request.bufs {
            for piece in buf.chunks(self.request_max) {
                self.write_piece(&mut block, piece)?;
            }
            return Ok(());
        }
        let mut bounce = core::mem::take(&mut self.bounce);
        let result = self.gather(&mut block, request.bufs, &mut bounce);
        bounce.clear();
        self.bounce = bounce;
        result
    }

    pub(crate) fn flush(&mut self) -> Result<(), DeviceError> {
        self.sectors.flush().map_err(|error| device_error(error, None))
    }

    fn gather(
        &mut self,
        block: &mut u64,
        bufs: &[&[u8]],
        bounce: &mut Vec<u8>,
    ) -> Result<(), DeviceError> {
        // The capacity may be more than was asked for, and then not whole blocks.
        let limit = bounce.capacity() - bounce.capacity() % self.block_size;
        for buf in bufs {
            let mut rest = *buf;
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(limit - bounce.len()));
                bounce.extend_from_slice(piece);
                rest = after;
                if bounce.len() == limit {
                    self.write_piece(block, bounce)?;
                    bounce.clear();
                }
            }
        }
        if bounce.is_empty() { Ok(()) } else { self.write_piece(block, bounce) }
    }

    fn write_piece(&mut self, block: &mut u64, piece: &[u8]) -> Result<(), DeviceError> {
        let sector = self.sector(*block)?;
        self.sectors.write(sector, piece).map_err(|error| device_error(error, Some(*block)))?;
        *block += (piece.len() / self.block_size) as u64;
        Ok(())
    }

    fn sector(&self, block: u64) -> Result<usize, DeviceError> {
        usize::try_from(block)
            .ok()
            .and_then(|block| block.checked_mul(self.block_size / SECTOR_SIZE as usize))
            .ok_or(DeviceError::new(DeviceErrorKind::OutOfRange, Some(block)))
    }
}

pub(crate) fn device_error(error: Error, block: Option<u64>) -> DeviceError {
    let kind = match error {
        Error::Unsupported => DeviceErrorKind::Unsupported,
        _ => DeviceErrorKind::Io,
    };
    DeviceError::new(kind, block).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use core::error::Error as _;

    /// A disk of 64 sectors that notes what it is asked for, and fails at one sector.
    struct Fake {
        bytes: Vec<u8>,
        asked: Vec<(char, usize, usize)>,
        bad_sector: usize,
    }

    impl Fake {
        fn serve(&mut self, what: char, sector: usize, len: usize) -> Result<usize, Error> {
            assert!(len > 0 && len.is_multiple_of(512), "the crate would panic");
            self.asked.push((what, sector, len));
            if (sector..sector + len / 512).contains(&self.bad_sector) {
                return Err(Error::IoError);
            }
            Ok(sector * 512)
        }
    }

    impl Sectors for Fake {
        fn read(&mut self, sector: usize, buf: &mut [u8]) -> Result<(), Error> {
            let at = self.serve('r', sector, buf.len())?;
            buf.copy_from_slice(&self.bytes[at..at + buf.len()]);
            Ok(())
        }

        fn write(&mut self, sector: usize, buf: &[u8]) -> Result<(), Error> {
            let at = self.serve('w', sector, buf.len())?;
            self.bytes[at..at + buf.len()].copy_from_slice(buf);
            Ok(())
        }

        fn flush(&mut self) -> Result<(), Error> {
            Err(Error::Unsupported)
        }
    }

    fn transfer(block_size: u32, request_max: usize) -> Transfer<Fake> {
        let bytes = (0..64).flat_map(|number| [number; 512]).collect();
        Transfer::new(
            Fake { bytes, asked: Vec::new(), bad_sector: usize::MAX },
            block_size,
            request_max,
        )
    }

    #[test]
    fn long_reads_are_cut_and_addressed_in_sectors() {
        let mut transfer = transfer(1024, 2048);
        let mut buf = vec![0xff; 5 * 1024];
        transfer.read(&mut ReadRequest { block: 3, buf: &mut buf }).unwrap();
        assert_eq!(transfer.sectors.asked, [('r', 6, 2048), ('r', 10, 2048), ('r', 14, 1024)]);
        assert!(buf.chunks(512).zip(6..).all(|(sector, number)| sector == [number; 512]));
    }

    #[test]
    fn one_buffer_is_written_where_it_lies() {
        let mut transfer = transfer(512, 1024);
        transfer.write(&WriteRequest { block: 1, bufs: &[&[0xaa; 1536]] }).unwrap();
        assert_eq!(transfer.sectors.asked, [('w', 1, 1024), ('w', 3, 512)]);
        assert!(transfer.sectors.bytes[512..2048].iter().all(|&byte| byte == 0xaa));
        assert_eq!((transfer.sectors.bytes[511], transfer.sectors.bytes[2048]), (0, 4));
    }

    #[test]
    fn scattered_buffers_are_written_in_order_in_as_few_requests_as_fit() {
        let mut transfer = transfer(512, 1024);
        let whole: Vec<u8> = (0..2560_u32).map(|i| (i % 251) as u8).collect();
        let (head, tail) = whole.split_at(30);
        let (body, padding) = tail.split_at(2001);
        transfer.write(&WriteRequest { block: 2, bufs: &[head, &[], body, padding] }).unwrap();
        assert_eq!(transfer.sectors.asked, [('w', 2, 1024), ('w', 4, 1024), ('w', 6, 512)]);
        assert_eq!(transfer.sectors.bytes[1024..][..2560], whole);
        transfer.write(&WriteRequest { block: 0, bufs: &[head, &whole[..482]] }).unwrap();
        assert_eq!(transfer.sectors.asked.last(), Some(&('w', 0, 512)), "nothing was left over");
    }

    #[test]
    fn nothing_is_asked_for_nothing() {
        let mut transfer = transfer(512, 1024);
        transfer.read(&mut ReadRequest { block: 2, buf: &mut [] }).unwrap();
        transfer.write(&WriteRequest { block: 2, bufs: &[] }).unwrap();
        transfer.write(&WriteRequest { block: 2, bufs: &[&[]] }).unwrap();
        transfer.write(&WriteRequest { block: 2, bufs: &[&[], &[]] }).unwrap();
        assert_eq!(transfer.sectors.asked, []);
    }

    #[test]
    fn errors_name_the_block_and_the_cause_and_leave_nothing_behind() {
        let mut transfer = transfer(1024, 1024);
        transfer.sectors.bad_sector = 6;
        let error = transfer
            .write(&WriteRequest { block: 2, bufs: &[&[1; 1000], &[2; 1048]] })
            .unwrap_err();
        assert_eq!((error.kind(), error.block()), (DeviceErrorKind::Io, Some(3)));
        assert!(error.source().is_some());
        transfer.write(&WriteRequest { block: 8, bufs: &[&[3; 24], &[4; 1000]] }).unwrap();
        assert_eq!(transfer.sectors.bytes[8192..][..24], [3; 24]);
        assert_eq!(transfer.flush().unwrap_err().kind(), DeviceErrorKind::Unsupported);
    }
}
