//! What is lost, and by which damage.

use crate::error::{Corruption, Error, Fault, Part};
use crate::store::names::{KeyRange, Name};

/// Something that is damaged, and what is lost by it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// What is damaged, and where.
    pub corruption: Corruption,
    /// What is lost.
    pub lost: Lost,
}

/// What is lost by some damage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// Nothing: it is known from elsewhere.
    Nothing,
    /// The value of this key.
    Value(Name),
    /// What was done to a key, and it looks as if it had been this one. If it comes up, it is in doubt.
    Doubted(Name),
    /// What the index had of these keys. Those that come up were found without it, and are in doubt.
    Keys(KeyRange),
    /// Operations, on keys that are not known: any value may have been overwritten or removed by them.
    Unknown,
}

impl Loss {
    pub(super) const fn of_nothing(corruption: Corruption) -> Self {
        Self { corruption, lost: Lost::Nothing }
    }
}

/// Of what can't be read, that it can't; of anything but damage, the error.
pub(super) fn corruption_of(error: Error, part: Part, at: u64) -> Result<Corruption, Error> {
    match error {
        Error::Corrupt(corruption) => Ok(corruption),
        Error::Device(_) => Ok(Corruption { part, at, fault: Fault::Unreadable }),
        error => Err(error),
    }
}
