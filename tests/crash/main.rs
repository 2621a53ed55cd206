//! `crash`: looks for crashes that a store does not survive.
//!
//! It explores workload after workload, prints how many distinct states it has seen, and ends with 1
//! at the first broken promise, told as a line that it takes as input. In a build with
//! `--cfg planted` it can plant a bug first, or show that each one is found.

#![forbid(unsafe_code)]

mod args;
#[cfg(planted)]
mod gate;
mod search;

use args::Args;
use clap::Parser;
use nerite_tests::crash::{Script, replay, shrink, tell_panics_as_failures};
use search::search;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    tell_panics_as_failures();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(told) => {
            eprintln!("crash: {told}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    plant(args)?;
    if let Some(script) = &args.script {
        return again(script);
    }
    if args.gate {
        return gate(args);
    }
    let outcome = search(args.seed, args.until(), args.bounds());
    let stats = outcome.stats;
    if let Some(found) = outcome.found {
        let script = shrink(&found.script);
        let failure = replay(&script).err().unwrap_or(found.failure);
        return Err(format!("{failure}\nafter {stats}; run it again with\n  crash '{script}'"));
    }
    println!("{stats}");
    eprintln!("{}", outcome.pace());
    if stats.states < args.least_states || stats.depth2 < args.least_depth2 {
        let Args { least_states, least_depth2, .. } = args;
        return Err(format!("states={least_states} depth2={least_depth2} were asked for"));
    }
    Ok(())
}

/// Runs one script.
fn again(script: &str) -> Result<(), String> {
    let script: Script = script.parse().map_err(|error| format!("{error}"))?;
    replay(&script).map_err(|failure| failure.to_string())?;
    println!("nothing is broken by {script}");
    Ok(())
}

#[cfg(planted)]
fn plant(args: &Args) -> Result<(), String> {
    args.planted.as_deref().map_or(Ok(()), gate::plant)
}

#[cfg(planted)]
fn gate(args: &Args) -> Result<(), String> {
    gate::gate(args.seed, args.until(), args.bounds())
}

#[cfg(not(planted))]
fn plant(args: &Args) -> Result<(), String> {
    match args.planted {
        Some(_) => Err(NOT_PLANTED.to_owned()),
        None => Ok(()),
    }
}

#[cfg(not(planted))]
fn gate(_: &Args) -> Result<(), String> {
    Err(NOT_PLANTED.to_owned())
}

#[cfg(not(planted))]
const NOT_PLANTED: &str = "bugs can be planted only in a build with RUSTFLAGS='--cfg planted'";
