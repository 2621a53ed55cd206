//! Keys: paths of names, as in mirage-kv.
//!
//! Invariants of a [`Key`]: every name is 1 to [`Key::NAME_LEN_MAX`] bytes without `/`; the names
//! joined by `/` are at most [`Key::LEN_MAX`] bytes; there is no leading or trailing `/`.

use crate::escape::Escaped;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

/// Bytes that are mapped together.
const CHUNK: usize = 16;

/// A path of names. The empty path, [`Key::ROOT`], is the dictionary that holds all others.
///
/// Names are bytes, not text: any byte but `/`. Keys order by their names, so that what a
/// dictionary holds comes right after it: `a` < `a/x` < `a-b`.
///
/// ```
/// use nerite::Key;
/// let key: Key = "//boot/count/".parse()?;
/// assert_eq!(key.to_string(), "/boot/count");
/// assert_eq!(key, Key::ROOT.join("boot")?.join("count")?);
/// # Ok::<(), nerite::InvalidKey>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Key(Vec<u8>);

impl Key {
    /// The empty key: the dictionary of everything.
    pub const ROOT: Self = Self(Vec::new());
    /// Bytes in a key, separators included.
    pub const LEN_MAX: usize = 1024;
    /// Bytes in one name.
    pub const NAME_LEN_MAX: usize = 255;

    /// Parses `a/b/c`. Empty names are ignored: `//a/` is `a`, and `/` is the root.
    ///
    /// # Errors
    /// [`InvalidKey`] if a name or the whole is too long.
    pub fn new(path: impl AsRef<[u8]>) -> Result<Self, InvalidKey> {
        let mut key = Self::ROOT;
        for name in path.as_ref().split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            key.push(name)?;
        }
        Ok(key)
    }

    /// The key one name below this one.
    ///
    /// # Errors
    /// [`InvalidKey`] if `name` is empty, contains `/`, or makes a name or the whole too long.
    pub fn join(&self, name: impl AsRef<[u8]>) -> Result<Self, InvalidKey> {
        let name = name.as_ref();
        if name.is_empty() {
            return Err(InvalidKey::EmptyName);
        }
        if name.contains(&b'/') {
            return Err(InvalidKey::SlashInName);
        }
        let mut key = self.clone();
        key.push(name)?;
        Ok(key)
    }

    /// This key with `new` in place of its prefix `old`; `None` if it does not start with `old`.
    pub(crate) fn rebase(&self, old: &Self, new: &Self) -> Option<Result<Self, InvalidKey>> {
        let names = self.names_below(old)?;
        let mut key = new.clone();
        for name in names {
            if let Err(error) = key.push(name) {
                return Some(Err(error));
            }
        }
        Some(Ok(key))
    }

    /// Becomes what `byte_of` makes of the bytes of the parts: names joined by `/`, which satisfy the
    /// invariants above.
    #[inline]
    pub(crate) fn refill(&mut self, parts: [&[u8]; 2], byte_of: impl Fn(u8) -> u8) {
        self.0.clear();
        for part in parts {
            self.0.extend_from_slice(part);
        }
        // Whole chunks, so that it takes some instructions for each and not for each byte.
        let len = self.0.len();
        self.0.resize(len.next_multiple_of(CHUNK), 0);
        for chunk in self.0.as_chunks_mut::<CHUNK>().0 {
            *chunk = chunk.map(&byte_of);
        }
        self.0.truncate(len);
    }

    fn push(&mut self, name: &[u8]) -> Result<(), InvalidKey> {
        if name.len() > Self::NAME_LEN_MAX {
            return Err(InvalidKey::NameTooLong { len: name.len() });
        }
        let separator = usize::from(!self.0.is_empty());
        let len = self.0.len().saturating_add(separator).saturating_add(name.len());
        if len > Self::LEN_MAX {
            return Err(InvalidKey::KeyTooLong { len });
        }
        if separator == 1 {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name);
        Ok(())
    }

    /// The names joined by `/`, without a leading one.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The names from the top down; none for the root.
    #[must_use]
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
    }

    /// The last name; `None` for the root.
    #[must_use]
    pub fn basename(&self) -> Option<&[u8]> {
        self.names().next_back()
    }

    /// The dictionary that this key is in; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let name = self.basename()?;
        let rest = self.0.strip_suffix(name)?;
        Some(Self(rest.strip_suffix(b"/").unwrap_or(rest).to_vec()))
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `prefix` is this key or a dictionary above it, name by name.
    #[must_use]
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.names_below(prefix).is_some()
    }

    fn names_below(&self, prefix: &Self) -> Option<impl Iterator<Item = &[u8]>> {
        let rest = self.0.strip_prefix(prefix.as_bytes())?;
        let ends_at_a_name = prefix.is_root() || rest.is_empty() || rest.first() == Some(&b'/');
        ends_at_a_name
            .then(|| rest.split(|&byte| byte == b'/').filter(|name: &&[u8]| !name.is_empty()))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.names().cmp(other.names())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(path: &str) -> Result<Self, InvalidKey> {
        Self::new(path)
    }
}

/// As an absolute path: `/a/b`, made printable as by [`Escaped`].
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", Escaped(&self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// Why bytes are not a [`Key`]. Lengths are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidKey {
    /// [`Key::join`] with an empty name.
    EmptyName,
    /// [`Key::join`] with a name that contains `/`.
    SlashInName,
    /// A name of more than [`Key::NAME_LEN_MAX`] bytes.
    NameTooLong {
        /// Of the name.
        len: usize,
    },
    /// More than [`Key::LEN_MAX`] bytes in all.
    KeyTooLong {
        /// Of the key up to the name that made it too long.
        len: usize,
    },
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyName => f.write_str("a name in a key is empty"),
            Self::SlashInName => f.write_str("a name in a key contains \"/\""),
            Self::NameTooLong { len } => {
                write!(
                    f,
                    "a name in the key is {len} bytes, at most {} are allowed",
                    Key::NAME_LEN_MAX
                )
            }
            Self::KeyTooLong { len } => {
                write!(f, "the key is {len} bytes or more, at most {} are allowed", Key::LEN_MAX)
            }
        }
    }
}

impl core::error::Error for InvalidKey {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn key(path: &str) -> Key {
        path.parse().unwrap()
    }

    #[test]
    fn parsing_ignores_empty_names_and_join_refuses_them() {
        assert_eq!(key("//a///b/"), key("a/b"));
        assert_eq!(key("/"), Key::ROOT);
        assert_eq!(Key::ROOT.join(""), Err(InvalidKey::EmptyName));
        assert_eq!(Key::ROOT.join("a/b"), Err(InvalidKey::SlashInName));
    }

    #[test]
    fn limits_are_exact() {
        let name = vec![b'x'; 255];
        assert!(Key::new(&name).is_ok());
        assert_eq!(Key::new(vec![b'x'; 256]), Err(InvalidKey::NameTooLong { len: 256 }));
        let four = [&name[..], &name, &name, &name].join(&b'/');
        assert_eq!(four.len(), 1023);
        let longest = Key::new(&four).unwrap();
        assert_eq!(longest.join("x"), Err(InvalidKey::KeyTooLong { len: 1025 }));
        let mut shorter = four;
        shorter.truncate(1022);
        assert!(Key::new(shorter).unwrap().join("x").is_ok());
    }

    #[test]
    fn names_decide_the_order_so_that_a_dictionary_is_contiguous() {
        let mut keys = [key("a0"), key("a-b"), key("a/x"), key("a"), key("a!"), key("a/"), key("")];
        keys.sort();
        let sorted: Vec<_> = keys.iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["/", "/a", "/a", "/a/x", "/a!", "/a-b", "/a0"]);
    }

    #[test]
    fn prefixes_go_by_names_not_by_text() {
        assert!(key("a/b").starts_with(&key("a")));
        assert!(key("a").starts_with(&key("a")));
        assert!(key("a").starts_with(&Key::ROOT));
        assert!(!key("ab").starts_with(&key("a")));
        assert!(!key("a").starts_with(&key("a/b")));
    }

    #[test]
    fn rebasing_replaces_a_prefix() {
        assert_eq!(key("a/b/c").rebase(&key("a"), &key("x/y")), Some(Ok(key("x/y/b/c"))));
        assert_eq!(key("a").rebase(&key("a"), &key("x")), Some(Ok(key("x"))));
        assert_eq!(key("ab").rebase(&key("a"), &key("x")), None);
    }

    #[test]
    fn parents_and_basenames() {
        assert_eq!(key("a/b").parent(), Some(key("a")));
        assert_eq!(key("a").parent(), Some(Key::ROOT));
        assert_eq!(Key::ROOT.parent(), None);
        assert_eq!(key("a/b").basename(), Some(&b"b"[..]));
        assert_eq!(Key::ROOT.basename(), None);
    }

    #[test]
    fn display_escapes_what_a_terminal_would_obey() {
        let odd = Key::ROOT.join(b"a\x1b\n\xff\\\0").unwrap();
        assert_eq!(odd.to_string(), r"/a\u{1b}\n\xff\\\u{0}");
        assert_eq!(key("🦀").to_string(), "/🦀");
    }
}
