//! `rename`: where it leads, and the group that does it.

use super::Store;
use super::object::Gone;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::UNFLUSHED_MAX;
use crate::format::index_key::{IndexKey, Subtree};
use crate::format::object::Object;
use crate::format::record::{Operation, Replaced, record_len};
use crate::index::{Entry, Found};
use crate::key::Key;
use crate::log::{Log, Pending, Purpose};
use alloc::vec::Vec;

/// A rename that the contract allows and that changes something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Move {
    /// The key that the source gets.
    target: Key,
    what: Moved,
}

#[derive(Debug, PartialEq, Eq)]
enum Moved {
    /// A value, onto another one if there is one.
    Value {
        entry: Entry,
        over: Option<Entry>,
    },
    Dictionary,
}

/// Where `source` goes; `None` if that is where it is.
pub(super) fn resolve(
    find: impl Fn(&Key) -> Result<Found, Error>,
    source: &Key,
    dest: &Key,
) -> Result<Option<Move>, Error> {
    let found = find(source)?;
    if matches!(found, Found::Nothing | Found::BelowValue(_)) {
        return Err(Error::NotFound(source.clone()));
    }
    if dest == source {
        return Ok(None);
    }
    if dest.starts_with(source) {
        return Err(Error::RenameSourcePrefix { source: source.clone(), dest: dest.clone() });
    }
    let target = match (find(dest)?, source.basename()) {
        (Found::Dictionary, Some(name)) => dest.join(name)?,
        _ => dest.clone(),
    };
    if target == *source {
        return Ok(None);
    }
    let what = match (found, find(&target)?) {
        (_, Found::BelowValue(above)) => return Err(Error::DictionaryExpected(above)),
        (Found::Value(entry), Found::Nothing) => Moved::Value { entry, over: None },
        (Found::Value(entry), Found::Value(over)) => Moved::Value { entry, over: Some(over) },
        (Found::Value(_), Found::Dictionary) => return Err(Error::ValueExpected(target)),
        (_, Found::Nothing) => Moved::Dictionary,
        (_, Found::Value(_)) => return Err(Error::ValueExpected(source.clone())),
        (_, Found::Dictionary) => return Err(Error::AlreadyPresent(target)),
    };
    Ok(Some(Move { target, what }))
}

/// A value under its new key.
struct Copied {
    from: IndexKey,
    to: IndexKey,
    entry: Entry,
    /// What the new key held before.
    replaced: Option<Replaced>,
}

impl Copied {
    /// Whether the old key is taken out by itself.
    fn goes_alone(&self) -> bool {
        self.entry.object().is_some()
    }
}

impl<D: BlockDevice> Store<D> {
    /// Commits the move as one group: the old keys go, the new ones come with the same bytes and
    /// times, or the same objects.
    pub(super) fn move_to(&self, log: &mut Log, source: &Key, moved: &Move) -> Result<(), Error> {
        let (below, mut gone) = (Subtree::of(source), None);
        let (range, copies) = match &moved.what {
            Moved::Value { entry, over } => {
                let to = IndexKey::path(&moved.target);
                gone = Gone::of_entry(over.as_ref());
                let over = over.as_ref().map(|over| over.replaced(&self.layout, to.as_bytes()));
                let (from, entry) = (IndexKey::path(source), entry.clone());
                (None, [Copied { from, to, entry, replaced: over }].into())
            }
            Moved::Dictionary => {
                let operation = Operation::RemoveRange { from: &below.from, to: &below.to };
                let range = Pending { operation, modified: None, replaced: None };
                (Some(range), self.copies(source, &moved.target)?)
            }
        };
        let values = copies.iter().map(|copy| match copy.entry.object() {
            Some(_) => Ok(Vec::new()),
            None => self.fetch(copy.from.as_bytes(), &copy.entry.as_leaf()),
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        // A range would take the objects with it.
        let alone = |copy: &&Copied| range.is_none() || copy.goes_alone();
        let removals =
            copies.iter().filter(alone).map(|copy| self.removal(&copy.from, &copy.entry));
        let sets = copies.iter().zip(&values).map(|(copy, value)| {
            let key = copy.to.as_bytes();
            let operation = match copy.entry.object() {
                Some(object) => Operation::SetObject { key, object },
                None => Operation::Set { key, value },
            };
            let modified = Some(copy.entry.modified);
            Pending { operation, modified, replaced: copy.replaced }
        });
        let gone = gone.as_ref().map(Gone::pending);
        let mut operations: Vec<_> = removals.chain(range).chain(gone).chain(sets).collect();
        self.commit(log, &mut operations, Purpose::Grow)
    }

    /// Everything below `source`, with its key below `target`, if a group of this store can hold it.
    fn copies(&self, source: &Key, target: &Key) -> Result<Vec<Copied>, Error> {
        let Subtree { from, to } = Subtree::of(source);
        self.walk((&from, &to), |walk| {
            let (mut copies, mut size) = (Vec::new(), 0u64);
            let most = self.limits.group_entries();
            while let Some(row) = walk.next()? {
                let from = row.index_key();
                let Some(to) = from.to_key().rebase(source, target) else { continue };
                let to = IndexKey::path(&to?);
                let entry = Entry::from_leaf(&row.entry);
                let len = entry.object().map_or(entry.size, |_| Object::LEN as u64);
                size = size.saturating_add(record_len(to.as_bytes().len(), len, true));
                if size > UNFLUSHED_MAX {
                    return Err(Error::TooLarge { size, limit: UNFLUSHED_MAX });
                }
                if copies.len() >= most {
                    return Err(Error::TooLarge { size: most as u64 + 1, limit: most as u64 });
                }
                copies.push(Copied { from, to, entry, replaced: None });
            }
            Ok(copies)
        })
    }
}
