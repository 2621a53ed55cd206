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
    // A table for 16 bytes at once would be faster, and have 16 KiB: images are small.
    static CASTAGNOLI: crc::Crc<u32, crc::Table<1>> = crc::Crc::<u32, _>::new(&crc::CRC_32_ISCSI);
    CASTAGNOLI.checksum(bytes)
}

/// The bit of `bytes`, counted from the lowest of the first byte, without whose flip their check would
/// be `expected`. There is one at most: no two single flips change the check alike.
pub(super) fn flipped_bit(bytes: &[u8], expected: u32) -> Option<usize> {
    // The check is linear but for a constant: what a flip changes depends on its place alone.
    let zero = check(&[0]);
    let mut table = [0; 256];
    for (byte, entry) in (0..=u8::MAX).zip(&mut table) {
        *entry = check(&[byte]) ^ zero;
    }
    let by = |byte: u32| table.get(byte as usize & 0xFF).copied().unwrap_or(0);
    let sought = check(bytes) ^ expected;
    let mut changes: [u32; 8] = core::array::from_fn(|bit| by(1 << bit));
    for index in (0..bytes.len()).rev() {
        if let Some(bit) = changes.iter().position(|&change| change == sought) {
            return index.checked_mul(8)?.checked_add(bit);
        }
        // What is behind the byte pushes its change on.
        changes = changes.map(|change| change >> 8 ^ by(change));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{check, flipped_bit};
    use alloc::vec;

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() {
        let bytes = vec![0x5A; 300];
        let sound = check(&bytes);
        assert_eq!(flipped_bit(&bytes, sound), None, "none is flipped");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(flipped_bit(&damaged, sound), Some(bit));
            damaged[150] ^= 0x18;
            assert_ne!(flipped_bit(&damaged, sound), Some(bit), "two more are");
        }
    }

    #[test]
    fn is_crc32c() {
        assert_eq!(check(b"123456789"), 0xE306_9283);
        assert_eq!(check(&[0; 32]), 0x8A91_36AA);
    }
}
