//! What the commands do.

mod data;
mod image;
mod inspect;

use crate::cli::Command;
use crate::failure::Failure;

/// Does what the command says.
///
/// # Errors
/// The one line to print, and the exit code.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(args) => image::create(&args),
        Command::Info(args) => image::info(&args),
        Command::Set(args) => data::set(&args),
        Command::Get(args) => data::get(&args),
        Command::Rm(args) => data::rm(&args),
        Command::Ls(args) => inspect::ls(&args),
        Command::Stat(args) => inspect::stat(&args),
        Command::Verify(args) => inspect::verify(&args),
    }
}
