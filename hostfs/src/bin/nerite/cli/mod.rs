//! The arguments, and what `--help` says.

pub(crate) mod line;
pub(crate) mod lump;
mod values;
pub(crate) mod verbs;

use crate::color::Color;
use crate::failure::Failure;
use crate::size;
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use nerite::Uuid;
use std::path::PathBuf;
use values::Image;
use verbs::Verb;

const AFTER_HELP: &str = "\
Examples:
  nerite create disk.img                       a new image of 64 MiB
  nerite set disk.img /net/host gateway        give a key a value
  nerite set disk.img /tls/key --file key.pem  the same, from a file
  nerite ls -lR disk.img                       all that is in it
  nerite get disk.img /net/host                the value, and nothing else
  nerite stat disk.img                         how much room there is
  nerite rm disk.img /tls                      remove /tls and all below it
  nerite dump disk.img > backup                all keys and values, as text
  nerite load new.img < backup                 and back
  nerite check disk.img                        whether anything is damaged
  nerite salvage disk.img new.img              what can be read, in a new one
  nerite open disk.img                         many commands, one by one

Keys are paths of names, as /net/host. The leading / may be left out; / alone
is the root. A key that others lie below is a dictionary: it has no value of
its own. Control characters and bytes that are not UTF-8 are shown escaped, as
\\n or \\xff.

Exit status:
  0  done
  1  the key is not found
  2  wrong usage: the arguments make no sense, the key is a dictionary where a
     value is needed or the other way round, or the image holds data already
  3  the image is damaged, cut short, or holds no store; or a dump is damaged
  4  input or output failed: a missing image, no permission, a disk error
     (quietly, if standard output is a pipe that was closed)
  5  the image is in use by a running guest or another process
  6  no space: the store is full, the value is larger than it can take, or the
     image is too small for a store
A failure is one line on standard error.

An image may be open in one writer (a guest, create, resize, set, rm, rm-range,
mv, cp, touch, allocate, load, gc, open), or in any number of readers (the
others, and open --read-only): all others are refused at once. Readers write
nothing to it. When a writer ends with 0, what it did is on stable storage.";

/// Looks into Nerite stores on image files and block devices, and changes them.
#[derive(Debug, Parser)]
#[command(name = "nerite", version, after_help = AFTER_HELP, max_term_width = 80)]
// Without a command it is a usage error, one line as all others are.
#[command(disable_help_subcommand = true, arg_required_else_help = false)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Tell what is opened and closed; -vv each flush too, -vvv each request
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = EVERYWHERE)]
    pub(crate) verbose: u8,
    /// Use colours: auto, which is on terminals only, always, or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    #[arg(value_enum, hide_default_value = true, hide_possible_values = true)]
    #[arg(help_heading = EVERYWHERE)]
    pub(crate) color: Color,
}

const EVERYWHERE: &str = "Options of all commands";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an empty store in a new image, or in one that is blank
    Create(Create),
    /// Make an image longer, and its store with it
    Resize(Resize),
    /// Save what can be read of a damaged image into a new one
    Salvage(Salvage),
    #[command(flatten)]
    Verb(Verb),
    /// Open an image and work on it line by line, typed or piped
    Open(Open),
    /// Measure how fast this machine's disk takes and gives values
    Bench(Bench),
    /// Print what makes a shell complete commands and flags
    Completions {
        /// bash, zsh, fish, elvish or powershell
        #[arg(value_enum, hide_possible_values = true)]
        shell: Shell,
    },
    /// Write manual pages into a folder
    #[command(hide = true)]
    Man {
        /// The folder, which is made if it is missing
        folder: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// The image: a file, which is made if it is missing, or a block device
    #[arg(value_name = "IMG")]
    pub(crate) image: PathBuf,
    /// The size of a new file; binary units: K, M, G, T or KiB, MiB, GiB, TiB
    /// [default: 64M, or all of an image that is there already]
    #[arg(long, value_parser = size::parse, verbatim_doc_comment)]
    pub(crate) size: Option<u64>,
    /// Bytes in a block: a power of two from 512 to 64K
    /// [default: 4K, or what the device has where that is more]
    #[arg(long, value_name = "SIZE", value_parser = size::parse_block, verbatim_doc_comment)]
    pub(crate) block_size: Option<u32>,
    /// The store's name [default: a random one]
    #[arg(long, value_parser = Uuid::try_parse)]
    pub(crate) uuid: Option<Uuid>,
    /// Take an image that holds something already, and lose what it holds
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Resize {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The new size, with K, M, G or T if you like; never less than now
    /// [default: what the image has, as after a volume was extended]
    #[arg(value_parser = size::parse, verbatim_doc_comment)]
    pub(crate) size: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct Salvage {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The new image, which must not be there yet
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// The size of the new image, with K, M, G or T if you like
    /// [default: that of the damaged store]
    #[arg(long, value_parser = size::parse, verbatim_doc_comment)]
    pub(crate) size: Option<u64>,
    /// Lines of JSON in place of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Open {
    #[command(flatten)]
    pub(crate) image: Image,
    /// Change nothing, and let others read meanwhile
    #[arg(long)]
    pub(crate) read_only: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// A new file on the disk to be measured; it is removed in the end
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Values to write
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: u64,
    /// Bytes in each, with K or M if you like
    #[arg(long, default_value = "100", value_parser = size::parse)]
    pub(crate) size: u64,
    /// Threads that share the work
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u64).range(1..=256))]
    pub(crate) threads: u64,
    /// Which keys are read, and in which order: the same for the same number
    #[arg(long, default_value = "1")]
    pub(crate) seed: u64,
    /// A line of JSON for each measurement, in place of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// Draw how long calls took, into this file, in place of what it holds
    #[arg(long, value_name = "PICTURE")]
    pub(crate) svg: Option<PathBuf>,
}

/// Parses the arguments of this process. Prints help and the version, and ends the process, if they
/// are asked for.
///
/// # Errors
/// A usage error, in one line.
pub(crate) fn parse() -> Result<Cli, Failure> {
    match Cli::try_parse() {
        Ok(cli) => Ok(cli),
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            let printed = error.print();
            printed.map_err(|error| Failure::output("standard output", &error))?;
            std::process::exit(0)
        }
        Err(error) => Err(Failure::usage(in_one_line(&error, "nerite --help"))),
    }
}

/// All commands and flags there are.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

/// Without the usage that follows, and on one line: what is wrong, any tip, and where to see more.
fn in_one_line(error: &clap::Error, more: &str) -> String {
    let text = error.render().to_string();
    let parts: Vec<_> = text
        .trim_start_matches("error: ")
        .split("\n\n")
        .take_while(|part| !part.starts_with("Usage:") && !part.starts_with("For more"))
        .map(|part| part.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    format!("{} (see {more})", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(args: &[&str]) -> String {
        in_one_line(&Cli::try_parse_from(args).unwrap_err(), "nerite --help")
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_fits_80_columns() {
        for line in AFTER_HELP.lines() {
            assert!(line.len() < 80, "{line}");
        }
        let mut commands = vec![Cli::command()];
        for command in Cli::command().get_subcommands() {
            commands.push(command.clone());
            commands.extend(command.get_subcommands().cloned());
        }
        for mut command in commands {
            for line in command.render_long_help().to_string().lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }

    #[test]
    fn usage_errors_are_one_line_that_says_what_is_wrong() {
        let line = refused(&["nerite", "create", "a.img", "--size", "64MB"]);
        assert!(line.starts_with("invalid value '64MB' for '--size <SIZE>': expected"), "{line}");
        let line = refused(&["nerite", "set", "a.img"]);
        assert!(line.contains("<KEY>"), "{line}");
        let line = refused(&["nerite", "set", "a.img", "k", "v", "--file", "f"]);
        assert!(line.contains("cannot be used with"), "{line}");
        let line = refused(&["nerite", "craete", "a.img"]);
        assert!(line.contains("'create'"), "{line}");
        for args in [&["nerite"][..], &["nerite", "set", "a.img", "k", "-v"]] {
            let line = refused(args);
            assert!(!line.contains('\n') && line.ends_with("(see nerite --help)"), "{line}");
        }
    }

    #[test]
    fn values_may_be_negative_numbers_and_anything_after_two_dashes() {
        for args in [&["-5"][..], &["--", "-v"], &["--", "--file"], &["-"], &[""]] {
            let args = [&["nerite", "set", "a.img", "k"], args].concat();
            let command = Cli::try_parse_from(&args).unwrap().command;
            let Command::Verb(Verb::Set(set)) = command else { panic!() };
            assert_eq!(set.value.as_deref(), args.last().map(AsRef::as_ref));
        }
    }

    #[test]
    fn a_key_that_is_empty_or_too_long_is_refused() {
        assert!(refused(&["nerite", "rm", "a.img", ""]).contains("it is empty"));
        let long = "x".repeat(256);
        assert!(refused(&["nerite", "get", "a.img", &long]).contains("at most 255"));
        assert!(refused(&["nerite", "get", "a.img", &"x/".repeat(600)]).contains("at most 1024"));
    }
}
