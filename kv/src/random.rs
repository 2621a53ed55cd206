//! Random bits from the seed that comes in (`SplitMix64`; Steele et al., OOPSLA 2014).

/// 64 bits that depend on every bit of `seed` and of `salt`.
pub(crate) const fn mix(seed: u64, salt: u64) -> u64 {
    let mut bits = seed ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// The same numbers from the same seed, for tests.
#[cfg(test)]
pub(crate) struct Random(pub(crate) u64);

#[cfg(test)]
impl Random {
    /// The next number, below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        usize::try_from(mix(self.0, 0) % limit as u64).unwrap()
    }
}
