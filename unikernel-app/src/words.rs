//! The words of the command line.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::SplitAsciiWhitespace;
use nerite::{InvalidKey, Key};

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Make a store if the disk is blank.
    pub format: bool,
    /// End badly before the disk is touched.
    pub crash: Option<Crash>,
    /// What to do with the store, in this order.
    pub steps: Vec<Step>,
}

/// A way to end badly, to see what that looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// A Rust panic.
    Panic,
    /// A CPU fault.
    Fault,
}

/// One thing to do with the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write a value.
    Set(Key, Vec<u8>),
    /// Print a value.
    Get(Key),
    /// Remove a value or a dictionary.
    Remove(Key),
    /// Write so many values one after another, and print a line after each.
    Stress(u64),
}

impl Step {
    /// Whether it changes the store.
    #[must_use]
    pub const fn writes(&self) -> bool {
        !matches!(self, Self::Get(_))
    }
}

/// Why a command line makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageError {
    /// A word that is not known.
    UnknownWord(String),
    /// The last word needs another one after it.
    Incomplete(&'static str),
    /// `set` needs `/key=value`.
    NoValue(String),
    /// `stress` needs a number.
    NoNumber(String),
    /// A key that is none.
    Key(String, InvalidKey),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownWord(word) => write!(f, "unknown word \"{word}\" on the command line"),
            Self::Incomplete(word) => write!(f, "\"{word}\" needs another word after it"),
            Self::NoValue(word) => write!(f, "\"set {word}\" has no \"=\" and value"),
            Self::NoNumber(word) => write!(f, "\"stress {word}\" does not tell how many"),
            Self::Key(word, error) => write!(f, "\"{word}\" is not a key: {error}"),
        }
    }
}

impl core::error::Error for UsageError {}

impl Plan {
    /// Parses the command line. Words are separated by white space; there are no quotes.
    ///
    /// # Errors
    /// [`UsageError`] names the word.
    pub fn parse(line: &str) -> Result<Self, UsageError> {
        let mut plan = Self::default();
        let mut words = line.split_ascii_whitespace();
        while let Some(word) = words.next() {
            match word {
                "format" => plan.format = true,
                "panic" => plan.crash = Some(Crash::Panic),
                "fault" => plan.crash = Some(Crash::Fault),
                "set" => plan.steps.push(set(next(&mut words, "set")?)?),
                "get" => plan.steps.push(Step::Get(key(next(&mut words, "get")?)?)),
                "rm" => plan.steps.push(Step::Remove(key(next(&mut words, "rm")?)?)),
                "stress" => plan.steps.push(stress(next(&mut words, "stress")?)?),
                // QEMU's microvm tells Linux in this way where its devices are.
                _ if word.starts_with("virtio_mmio.device=") => {}
                _ => return Err(UsageError::UnknownWord(word.to_string())),
            }
        }
        Ok(plan)
    }

    /// Whether it changes the store.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.steps.iter().any(Step::writes)
    }
}

fn next<'a>(
    words: &mut SplitAsciiWhitespace<'a>,
    after: &'static str,
) -> Result<&'a str, UsageError> {
    words.next().ok_or(UsageError::Incomplete(after))
}

fn key(word: &str) -> Result<Key, UsageError> {
    Key::new(word).map_err(|error| UsageError::Key(word.to_string(), error))
}

fn set(word: &str) -> Result<Step, UsageError> {
    let (name, value) =
        word.split_once('=').ok_or_else(|| UsageError::NoValue(word.to_string()))?;
    Ok(Step::Set(key(name)?, value.as_bytes().to_vec()))
}

fn stress(word: &str) -> Result<Step, UsageError> {
    word.parse().map(Step::Stress).map_err(|_| UsageError::NoNumber(word.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn words_keep_their_order() {
        let plan = Plan::parse(" set /a/b=c=d  get /a format rm a stress 7 set /e= ").unwrap();
        let key = |path| Key::new(path).unwrap();
        let steps = vec![
            Step::Set(key("a/b"), b"c=d".to_vec()),
            Step::Get(key("a")),
            Step::Remove(key("a")),
            Step::Stress(7),
            Step::Set(key("e"), vec![]),
        ];
        assert!(plan.writes());
        assert_eq!(plan, Plan { format: true, crash: None, steps });
    }

    #[test]
    fn nothing_is_a_plan_too() {
        let plan = Plan::parse("virtio_mmio.device=512@0xfeb02e00:23").unwrap();
        assert_eq!(plan, Plan::default());
        assert!(!plan.writes());
    }

    #[test]
    fn nonsense_is_named() {
        let error = |line| Plan::parse(line).unwrap_err();
        assert_eq!(error("get"), UsageError::Incomplete("get"));
        assert_eq!(error("frmat"), UsageError::UnknownWord("frmat".to_string()));
        assert_eq!(error("set /a"), UsageError::NoValue("/a".to_string()));
        assert_eq!(error("stress many"), UsageError::NoNumber("many".to_string()));
        let long = "x".repeat(256);
        assert!(matches!(error(&["rm", &long].join(" ")), UsageError::Key(..)));
    }
}
