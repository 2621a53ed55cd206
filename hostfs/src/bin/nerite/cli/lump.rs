//! `lump`: values under numbers.

use super::values::Image;
use crate::number;
use clap::{Args, Subcommand};
use nerite::LumpId;
use std::ffi::OsString;
use std::path::PathBuf;

/// What to do with lumps.
#[derive(Debug, Subcommand)]
pub(crate) enum Lump {
    /// Give a lump a value; tells whether it is new
    Put(PutLump),
    /// The same, of no more than 65,535 bytes
    Embed(PutLump),
    /// Print the bytes of a lump, and nothing else
    Get(OneLump),
    /// Print the bytes of a lump in hexadecimal
    GetBytes(OneLump),
    /// Print the size of a lump, and the time of its last change
    Head(OneLump),
    /// Remove a lump
    Delete(OneLump),
    /// Remove all lumps of a range; tells whether there were any
    DeleteRange(Range),
    /// List the numbers of all lumps, or of a range
    List(Lumps),
    /// Print how many bytes the lumps take on the device
    Usage(Lumps),
}

impl Lump {
    /// The image that it names.
    pub(super) fn image(&self) -> &Image {
        match self {
            Self::Put(args) | Self::Embed(args) => &args.at.image,
            Self::Get(at) | Self::GetBytes(at) | Self::Head(at) | Self::Delete(at) => &at.image,
            Self::DeleteRange(args) => &args.image,
            Self::List(args) | Self::Usage(args) => &args.image,
        }
    }

    /// Whether it changes the store.
    pub(super) fn writes(&self) -> bool {
        match self {
            Self::Put(_) | Self::Embed(_) | Self::Delete(_) | Self::DeleteRange(_) => true,
            Self::Get(_) | Self::GetBytes(_) | Self::Head(_) | Self::List(_) | Self::Usage(_) => {
                false
            }
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct OneLump {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The number, decimal or as 0x2a
    #[arg(value_parser = number::parse)]
    pub(crate) id: LumpId,
}

#[derive(Args, Debug)]
pub(crate) struct PutLump {
    #[command(flatten)]
    pub(crate) at: OneLump,
    /// The value; - for standard input; put -- before one that begins with -
    #[arg(required_unless_present = "file", allow_negative_numbers = true)]
    pub(crate) value: Option<OsString>,
    /// Take the value from this file
    #[arg(long, conflicts_with = "value")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Range {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The first number, decimal or as 0x2a
    #[arg(value_parser = number::parse)]
    pub(crate) from: LumpId,
    /// The number behind the last one; or last: to the end and with it
    #[arg(value_parser = parse_end)]
    pub(crate) to: End,
}

#[derive(Args, Debug)]
pub(crate) struct Lumps {
    #[command(flatten)]
    pub(crate) image: Image,
    /// The first number, decimal or as 0x2a
    #[arg(default_value = "0", value_parser = number::parse)]
    pub(crate) from: LumpId,
    /// The number behind the last one; or last: to the end and with it
    #[arg(default_value = "last", value_parser = parse_end)]
    pub(crate) to: End,
}

/// Where a range of lumps ends. No number stands behind the last one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Before(LumpId),
    Last,
}

fn parse_end(text: &str) -> Result<End, String> {
    if text == "last" { Ok(End::Last) } else { number::parse(text).map(End::Before) }
}
