//! What a virtio-blk device tells of itself (VIRTIO 1.2, 5.2.3 to 5.2.5).

use crate::fault::Fault;
use crate::segments::Limits;
use nerite::{DeviceError, DeviceErrorKind, Flush, Geometry};
use virtio_drivers::Error;
use virtio_drivers::transport::Transport;

/// The unit of addresses and of the capacity in the protocol, whatever the block size is.
pub(crate) const SECTOR_SIZE: u32 = 512;
/// The most bytes that one request moves: enough that its fixed cost no longer counts.
const TRANSFER_MAX: u32 = 1 << 20;

const F_SIZE_MAX: u64 = 1 << 1;
const F_SEG_MAX: u64 = 1 << 2;
const F_RO: u64 = 1 << 5;
const F_BLK_SIZE: u64 = 1 << 6;
const F_FLUSH: u64 = 1 << 9;
const F_TOPOLOGY: u64 = 1 << 10;
const F_CONFIG_WCE: u64 = 1 << 11;
const F_DISCARD: u64 = 1 << 13;
const F_WRITE_ZEROES: u64 = 1 << 14;
pub(crate) const F_VERSION_1: u64 = 1 << 32;

/// What the driver makes use of. Neither indirect descriptors, since a queue of 256 has room for
/// 85 requests without, nor event indexes: flags tell who wants to be notified.
pub(crate) const WANTED: u64 = F_SIZE_MAX
    | F_SEG_MAX
    | F_RO
    | F_BLK_SIZE
    | F_FLUSH
    | F_TOPOLOGY
    | F_CONFIG_WCE
    | F_DISCARD
    | F_WRITE_ZEROES
    | F_VERSION_1;

const AT_CAPACITY: usize = 0;
const AT_SIZE_MAX: usize = 8;
const AT_SEG_MAX: usize = 12;
const AT_BLK_SIZE: usize = 20;
const AT_PHYSICAL_BLOCK_EXP: usize = 24;
const AT_WRITEBACK: usize = 32;
const AT_DISCARD_SECTORS: usize = 36;
const AT_DISCARD_ALIGNMENT: usize = 44;
const AT_ZEROES_SECTORS: usize = 48;

/// What one request may do to a range of sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RangeLimits {
    /// The most sectors, whole blocks.
    pub(crate) sectors_max: u32,
    /// Where ranges are best cut, in sectors; whole blocks.
    pub(crate) alignment: u32,
}

/// The negotiated features and the fields that they make valid.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Config {
    features: u64,
    /// In sectors.
    capacity: u64,
    size_max: Option<u32>,
    seg_max: Option<u32>,
    block_size: Option<u32>,
    physical_block_exp: Option<u8>,
    /// Completed writes may lie in a volatile cache.
    writeback: Option<bool>,
    discard: Option<(u32, u32)>,
    zeroes: Option<u32>,
}

impl Config {
    /// Reads them, after the features were accepted (3.1.1). Fields without their feature must not
    /// be read (2.5.1).
    pub(crate) fn read(transport: &mut impl Transport, features: u64) -> Result<Self, Error> {
        let has = |feature| features & feature != 0;
        let mut config = transport.read_consistent(|| {
            let word = |at| transport.read_config_space::<u32>(at);
            let word_if = |feature, at| has(feature).then(|| word(at)).transpose();
            let byte = |at| transport.read_config_space::<u8>(at);
            let byte_if = |feature, at| has(feature).then(|| byte(at)).transpose();
            let discard = word_if(F_DISCARD, AT_DISCARD_SECTORS)?;
            let alignment = word_if(F_DISCARD, AT_DISCARD_ALIGNMENT)?;
            Ok(Self {
                features,
                capacity: u64::from(word(AT_CAPACITY)?) | u64::from(word(AT_CAPACITY + 4)?) << 32,
                size_max: word_if(F_SIZE_MAX, AT_SIZE_MAX)?,
                seg_max: word_if(F_SEG_MAX, AT_SEG_MAX)?,
                block_size: word_if(F_BLK_SIZE, AT_BLK_SIZE)?,
                physical_block_exp: byte_if(F_TOPOLOGY, AT_PHYSICAL_BLOCK_EXP)?,
                writeback: byte_if(F_CONFIG_WCE, AT_WRITEBACK)?.map(|mode| mode != 0),
                discard: discard.zip(alignment),
                zeroes: word_if(F_WRITE_ZEROES, AT_ZEROES_SECTORS)?,
            })
        })?;
        if config.writeback == Some(true) && !config.can_flush() {
            // Nothing could empty the cache, but it can be turned off.
            transport.write_config_space(AT_WRITEBACK, 0_u8)?;
            config.writeback = Some(transport.read_config_space::<u8>(AT_WRITEBACK)? != 0);
        }
        Ok(config)
    }

    /// Whether the device knows the request.
    pub(crate) const fn can_flush(&self) -> bool {
        self.features & F_FLUSH != 0
    }

    /// A block is what the device calls one: smaller requests may be refused or slow.
    pub(crate) fn geometry(&self) -> Result<Geometry, DeviceError> {
        let block_size = self.block_size.unwrap_or(SECTOR_SIZE);
        if !block_size.is_power_of_two() || block_size < SECTOR_SIZE {
            return Err(DeviceError::new(DeviceErrorKind::Unsupported, None)
                .with_source(Fault::Setup("the block size is no power of two from 512")));
        }
        let block_count = self.capacity / u64::from(block_size / SECTOR_SIZE);
        let mut geometry = Geometry::new(block_size, block_count);
        geometry.read_only = self.features & F_RO != 0;
        geometry.flush = match self.writeback {
            // Durable when completed (5.2.6.2).
            Some(false) => Flush::WriteThrough,
            _ if self.can_flush() => Flush::Supported,
            // Without either feature there may still be a cache, just none that can be flushed.
            _ => Flush::Unavailable,
        };
        geometry.discard = self.discard_limits(block_size).is_some();
        geometry.physical_block_size = self
            .physical_block_exp
            .and_then(|exp| 1_u32.checked_shl(exp.into()))
            .and_then(|factor| block_size.checked_mul(factor))
            .unwrap_or(block_size);
        Ok(geometry)
    }

    /// What one read or write may carry, with a queue of so many descriptors.
    pub(crate) fn limits(&self, block_size: u32, queue_size: u16) -> Result<Limits, DeviceError> {
        let descriptors = u32::from(queue_size).saturating_sub(2);
        let block = block_size as usize;
        let limits = Limits {
            block_size: block,
            transfer_max: TRANSFER_MAX.max(block_size) as usize,
            // One that does not tell takes one.
            segments_max: self.seg_max.unwrap_or(1).clamp(1, descriptors.max(1)) as usize,
            segment_max: self.size_max.unwrap_or(u32::MAX) as usize,
        };
        if limits.segment_max.saturating_mul(limits.segments_max) < block {
            return Err(Fault::Setup("the device takes less than a block at once").at(None));
        }
        Ok(limits)
    }

    /// `None` if the device can't discard.
    pub(crate) fn discard_limits(&self, block_size: u32) -> Option<RangeLimits> {
        let (sectors_max, alignment) = self.discard?;
        range_limits(sectors_max, alignment, block_size)
    }

    /// `None` if the device can't write zeros by itself.
    pub(crate) fn zeroes_limits(&self, block_size: u32) -> Option<RangeLimits> {
        range_limits(self.zeroes?, 1, block_size)
    }
}

fn range_limits(sectors_max: u32, alignment: u32, block_size: u32) -> Option<RangeLimits> {
    let block = block_size / SECTOR_SIZE;
    let sectors_max = sectors_max - sectors_max.checked_rem(block)?;
    // It is only advice: one that does not fit is not followed.
    let fits = alignment.is_multiple_of(block) && (block..=sectors_max).contains(&alignment);
    let alignment = if fits { alignment } else { block };
    (sectors_max > 0).then_some(RangeLimits { sectors_max, alignment })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(features: u64) -> Config {
        Config { features, capacity: 64, ..Config::default() }
    }

    #[test]
    fn without_features_blocks_are_sectors_and_nothing_is_flushed() {
        let geometry = config(0).geometry().unwrap();
        assert_eq!((geometry.block_size, geometry.physical_block_size), (512, 512));
        assert_eq!(geometry.block_count, 64);
        assert_eq!(geometry.flush, Flush::Unavailable);
        assert!(!geometry.read_only && !geometry.discard);
    }

    #[test]
    fn flush_and_read_only_follow_the_features() {
        let geometry = config(F_FLUSH | F_RO).geometry().unwrap();
        assert_eq!(geometry.flush, Flush::Supported);
        assert!(geometry.read_only);
        let mode = |features, writeback| {
            Config { writeback, ..config(features) }.geometry().unwrap().flush
        };
        assert_eq!(mode(F_FLUSH | F_CONFIG_WCE, Some(true)), Flush::Supported);
        assert_eq!(mode(F_FLUSH | F_CONFIG_WCE, Some(false)), Flush::WriteThrough);
        assert_eq!(mode(F_CONFIG_WCE, Some(false)), Flush::WriteThrough);
        assert_eq!(mode(F_CONFIG_WCE, Some(true)), Flush::Unavailable);
    }

    #[test]
    fn capacity_is_in_sectors_whatever_the_block_size() {
        let config = Config { block_size: Some(4096), capacity: 8 * 7 + 5, ..config(F_BLK_SIZE) };
        let geometry = config.geometry().unwrap();
        assert_eq!((geometry.block_size, geometry.block_count), (4096, 7));
    }

    #[test]
    fn the_physical_block_is_a_power_of_two_of_blocks() {
        let physical = |exp| {
            let config = Config { physical_block_exp: Some(exp), ..config(F_TOPOLOGY) };
            config.geometry().unwrap().physical_block_size
        };
        assert_eq!((physical(0), physical(3)), (512, 4096));
        assert_eq!((physical(23), physical(32), physical(255)), (512, 512, 512), "nonsense");
    }

    #[test]
    fn a_block_size_that_is_none_is_refused() {
        for size in [0, 256, 513, 6144] {
            let config = Config { block_size: Some(size), ..config(F_BLK_SIZE) };
            assert_eq!(config.geometry().unwrap_err().kind(), DeviceErrorKind::Unsupported);
        }
    }

    #[test]
    fn a_request_keeps_to_the_segments_that_the_device_takes() {
        let limits = |seg_max, size_max, block| {
            let limits = Config { size_max, seg_max, ..config(0) }.limits(block, 16);
            limits.map(|limits| (limits.segments_max, limits.segment_max)).ok()
        };
        assert_eq!(limits(None, None, 512), Some((1, u32::MAX as usize)));
        assert_eq!(limits(Some(254), None, 512), Some((14, u32::MAX as usize)), "the queue's");
        assert_eq!(limits(Some(0), None, 512), Some((1, u32::MAX as usize)));
        assert_eq!(limits(Some(8), Some(512), 4096), Some((8, 512)));
        assert_eq!(limits(Some(7), Some(512), 4096), None);
        assert_eq!(limits(None, Some(0), 512), None);
    }

    #[test]
    fn ranges_are_whole_blocks_and_advice_that_does_not_fit_is_not_followed() {
        let limits = |sectors, alignment| {
            let limits = range_limits(sectors, alignment, 4096);
            limits.map(|limits| (limits.sectors_max, limits.alignment))
        };
        assert_eq!(limits(100, 16), Some((96, 16)));
        assert_eq!(limits(100, 12), Some((96, 8)));
        assert_eq!(limits(100, 0), Some((96, 8)));
        assert_eq!(limits(100, 104), Some((96, 8)));
        assert_eq!(limits(7, 8), None);
        assert_eq!(limits(0, 0), None);
    }
}
