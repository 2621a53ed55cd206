//! `completions` and `man`: what is made of the arguments.

use crate::cli;
use crate::failure::Failure;
use crate::out::Out;
use clap_complete::Shell;
use std::fs;
use std::path::Path;

/// Prints what makes a shell complete commands and flags.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut cli::definition(), "nerite", &mut text);
    let mut out = Out::stdout();
    out.bytes(&text)?;
    out.flush()
}

/// Writes a manual page for the tool, and one for each command, into a folder.
pub(crate) fn man(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(Failure::input(folder.display()))?;
    let written = clap_mangen::generate_to(cli::definition(), folder);
    written.map_err(|error| Failure::output(folder.display(), &error))
}
