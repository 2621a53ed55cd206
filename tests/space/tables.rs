//! The tables, as Markdown.

use crate::churn::{Outcome, churn, refill};
use crate::config::{Config, Retention, Survivors, Victim};
use crate::load::Skew;

const SKEWS: [(&str, Skew); 3] =
    [("uniform", Skew::Uniform), ("zipf", Skew::Zipf), ("hot/cold", Skew::HotCold)];
const PERCENTS: [usize; 3] = [200, 150, 125];
const KEYS: usize = 100_000;

/// A change of the policy.
type Variant = fn(Config) -> Config;

const POLICIES: [(&str, Variant); 17] = [
    ("**as chosen**", |it| it),
    ("survivors apart, moves of 44 bytes", |it| Config { survivors: Survivors::Apart, ..it }),
    ("survivors apart, moves of 78 bytes", |it| Config {
        survivors: Survivors::Apart,
        move_len: 78,
        ..it
    }),
    ("victims by cost-benefit", |it| Config { victim: Victim::CostBenefit, ..it }),
    ("survivors fill 1 segment", |it| Config { together: 1, ..it }),
    ("survivors fill 2 segments", |it| Config { together: 2, ..it }),
    ("clean below 6 % free", |it| Config { low_permille: 60, ..it }),
    ("clean below 10 % free", |it| Config { low_permille: 100, ..it }),
    ("freeze at 1/2 of the tail", |it| Config { freeze_percent: 50, leaves_a_change: 2, ..it }),
    ("tail 32 MiB, at most device/4", |it| Config {
        tail_bytes: (32 << 20).min(it.device / 4),
        ..it
    }),
    ("tail device/8", |it| Config { tail_bytes: it.device / 8, ..it }),
    ("tail device/16", |it| Config { tail_bytes: it.device / 16, ..it }),
    ("steps of 64 leaves", |it| Config { step_leaves: 64, ..it }),
    ("free at the flip itself", |it| Config { retention: Retention::NewestSlot, ..it }),
    ("reserve 8", |it| Config { reserve: 8, ..it }),
    ("reserve 6", |it| Config { reserve: 6, ..it }),
    ("reserve 4", |it| Config { reserve: 4, ..it }),
];

fn total(outcome: Option<Outcome>) -> String {
    let Some(Outcome { written, .. }) = outcome else { return "stuck".into() };
    format!("{:.2}", (written.log + written.upkeep()) as f64 / written.user as f64)
}

/// Bytes written for one of the user's, under each policy.
pub(crate) fn policies() {
    print!("| policy |");
    for percent in PERCENTS {
        for (name, _) in SKEWS {
            print!(" {} × {name} |", percent as f64 / 100.0);
        }
    }
    println!("\n| --- |{}", " ---: |".repeat(9));
    for (name, variant) in POLICIES {
        print!("| {name} |");
        for percent in PERCENTS {
            for (_, skew) in SKEWS {
                print!(" {} |", total(churn(variant(Config::host(KEYS, percent)), skew, 10)));
            }
        }
        println!();
    }
    println!();
}

/// What the chosen policy writes, and what it asks of a call.
pub(crate) fn costs() {
    println!("| load | live × | total | log | moved | nodes | slots | flushes/MiB | most |");
    println!("| --- |{}", " ---: |".repeat(8));
    for percent in PERCENTS {
        for (name, skew) in SKEWS {
            cost(name, Config::host(KEYS, percent), skew, percent);
        }
        let single = Config { batch: 1, block: 512, ..Config::host(KEYS, percent) };
        cost("uniform, single sets, blocks of 512", single, Skew::Uniform, percent);
    }
    for percent in [250, 200, 175, 150, 125] {
        for (name, skew) in [SKEWS[0], SKEWS[2]] {
            let inline = Config::inline(KEYS, percent);
            cost(&format!("{name}, 100 bytes in leaves"), inline, skew, percent);
        }
    }
    println!();
}

fn cost(name: &str, config: Config, skew: Skew, percent: usize) {
    print!("| {name} | {} |", percent as f64 / 100.0);
    let Some(Outcome { written, most }) = churn(config, skew, 10) else {
        println!(" stuck | | | | | | |");
        return;
    };
    let all = written.log + written.upkeep();
    for bytes in [all, written.log, written.moved + written.moves, written.nodes, written.slots] {
        print!(" {:.2} |", bytes as f64 / written.user as f64);
    }
    let mib = f64::from(1 << 20);
    println!(
        " {:.1} | {:.1} MiB |",
        written.flushes as f64 / (written.user as f64 / mib),
        most as f64 / mib
    );
}

/// What small devices hold by the rule of admission, and at most: single sets of 400 bytes, filled,
/// overwritten and emptied again and again.
pub(crate) fn small() {
    println!(
        "| device | block | segments | reserve | admitted | × | 3/4 of it × | 1/2 of it × | most |"
    );
    println!("|{}", " ---: |".repeat(9));
    for kib in [64, 128, 256, 512, 1024, 16384] {
        for block in [512, 4096] {
            device(kib << 10, block);
        }
    }
}

fn device(device: usize, block: usize) {
    let at = |keys| Config::small(device, block, keys);
    let run = |keys| refill(at(keys), 10, 3).ok();
    let written = |keys| {
        run(keys).map_or("stuck".into(), |it| {
            format!("{:.1}", (it.log + it.upkeep()) as f64 / it.user as f64)
        })
    };
    let admitted = admitted(device, block);
    let live = |keys| 100 * at(keys).live() / device;
    let config = at(admitted);
    let most =
        (0..).map(|part| admitted + admitted * part / 40).take_while(|keys| run(*keys).is_some());
    println!(
        "| {} KiB | {block} | {} | {} | {admitted} keys, {} % | {} | {} | {} | {} % |",
        device >> 10,
        config.segments(),
        config.reserve,
        live(admitted),
        written(admitted),
        written(admitted * 3 / 4),
        written(admitted / 2),
        most.last().map_or(0, live),
    );
}

/// How many keys the rule of admission lets in.
pub(crate) fn admitted(device: usize, block: usize) -> usize {
    let mut keys = 0;
    while Config::small(device, block, keys + 1).admits() {
        keys += 1;
    }
    keys
}
