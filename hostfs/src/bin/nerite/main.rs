//! `nerite`: looks into the stores on image files and block devices, and changes them.
//!
//! Data go to standard output and nothing else does; a failure is one line on standard error.

#![forbid(unsafe_code)]

// From the bottom up; a module imports only what stands before it.
mod color;

mod verbose;

mod failure;

mod size;

mod number;

mod time;

mod cli;

mod open;

mod out;

mod format;

mod progress;

mod words;

mod commands;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse().and_then(start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn start(arguments: cli::Cli) -> Result<(), failure::Failure> {
    color::choose(arguments.color);
    verbose::set(arguments.verbose);
    commands::run(arguments.command)
}
