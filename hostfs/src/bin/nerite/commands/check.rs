//! `check`: reads all, and tells what is damaged.

use super::losses;
use crate::cli::verbs as cli;
use crate::failure::{Code, Failure};
use crate::open::{Opened, open_store};
use crate::out::Out;
use nerite::{BlockDevice, Corruption, Salvage, Salvaged};
use nerite_hostfs::FileDevice;

/// Checks an image that may be damaged so much that it can't be opened.
pub(crate) fn of_image(args: &cli::Check, out: &mut Out) -> Result<(), Failure> {
    let image = &args.image.image;
    let device = FileDevice::open_read_only(image).map_err(Failure::open(image))?;
    match open_store(image, &device, true) {
        Ok(store) => {
            let findings = store.verify().map_err(Failure::store(image))?;
            tell(image, args, || Salvage::open(&device), &findings, out)
        }
        Err(failure) => {
            // Without a superblock the failure says all.
            let Ok(salvage) = Salvage::open(&device) else { return Err(failure) };
            each_loss(image, salvage, |loss| losses::loss(out, args.json, loss))?;
            Err(failure)
        }
    }
}

/// Checks a store that is open.
pub(crate) fn check(at: &Opened<'_>, args: &cli::Check, out: &mut Out) -> Result<(), Failure> {
    let findings = at.store.verify().map_err(|error| at.failed(error))?;
    tell(at.image, args, || at.store.salvage(), &findings, out)
}

/// Prints the findings, and if there are any, which keys are lost by them.
fn tell<D: BlockDevice>(
    image: &std::path::Path,
    args: &cli::Check,
    salvage: impl FnOnce() -> Result<Salvage<D>, nerite::Error>,
    findings: &[Corruption],
    out: &mut Out,
) -> Result<(), Failure> {
    if findings.is_empty() {
        return Ok(());
    }
    let mut known = Vec::new();
    let salvage = salvage().map_err(Failure::store(image))?;
    each_loss(image, salvage, |loss| {
        known.push((loss.corruption.part, loss.corruption.at));
        losses::loss(out, args.json, loss)
    })?;
    let mut count = known.len();
    for finding in findings.iter().filter(|finding| !known.contains(&(finding.part, finding.at))) {
        losses::finding(out, args.json, finding)?;
        count += 1;
    }
    let message = format!("{}: damaged in {count} place(s)", image.display());
    Err(Failure::new(Code::Corrupt, message))
}

fn each_loss<D: BlockDevice>(
    image: &std::path::Path,
    mut salvage: Salvage<D>,
    mut each: impl FnMut(&nerite::Loss) -> Result<(), Failure>,
) -> Result<(), Failure> {
    while let Some(found) = salvage.next().map_err(Failure::store(image))? {
        if let Salvaged::Loss(loss) = found {
            each(&loss)?;
        }
    }
    Ok(())
}
