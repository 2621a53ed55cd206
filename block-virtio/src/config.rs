//! What a virtio-blk device tells of itself before the driver talks to it (VIRTIO 1.2, 5.2.3 f.).

use nerite::{DeviceError, DeviceErrorKind, Flush, Geometry};
use virtio_drivers::Error;
use virtio_drivers::transport::Transport;

/// The unit of addresses and of the capacity in the protocol, whatever the block size is.
pub(crate) const SECTOR_SIZE: u32 = 512;
/// The most bytes that one request moves: enough that its fixed cost no longer counts.
const TRANSFER_MAX: u32 = 1 << 20;

const F_SIZE_MAX: u64 = 1 << 1;
const F_RO: u64 = 1 << 5;
const F_BLK_SIZE: u64 = 1 << 6;
const F_FLUSH: u64 = 1 << 9;
const F_TOPOLOGY: u64 = 1 << 10;

const AT_SIZE_MAX: usize = 8;
const AT_BLK_SIZE: usize = 20;
const AT_PHYSICAL_BLOCK_EXP: usize = 24;

/// The offered features and the fields that they make valid. `VirtIOBlk` reads only the capacity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    features: u64,
    size_max: Option<u32>,
    block_size: Option<u32>,
    physical_block_exp: Option<u8>,
}

impl Config {
    /// Reads them. A driver may do so before it negotiates (3.1.1); fields without their feature
    /// must not be read (2.5.1).
    pub(crate) fn read(transport: &mut impl Transport) -> Result<Self, Error> {
        let features = transport.read_device_features();
        transport.read_consistent(|| {
            Ok(Self {
                features,
                size_max: if features & F_SIZE_MAX == 0 {
                    None
                } else {
                    Some(u32::from_le(transport.read_config_space(AT_SIZE_MAX)?))
                },
                block_size: if features & F_BLK_SIZE == 0 {
                    None
                } else {
                    Some(u32::from_le(transport.read_config_space(AT_BLK_SIZE)?))
                },
                physical_block_exp: if features & F_TOPOLOGY == 0 {
                    None
                } else {
                    Some(transport.read_config_space(AT_PHYSICAL_BLOCK_EXP)?)
                },
            })
        })
    }

    /// The geometry of a device of so many sectors.
    pub(crate) fn geometry(&self, sectors: u64) -> Result<Geometry, DeviceError> {
        let block_size = self.block_size.unwrap_or(SECTOR_SIZE);
        if block_size < SECTOR_SIZE || !block_size.is_power_of_two() {
            return Err(DeviceError::new(DeviceErrorKind::Unsupported, None));
        }
        let mut geometry = Geometry::new(block_size, sectors / u64::from(block_size / SECTOR_SIZE));
        // An exponent that makes no sense is only a hint lost.
        geometry.physical_block_size = self
            .physical_block_exp
            .and_then(|exp| 1_u32.checked_shl(exp.into())?.checked_mul(block_size))
            .unwrap_or(block_size);
        geometry.read_only = self.features & F_RO != 0;
        // Without the feature a driver can't know whether the device has a volatile cache (5.2.6.2),
        // and `VirtIOBlk::flush` would say `Ok` and do nothing.
        geometry.flush =
            if self.features & F_FLUSH == 0 { Flush::Unavailable } else { Flush::Supported };
        Ok(geometry)
    }

    /// The most bytes that one request may move: whole blocks of `block_size`.
    pub(crate) fn request_max(&self, block_size: u32) -> Result<usize, DeviceError> {
        // `VirtIOBlk` sends the data of a request as one segment.
        let limit = self.size_max.unwrap_or(u32::MAX).min(TRANSFER_MAX.max(block_size));
        match limit - limit % block_size {
            0 => Err(DeviceError::new(DeviceErrorKind::Unsupported, None)),
            whole => Ok(whole as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(features: u64) -> Config {
        Config { features, size_max: None, block_size: None, physical_block_exp: None }
    }

    #[test]
    fn without_features_it_is_a_disk_of_sectors_that_nothing_can_flush() {
        let geometry = config(0).geometry(100).unwrap();
        assert_eq!((geometry.block_size, geometry.physical_block_size), (512, 512));
        assert_eq!(geometry.block_count, 100);
        assert_eq!(geometry.flush, Flush::Unavailable);
        assert!(!geometry.read_only && !geometry.discard);
    }

    #[test]
    fn flush_and_read_only_follow_the_features() {
        let geometry = config(F_FLUSH | F_RO).geometry(8).unwrap();
        assert_eq!(geometry.flush, Flush::Supported);
        assert!(geometry.read_only);
    }

    #[test]
    fn capacity_is_in_sectors_whatever_the_block_size() {
        let config = Config { block_size: Some(4096), ..config(F_BLK_SIZE) };
        let geometry = config.geometry(8 * 7 + 5).unwrap();
        assert_eq!((geometry.block_size, geometry.block_count), (4096, 7));
    }

    #[test]
    fn the_physical_block_is_a_power_of_two_of_blocks() {
        let physical = |exp| {
            let config = Config { physical_block_exp: Some(exp), ..config(F_TOPOLOGY) };
            config.geometry(64).unwrap().physical_block_size
        };
        assert_eq!((physical(0), physical(3)), (512, 4096));
        assert_eq!((physical(23), physical(32), physical(255)), (512, 512, 512), "nonsense");
    }

    #[test]
    fn a_block_size_that_is_none_is_refused() {
        for size in [0, 256, 513, 6144] {
            let config = Config { block_size: Some(size), ..config(F_BLK_SIZE) };
            assert_eq!(config.geometry(64).unwrap_err().kind(), DeviceErrorKind::Unsupported);
        }
    }

    #[test]
    fn requests_are_whole_blocks_within_the_largest_segment() {
        let limit = |size_max, block| {
            Config { size_max, ..config(F_SIZE_MAX) }.request_max(block).map_err(|e| e.kind())
        };
        assert_eq!(limit(None, 512), Ok(1 << 20));
        assert_eq!(limit(Some(u32::MAX), 512), Ok(1 << 20));
        assert_eq!(limit(Some(10_000), 4096), Ok(8192));
        assert_eq!(limit(Some(4095), 4096), Err(DeviceErrorKind::Unsupported));
        assert_eq!(limit(None, 2 << 20), Ok(2 << 20), "a block is never split");
    }
}
