//! Which function does what on an open store.

use super::{check, copy, data, dump, image, inspect, load, log, lump, map, scan};
use crate::cli::verbs::{self as cli, Verb};
use crate::failure::Failure;
use crate::open::Opened;
use crate::out::Out;
use nerite::Info;

/// Does what a verb says on an open store. What it reads besides is a file.
pub(super) fn on(at: &Opened<'_>, verb: &Verb, out: &mut Out) -> Result<(), Failure> {
    let info = || Ok(at.store.info());
    match verb {
        Verb::Set(args) => data::set(at, &args.at.key, &set_value(args, &info)?),
        Verb::Lump { command } => {
            lump::lump(at, command, lump::value(command, &info)?.as_deref(), out)
        }
        Verb::Get(args) => data::get(at, args, out),
        Verb::Exists(args) => data::exists(at, &args.key, out),
        Verb::Size(args) => data::size(at, &args.key, out),
        Verb::Digest(args) => data::digest(at, &args.key, out),
        Verb::Rm(args) => data::rm(at, args),
        Verb::RmRange(args) => data::rm_range(at, args, out),
        Verb::Mv(args) => copy::mv(at, args),
        Verb::Cp(args) => copy::cp(at, args),
        Verb::Touch(args) => data::touch(at, &args.key),
        Verb::Allocate(args) => data::allocate(at, args),
        Verb::Ls(args) => inspect::ls(at, args, out),
        Verb::Stat(args) => inspect::stat(at, args, out),
        Verb::Scan(args) => scan::scan(at, args, out),
        Verb::Dump(args) => dump::dump(at, args, out),
        Verb::Load(args) => load::load(at, &mut load::source(args)?, out),
        Verb::Info(_) => image::info(at, out),
        Verb::Check(args) => check::check(at, args, out),
        Verb::Log(args) => log::log(at, args, out),
        Verb::Map(args) => map::map(at, args, out),
        Verb::Gc(_) => image::gc(at, out),
    }
}

/// The value that `set` sets. `info` is that of the store.
pub(super) fn set_value(
    args: &cli::Set,
    info: &dyn Fn() -> Result<Info, Failure>,
) -> Result<Vec<u8>, Failure> {
    data::value(&args.at.image.image, args.file.as_deref(), args.value.as_deref(), info)
}
