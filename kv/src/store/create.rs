//! A new store.

use super::options::CreateOptions;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::PAGE_LEN;
use crate::format::layout::{BLOCK_LEN_MAX, BLOCK_LEN_MIN, DEVICE_LEN_MIN, Layout};
use crate::format::point::ChainPoint;
use crate::format::superblock::{Flags, Superblock};
use crate::log::{Disk, superblocks};
use crate::random::mix;
use uuid::{Builder, Uuid};

/// What the parts of the seed are for.
const BIRTH: u64 = 1;
const EPOCH: u64 = 2;
const UUID: [u64; 2] = [3, 4];

/// Smaller devices have small blocks by default: there are few of them.
const SMALL: u64 = 1 << 20;

pub(super) fn create<D: BlockDevice>(device: &D, options: &CreateOptions) -> Result<(), Error> {
    let disk = Disk::new(device)?;
    let geometry = *disk.geometry();
    if geometry.read_only {
        return Err(Error::ReadOnly);
    }
    let least = if geometry.size() < SMALL { BLOCK_LEN_MIN } else { PAGE_LEN };
    let block_len = options.block_size.unwrap_or(geometry.physical_block_size.max(least));
    let range = geometry.block_size.max(BLOCK_LEN_MIN)..=BLOCK_LEN_MAX;
    if !block_len.is_power_of_two() || !range.contains(&block_len) {
        return Err(Error::Unsupported("this block size on this device"));
    }
    let layout = Layout::divide(geometry.size(), block_len)
        .ok_or(Error::TooSmall { size: geometry.size(), minimum: minimum(block_len) })?;
    if !options.force && !superblocks::is_blank(&disk)? {
        return Err(Error::NotBlank);
    }
    let epoch = mix(options.seed, EPOCH);
    let superblock = Superblock {
        flags: Flags::default(),
        uuid: options.uuid.unwrap_or_else(|| random_uuid(options.seed)),
        birth: mix(options.seed, BIRTH),
        layout,
        inline_max: options.inline_max,
        checkpoint: 0,
        epoch,
        must_reach: 0,
        tail_start: ChainPoint::first(epoch),
        frozen: 0,
        index_open: None,
        table: None,
        tree: None,
    };
    superblocks::initialize(&disk, &superblock)
}

/// Bytes that a store of this block size needs.
fn minimum(block_len: u32) -> u64 {
    let step = u64::from(block_len);
    let mut len = DEVICE_LEN_MIN;
    while Layout::divide(len, block_len).is_none() {
        len += step;
    }
    len
}

fn random_uuid(seed: u64) -> Uuid {
    let [high, low] = UUID.map(|salt| u128::from(mix(seed, salt)));
    Builder::from_random_bytes((high << 64 | low).to_le_bytes()).into_uuid()
}
