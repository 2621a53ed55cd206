//! A script, run as it stands.

use super::failure::{Failure, guarded};
use super::judge::judge;
use super::life::{Disk, Lapse, Origin, live};
use super::rot::Rot;
use super::script::{Cut, Script};
use crate::disk::{Fate, Medium};

/// Does what the script says, and judges what is left.
///
/// # Errors
/// The [`Failure`] that it leads to. If a cut tells of more events than its step has, or of more
/// sectors than are pending, or if anything is pending where a sector rots, the failure is a misfit.
pub fn replay(script: &Script) -> Result<(), Failure> {
    guarded(|| run(&mut script.clone(), Cuts::AsTold))
}

/// The same with cuts that are made to fit where they do not.
pub(super) fn replay_fitted(script: &mut Script) -> Result<(), Failure> {
    guarded(|| run(script, Cuts::Fitted))
}

/// What is done with a cut that does not fit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cuts {
    AsTold,
    Fitted,
}

fn run(script: &mut Script, cuts: Cuts) -> Result<(), Failure> {
    let Script { shape, seed, lives } = script;
    let mut disk = Disk::formatted(shape, *seed)?;
    for (number, life) in lives.iter_mut().enumerate() {
        let origin = Origin { shape: *shape, seed: *seed, life: number as u64 };
        let lapses = live(origin, &disk, &life.steps)?;
        let Some(cut) = &mut life.cut else { return Ok(()) };
        disk = fall(disk, &lapses, cut, cuts)?;
        if let Some((offset, fate)) = cut.rot {
            return Rot { shape, sound: &disk.bytes, offset, fate }.judge(&disk.known.expected);
        }
    }
    judge(shape, &disk.bytes, &disk.known.expected)
}

/// What the cut leaves. Fates that the cut does not tell are old.
fn fall(disk: Disk, lapses: &[Lapse], cut: &mut Cut, cuts: Cuts) -> Result<Disk, Failure> {
    let Disk { bytes, mut known } = disk;
    let mut medium = Medium::new(bytes);
    let last = lapses.len().saturating_sub(1);
    let possible = lapses.last().map_or(0, |lapse| lapse.events.len());
    fit(&mut cut.events, possible, "events of the last step", cuts)?;
    for (number, lapse) in lapses.iter().enumerate() {
        let happened = if number == last { cut.events } else { lapse.events.len() };
        for event in &lapse.events[..happened] {
            medium.happen(event);
        }
        if number != last || happened > 0 {
            known = lapse.known(happened).clone();
        }
    }
    let (mut fates, pending) = (cut.fates.len(), medium.pending.len());
    fit(&mut fates, pending, "pending sectors", cuts)?;
    cut.fates.truncate(fates);
    if cut.rot.is_some() && pending > 0 {
        return Err(Failure::misfit("a sector rots while others are pending"));
    }
    let bytes = medium.crash(|n| cut.fates.get(n).copied().unwrap_or(Fate::Old));
    Ok(Disk { bytes, known })
}

fn fit(told: &mut usize, possible: usize, what: &str, cuts: Cuts) -> Result<(), Failure> {
    if *told > possible && cuts == Cuts::AsTold {
        let what = format!("the script tells of {told} {what}, but there are {possible}");
        return Err(Failure::misfit(what));
    }
    *told = possible.min(*told);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "disk 64K block 512 clock still deltas large seed 1: set /a 400t1";

    #[test]
    fn a_script_that_tells_more_than_happens_does_not_pass() {
        for cut in ["cut 2", "cut 1 n,o", "cut 2 rot 8192 f"] {
            assert_eq!(replay(&format!("{HEAD} {cut}").parse().unwrap()), Ok(()), "{cut}");
        }
        for cut in ["cut 3", "cut 1 n,o,o", "cut 2 n", "cut 1 rot 8192 f"] {
            let script: Script = format!("{HEAD} {cut}").parse().unwrap();
            let failure = replay(&script).unwrap_err();
            assert!(failure.is_misfit(), "{cut}: {failure}");
        }
    }

    #[test]
    fn a_cut_is_made_to_fit() {
        let mut script = format!("{HEAD} cut 9 n,o,z").parse().unwrap();
        assert_eq!(replay_fitted(&mut script), Ok(()));
        assert_eq!(script.to_string(), format!("{HEAD} cut 2"));
    }
}
