//! Keys as the index and the log hold them.
//!
//! An index key is a keyspace byte, then bytes that compare plainly (memcmp) in the order of that
//! keyspace. In the keyspace of paths, `/` must sort below every other byte, so that a dictionary's
//! entries follow it directly. Each byte of the path is rotated for this: `/` (0x2F) becomes 0, and
//! 0 to 0x2E become one more; the rest stays. It is a bijection, so no byte needs an escape.

use crate::error::Fault;
use crate::escape::Escaped;
use crate::key::Key;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::ops::Bound;

/// The keyspace of objects that are being written: the object's id, 8 bytes.
const PENDING: u8 = 0;

/// The keyspace of paths.
pub(crate) const PATHS: u8 = 1;

/// The keyspace of lumps: the number, 16 bytes, big-endian.
const LUMPS: u8 = 2;

/// Bytes in the key of a lump.
const LUMP_LEN: usize = 17;

/// The keyspace of extents: the object's id and an offset in it, 8 bytes each.
const EXTENTS: u8 = 3;

/// Bytes in the key of an extent.
pub(crate) const EXTENT_LEN: usize = 17;

/// What a key is the key of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyspace {
    Pending,
    /// Or of a lump.
    Path,
    Extent,
}

impl Keyspace {
    /// That of bytes which [`check_key`] has accepted.
    pub(crate) fn of(key: &[u8]) -> Self {
        match key.first() {
            Some(&PENDING) => Self::Pending,
            Some(&EXTENTS) => Self::Extent,
            _ => Self::Path,
        }
    }
}

/// Bytes in an index key: the keyspace and a longest path.
pub(crate) const LEN_MAX: usize = 1 + Key::LEN_MAX;

/// Bytes in the end of a range: an index key and the byte that ends it.
pub(crate) const RANGE_END_LEN_MAX: usize = LEN_MAX + 1;

const SEPARATOR: u8 = 0;
const AFTER_SEPARATOR: u8 = 1;

const fn rotate(byte: u8) -> u8 {
    match byte {
        b'/' => SEPARATOR,
        0..b'/' => byte.wrapping_add(1),
        _ => byte,
    }
}

const fn rotate_back(byte: u8) -> u8 {
    match byte {
        SEPARATOR => b'/',
        1..=b'/' => byte.wrapping_sub(1),
        _ => byte,
    }
}

/// An encoded key. Comparing the bytes compares the keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IndexKey(Box<[u8]>);

impl IndexKey {
    /// The index key of a path.
    pub(crate) fn path(key: &Key) -> Self {
        Self(path_bytes(key, &[]).into())
    }

    /// The key of a lump.
    #[expect(clippy::big_endian_bytes, reason = "bytes that compare as the numbers do")]
    pub(crate) fn lump(id: u128) -> Self {
        Self([&[LUMPS][..], &id.to_be_bytes()].concat().into())
    }

    /// The key of the extent of an object at this offset.
    pub(crate) fn extent(object: u64, offset: u64) -> Self {
        Self([&object_bytes(EXTENTS, object)[..], &bytes_of(offset)].concat().into())
    }

    /// The key of an object that is being written.
    pub(crate) fn pending(object: u64) -> Self {
        Self(object_bytes(PENDING, object).into())
    }

    /// Bytes from the disk, which [`check_key`] has accepted.
    pub(crate) fn from_checked(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is below the path `above`.
    pub(crate) fn is_below(&self, above: &Self) -> bool {
        let rest = self.0.strip_prefix(above.as_bytes());
        rest.is_some_and(|rest| rest.first() == Some(&SEPARATOR))
    }

    /// The longest key above this one that has at most `len` bytes.
    pub(crate) fn above(&self, len: usize) -> Option<&[u8]> {
        let mut ends = self.0.iter().take(len.saturating_add(1));
        let end = ends.rposition(|&byte| byte == SEPARATOR)?;
        self.0.get(..end)
    }

    /// Bytes that both begin with.
    pub(crate) fn shared_len(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).take_while(|(one, other)| one == other).count()
    }

    /// The path that this is the key of.
    pub(crate) fn to_key(&self) -> Key {
        let mut key = Key::ROOT;
        read_path([&self.0, &[]], &mut key);
        key
    }
}

/// The number of the lump that this is the key of.
pub(crate) fn lump_of(key: &[u8]) -> Option<u128> {
    let number = key.strip_prefix(&[LUMPS])?;
    number.try_into().ok().map(u128::from_be_bytes)
}

/// All lumps: their keys are from the first on and below the second.
pub(crate) const ALL_LUMPS: ([u8; 1], [u8; 1]) = ([LUMPS], [LUMPS + 1]);

/// Makes `key` the path of an index key that [`check_path`] has accepted, here in two parts.
#[inline]
pub(crate) fn read_path([first, rest]: [&[u8]; 2], key: &mut Key) {
    let path = match first.split_first() {
        Some((_, first)) => [first, rest],
        None => [&[], rest.get(1..).unwrap_or_default()],
    };
    key.refill(path, rotate_back);
}

impl Borrow<[u8]> for IndexKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// The keys below a dictionary: those from `from` on and below `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subtree {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Vec<u8>,
}

impl Subtree {
    /// What is below `key`, without `key` itself.
    pub(crate) fn of(key: &Key) -> Self {
        if key.is_root() {
            return Self { from: [PATHS].into(), to: [PATHS + 1].into() };
        }
        Self { from: path_bytes(key, &[SEPARATOR]), to: path_bytes(key, &[SEPARATOR + 1]) }
    }

    /// The first possible key of this dictionary behind the entry `name` and everything below it.
    /// Bytes that are no name, as they contain `/`, compare with names as bytes too: the names
    /// behind `a/` are those from `a0` on.
    pub(crate) fn behind(&self, name: &[u8]) -> Vec<u8> {
        let mut parts = name.split(|&byte| byte == b'/');
        let first = parts.next().unwrap_or_default().iter().map(|&byte| rotate(byte));
        let end = if parts.next().is_some() { b'/' + 1 } else { SEPARATOR + 1 };
        self.from.iter().copied().chain(first).chain([end]).collect()
    }

    /// The name directly in this dictionary that leads to `key`, which is below it, and whether
    /// `key` goes on behind it.
    pub(crate) fn name_of(&self, key: &IndexKey) -> (Vec<u8>, bool) {
        let rest = key.as_bytes().get(self.from.len()..).unwrap_or_default();
        let mut parts = rest.splitn(2, |&byte| byte == SEPARATOR);
        let name = parts.next().unwrap_or_default().iter().map(|&byte| rotate_back(byte));
        (name.collect(), parts.next().is_some())
    }
}

/// The keys of all extents of an object: those from the first on and below the second.
pub(crate) fn extents_of(object: u64) -> (Vec<u8>, Vec<u8>) {
    let next = object.checked_add(1);
    let to = next.map_or_else(|| [EXTENTS + 1].into(), |next| object_bytes(EXTENTS, next));
    (object_bytes(EXTENTS, object), to)
}

/// The keys of all objects that are being written: as [`extents_of`].
pub(crate) fn all_pending() -> (Vec<u8>, Vec<u8>) {
    ([PENDING].into(), [PENDING + 1].into())
}

/// The keys of all extents: as [`extents_of`].
pub(crate) fn all_extents() -> (Vec<u8>, Vec<u8>) {
    ([EXTENTS].into(), [EXTENTS + 1].into())
}

/// The object and the offset of an extent, or of the key of an object alone 0.
pub(crate) fn object_of(key: &[u8]) -> Option<(u64, u64)> {
    let (_, rest) = key.split_first()?;
    let (object, rest) = rest.split_first_chunk()?;
    let offset = rest.first_chunk().map_or(0, |offset| number_of(*offset));
    Some((number_of(*object), offset))
}

#[expect(clippy::big_endian_bytes, reason = "bytes that compare as the numbers do")]
const fn bytes_of(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

#[expect(clippy::big_endian_bytes, reason = "bytes that compare as the numbers do")]
const fn number_of(bytes: [u8; 8]) -> u64 {
    u64::from_be_bytes(bytes)
}

fn object_bytes(keyspace: u8, object: u64) -> Vec<u8> {
    [&[keyspace][..], &bytes_of(object)].concat()
}

fn path_bytes(key: &Key, end: &[u8]) -> Vec<u8> {
    let path = key.as_bytes();
    let mut bytes = Vec::with_capacity(path.len().saturating_add(end.len()).saturating_add(1));
    bytes.push(PATHS);
    bytes.extend(path.iter().map(|&byte| rotate(byte)));
    bytes.extend_from_slice(end);
    bytes
}

/// Whether bytes from the disk are the index key of some path other than the root.
///
/// # Errors
/// [`Fault::Field`]
pub(crate) fn check_path(bytes: &[u8]) -> Result<(), Fault> {
    let names = bytes.strip_prefix(&[PATHS]).ok_or(Fault::Field("keyspace"))?;
    let mut names_of = names.split(|&byte| byte == SEPARATOR);
    let fits = names_of.all(|name| (1..=Key::NAME_LEN_MAX).contains(&name.len()));
    if fits && bytes.len() <= LEN_MAX { Ok(()) } else { Err(Fault::Field("key")) }
}

/// Whether bytes from the disk are the key of an extent.
///
/// # Errors
/// [`Fault::Field`]
pub(crate) fn check_extent(bytes: &[u8]) -> Result<(), Fault> {
    let fits = bytes.first() == Some(&EXTENTS) && bytes.len() == EXTENT_LEN;
    if fits { Ok(()) } else { Err(Fault::Field("key")) }
}

/// Whether bytes from the disk are an index key of any keyspace that is used.
///
/// # Errors
/// [`Fault::Field`]
pub(crate) fn check_key(bytes: &[u8]) -> Result<(), Fault> {
    match bytes.first() {
        Some(&LUMPS) if bytes.len() == LUMP_LEN => Ok(()),
        Some(&PENDING) if bytes.len() == 9 => Ok(()),
        Some(&EXTENTS) => check_extent(bytes),
        _ => check_path(bytes),
    }
}

/// Where a range of one keyspace, all of which is in `all`, begins and ends: it has the keys from the
/// first on and below the second.
pub(crate) fn bounds(
    [start, end]: [Bound<IndexKey>; 2],
    all: (&[u8], &[u8]),
) -> (Vec<u8>, Vec<u8>) {
    let at = |key: IndexKey| key.0.into_vec();
    // Nothing is between a key and the same with a zero behind it.
    let behind = |key: IndexKey| [&key.0[..], &[0]].concat();
    let from = match start {
        Bound::Included(key) => at(key),
        Bound::Excluded(key) => behind(key),
        Bound::Unbounded => all.0.to_vec(),
    };
    let to = match end {
        Bound::Included(key) => behind(key),
        Bound::Excluded(key) => at(key),
        Bound::Unbounded => all.1.to_vec(),
    };
    (from, to)
}

/// Whether bytes from the disk are where a range of keys begins and ends, both of one keyspace whose
/// ranges can be removed, or up to its end.
pub(crate) fn is_range(from: &[u8], to: &[u8]) -> bool {
    let bounded = from.len() <= RANGE_END_LEN_MAX && to.len() <= RANGE_END_LEN_MAX;
    let removable = from.first().filter(|keyspace| [PATHS, LUMPS, EXTENTS].contains(keyspace));
    let end = removable.and_then(|keyspace| keyspace.checked_add(1));
    bounded && from < to && end.is_some_and(|end| to <= &[end][..])
}

/// The path of the dictionary that these are the ends of, all that is below it.
pub(crate) fn dictionary_of(from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    match (from, to) {
        ([PATHS], [LUMPS]) => Some(Vec::new()),
        ([PATHS, path @ .., SEPARATOR], [PATHS, same @ .., AFTER_SEPARATOR]) if path == same => {
            Some(path.iter().map(|&byte| rotate_back(byte)).collect())
        }
        _ => None,
    }
}

/// An end of a range, as people read it.
pub(crate) fn shown(end: &[u8]) -> String {
    match end {
        [] => "the beginning".into(),
        [PATHS, path @ ..] => {
            let path: Vec<u8> = path.iter().map(|&byte| rotate_back(byte)).collect();
            format!("/{}", Escaped(&path))
        }
        [LUMPS, ..] => {
            let mut key = [0; LUMP_LEN];
            key.iter_mut().zip(end).for_each(|(to, from)| *to = *from);
            format!("lump 0x{:032x}", lump_of(&key).unwrap_or(0))
        }
        _ => "the end".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn key(path: &str) -> Key {
        path.parse().unwrap()
    }

    #[test]
    fn rotation_is_a_bijection_with_the_separator_lowest() {
        let mut seen = [false; 256];
        for byte in 0..=255 {
            assert_eq!(rotate_back(rotate(byte)), byte);
            seen[usize::from(rotate(byte))] = true;
        }
        assert_eq!(seen, [true; 256]);
        assert_eq!(rotate(b'/'), 0);
        assert!(
            (0..254u8).filter(|b| ![b'/', b'/' - 1].contains(b)).all(|b| rotate(b) < rotate(b + 1))
        );
    }

    #[test]
    fn bytes_compare_as_keys_do() {
        let paths = ["a", "a/x", "a/x/y", "a!", "a-b", "a.b", "a0", "b", "\0", "\x01", "/ä", "~"];
        for left in paths {
            for right in paths {
                let (left, right) = (key(left), key(right));
                assert_eq!(IndexKey::path(&left).cmp(&IndexKey::path(&right)), left.cmp(&right));
            }
        }
    }

    #[test]
    fn a_path_comes_back() {
        for path in ["a", "a/b.c/-", "\u{1}/\u{7f}ü"] {
            let encoded = IndexKey::path(&key(path));
            assert_eq!(encoded.to_key(), key(path));
            assert_eq!(check_path(encoded.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn a_subtree_holds_what_is_below_and_nothing_else() {
        let below = Subtree::of(&key("a"));
        let within = |path: &str| {
            let encoded = IndexKey::path(&key(path));
            *below.from < *encoded.as_bytes() && *encoded.as_bytes() < *below.to
        };
        assert!(within("a/b") && within("a/b/c") && within("a/\u{7f}"));
        assert!(!within("a") && !within("a!") && !within("ab") && !within("b"));
        let above = IndexKey::path(&key("a"));
        for path in ["a/b", "a/b/c", "a/\u{7f}", "a", "a!", "ab", "b"] {
            assert_eq!(IndexKey::path(&key(path)).is_below(&above), within(path), "{path}");
        }
        let deep = IndexKey::path(&key("a/bc/d"));
        let at_most = |len| deep.above(len).map(IndexKey::from_checked);
        assert_eq!(at_most(7), Some(IndexKey::path(&key("a/bc"))));
        assert_eq!(at_most(5), Some(IndexKey::path(&key("a/bc"))));
        assert_eq!(at_most(4), Some(above.clone()));
        assert_eq!((at_most(1), above.above(9)), (None, None));
        assert_eq!(below.name_of(&IndexKey::path(&key("a/b.c/d"))), (b"b.c".to_vec(), true));
        assert_eq!(below.name_of(&IndexKey::path(&key("a/b"))), (b"b".to_vec(), false));
        assert!(*IndexKey::path(&key("a/b/c")).as_bytes() < *below.behind(b"b"));
        assert!(*IndexKey::path(&key("a/b!")).as_bytes() > *below.behind(b"b"));
    }

    #[test]
    fn lumps_lie_in_numeric_order_behind_all_paths_and_come_back() {
        let numbers = [0, 1, 255, 256, 1 << 64, u128::MAX];
        let keys = numbers.map(IndexKey::lump);
        assert!(keys.is_sorted() && keys[0] > IndexKey::path(&key("\u{7f}")));
        for (number, key) in numbers.into_iter().zip(&keys) {
            assert_eq!(lump_of(key.as_bytes()), Some(number));
            assert_eq!(check_key(key.as_bytes()), Ok(()));
            assert!(ALL_LUMPS.0[..] < *key.as_bytes() && *key.as_bytes() < ALL_LUMPS.1[..]);
        }
        assert!(is_range(keys[0].as_bytes(), &ALL_LUMPS.1) && is_range(&[PATHS], &[PATHS + 1]));
        assert!(!is_range(keys[1].as_bytes(), keys[0].as_bytes()) && !is_range(&[PATHS], &[3]));
        assert!(!is_range(&[0], &[1]) && !is_range(&[], &[1]));
        for bytes in [&[LUMPS; 16][..], &[LUMPS; 18], &[4; 17]] {
            assert!(check_key(bytes).is_err() && lump_of(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn extents_of_one_object_are_one_range_in_order_of_their_offsets() {
        let (from, to) = extents_of(7);
        let keys = [0, 1, 255, 256, u64::MAX].map(|offset| IndexKey::extent(7, offset));
        assert!(keys.is_sorted() && keys.iter().all(|key| check_key(key.as_bytes()).is_ok()));
        assert!(keys.iter().all(|key| *from <= *key.as_bytes() && *key.as_bytes() < *to));
        assert!(*IndexKey::extent(6, u64::MAX).as_bytes() < *from);
        assert!(*IndexKey::extent(8, 0).as_bytes() >= *to);
        assert_eq!(object_of(keys[3].as_bytes()), Some((7, 256)));
        assert_eq!(object_of(IndexKey::pending(9).as_bytes()), Some((9, 0)));
        let (from, to) = extents_of(u64::MAX);
        assert!(is_range(&from, &to) && !is_range(&to, &from));
        assert!(*IndexKey::extent(u64::MAX, u64::MAX).as_bytes() < *to);
        for bytes in [&[EXTENTS; 16][..], &[EXTENTS; 18], &[PENDING; 8], &[]] {
            assert!(check_key(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let long = [vec![PATHS], vec![b'x'; 256]].concat();
        let deep = [vec![PATHS], [&[b'x'; 200][..]; 6].join(&SEPARATOR)].concat();
        for bytes in [
            &[][..],
            &[PATHS],
            &[9, b'a'],
            &[PATHS, 0],
            &[PATHS, b'a', 0],
            &[PATHS, b'a', 0, 0, b'b'],
            &long,
            &deep,
        ] {
            assert!(check_path(bytes).is_err(), "{bytes:?}");
        }
    }
}
