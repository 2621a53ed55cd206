//! Opening: from a device to a log and an index.
//!
//! Invariants:
//! - Opening writes nothing.
//! - Before a writing open claims that anything is durable it flushes: what it read may have been
//!   in a cache only.

use super::apply::apply;
use super::info::Cut;
use super::options::OpenOptions;
use crate::device::{BlockDevice, Flush, Geometry};
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::layout::Layout;
use crate::format::superblock::Superblock;
use crate::index::{Cache, Index};
use crate::log::{self, Disk, Event, Log, Open, Replayed, Segments, What, superblocks};
use crate::planted::{Bug, planted};
use crate::random::mix;

/// What was found on the device.
pub(super) struct Recovered {
    pub(super) log: Log,
    pub(super) index: Index,
    pub(super) cut: Option<Cut>,
}

/// Opens in five steps: the newest superblock, its table, the tail, what lies beyond the tail's end,
/// and a flush. Of the tree nothing is read.
pub(super) fn recover<D: BlockDevice>(
    disk: &Disk<D>,
    options: &OpenOptions,
) -> Result<Recovered, Error> {
    let found = superblocks::read(disk)?;
    let newest = found.newest;
    let superblock = &newest.superblock;
    check_supported(superblock, disk.geometry(), options)?;
    let layout = superblock.layout;
    let table = log::read_table(disk, superblock)?;
    let counted = table.as_ref().map_or(0, |table| table.counted);
    let mut segments = match &table {
        Some(table) => Segments::from_table(layout, table, found.dead_since()),
        None => Segments::new(layout),
    };
    check_index_open(superblock, &segments)?;
    let cache = Cache::new(options.limits.cache_bytes, layout.node_len_max());
    let mut index = Index::new(superblock.tree, cache);
    let mut open = Open::of(superblock);
    let merged_to = table.map(|table| table.merged_to).unwrap_or_default();
    let end = log::replay(disk, &newest, |event| match event {
        Event::Start(point) => segments.start(&point),
        Event::Opens { segment, number, next } => segments.open(segment, number, next),
        Event::Group(group) => {
            let number = group.end.number.saturating_sub(1);
            let counts = (number > counted).then_some(&mut segments);
            take(&mut index, counts, &mut open, &layout, group)
        }
        Event::Frozen(point) => {
            index.freeze(point, merged_to.clone());
            if planted(Bug::FrozenLost) {
                index.advance(superblock.tree, None, &[]);
            }
            Ok(())
        }
    })?;
    let log::Left { frames, remains } = log::look_beyond(disk, &newest, &segments, &end)?;
    let cut = (frames > 0).then(|| Cut {
        at: end.at(&superblock.layout),
        frame: end.number,
        frames_beyond: frames,
    });
    if !options.read_only && !planted(Bug::DurableFromCache) {
        disk.flush()?;
    }
    // The state that the mount starts from takes part, so that two mounts of one seed differ too
    // wherever they follow each other.
    let epoch = mix(options.seed, end.number ^ end.epoch.rotate_left(32));
    let epoch = if planted(Bug::EpochNotRandom) { end.epoch.wrapping_add(1) } else { epoch };
    let log = Log::new(&found, end, (segments, open), epoch, remains);
    Ok(Recovered { log, index, cut })
}

/// Does what the changes of a group say.
fn take(
    index: &mut Index,
    mut counts: Option<&mut Segments>,
    open: &mut Open,
    layout: &Layout,
    group: Replayed,
) -> Result<(), Fault> {
    let number = group.end.number.saturating_sub(1);
    for change in group.changes {
        if let (What::Move { moved, .. } | What::Place { placed: moved, .. }, Some(segments)) =
            (&change.what, &mut counts)
        {
            let segment = layout.segment_of(moved.record.at);
            let fits = segment.filter(|_| moved.record.fits(layout));
            segments.occupy(fits.ok_or(Fault::Field("place of a move"))?)?;
            open.pass(layout, moved.record);
        }
        apply(index, counts.as_deref_mut(), layout, (number, change));
    }
    index.add_log_len(group.len);
    Ok(())
}

/// New nodes go behind others, or to a new segment.
fn check_index_open(superblock: &Superblock, segments: &Segments) -> Result<(), Error> {
    let open = superblock.index_open.map(|place| place.segment);
    if open.is_none_or(|segment| segments.is_index(segment)) {
        return Ok(());
    }
    let at = superblock.table.map_or(0, |table| table.at);
    Err(Corruption { part: Part::Table, at, fault: Fault::Field("use") }.into())
}

/// Whether this version, on this device, can read the store.
pub(super) fn check_readable(superblock: &Superblock, geometry: &Geometry) -> Result<(), Error> {
    if superblock.flags.incompatible != 0 {
        return Err(Error::Unsupported("a store with features that this version does not know"));
    }
    let layout = &superblock.layout;
    if layout.len() > geometry.size() {
        return Err(Error::DeviceChanged { expected: layout.len(), actual: geometry.size() });
    }
    if layout.block_len < geometry.block_size {
        return Err(Error::Unsupported("a store of smaller blocks than the device's"));
    }
    Ok(())
}

fn check_supported(
    superblock: &Superblock,
    geometry: &Geometry,
    options: &OpenOptions,
) -> Result<(), Error> {
    check_readable(superblock, geometry)?;
    if options.read_only {
        return Ok(());
    }
    if geometry.read_only {
        return Err(Error::ReadOnly);
    }
    if superblock.flags.read_only_compatible != 0 {
        return Err(Error::Unsupported(
            "writing to a store with features that this version does not know",
        ));
    }
    if geometry.flush == Flush::Unavailable && !options.without_flush {
        return Err(Error::Unsupported("writing to a device without a working flush"));
    }
    Ok(())
}
