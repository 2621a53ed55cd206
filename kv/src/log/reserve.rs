//! What is kept free, so that a full store can still remove, clean and take steps.
//!
//! Each kind of work leaves what the ones behind it need: values that grow the store leave room for
//! changes that do not, these for moves, and moves for a step of a checkpoint. A step frees more
//! than it takes, in the end; so there is always a next one.

use super::segments::Segments;
use crate::format::layout::Layout;
use crate::format::superblock::{Superblock, Tree};
use crate::format::table::{Table, Totals};
use crate::planted::{Bug, planted};

/// The next segments of the chain.
pub(crate) const NAMED: u32 = 2;

/// Segments that a step which merges leaves, the named ones included: so that what is still needed can
/// be moved out of what it leaves behind.
pub(crate) fn kept_by_steps(layout: &Layout) -> u32 {
    let nodes = if holds_many_nodes(layout) { 3 } else { u32::from(layout.segment_blocks > 1) };
    NAMED.saturating_add(nodes)
}

fn holds_many_nodes(layout: &Layout) -> bool {
    layout.segment_len() >= u64::from(layout.node_len_max()).saturating_mul(2)
}

/// Bytes of the key in a table, about.
const KEY_LEN: usize = 64;

/// One of so many segments is left empty by what grows the store: the fuller it is, the less a batch of
/// cleaning frees.
const SPARE: u32 = 16;

/// No more than so many, of those that a commit leaves.
const SPARE_MAX: u32 = 5;

/// The same where there are so many segments that what is left in some of them can be moved together.
const SPARE_OF_MANY: u32 = 24;
const MANY: u32 = 200;

/// What changes leave beyond the next batch of cleaning where there are many: the larger batches are,
/// the more of what they write is gained.
const ROOM_OF_MANY: u32 = 4;

/// The same where a segment holds one node: half of it may be lost to packing.
const SPARE_SMALL: u32 = 6;

/// What a commit does, which tells what it must leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// More is live than before.
    Grow,
    /// Something is removed, or replaced by something no longer.
    Change,
    /// Records are moved: what they leave is freed.
    Move,
}

/// Bytes of changes that the smallest step merges.
pub(crate) const STEP_BYTES_MIN: usize = 1024;

/// Segments that a commit must leave, the named ones included. `growth` bytes of entries are on their
/// way into the tree, in addition to what it has.
pub(crate) fn kept(superblock: &Superblock, purpose: Purpose, growth: u64) -> u32 {
    // The root grows with what goes into it.
    let root_growth = if purpose == Purpose::Grow { growth } else { 0 };
    let moves =
        kept_by_steps(&superblock.layout).saturating_add(step_segments(superblock, root_growth));
    // Survivors, and their moves.
    let changes = moves.saturating_add(2).saturating_add(room_of_many(&superblock.layout));
    if planted(Bug::ReserveIgnored) && purpose != Purpose::Move {
        return NAMED;
    }
    match purpose {
        Purpose::Move => moves,
        Purpose::Change => changes,
        Purpose::Grow => {
            let Superblock { layout, table, .. } = superblock;
            let table = if table.is_some() { 0 } else { table_len(layout) };
            let segments =
                leaves_len(growth).saturating_add(table).div_ceil(layout.segment_len().max(1));
            // The root may become two, with another one above them.
            let root = match layout.segment_blocks {
                1 => 3,
                _ if holds_many_nodes(layout) => 1,
                _ => 2,
            };
            let spare = root.max((layout.segment_count / SPARE).min(SPARE_MAX));
            changes
                .saturating_add(spare)
                .saturating_add(u32::try_from(segments).unwrap_or(u32::MAX))
        }
    }
}

/// Bytes of records that can become live in addition to those that are, however they come to lie:
/// neither records nor nodes fill segments to the last byte.
pub(crate) fn free_bytes(superblock: &Superblock, segments: &Segments, growth: u64) -> u64 {
    let layout = &superblock.layout;
    let Totals { keys, extents, live, index, .. } = segments.totals();
    let segment = layout.segment_len();
    let record = live.checked_div(keys.saturating_add(extents)).unwrap_or(0);
    let many = layout.segment_count >= MANY;
    let unfilled = if many { record } else { record.saturating_mul(2).max(segment / 16) };
    // Large records have a segment each; of small ones, as many as fit must leave less than one unused.
    let for_records = if record > segment / 2 {
        record.min(segment)
    } else {
        segment.saturating_sub(unfilled.min(segment / 2))
    };
    let in_records = segments.live_sum().saturating_sub(index);
    let table = table_len(layout).min(index);
    let in_nodes = index.saturating_sub(table);
    let grown = table.saturating_add(leaves_len(growth));
    // While a round lasts, most of the tree can be there twice; what it grows by is new.
    let twice = if layout.segment_blocks <= 2 { 1 } else { 2 };
    let in_index = in_nodes.saturating_mul(twice).saturating_add(grown).div_ceil(segment.max(1));
    let used = in_records.div_ceil(for_records.max(1)).saturating_add(in_index);
    // Some are open, and not full yet.
    let open = if holds_many_nodes(layout) { 2 } else { u32::from(layout.segment_blocks > 1) };
    let kept = kept(superblock, Purpose::Grow, 0).saturating_sub(room_of_many(layout));
    let kept = kept.saturating_add(open);
    let all = layout.segment_count.saturating_sub(kept);
    let part = match holds_many_nodes(layout) {
        true if many => SPARE_OF_MANY,
        true => SPARE,
        false => SPARE_SMALL,
    };
    let all = all.saturating_sub(all / part);
    u64::from(all).saturating_sub(used).saturating_mul(for_records)
}

const fn room_of_many(layout: &Layout) -> u32 {
    if layout.segment_count >= MANY { ROOM_OF_MANY } else { 0 }
}

/// Segments that the smallest step can take: what a leaf and what comes into it need, all nodes above
/// it, perhaps a new root, and the table.
fn step_segments(superblock: &Superblock, root_growth: u64) -> u32 {
    let Superblock { layout, tree, .. } = superblock;
    let node = u64::from(layout.node_len_max());
    if layout.segment_blocks == 1 {
        let level = tree.map_or(0, |tree| u32::from(tree.level));
        let table = layout.blocks(table_len(layout));
        return level.saturating_add(3).saturating_add(u32::try_from(table).unwrap_or(u32::MAX));
    }
    // The root may be the leaf.
    let leaf = if tree.is_none_or(|tree| tree.level == 0) { 0 } else { node };
    let blocks =
        u64::from(layout.block_len).saturating_mul(if layout.segment_blocks <= 2 { 2 } else { 3 });
    let len = [leaf, STEP_BYTES_MIN as u64, blocks, path_len(superblock)];
    let root = tree.map_or(0, |tree| u64::from(tree.root.len));
    let root_growth = root_growth.min(node.saturating_sub(root));
    let len = len.into_iter().fold(root_growth, u64::saturating_add);
    // The last blocks of a segment may be too few for a node; and the first one has begun.
    let segment = layout.segment_len();
    let used = if holds_many_nodes(layout) { segment.saturating_sub(node) } else { segment };
    u32::try_from(len.div_ceil(used.max(1))).unwrap_or(u32::MAX).saturating_add(1)
}

/// Bytes of the nodes on the way to a leaf, at most, and of the table: the root is as long as it
/// is, the others are as long as they may be.
pub(super) fn path_len(superblock: &Superblock) -> u64 {
    let Superblock { layout, tree, .. } = superblock;
    let (root, level) = tree.map_or((0, 0), |Tree { root, level }| (root.len, level));
    let between = u64::from(level.saturating_sub(1)).saturating_mul(layout.node_len_max().into());
    between.saturating_add(root.into()).saturating_add(table_len(layout))
}

/// Bytes of the leaves that so many bytes of entries need: they are two thirds full, about.
const fn leaves_len(entries: u64) -> u64 {
    entries.saturating_add(entries / 2)
}

fn table_len(layout: &Layout) -> u64 {
    layout.whole(Table::len(layout, KEY_LEN) as u64)
}
