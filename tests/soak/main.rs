//! The soak: a store on a small device lives through random operations, losses of power and full
//! devices, and is compared with a model all the while. What it prints of a failure runs it again.

#![forbid(unsafe_code)]

mod device;

use clap::Parser;
use device::Run;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Lets stores live on small devices, and compares them with a model.
#[derive(Parser)]
struct Args {
    /// Seconds to go on for.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The first run; the others count up.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs, if time allows.
    #[arg(long, default_value_t = u64::MAX)]
    runs: u64,
    /// Operations of a run.
    #[arg(long, default_value_t = 4000)]
    operations: u64,
    /// Bytes of the device; drawn if there is none.
    #[arg(long)]
    size: Option<u64>,
    /// Bytes of a block; drawn if there is none.
    #[arg(long)]
    block: Option<u32>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let (mut runs, mut operations) = (0u64, 0u64);
    while runs < args.runs && Instant::now() < end {
        let seed = args.seed.wrapping_add(runs);
        let mut run = Run::new(seed, args.size, args.block);
        for _ in 0..args.operations {
            if let Err(wrong) = run.step() {
                println!("{wrong}\n{}\nsoak --seed {seed} --runs 1 {}", run.describe(), run.args());
                return ExitCode::FAILURE;
            }
            if Instant::now() >= end {
                break;
            }
        }
        if let Err(wrong) = run.judge() {
            println!("{wrong}\n{}\nsoak --seed {seed} --runs 1 {}", run.describe(), run.args());
            return ExitCode::FAILURE;
        }
        operations += run.operations;
        runs += 1;
    }
    println!("runs={runs} operations={operations}");
    ExitCode::SUCCESS
}
