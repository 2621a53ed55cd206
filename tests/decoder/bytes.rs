//! Numbers in bytes, and the check over them.

use crc::{CRC_32_ISCSI, Crc};

const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Why an image is not one.
pub(crate) type Wrong = String;

/// Bytes, read at offsets.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn slice(self, at: u64, len: u64) -> Result<&'a [u8], Wrong> {
        let start = usize::try_from(at).map_err(|_| "far")?;
        let end = start + usize::try_from(len).map_err(|_| "long")?;
        self.0.get(start..end).ok_or_else(|| format!("{len} bytes at {at} of {}", self.0.len()))
    }

    fn array<const N: usize>(self, at: u64) -> Result<[u8; N], Wrong> {
        Ok(self.slice(at, N as u64)?.try_into().expect("of that length"))
    }

    pub(crate) fn u8(self, at: u64) -> Result<u8, Wrong> {
        self.array(at).map(u8::from_le_bytes)
    }

    pub(crate) fn u16(self, at: u64) -> Result<u16, Wrong> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(self, at: u64) -> Result<u32, Wrong> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(self, at: u64) -> Result<u64, Wrong> {
        self.array(at).map(u64::from_le_bytes)
    }

    /// A structure begins here with a magic word, and a check of what stands from byte 8 on to its end.
    pub(crate) fn checked(self, magic: [u8; 4]) -> Result<(), Wrong> {
        demand(self.slice(0, 4)? == magic, || format!("no {magic:?}"))?;
        let covered = self.slice(8, self.0.len() as u64 - 8)?;
        demand(self.u32(4)? == crc32c(covered), || format!("the check of {magic:?}"))
    }
}

pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    CRC32C.checksum(bytes)
}

pub(crate) fn demand(holds: bool, wrong: impl FnOnce() -> Wrong) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err(wrong()) }
}

/// Where bytes lie, and what proves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) at: u64,
    pub(crate) len: u64,
    pub(crate) check: u32,
}

impl Pointer {
    pub(crate) fn read(bytes: Bytes<'_>, at: u64) -> Result<Self, Wrong> {
        Ok(Self { at: bytes.u64(at)?, len: bytes.u32(at + 8)?.into(), check: bytes.u32(at + 12)? })
    }
}
