//! "Layout", "Superblock" and "Point" of `docs/format.md`.

use super::bytes::{Bytes, Pointer, Wrong, crc32c, demand};

pub(crate) const NONE: u32 = u32::MAX;

/// What the next frame must fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) open: u32,
    pub(crate) block: u32,
    pub(crate) generation: u64,
    pub(crate) next: [u32; 2],
    pub(crate) number: u64,
    pub(crate) epoch: u64,
    pub(crate) previous_check: u32,
    pub(crate) sequence: u64,
}

impl Point {
    fn read(bytes: Bytes<'_>, at: u64) -> Result<Self, Wrong> {
        Ok(Self {
            open: bytes.u32(at)?,
            block: bytes.u32(at + 4)?,
            generation: bytes.u64(at + 8)?,
            next: [bytes.u32(at + 16)?, bytes.u32(at + 20)?],
            number: bytes.u64(at + 24)?,
            epoch: bytes.u64(at + 32)?,
            previous_check: bytes.u32(at + 40)?,
            sequence: bytes.u64(at + 44)?,
        })
    }
}

/// The state in force.
#[derive(Debug)]
pub(crate) struct Superblock {
    pub(crate) page: u64,
    pub(crate) copies: u64,
    pub(crate) uuid: [u8; 16],
    pub(crate) birth: u64,
    pub(crate) block: u64,
    pub(crate) segment_blocks: u32,
    pub(crate) segments: u32,
    pub(crate) checkpoint: u64,
    pub(crate) epoch: u64,
    pub(crate) must_reach: u64,
    pub(crate) tail_start: Point,
    pub(crate) table: Option<Pointer>,
    pub(crate) root: Option<(Pointer, u8)>,
    pub(crate) node_max: u64,
    pub(crate) chunk: u64,
}

impl Superblock {
    /// That of the copies that fit which has the highest checkpoint.
    pub(crate) fn in_force(image: Bytes<'_>) -> Result<Self, Wrong> {
        let pages = (12..=16).map(|power| 1 << power);
        let places = pages.flat_map(|page: u64| (0..4).map(move |place| (page, place)));
        let found = places.filter_map(|(page, place)| {
            let bytes = image.slice(page * place, 512).ok()?;
            Self::read(Bytes(bytes), (page, place)).ok()
        });
        found.max_by_key(|found| found.checkpoint).ok_or_else(|| "no superblock".into())
    }

    fn read(bytes: Bytes<'_>, (page, place): (u64, u64)) -> Result<Self, Wrong> {
        let [version, flags] = [u64::from(bytes.u16(12)?), bytes.u64(20)?];
        demand(bytes.slice(0, 8)? == b"Nerite\r\n", || "no magic".into())?;
        demand(bytes.u32(8)? == crc32c(bytes.slice(12, 500)?), || "its check".into())?;
        demand(version == 0 && flags == 0, || "another version".into())?;
        let [slot, copy] = [bytes.u8(14)?, bytes.u8(15)?].map(u64::from);
        demand(place == copy * 2 + slot, || "another place".into())?;
        let (block, blocks) = (u64::from(bytes.u32(68)?), bytes.u64(72)?);
        let copies = if block * blocks < 256 << 10 { 1 } else { 2 };
        demand(page == block.max(4096) && copy < copies, || "another page".into())?;
        let pointer = |at| Pointer::read(bytes, at);
        let root = (pointer(209)?, bytes.u8(225)?);
        let table = pointer(192)?;
        Ok(Self {
            page,
            copies,
            uuid: bytes.slice(44, 16)?.try_into().expect("16 bytes"),
            birth: bytes.u64(60)?,
            block,
            segment_blocks: bytes.u32(80)?,
            segments: bytes.u32(84)?,
            checkpoint: bytes.u64(100)?,
            epoch: bytes.u64(108)?,
            must_reach: bytes.u64(116)?,
            tail_start: Point::read(bytes, 124)?,
            table: (table.len > 0).then_some(table),
            root: (bytes.u8(208)? == 1).then_some(root),
            node_max: bytes.u32(226)?.into(),
            chunk: bytes.u32(232)?.into(),
        })
    }

    /// The first byte of a block.
    pub(crate) fn at(&self, segment: u32, block: u32) -> u64 {
        let blocks = u64::from(segment) * u64::from(self.segment_blocks) + u64::from(block);
        2 * self.copies * self.page + blocks * self.block
    }

    /// Whole blocks for so many bytes.
    pub(crate) const fn blocks(&self, len: u64) -> u64 {
        len.div_ceil(self.block)
    }
}
