//! What the commands do.

mod bench;
mod check;
mod complete;
mod copy;
mod data;
mod dump;
mod image;
mod inspect;
mod load;
mod log;
mod losses;
mod lump;
mod manual;
mod map;
mod plot;
mod salvage;
mod scan;
mod session;
mod verb;

use crate::cli::Command;
use crate::cli::verbs::Verb;
use crate::failure::Failure;
use crate::open::{Opened, open_to_read, open_to_write};
use crate::out::Out;

/// Does what the command says.
///
/// # Errors
/// The one line to print, and the exit code.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(args) => image::create(&args),
        Command::Resize(args) => image::resize(&args),
        Command::Salvage(args) => salvage::salvage(&args),
        Command::Open(args) => session::open(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { folder } => manual::man(&folder),
        Command::Verb(command) => alone(&command),
    }
}

/// Opens the image for one command.
fn alone(command: &Verb) -> Result<(), Failure> {
    let image = command.image();
    let mut out = Out::stdout();
    let info = || Ok(open_to_read(image)?.info());
    let done = match command {
        // What these read is read to its end before the image is taken: it may come from a reader
        // of the same image.
        Verb::Set(args) => {
            let value = verb::set_value(args, &info)?;
            open_to_write(image, |store| data::set(&Opened { image, store }, &args.at.key, &value))
        }
        Verb::Lump { command: lump } if command.writes() => {
            let value = lump::value(lump, &info)?;
            open_to_write(image, |store| {
                lump::lump(&Opened { image, store }, lump, value.as_deref(), &mut out)
            })
        }
        Verb::Load(args) => {
            // Nobody should have to type a dump to learn that there is no image.
            drop(open_to_read(image)?);
            let mut dump = load::source(args)?;
            open_to_write(image, |store| load::load(&Opened { image, store }, &mut dump, &mut out))
        }
        // Of a store that can't be opened one wants to see most what these show.
        Verb::Log(args) => log::of_image(args, &mut out),
        Verb::Check(args) => check::of_image(args, &mut out),
        _ if command.writes() => {
            open_to_write(image, |store| verb::on(&Opened { image, store }, command, &mut out))
        }
        _ => verb::on(&Opened { image, store: &open_to_read(image)? }, command, &mut out),
    };
    // What was printed before a failure is shown as well.
    let flushed = out.flush();
    done.and(flushed)
}
