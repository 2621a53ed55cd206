//! `space`: simulates how a store uses its segments, to choose the cleaner's policy.

#![forbid(unsafe_code)]
#![expect(clippy::cast_precision_loss, reason = "what is printed has two digits")]

mod churn;
mod cleaner;
mod config;
mod load;
mod segments;
mod store;

use churn::{Outcome, churn};
use config::{Config, Retention, Survivors, Victim};
use load::Skew;

const SKEWS: [(&str, Skew); 3] =
    [("uniform", Skew::Uniform), ("zipf", Skew::Zipf), ("hot/cold", Skew::HotCold)];

fn row(name: &str, config: Config, skew: Skew) {
    let Outcome { written, most, most_flushes, stuck } = churn(config, skew, 10);
    if let Some(stuck) = stuck {
        println!("{name}: stuck at commit {stuck} of {} segments", config.segments());
        return;
    }
    let share = |bytes: usize| bytes as f64 / written.user as f64;
    let mib = written.user as f64 / f64::from(1 << 20);
    println!(
        "{name:40} total {:.2} log {:.2} moved {:.2} moves {:.2} nodes {:.2} slots {:.2} | flushes/MiB {:.2} | most {:.2} MiB {} flushes | rounds {} flips {} victims {}",
        share(written.log + written.upkeep()), share(written.log), share(written.moved), share(written.moves), share(written.nodes), share(written.slots),
        written.flushes as f64 / mib, most as f64 / f64::from(1 << 20), most_flushes, written.rounds, written.empty_flips, written.victims
    );
}

fn small(device: usize, block: usize, reserve: usize, survivors: Survivors) {
    print!("{} KiB, blocks of {block}, reserve {reserve} {survivors:?}: ", device >> 10);
    for percent in (10..=95).rev() {
        let base = Config::small(device, block, device * percent / 100);
        let base = Config { reserve, survivors, tail_bytes: base.tail_bytes.min(device / 4), ..base };
        if base.keys == 0 { continue; }
        if let Ok(written) = churn::refill(base, 10, 3) {
            print!("{percent}% {} keys of {} segments, {:.1} x, {:.1} flushes a set;", base.keys, base.segments(), (written.log + written.upkeep()) as f64 / written.user as f64,
            written.flushes as f64 * base.user_len() as f64 / written.user as f64);
            break;
        }
    }
    println!();
}

fn main() {
    if std::env::args().len() > 1 {
    for survivors in [Survivors::Apart, Survivors::Chain] {
        for (device, block) in [(64 << 10, 4096), (64 << 10, 512), (1 << 20, 4096), (1 << 20, 512), (16 << 20, 512), (16 << 20, 4096)] {
            for reserve in [0, 1, 2, 3, 4, 5, 6, 8, 10, 12] {
                if device > 1 << 20 && (reserve % 4 > 0) { continue; }
                small(device, block, reserve, survivors);
            }
        }
    }
    return;
    }


    for percent in [150, 125] {
        for (name, skew) in SKEWS {
            let base = Config { together: 4, ..Config::host(percent) };
            let name = format!("{percent} {name}");
            row(&format!("{name} base"), base, skew);
            row(&format!("{name} 1 output"), Config { together: 1, ..base }, skew);
            row(&format!("{name} worth 4"), Config { worth: 4, ..base }, skew);
            row(&format!("{name} worth 16"), Config { worth: 16, ..base }, skew);
            row(&format!("{name} chain"), Config { survivors: Survivors::Chain, ..base }, skew);
            for reserve in [8, 6, 4] {
                row(&format!("{name} reserve {reserve}"), Config { reserve, ..base }, skew);
            }
            let base = Config { together: 4, ..Config::inline(percent) };
            row(&format!("{name} inline"), base, skew);
            row(&format!("{name} inline d/4"), Config { tail_bytes: base.device / 4, ..base }, skew);
        }
        let base = Config { together: 4, batch: 1, block: 512, ..Config::host(percent) };
        row(&format!("{percent} single"), base, Skew::Uniform);
        row(&format!("{percent} single chain"), Config { survivors: Survivors::Chain, ..base }, Skew::Uniform);
    }
}
