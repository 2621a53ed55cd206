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

const POLICIES: [(&str, Variant); 20] = [
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
    ("worth: 4 for 1", |it| Config { worth: 4, ..it }),
    ("worth: 16 for 1", |it| Config { worth: 16, ..it }),
    ("worth: whatever it costs", |it| Config { worth: 1 << 32, ..it }),
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
    PERCENTS.iter().for_each(|percent| {
        SKEWS.iter().for_each(|(name, _)| print!(" {} × {name} |", *percent as f64 / 100.0));
    });
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

/// How full a small device can be, at most, and what that costs: single sets of 400 bytes.
pub(crate) fn small() {
    println!(
        "| device | block | segments | reserve | most live | then written × | at half of it × |"
    );
    println!("|{}", " ---: |".repeat(7));
    for (device, block) in [(64, 4096), (64, 512), (1024, 4096), (1024, 512), (16384, 4096)] {
        for reserve in [2, 3, 4, 5, 6, 8] {
            full(device << 10, block, reserve);
        }
    }
}

fn full(device: usize, block: usize, reserve: usize) {
    let at = |percent| Config { reserve, ..Config::small(device, block, device * percent / 100) };
    let run = |percent| refill(at(percent), 5, 3).ok();
    let written = |percent| {
        run(percent).map_or("stuck".into(), |it| {
            format!("{:.1}", (it.log + it.upkeep()) as f64 / it.user as f64)
        })
    };
    let most = (5..95).rev().find(|percent| at(*percent).keys > 0 && run(*percent).is_some());
    let count = at(50).segments();
    print!("| {} KiB | {block} | {count} | {reserve} |", device >> 10);
    match most {
        Some(most) => {
            println!(" {most} % | {} | {} |", written(most), written(most / 2));
        }
        None => println!(" none | | |"),
    }
}
