//! The check: CRC32C (Castagnoli, as in RFC 3720 §B.4), check value `0xE306_9283`.
//!
//! A check always stands before the bytes that it covers. CRC32C of data followed by its own
//! CRC32C is a constant, so an outer check over such a pair would not see the data at all.

/// The check of `bytes`.
#[cfg(feature = "std")]
pub(crate) fn check(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// The check of `bytes`.
#[cfg(not(feature = "std"))]
pub(crate) fn check(bytes: &[u8]) -> u32 {
    static CASTAGNOLI: crc::Crc<u32, crc::Table<16>> = crc::Crc::<u32, _>::new(&crc::CRC_32_ISCSI);
    CASTAGNOLI.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn is_crc32c() {
        assert_eq!(check(b"123456789"), 0xE306_9283);
        assert_eq!(check(&[0; 32]), 0x8A91_36AA);
    }
}
