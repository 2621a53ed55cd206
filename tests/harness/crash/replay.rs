//! A script, run as it stands.

use super::failure::{Failure, guarded};
use super::judge::{judge, judge_rot};
use super::life::{Disk, Lapse, Origin, live};
use super::script::{Cut, Script};
use crate::disk::{Fate, Medium};

/// Does what the script says, and judges what is left.
///
/// # Errors
/// The [`Failure`] that it leads to.
pub fn replay(script: &Script) -> Result<(), Failure> {
    guarded(|| run(script))
}

fn run(script: &Script) -> Result<(), Failure> {
    let Script { shape, seed, lives } = script;
    let mut disk = Disk::formatted(shape, *seed)?;
    for (number, life) in lives.iter().enumerate() {
        let origin = Origin { shape: *shape, seed: *seed, life: number as u64 };
        let lapses = live(origin, &disk, &life.steps)?;
        let Some(cut) = &life.cut else { return Ok(()) };
        disk = fall(disk, &lapses, cut);
        if let Some(rot) = cut.rot {
            return judge_rot(&origin, &disk.bytes, &disk.known.expected, rot);
        }
    }
    judge(&disk.bytes, &disk.known.expected)
}

/// What the cut leaves. Fates that the cut does not tell are old.
fn fall(disk: Disk, lapses: &[Lapse], cut: &Cut) -> Disk {
    let Disk { bytes, mut known } = disk;
    let mut medium = Medium::new(bytes);
    for (number, lapse) in lapses.iter().enumerate() {
        let is_last = number + 1 == lapses.len();
        let happened =
            if is_last { cut.events.min(lapse.events.len()) } else { lapse.events.len() };
        for event in &lapse.events[..happened] {
            medium.happen(event);
        }
        if !is_last || happened > 0 {
            known = lapse.known(happened).clone();
        }
    }
    let bytes = medium.crash(|n| cut.fates.get(n).copied().unwrap_or(Fate::Old));
    Disk { bytes, known }
}
