//! "Node" and "Table" of `docs/format.md`.
#![expect(clippy::big_endian_bytes, reason = "heads of keys are")]

use super::bytes::{Bytes, Pointer, Wrong, demand};
use super::contents::{Entry, Value};
use super::superblock::Superblock;

/// All entries below a node, in order.
pub(crate) fn walk(
    image: Bytes<'_>,
    superblock: &Superblock,
    (pointer, level): (Pointer, u8),
    entries: &mut Vec<(Vec<u8>, Entry)>,
) -> Result<(), Wrong> {
    let wrong = || format!("the node of level {level} at {}", pointer.at);
    let node = Bytes(image.slice(pointer.at, pointer.len)?);
    node.checked(*b"NrNo")?;
    demand(node.u32(4)? == pointer.check && pointer.len <= superblock.node_max, wrong)?;
    demand((node.u64(8)?, node.u64(16)?) == (superblock.birth, pointer.at), wrong)?;
    demand(node.u8(24)? == level && pointer.len % superblock.block == 0, wrong)?;
    let [cells, prefix_len, end] = [node.u16(26)?, node.u16(28)?, node.u16(30)?].map(u64::from);
    let prefix = node.slice(32, prefix_len)?;
    let slot = |cell: u64| 32 + prefix_len + 6 * cell;
    let start = |cell| if cell < cells { node.u16(slot(cell)).map(u64::from) } else { Ok(end) };
    demand(cells > 0 && start(0)? == slot(cells), wrong)?;
    for cell in 0..cells {
        let (from, to) = (start(cell)?, start(cell + 1)?);
        let rest = node.slice(from + 2, node.u16(from)?.into())?;
        let mut head = [0; 4];
        head.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        demand(node.u32(slot(cell) + 2)? == u32::from_be_bytes(head), wrong)?;
        let payload = from + 2 + rest.len() as u64;
        if level > 0 {
            let below = (Pointer::read(node, payload)?, level - 1);
            walk(image, superblock, below, entries)?;
            continue;
        }
        let key = [prefix, rest].concat();
        demand(entries.last().is_none_or(|(last, _)| *last < key), wrong)?;
        entries.push((key, entry(node, payload, to)?));
    }
    Ok(())
}

fn entry(node: Bytes<'_>, at: u64, end: u64) -> Result<Entry, Wrong> {
    let value = match node.u8(at)? & !2 {
        0 => Value::Bytes(node.slice(at + 17, end - at - 17)?.to_vec()),
        1 => Value::Record(Pointer::read(node, at + 25)?, node.u64(at + 17)?),
        4 => Value::Object { id: node.u64(at + 17)?, size: node.u64(at + 25)? },
        flags => return Err(format!("an entry with flags {flags}")),
    };
    Ok(Entry { sequence: node.u64(at + 1)?, time: node.u64(at + 9)?, value })
}

/// What a table tells of keys, extents, and segments.
pub(crate) struct Table {
    pub(crate) counted: u64,
    pub(crate) keys: u64,
    pub(crate) extents: u64,
    pub(crate) rows: Vec<(u8, u64)>,
}

pub(crate) fn table(
    image: Bytes<'_>,
    superblock: &Superblock,
    at: Pointer,
) -> Result<Table, Wrong> {
    let whole = superblock.blocks(at.len) * superblock.block;
    let table = Bytes(image.slice(at.at, whole)?);
    table.checked(*b"NrTb")?;
    let own = (table.u32(4)?, table.u64(8)?, table.u64(16)?, table.u32(72)?);
    let expected = (at.check, superblock.birth, at.at, superblock.segments);
    demand(own == expected, || format!("the table at {}", at.at))?;
    let row = |number: u32| {
        let row = table.u64(76 + 8 * u64::from(number))?;
        Ok::<_, Wrong>(((row >> 56) as u8, row & (u64::MAX >> 8)))
    };
    let rows = (0..superblock.segments).map(row).collect::<Result<_, _>>()?;
    let [counted, keys, extents] = [table.u64(24)?, table.u64(32)?, table.u64(40)?];
    Ok(Table { counted, keys, extents, rows })
}
