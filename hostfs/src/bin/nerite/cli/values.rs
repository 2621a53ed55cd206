//! Arguments that many commands have, and how they are read.

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use nerite::Key;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Of every command.
#[derive(Args, Debug)]
pub(crate) struct Image {
    /// The image: a file, or a block device
    #[arg(value_name = "IMG")]
    pub(crate) image: PathBuf,
}

/// Any bytes, and not only text: what the shell hands over is the key.
pub(super) fn key_parser() -> impl TypedValueParser<Value = Key> {
    OsStringValueParser::new().try_map(|text| {
        if text.is_empty() {
            // In a script this is a variable that was not set, and `rm` of the root removes all.
            return Err("it is empty; the root is /".to_owned());
        }
        Key::new(text.as_bytes()).map_err(|error| error.to_string())
    })
}
