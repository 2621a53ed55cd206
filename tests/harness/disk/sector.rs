//! The unit in which a crash takes or leaves.

/// Bytes that a disk writes as one.
pub const SECTOR: usize = 512;

/// The bytes of one.
pub type Sector = [u8; SECTOR];

/// The sector of `bytes` that starts at `offset`.
pub(super) fn sector_mut(bytes: &mut [u8], offset: usize) -> &mut Sector {
    bytes[offset..].first_chunk_mut().expect("a whole sector of the disk")
}

/// The sector of `bytes` that starts at `offset`.
pub(super) fn sector(bytes: &[u8], offset: usize) -> &Sector {
    bytes[offset..].first_chunk().expect("a whole sector of the disk")
}
