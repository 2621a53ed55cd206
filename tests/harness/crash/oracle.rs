//! The oracle of crashes: the model after k operations, and which k are right.
//!
//! Invariant: a store is right if it holds what the model holds after k operations, for one k from
//! the last acknowledged operation to the last issued one. Which one is settled when the store is
//! opened, and does not change again.

use crate::contents::{Contents, Untold, differences, try_contents};
use crate::crash::failure::Failure;
use nerite::{Corruption, Error, Key, KvRead};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// What the model holds after some operation.
#[derive(Debug)]
pub(super) struct State {
    pub(super) contents: Contents,
    fingerprint: u64,
}

impl State {
    pub(super) fn new(contents: Contents) -> Arc<Self> {
        let mut hasher = DefaultHasher::new();
        for (key, (value, time)) in &contents {
            (key.as_bytes(), value, time).hash(&mut hasher);
        }
        Arc::new(Self { contents, fingerprint: hasher.finish() })
    }
}

/// The last commit that was acknowledged, and nothing durable behind it. Damage to it can't be told
/// from a crash (`docs/design.md`, limits).
#[derive(Clone, Debug)]
struct LastGroup {
    /// Where it lies, in bytes on the disk.
    sectors: Vec<usize>,
    /// What the store held before.
    before: Arc<State>,
}

/// What a store may hold.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    /// The first is what is acknowledged, the last is what is issued.
    states: Vec<Arc<State>>,
    last_group: Option<LastGroup>,
    /// Where the operation lies that was issued last.
    issued: Vec<usize>,
}

impl Expected {
    /// Nothing has been done yet.
    pub(super) fn empty() -> Self {
        Self::only(Contents::new())
    }

    /// This and nothing else.
    pub(super) fn only(contents: Contents) -> Self {
        Self { states: vec![State::new(contents)], last_group: None, issued: Vec::new() }
    }

    /// What is acknowledged.
    pub(super) fn acknowledged(&self) -> &State {
        &self.states[0]
    }

    /// An operation that leads to `state` has been issued. It lies in these sectors.
    pub(super) fn issue(&mut self, state: Arc<State>, sectors: Vec<usize>) {
        self.states.push(state);
        self.issued = sectors;
    }

    /// The store holds this, which is one of the states, and will hold it for ever. Tells where it lies
    /// if it is what was issued last.
    pub(super) fn settle(&mut self, state: Arc<State>) -> Vec<usize> {
        let before = Arc::clone(&self.states[0]);
        let mut sectors = std::mem::take(&mut self.issued);
        if Arc::ptr_eq(&state, &before) {
            sectors.clear();
        } else if !sectors.is_empty() {
            self.last_group = Some(LastGroup { sectors: sectors.clone(), before });
        }
        self.states = vec![state];
        sectors
    }

    /// The superblock says now how far the log is durable: no damage to it is excused.
    pub(super) fn seal(&mut self) {
        self.last_group = None;
    }

    /// With damage to the sector at `offset`, this is expected too.
    pub(super) fn with_damage_at(&self, offset: usize) -> Self {
        let mut expected = self.clone();
        if let Some(group) =
            self.last_group.as_ref().filter(|group| group.sectors.contains(&offset))
        {
            expected.states.push(Arc::clone(&group.before));
        }
        expected
    }

    /// All that any of the states names; a key may come twice.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.states.iter().flat_map(|state| state.contents.keys())
    }

    /// Whether any of the states has this value for `key`, or none for it.
    pub(super) fn may_hold(&self, key: &Key, value: Option<&[u8]>) -> bool {
        let held =
            |state: &Arc<State>| state.contents.get(key).map(|(value, _)| &value[..]) == value;
        self.states.iter().any(held)
    }

    /// Tells apart what is expected of two equal images.
    pub(super) fn fingerprint(&self) -> u64 {
        let mix = |sum: u64, state: &Arc<State>| sum.rotate_left(23) ^ state.fingerprint;
        self.states.iter().fold(0, mix)
    }

    /// Which of the expected states it is that `kv` holds.
    pub(super) fn judge<K: KvRead + ?Sized>(&self, kv: &K) -> Result<Arc<State>, Verdict> {
        let found = match try_contents(kv) {
            Ok(found) => found,
            Err(Untold::Call(_, _, Error::Corrupt(corruption))) => {
                return Err(Verdict::Corrupt(corruption));
            }
            Err(untold) => return Err(Failure::new(untold.to_string()).into()),
        };
        let right = self.states.iter().find(|state| state.contents == found);
        right.cloned().ok_or_else(|| self.wrong(&found).into())
    }

    fn wrong(&self, found: &Contents) -> Failure {
        let told = self.states.iter().map(|state| differences(&state.contents, found).join(", "));
        let told: Vec<_> = told.collect();
        Failure::new(format!("the store holds something else: {}", told.join("; or ")))
    }
}

/// Why a store does not hold an expected state.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It says that it is damaged.
    Corrupt(Corruption),
    Failure(Failure),
}

impl From<Failure> for Verdict {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Verdict> for Failure {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Corrupt(told) => Self::new(format!("a sound store is refused: {told}")),
            Verdict::Failure(failure) => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, TestClock};
    use nerite::{Key, KvWrite};

    fn after(names: &[&str]) -> Arc<State> {
        let model = Model::new(TestClock::new(0));
        for name in names {
            model.set(&Key::new(name).unwrap(), b"x").unwrap();
        }
        State::new(model.contents())
    }

    fn holding(state: &State) -> Model {
        let model = Model::new(TestClock::new(0));
        model.restore(state.contents.clone());
        model
    }

    #[test]
    fn what_is_acknowledged_or_issued_is_right_and_nothing_else() {
        let mut expected = Expected::empty();
        let (one, two) = (after(&["a"]), after(&["a", "b"]));
        assert_eq!(expected.settle(Arc::clone(&one)), [], "nothing was issued");
        expected.issue(Arc::clone(&two), vec![512]);
        for right in [&one, &two] {
            let judged = expected.judge(&holding(right)).unwrap();
            assert!(Arc::ptr_eq(&judged, right));
        }
        for wrong in [after(&[]), after(&["b"]), after(&["a", "b", "c"])] {
            assert!(matches!(expected.judge(&holding(&wrong)), Err(Verdict::Failure(_))));
        }
        let later = TestClock::new(0);
        later.advance(1);
        let model = Model::new(later);
        model.set(&Key::new("a").unwrap(), b"x").unwrap();
        assert!(expected.judge(&model).is_err(), "times count");
        assert_eq!(expected.clone().settle(one.clone()), [], "what was issued is lost");
        assert_eq!(expected.settle(two), [512]);
        assert!(expected.judge(&holding(&one)).is_err(), "settled");
    }

    #[test]
    fn only_damage_to_the_last_group_excuses_what_was_before_it() {
        let mut expected = Expected::empty();
        let store = Model::new(TestClock::new(0));
        let state = after(&["a"]);
        expected.issue(Arc::clone(&state), vec![512]);
        drop(expected.settle(state));
        assert!(expected.with_damage_at(512).judge(&store).is_ok());
        assert!(expected.with_damage_at(1024).judge(&store).is_err());
        assert!(expected.judge(&store).is_err());
        expected.seal();
        assert!(expected.with_damage_at(512).judge(&store).is_err(), "sealed");
    }

    #[test]
    fn fingerprints_tell_expectations_apart() {
        let mut one = Expected::empty();
        let mut two = Expected::empty();
        assert_eq!(one.fingerprint(), two.fingerprint());
        one.issue(after(&["a"]), Vec::new());
        drop(two.settle(after(&["a"])));
        assert_ne!(one.fingerprint(), two.fingerprint());
    }
}
