//! Survivors: records that were moved out of a segment before it was used again.
//!
//! They are copied byte for byte, one after the other, behind a header that tells what they are. Each
//! is proven by its own check; who looks for a value has a pointer to its record.

use super::bytes::{Put, Reader};
use super::check::check;
use crate::error::Fault;
use alloc::vec::Vec;

/// Bytes of the header; the records follow directly.
pub(crate) const HEADER_LEN: usize = 28;

const MAGIC: [u8; 4] = *b"NrSv";
const CHECKED_FROM: usize = 8;

/// Begins survivors that will lie at `at`: what follows in `out` are records, `records_len` bytes.
pub(crate) fn put_header(out: &mut Vec<u8>, birth: u64, at: u64, records_len: u32) {
    let mut covered = Vec::with_capacity(HEADER_LEN);
    covered.put_u64(birth).put_u64(at).put_u32(records_len);
    out.put(&MAGIC).put_u32(check(&covered)).put(&covered);
}

/// The bytes of the records behind the header that `bytes`, read from `at`, start with.
pub(crate) fn records_len(bytes: &[u8], birth: u64, at: u64) -> Result<u32, Fault> {
    let mut reader = Reader::new(bytes);
    if reader.array()? != MAGIC {
        return Err(Fault::Magic);
    }
    let stored = reader.u32()?;
    if bytes.get(CHECKED_FROM..HEADER_LEN).map(check) != Some(stored) {
        return Err(Fault::Check);
    }
    if reader.u64()? != birth || reader.u64()? != at {
        return Err(Fault::Field("place"));
    }
    reader.u32()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_believed_at_its_own_place_only_and_whole() {
        let mut bytes = Vec::new();
        put_header(&mut bytes, 7, 8192, 99);
        assert_eq!(bytes.len(), HEADER_LEN);
        assert_eq!(records_len(&bytes, 7, 8192), Ok(99));
        assert_eq!(records_len(&bytes, 8, 8192), Err(Fault::Field("place")));
        assert_eq!(records_len(&bytes, 7, 4096), Err(Fault::Field("place")));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(records_len(&damaged, 7, 8192).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(records_len(&bytes[..len], 7, 8192).is_err(), "{len} bytes");
        }
    }
}
