//! The gate: each bug that can be planted is found. A harness that misses one is worth nothing.

use crate::args::Until;
use crate::search::search;
use nerite::planted::{Bug, plant as plant_bug};
use nerite_tests::crash::{Bounds, Script, replay, shrink};

/// Plants the bug of this name.
pub(crate) fn plant(name: &str) -> Result<(), String> {
    match Bug::ALL.iter().find(|(other, _)| *other == name) {
        Some((_, bug)) => {
            plant_bug(Some(*bug));
            Ok(())
        }
        None => {
            Err(format!("no bug {name}; there are {}", Bug::ALL.map(|(name, _)| name).join(", ")))
        }
    }
}

/// Plants each bug alone and looks for it where a search would: what is missed here is missed there.
pub(crate) fn gate(seed: u64, until: Until, bounds: Bounds) -> Result<(), String> {
    let mut caught = 0;
    for (name, bug) in Bug::ALL {
        plant_bug(Some(bug));
        let outcome = search(seed, until, bounds);
        let Some(found) = outcome.found else {
            eprintln!("{name}: MISSED, {}", outcome.stats);
            continue;
        };
        let line = shrink(&found.script).to_string();
        // The line must lead there again, and not merely not fit.
        let again = line.parse::<Script>().map_err(|error| error.to_string())?;
        if !replay(&again).is_err_and(|failure| !failure.is_misfit()) {
            return Err(format!("{name}: found, but not again by\n  {line}"));
        }
        caught += 1;
        eprintln!("{name}: found, {}\n  {}\n  {line}", outcome.stats, found.failure);
    }
    plant_bug(None);
    println!("planted={caught}/{}", Bug::ALL.len());
    if caught == Bug::ALL.len() { Ok(()) } else { Err("a planted bug was missed".to_owned()) }
}
