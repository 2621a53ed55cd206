//! Random bits from the seed that comes in.

/// 64 bits that depend on every bit of `seed` and of `salt` (the finalizer of `SplitMix64`,
/// Steele et al., OOPSLA 2014).
pub(super) const fn mix(seed: u64, salt: u64) -> u64 {
    let mut bits = seed ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
