//! What a disk must hold after a crash.

use super::failure::Failure;
use super::oracle::{Expected, State, Verdict};
use super::shape::Shape;
use crate::TestClock;
use crate::disk::Event;
use nerite::{BlockDevice, Error, OpenOptions, Part, Store};
use std::sync::Arc;

/// Opens what a crash has left twice, for reading and for writing: both find one expected state, all
/// of it whole, and neither writes.
pub(super) fn judge(shape: &Shape, bytes: &[u8], expected: &Expected) -> Result<(), Failure> {
    let disk = shape.disk(bytes.to_vec());
    disk.record();
    let (_, first) = open(&disk, OpenOptions::new(1).read_only(true), expected)?;
    let (store, second) = open(&disk, OpenOptions::new(2), expected)?;
    if !Arc::ptr_eq(&first, &second) {
        return Err(Failure::new("the second opening finds another state than the first"));
    }
    if disk.take_trace().iter().any(|event| matches!(event, Event::Write(_))) {
        return Err(Failure::new("opening wrote to the disk"));
    }
    verify(&store)
}

/// All that the store names is whole, and counted right. (A crash can tear a copy of the superblock.)
fn verify<D: BlockDevice>(store: &Store<D>) -> Result<(), Failure> {
    let found = store.verify().map_err(|error| Failure::new(format!("verify: {error}")))?;
    match found.iter().find(|corruption| corruption.part != Part::Superblock) {
        Some(corruption) => Err(Failure::new(format!("verify finds a {corruption}"))),
        None => Ok(()),
    }
}

fn open<D: BlockDevice>(
    device: D,
    options: OpenOptions,
    expected: &Expected,
) -> Result<(Store<D>, Arc<State>), Verdict> {
    match Store::open(device, TestClock::new(0), options) {
        Ok(store) => expected.judge(&store).map(|state| (store, state)),
        Err(Error::Corrupt(corruption)) => Err(Verdict::Corrupt(corruption)),
        Err(error) => Err(Failure::new(format!("open: {error}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::life::{Disk, two_values};
    use super::*;

    #[test]
    fn what_is_acknowledged_must_be_there_and_what_is_not_must_not() {
        let (shape, bytes, lapse) = two_values();
        let after = &lapse.known(2).expected;
        assert_eq!(judge(&shape, &bytes, after), Ok(()));
        let failure = judge(&shape, &bytes, &Expected::empty()).unwrap_err().to_string();
        assert!(failure.contains("/a is too many, /b is too many"), "{failure}");
        let empty = Disk::formatted(&shape, 3).unwrap().bytes;
        let failure = judge(&shape, &empty, after).unwrap_err().to_string();
        assert!(failure.contains("/a is missing, /b is missing"), "{failure}");
    }

    #[test]
    fn a_sound_store_must_not_be_refused() {
        let (shape, mut bytes, lapse) = two_values();
        bytes[..16384].fill(0);
        let failure = judge(&shape, &bytes, &lapse.known(2).expected).unwrap_err().to_string();
        assert!(failure.contains("open"), "{failure}");
    }
}
