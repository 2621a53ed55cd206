//! The commands that work on an open store: on the command line, which opens it for each, and in a
//! session, which keeps it open.

use super::lump::Lump;
use super::values::{Image, key_parser};
use crate::{size, time};
use clap::{Args, Subcommand};
use nerite::{Key, Timestamp};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What to do with a store.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Give a key a value, in place of any that it has
    #[command(visible_alias = "put")]
    Set(Set),
    /// Print the bytes of a value, and nothing else
    Get(Get),
    /// Tell what a key is: value, dictionary, or nothing (exit status 1)
    Exists(OneKey),
    /// List the entries of a dictionary; those that end in / are dictionaries
    Ls(Ls),
    /// Print all values of a range of keys, a line for each
    Scan(Scan),
    /// Print how many bytes a value has, or all those in a dictionary
    Size(OneKey),
    /// Print the SHA-256 of a value, or of all that is in a dictionary
    Digest(OneKey),
    /// Remove a value, or a dictionary with everything below it
    Rm(Rm),
    /// Remove all values of a range of keys, all at once
    RmRange(RmRange),
    /// Move a value, or a dictionary with everything below it, all at once
    Mv(TwoKeys),
    /// Copy a value, or with -R a dictionary, all at once
    Cp(Cp),
    /// Make an empty value, or give the one that is there the time of now
    Touch(OneKey),
    /// Make a value of zeros where there is none
    Allocate(Allocate),
    /// Put, get, list and remove lumps: values under numbers, beside the keys
    // Without one of them it is a usage error, as it is for the tool itself.
    #[command(arg_required_else_help = false)]
    Lump {
        #[command(subcommand)]
        command: Lump,
    },
    /// Write all keys and values as text that `load` reads back
    Dump(Dump),
    /// Set all keys of a dump; damaged ones are refused whole
    Load(Load),
    /// Show how full the store is, or what a key holds
    Stat(Stat),
    /// Show what the store is: version, name, sizes
    #[command(visible_alias = "header")]
    Info(Image),
    /// Read all that the store holds, and print what is damaged and lost
    #[command(visible_alias = "verify")]
    Check(Check),
    /// Show the log: frames and operations, from the tail or in a segment
    #[command(visible_alias = "journal")]
    Log(Log),
    /// Draw a map of the segments: what they are used for, what is live
    Map(Map),
    /// Free all the room that can be freed, now
    Gc(Image),
}

impl Verb {
    /// The image that it names.
    pub(crate) fn image(&self) -> &Path {
        let image = match self {
            Self::Set(args) => &args.at.image,
            Self::Get(args) => &args.at.image,
            Self::Exists(at) | Self::Size(at) | Self::Digest(at) | Self::Touch(at) => &at.image,
            Self::Ls(args) => &args.image,
            Self::Scan(args) => &args.image,
            Self::Rm(args) => &args.at.image,
            Self::RmRange(args) => &args.image,
            Self::Mv(args) => &args.image,
            Self::Cp(args) => &args.keys.image,
            Self::Allocate(args) => &args.at.image,
            Self::Lump { command } => command.image(),
            Self::Dump(args) => &args.image,
            Self::Load(args) => &args.image,
            Self::Stat(args) => &args.image,
            Self::Log(args) => &args.image,
            Self::Map(args) => &args.image,
            Self::Check(args) => &args.image,
            Self::Info(image) | Self::Gc(image) => image,
        };
        &image.image
    }

    /// Whether it changes the store.
    pub(crate) fn writes(&self) -> bool {
        match self {
            Self::Lump { command } => command.writes(),
            Self::Set(_)
            | Self::Rm(_)
            | Self::RmRange(_)
            | Self::Mv(_)
            | Self::Cp(_)
            | Self::Touch(_)
            | Self::Allocate(_)
            | Self::Load(_)
            | Self::Gc(_) => true,
            Self::Get(_)
            | Self::Exists(_)
            | Self::Ls(_)
            | Self::Scan(_)
            | Self::Size(_)
            | Self::Digest(_)
            | Self::Dump(_)
            | Self::Stat(_)
            | Self::Info(_)
            | Self::Log(_)
            | Self::Map(_)
            | Self::Check(_) => false,
        }
    }
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
pub(crate) struct TwoKeys {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The key as it is
    #[arg(value_parser = key_parser())]
    pub(crate) source: Key,
    /// The key as it shall be; if it is a dictionary, it is gone into
    #[arg(value_parser = key_parser())]
    pub(crate) dest: Key,
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
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) at: OneKey,
    /// From this byte on; with K, M, G or T if you like
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = size::parse)]
    pub(crate) offset: u64,
    /// At most so many bytes
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    pub(crate) length: Option<u64>,
    /// In hexadecimal, sixteen to a line, with what is text beside it
    #[arg(long)]
    pub(crate) hex: bool,
    /// Into this file, in place of what it holds
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The dictionary
    #[arg(default_value = "/", value_parser = key_parser())]
    pub(crate) key: Key,
    /// With the size in bytes and the time of the last change
    #[arg(short, long)]
    pub(crate) long: bool,
    /// With the time of the last change, to the nanosecond
    #[arg(short, long)]
    pub(crate) timestamp: bool,
    /// With all that is below
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Scan {
    #[command(flatten)]
    pub(crate) image: Image,
    /// From this key on [default: the first one]
    #[arg(long, value_name = "KEY", value_parser = key_parser())]
    pub(crate) from: Option<Key>,
    /// Up to this key, without it [default: behind the last one]
    #[arg(long, value_name = "KEY", value_parser = key_parser())]
    pub(crate) to: Option<Key>,
    /// At most so many
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
    /// Without the values
    #[arg(long)]
    pub(crate) keys_only: bool,
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
pub(crate) struct RmRange {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The first key, which need not have a value
    #[arg(value_parser = key_parser())]
    pub(crate) from: Key,
    /// The key behind the last one
    #[arg(value_parser = key_parser())]
    pub(crate) to: Key,
}

#[derive(Args, Debug)]
pub(crate) struct Cp {
    #[command(flatten)]
    pub(crate) keys: TwoKeys,
    /// A dictionary with everything below it, as far as it fits one commit
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Allocate {
    #[command(flatten)]
    pub(crate) at: OneKey,
    /// Bytes, with K, M, G or T if you like
    #[arg(value_parser = size::parse)]
    pub(crate) size: u64,
    /// Its time, as 2026-01-02T03:04:05Z [default: now]
    #[arg(long, value_parser = time::parse)]
    pub(crate) time: Option<Timestamp>,
}

#[derive(Args, Debug)]
pub(crate) struct Dump {
    #[command(flatten)]
    pub(crate) image: Image,
    /// Into this file, in place of what it holds [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Load {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The dump [default: standard input]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Stat {
    #[command(flatten)]
    pub(crate) image: Image,
    /// A value or a dictionary [default: the whole store]
    #[arg(value_parser = key_parser())]
    pub(crate) key: Option<Key>,
}

#[derive(Args, Debug)]
pub(crate) struct Log {
    #[command(flatten)]
    pub(crate) image: Image,
    /// From this operation on
    #[arg(long, value_name = "NUMBER", default_value = "0", hide_default_value = true)]
    pub(crate) from: u64,
    /// All that is found in this segment, in use or not, in place of the tail
    #[arg(long, value_name = "NUMBER")]
    pub(crate) segment: Option<u32>,
    /// A line of JSON for each
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Map {
    #[command(flatten)]
    pub(crate) image: Image,
    /// As a picture, into this file, in place of what it holds
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub(crate) svg: Option<PathBuf>,
    /// A line of JSON for each segment
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) image: Image,
    /// A line of JSON for each damaged place
    #[arg(long)]
    pub(crate) json: bool,
}
