//! What a disk must hold after a crash.

use super::failure::Failure;
use super::life::{Origin, sector_len};
use super::oracle::{Expected, State, Verdict};
use crate::TestClock;
use crate::disk::{Event, Fate, SimDisk};
use nerite::{BlockDevice, Error, OpenOptions, Part, Store};
use std::sync::Arc;

/// Opens what a crash has left twice, for reading and for writing: both find one expected state, all
/// of it whole, and neither writes.
pub(super) fn judge(bytes: &[u8], expected: &Expected) -> Result<(), Failure> {
    let disk = SimDisk::from_bytes(sector_len(), bytes.to_vec());
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

/// One sector has rotted on a disk on which nothing was pending. Where the superblock has two copies
/// that is no loss at all. In the log the store says that it is damaged, or nothing is lost that was
/// acknowledged, but by damage to the last group.
pub(super) fn judge_rot(
    origin: &Origin,
    bytes: &[u8],
    expected: &Expected,
    (offset, fate): (usize, Fate),
) -> Result<(), Failure> {
    let disk = SimDisk::from_bytes(sector_len(), bytes.to_vec());
    disk.rot(offset, fate);
    let in_superblocks = offset < origin.shape.superblocks_len();
    let expected = expected.with_damage_at(offset);
    match open(&disk, OpenOptions::new(1), &expected) {
        Err(Verdict::Corrupt(error)) if in_superblocks && origin.shape.copies() == 2 => {
            Err(Failure::new(format!("the loss of one copy of the superblock is fatal: {error}")))
        }
        Ok(_) | Err(Verdict::Corrupt(_)) => Ok(()),
        Err(Verdict::Failure(failure)) => Err(failure),
    }
}

fn open<D: BlockDevice>(
    device: D,
    options: OpenOptions,
    expected: &Expected,
) -> Result<(Store<D>, Arc<State>), Verdict> {
    match Store::open(device, TestClock::new(0), options) {
        Ok(store) => expected.judge(&store).map(|state| (store, state)),
        Err(error @ Error::Corrupt(_)) => Err(Verdict::Corrupt(error)),
        Err(error) => Err(Failure::new(format!("open: {error}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::life::{Disk, Lapse, live};
    use super::super::script::{Shape, Step};
    use super::*;
    use crate::disk::{Medium, SECTOR};

    const SHAPE: Shape = Shape { kib: 256, block: 512, clock_moves: true, small_deltas: false };
    const ORIGIN: Origin = Origin { shape: SHAPE, seed: 3, life: 0 };

    /// A store with two values, and what its last step did.
    fn two_values() -> (Vec<u8>, Lapse) {
        let disk = Disk::formatted(&SHAPE, 3).unwrap();
        let steps = ["set /a 40t1", "set /b 40t2"].map(|text| Step::Write(text.parse().unwrap()));
        let mut lapses = live(ORIGIN, &disk, &steps).unwrap();
        let mut medium = Medium::new(disk.bytes);
        for event in lapses.iter().flat_map(|lapse| &lapse.events) {
            medium.happen(event);
        }
        (medium.durable, lapses.pop().unwrap())
    }

    #[test]
    fn what_is_acknowledged_must_be_there_and_what_is_not_must_not() {
        let (bytes, lapse) = two_values();
        let after = &lapse.known(2).expected;
        assert_eq!(judge(&bytes, after), Ok(()));
        let failure = judge(&bytes, &Expected::empty()).unwrap_err().to_string();
        assert!(failure.contains("/a is too many, /b is too many"), "{failure}");
        let empty = Disk::formatted(&SHAPE, 3).unwrap().bytes;
        let failure = judge(&empty, after).unwrap_err().to_string();
        assert!(failure.contains("/a is missing, /b is missing"), "{failure}");
    }

    #[test]
    fn a_sound_store_must_not_be_refused() {
        let (mut bytes, lapse) = two_values();
        bytes[..16384].fill(0);
        let failure = judge(&bytes, &lapse.known(2).expected).unwrap_err().to_string();
        assert!(failure.contains("open"), "{failure}");
    }

    #[test]
    fn damage_may_be_told_but_only_that_of_the_last_group_may_pass_for_a_crash() {
        let (bytes, lapse) = two_values();
        let Event::Write(last) = &lapse.events[0] else { panic!("the frame") };
        let after = &lapse.known(2).expected;
        let rot = |at| judge_rot(&ORIGIN, &bytes, after, (at, Fate::Ones));
        assert_eq!(rot(last[0].0), Ok(()), "it is cut");
        assert_eq!(rot(last[0].0 - SECTOR), Ok(()), "it is told");
        assert_eq!((rot(0), rot(4096)), (Ok(()), Ok(())), "there is another copy");
        let mut sealed = after.clone();
        sealed.seal();
        let failure = judge_rot(&ORIGIN, &bytes, &sealed, (last[0].0, Fate::Ones)).unwrap_err();
        assert!(failure.to_string().contains("/b is missing"), "{failure}");
    }
}
