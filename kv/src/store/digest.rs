//! Digests.

use crate::key::Key;
use crate::traits::Digest;
use alloc::vec;
use alloc::vec::Vec;
use sha2::{Digest as _, Sha256};

const VALUE: u8 = 0;
const DICTIONARY: u8 = 1;

/// SHA-256 of a value.
pub(super) fn of_value(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// SHA-256 of a value that comes in parts.
#[derive(Default)]
pub(super) struct ValueDigest(Sha256);

impl ValueDigest {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// The digest of a dictionary, from the values below it in key order. It holds one hash for each
/// dictionary on the way down to the current value, however many values there are.
pub(super) struct DictionaryDigest {
    /// Names above the dictionary.
    depth: usize,
    /// The sub-dictionaries that lead to the last value.
    path: Vec<Vec<u8>>,
    /// One more than `path`: of the dictionary itself, and of each of those.
    hashes: Vec<Sha256>,
}

impl DictionaryDigest {
    pub(super) fn new(dictionary: &Key) -> Self {
        let depth = dictionary.names().count();
        Self { depth, path: Vec::new(), hashes: vec![Sha256::new()] }
    }

    /// Adds the digest of the next value. `key` is below the dictionary.
    pub(super) fn add(&mut self, key: &Key, value: Digest) {
        let mut names: Vec<&[u8]> = key.names().skip(self.depth).collect();
        let Some(last) = names.pop() else { return };
        let shared =
            self.path.iter().zip(&names).take_while(|(left, right)| left == *right).count();
        self.leave(shared);
        for name in names.into_iter().skip(shared) {
            self.path.push(name.into());
            self.hashes.push(Sha256::new());
        }
        self.entry(last, VALUE, value);
    }

    pub(super) fn finish(mut self) -> Digest {
        self.leave(0);
        Digest(self.hashes.pop().unwrap_or_default().finalize().into())
    }

    /// Completes the sub-dictionaries below `depth`.
    fn leave(&mut self, depth: usize) {
        while self.path.len() > depth {
            let (Some(name), Some(hash)) = (self.path.pop(), self.hashes.pop()) else { return };
            self.entry(&name, DICTIONARY, Digest(hash.finalize().into()));
        }
    }

    fn entry(&mut self, name: &[u8], kind: u8, digest: Digest) {
        if let Some(hash) = self.hashes.last_mut() {
            // A name has at most 255 bytes.
            hash.update([u8::try_from(name.len()).unwrap_or(u8::MAX)]);
            hash.update(name);
            hash.update([kind]);
            hash.update(digest.0);
        }
    }
}
