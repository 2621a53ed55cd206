//! Writes that a disk acknowledges and loses, or puts elsewhere. Nobody is protected from that; but
//! what is found is an older state, whole, or said to be damaged: never a mixture.

use super::{BLOCK, contents, held, image, key, new_disk, open};
use nerite::{Error, KvWrite};
use nerite_tests::{Contents, Fault, SimDisk, Strike};

/// The steps that are taken, and after each of them what a sound store holds.
fn write_all(disk: &SimDisk, fault: Option<(usize, Strike)>) -> Vec<Contents> {
    let store = open(disk, 2);
    let mut states = vec![contents(&store)];
    for step in 0..8usize {
        if let Some((_, strike)) = fault.filter(|(at, _)| *at == step) {
            disk.inject(Fault::next(strike));
        }
        let path = key(&format!("d/{}", step % 3));
        let len = 200 + 700 * (step % 4);
        let done = match step {
            5 => store.rename(&key("d"), &key("e")),
            6 => store.remove(&key("e/1")),
            _ => store.set(&path, &vec![step.to_le_bytes()[0]; len]),
        };
        match done {
            Ok(()) if fault.is_none() => states.push(contents(&store)),
            Ok(()) => {}
            // It has read what went astray.
            Err(Error::Corrupt(_)) if fault.is_some() => break,
            Err(error) => panic!("step {step}: {error}"),
        }
    }
    states
}

/// Opens what is left: an older state, or damage.
fn is_consistent(image: Vec<u8>, states: &[Contents], case: &str) -> bool {
    match held(image) {
        Ok(found) => {
            assert!(states.contains(&found), "{case}: a mixture");
            false
        }
        Err(Error::Corrupt(_)) => true,
        Err(error) => panic!("{case}: {error}"),
    }
}

#[test]
fn a_lost_write_leaves_an_older_state_or_shows() {
    let states = write_all(&new_disk(), None);
    let mut told = 0;
    for step in 0..8 {
        for sector in 0..BLOCK as usize / 512 {
            let disk = new_disk();
            write_all(&disk, Some((step, Strike::WriteLost { sector })));
            let case = format!("sector {sector} of step {step} lost");
            told += usize::from(is_consistent(image(&disk), &states, &case));
        }
    }
    assert!(told > 10, "only {told} were told");
}

#[test]
fn a_misdirected_write_leaves_an_older_state_or_shows() {
    let states = write_all(&new_disk(), None);
    let mut told = 0;
    for step in 0..8 {
        for sector in [0, 1, 3] {
            // Onto a superblock, onto the first frame, behind the log's end, and a block further on.
            for offset in [0, 4096, 16384, 16384 + 512, 20480, 1 << 20] {
                let disk = new_disk();
                write_all(&disk, Some((step, Strike::WriteMisdirected { sector, offset })));
                let case = format!("sector {sector} of step {step} at byte {offset}");
                told += usize::from(is_consistent(image(&disk), &states, &case));
            }
        }
    }
    assert!(told > 50, "only {told} were told");
}
