//! `nerite`: looks into the stores on image files and block devices, and changes them.
//!
//! Data go to standard output and nothing else does; a failure is one line on standard error.

#![forbid(unsafe_code)]

// From the bottom up; a module imports only what stands before it.
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
    match cli::parse().and_then(commands::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
