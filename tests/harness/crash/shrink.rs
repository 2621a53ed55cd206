//! A failing script made short: what is not needed to fail goes.

use super::replay::replay_fitted;
use super::script::{Life, Script, Step};
use crate::disk::Fate;

/// Replays that shrinking may take.
const ATTEMPTS: usize = 3000;

/// The shortest script found that still fails, in a few passes over what can be left out.
#[must_use]
pub fn shrink(script: &Script) -> Script {
    shrink_by(script, |candidate| replay_fitted(candidate).is_err_and(|told| !told.is_misfit()))
}

/// `fails` may make the cuts of its candidate fit.
fn shrink_by(script: &Script, fails: impl Fn(&mut Script) -> bool) -> Script {
    let mut shrinker = Shrinker { best: script.clone(), attempts: 0, fails };
    while shrinker.pass() && shrinker.attempts < ATTEMPTS {}
    shrinker.best
}

struct Shrinker<F> {
    best: Script,
    attempts: usize,
    fails: F,
}

impl<F: Fn(&mut Script) -> bool> Shrinker<F> {
    /// Tries everything once. Whether anything helped.
    fn pass(&mut self) -> bool {
        let mut helped = false;
        for life in (0..self.best.lives.len()).rev() {
            helped |= self.without_life(life);
        }
        for life in 0..self.best.lives.len() {
            helped |= self.without_steps(life);
            helped |= self.with_simple_fates(life);
            helped |= self.with_short_values(life);
        }
        helped
    }

    /// Takes the candidate if it fails too.
    fn offer(&mut self, mut candidate: Script) -> bool {
        self.attempts += 1;
        let fails = self.attempts < ATTEMPTS && (self.fails)(&mut candidate);
        if fails {
            self.best = candidate;
        }
        fails
    }

    fn without_life(&mut self, life: usize) -> bool {
        let mut candidate = self.best.clone();
        if candidate.lives.len() < 2 {
            return false;
        }
        candidate.lives.remove(life);
        self.offer(candidate)
    }

    /// Long runs of steps first, then shorter ones. The last step is where the cut is counted from.
    fn without_steps(&mut self, life: usize) -> bool {
        let mut helped = false;
        let mut run = self.steps(life).len().max(1);
        while run > 0 {
            let mut at = 0;
            while at < self.steps(life).len() {
                let mut candidate = self.best.clone();
                let steps = &mut candidate.lives[life].steps;
                steps.drain(at..(at + run).min(steps.len()));
                if self.offer(candidate) {
                    helped = true;
                } else {
                    at += run;
                }
            }
            run /= 2;
        }
        helped
    }

    fn steps(&self, life: usize) -> &[Step] {
        &self.best.lives[life].steps
    }

    /// Old where it need not be anything else, new where it need not be torn.
    fn with_simple_fates(&mut self, life: usize) -> bool {
        let mut helped = false;
        let count = fates(&mut self.best.lives[life]).len();
        for at in (0..count).rev() {
            for simple in [Fate::Old, Fate::New] {
                let mut candidate = self.best.clone();
                let fates = fates(&mut candidate.lives[life]);
                if fates[at] == simple {
                    break;
                }
                fates[at] = simple;
                if self.offer(candidate) {
                    helped = true;
                    break;
                }
            }
        }
        let trailing = fates(&mut self.best.lives[life]);
        while trailing.pop_if(|fate| *fate == Fate::Old).is_some() {}
        helped
    }

    fn with_short_values(&mut self, life: usize) -> bool {
        let mut helped = false;
        for at in 0..self.steps(life).len() {
            for divisor in [usize::MAX, 8, 2] {
                let mut candidate = self.best.clone();
                let Step::Write(write) = &mut candidate.lives[life].steps[at] else { break };
                let Some(value) = write.value_mut().filter(|value| value.len > 1) else { break };
                value.len /= divisor;
                helped |= self.offer(candidate);
            }
        }
        helped
    }
}

fn fates(life: &mut Life) -> &mut Vec<Fate> {
    &mut life
        .cut
        .get_or_insert_with(|| super::script::Cut { events: 0, fates: Vec::new(), rot: None })
        .fates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_needed_to_fail_goes() {
        let line = "disk 64K block 512 clock still deltas large seed 7: set /a 600t1; open; set /b 9h2 cut 3 n,n: \
                    rm /a cut 1 n: open; mv /b /c; close; set /d 800t3 cut 2 n,h37,o,g5,o,z";
        let mut script: Script = line.parse().unwrap();
        // It fails for a rename, for a value of 100 bytes or more behind it, and for a torn sector 1.
        let fails = |script: &mut Script| {
            script.lives.iter().any(|life| {
                let text = life.to_string();
                let value = text.split("set /d ").nth(1).and_then(|rest| rest.split('t').next());
                let long =
                    value.and_then(|len| len.parse().ok()).is_some_and(|len: u32| len >= 100);
                text.contains("mv") && long && text.contains(",h37")
            })
        };
        assert!(fails(&mut script));
        let short = "disk 64K block 512 clock still deltas large seed 7: mv /b /c; set /d 100t3 cut 2 o,h37";
        assert_eq!(shrink_by(&script, fails).to_string(), short);
    }

    #[test]
    fn what_does_not_fail_stays() {
        let line = "disk 64K block 512 clock still deltas large seed 7: set /a 600t1 cut 1 n";
        assert_eq!(shrink(&line.parse().unwrap()).to_string(), line);
    }
}
