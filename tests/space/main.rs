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
use config::{Config, Order, Retention, Survivors, Victim};
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

fn main() {
    for percent in [200, 150, 125] {
        for (name, skew) in SKEWS {
            let base = Config { freeze_percent: 89, leaves_a_change: 8, move_len: 44, low_permille: 0, together: 4, ..Config::host(percent) };
            let tail = |mib: usize| (mib << 20).min(base.device / 4);
            let name = format!("{percent} {name}");
            row(&format!("{name} worth 8"), base, skew);
            row(&format!("{name} worth 4"), Config { worth: 4, ..base }, skew);
            row(&format!("{name} worth 16"), Config { worth: 16, ..base }, skew);
            row(&format!("{name} cheapest"), Config { order: Order::Cheapest, ..base }, skew);
            row(&format!("{name} tail 32|d/4"), Config { tail_bytes: tail(32), ..base }, skew);
            row(&format!("{name} tail 64"), Config { tail_bytes: 64 << 20, ..base }, skew);
            row(&format!("{name} reserve 6"), Config { reserve: 6, ..base }, skew);
            row(&format!("{name} chain"), Config { survivors: Survivors::Chain, ..base }, skew);
            row(&format!("{name} chain tail 32|d/4"), Config { survivors: Survivors::Chain, tail_bytes: tail(32), ..base }, skew);
            row(&format!("{name} chain reserve 6"), Config { survivors: Survivors::Chain, reserve: 6, ..base }, skew);
        }
        for (name, survivors) in [("apart", Survivors::Apart), ("chain", Survivors::Chain)] {
            let base = Config { survivors, freeze_percent: 89, leaves_a_change: 8, move_len: 44, low_permille: 0, together: 4, ..Config::inline(percent) };
            row(&format!("{percent} inline {name}"), base, Skew::Uniform);
            row(&format!("{percent} inline {name} hot"), base, Skew::HotCold);
            row(&format!("{percent} inline {name} d/4"), Config { tail_bytes: base.device / 4, ..base }, Skew::Uniform);
            row(&format!("{percent} inline {name} d/8"), Config { tail_bytes: base.device / 8, ..base }, Skew::Uniform);
            let base = Config { survivors, freeze_percent: 89, leaves_a_change: 8, move_len: 44, low_permille: 0, batch: 1, block: 512, ..Config::host(percent) };
            for together in [1, 4] {
                row(&format!("{percent} single {name} {together}"), Config { together, ..base }, Skew::Uniform);
            }
        }
    }
}
