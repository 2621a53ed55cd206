//! The arguments, and what `--help` says.

use crate::failure::{Code, Failure};
use crate::size;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use nerite::{Key, Uuid};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  nerite create disk.img                       a new image of 64 MiB
  nerite set disk.img /net/host gateway        give a key a value
  nerite set disk.img /tls/key --file key.pem  the same, from a file
  nerite ls -lR disk.img                       all that is in it
  nerite get disk.img /net/host                the value, and nothing else
  nerite stat disk.img                         how much room there is
  nerite rm disk.img /tls                      remove /tls and all below it

Keys are paths of names, as /net/host. The leading / may be left out; / alone
is the root. A key that others lie below is a dictionary: it has no value of
its own. Control characters and bytes that are not UTF-8 are shown escaped, as
\\n or \\xff.

Exit status:
  0  done
  1  the key is not found
  2  wrong usage: the arguments make no sense, the key is a dictionary where a
     value is needed or the other way round, or the image holds data already
  3  the image is damaged, cut short, or holds no store
  4  input or output failed: a missing image, no permission, a disk error
     (quietly, if standard output is a pipe that was closed)
  5  the image is in use by a running guest or another process
  6  no space: the store is full, the value is larger than it can take, or the
     image is too small for a store
A failure is one line on standard error.

An image may be open in one writer (a guest, create, set, rm), or in any
number of readers (get, ls, stat, info, verify): all others are refused at
once. Readers write nothing to it.";

/// Looks into Nerite stores on image files and block devices, and changes them.
#[derive(Debug, Parser)]
#[command(name = "nerite", version, after_help = AFTER_HELP, max_term_width = 80)]
// Without a command it is a usage error, one line as all others are.
#[command(disable_help_subcommand = true, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an empty store in a new image, or in one that is blank
    Create(Create),
    /// Give a key a value, in place of any that it has
    Set(Set),
    /// Print the bytes of a value, and nothing else
    Get(OneKey),
    /// List the entries of a dictionary; those that end in / are dictionaries
    Ls(Ls),
    /// Remove a value, or a dictionary with everything below it
    Rm(Rm),
    /// Show how full the store is, or what a key holds
    Stat(Stat),
    /// Show what the store is: version, name, sizes
    Info(Image),
    /// Read all that the store holds, and print what is wrong with it
    Verify(Image),
}

/// Of every command.
#[derive(Args, Debug)]
pub(crate) struct Image {
    /// The image: a file, or a block device
    #[arg(value_name = "IMG")]
    pub(crate) image: PathBuf,
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
pub(crate) struct OneKey {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The key
    #[arg(value_parser = key_parser())]
    pub(crate) key: Key,
}

#[derive(Args, Debug)]
pub(crate) struct Set {
    #[command(flatten)]
    pub(crate) at: OneKey,
    /// The value; - for standard input; put -- before one that begins with -
    #[arg(required_unless_present = "file", allow_negative_numbers = true)]
    pub(crate) value: Option<OsString>,
    /// Take the value from this file
    #[arg(long, conflicts_with = "value")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The dictionary
    #[arg(default_value = "/", value_parser = key_parser())]
    pub(crate) key: Key,
    /// With the size in bytes and the time of the last change
    #[arg(short)]
    pub(crate) long: bool,
    /// With all that is below
    #[arg(short = 'R')]
    pub(crate) recursive: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Rm {
    #[command(flatten)]
    pub(crate) at: OneKey,
    /// It is no failure if the key is not found
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Stat {
    #[command(flatten)]
    pub(crate) image: Image,
    /// A value or a dictionary [default: the whole store]
    #[arg(value_parser = key_parser())]
    pub(crate) key: Option<Key>,
}

/// Any bytes, and not only text: what the shell hands over is the key.
fn key_parser() -> impl TypedValueParser<Value = Key> {
    OsStringValueParser::new().try_map(|text| {
        if text.is_empty() {
            // In a script this is a variable that was not set, and `rm` of the root removes all.
            return Err("it is empty; the root is /".to_owned());
        }
        Key::new(text.as_bytes()).map_err(|error| error.to_string())
    })
}

/// Parses the arguments of this process. Prints help and the version, and ends the process, if they
/// are asked for.
///
/// # Errors
/// A usage error, in one line.
pub(crate) fn parse() -> Result<Command, Failure> {
    match Cli::try_parse() {
        Ok(cli) => Ok(cli.command),
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            error.print().map_err(|error| Failure::output(&error))?;
            std::process::exit(0)
        }
        Err(error) => Err(Failure::new(Code::Usage, in_one_line(&error))),
    }
}

/// Without the usage that follows, and on one line: what is wrong, and any tip.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let parts: Vec<_> = text
        .trim_start_matches("error: ")
        .split("\n\n")
        .take_while(|part| !part.starts_with("Usage:") && !part.starts_with("For more"))
        .map(|part| part.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    format!("{} (see nerite --help)", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn refused(args: &[&str]) -> String {
        in_one_line(&Cli::try_parse_from(args).unwrap_err())
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
        commands.extend(Cli::command().get_subcommands().cloned());
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
            let Command::Set(set) = Cli::try_parse_from(&args).unwrap().command else { panic!() };
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
