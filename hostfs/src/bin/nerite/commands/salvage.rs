//! `salvage`: from a damaged image into a new one.

use super::losses::loss as print_loss;
use crate::cli;
use crate::failure::{Code, Failure};
use crate::format::name_fields;
use crate::open::{open_store, seed};
use crate::out::Out;
use crate::progress::Progress;
use nerite::{
    Batch, CreateOptions, Error, Key, Lost, Name, Salvage, Salvaged, SalvagedValue, Store,
    Timestamp,
};
use nerite_hostfs::FileDevice;
use serde_json::json;
use std::fs;
use std::path::Path;

/// Values and bytes that one commit has, about.
const COMMIT_ROWS: usize = 1000;
const COMMIT_LEN: usize = 1 << 20;

/// Reads what still verifies, and puts it into a new image.
pub(crate) fn salvage(args: &cli::Salvage) -> Result<(), Failure> {
    let (from, to) = (&args.image.image, &args.new);
    let source = FileDevice::open_read_only(from).map_err(Failure::open(from))?;
    let salvage = Salvage::open(source).map_err(Failure::store(from))?;
    let size = args.size.unwrap_or(salvage.size());
    let target = FileDevice::create(to, size).map_err(Failure::open(to))?;
    let missing = into_new(args, salvage, target).inspect_err(|_| {
        // Half of what can be had is worth nothing: the damaged image still has it all.
        let _ = fs::remove_file(to);
    })?;
    if missing == 0 {
        return Ok(());
    }
    let message =
        format!("{}: not all of it can be read; what can is in {}", from.display(), to.display());
    Err(Failure::new(Code::Corrupt, message))
}

/// Tells how much is missing.
fn into_new(
    args: &cli::Salvage,
    mut salvage: Salvage<FileDevice>,
    target: FileDevice,
) -> Result<u64, Failure> {
    let (from, to) = (&args.image.image, &args.new);
    let options = CreateOptions::new(seed()?).block_size(salvage.block_size());
    Store::create(&target, options).map_err(Failure::store(to))?;
    let store = open_store(to, target, false)?;
    let mut out = Out::stdout();
    let mut saving = Saving { to, store: &store, held: Vec::new(), len: 0, left_out: Vec::new() };
    let (mut values, mut doubted, mut losses) = (0u64, 0u64, 0u64);
    let mut progress = Progress::new();
    while let Some(found) = salvage.next().map_err(Failure::store(from))? {
        match found {
            Salvaged::Loss(loss) => {
                losses += u64::from(loss.lost != Lost::Nothing);
                print_loss(&mut out, args.json, &loss)?;
            }
            Salvaged::Value(value) => {
                values += 1;
                if value.is_doubted {
                    doubted += 1;
                    told(&mut out, args.json, ("in doubt", "doubted"), &value.name)?;
                }
                saving.add(value)?;
            }
            _ => {}
        }
        progress.tell(|| format!("saved {values} values"));
    }
    saving.commit()?;
    for name in &saving.left_out {
        told(&mut out, args.json, ("left out, as a value is above it", "left_out"), name)?;
    }
    let left_out = saving.left_out.len() as u64;
    store.close().map_err(Failure::store(to))?;
    drop(progress);
    let saved = values - left_out;
    if args.json {
        out.line(json!({ "saved": saved, "in_doubt": doubted, "losses": losses }))?;
    } else {
        out.line(format_args!("saved:    {saved} values"))?;
        out.line(format_args!("in doubt: {doubted}"))?;
        out.line(format_args!("losses:   {losses}"))?;
    }
    out.flush()?;
    Ok(losses + left_out)
}

fn told(out: &mut Out, json: bool, what: (&str, &str), name: &Name) -> Result<(), Failure> {
    if !json {
        return out.line(format_args!("{name}: {}", what.0));
    }
    let mut fields = json!({});
    name_fields(name, &mut fields);
    out.line(json!({ what.1: fields }))
}

/// The writing of what was read.
struct Saving<'a> {
    to: &'a Path,
    store: &'a Store<FileDevice>,
    /// Of the next commit.
    held: Vec<(Key, Vec<u8>, Timestamp)>,
    len: usize,
    /// What the contract does not let lie beside the rest.
    left_out: Vec<Name>,
}

impl Saving<'_> {
    fn add(&mut self, value: SalvagedValue) -> Result<(), Failure> {
        let SalvagedValue { name, bytes, last_modified, .. } = value;
        match name {
            Name::Key(key) => {
                self.len += bytes.len();
                self.held.push((key, bytes, last_modified));
                let is_full = self.held.len() >= COMMIT_ROWS || self.len >= COMMIT_LEN;
                if is_full { self.commit() } else { Ok(()) }
            }
            Name::Lump(id) => {
                let lumps = self.store.lumps();
                let put = match last_modified {
                    Timestamp(0) => lumps.put(id, &bytes),
                    time => lumps.put_modified(id, &bytes, time),
                };
                put.map(drop).map_err(Failure::store(self.to))
            }
        }
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let held = std::mem::take(&mut self.held);
        self.len = 0;
        match self.write(&held) {
            Ok(()) => Ok(()),
            // Not all can lie beside each other, or fit one commit: one by one, then.
            Err(_) => held.iter().try_for_each(|row| self.one(row)),
        }
    }

    /// Of any length.
    fn one(&mut self, (key, value, time): &(Key, Vec<u8>, Timestamp)) -> Result<(), Failure> {
        let mut writer = self.store.write_to(key);
        if *time != Timestamp(0) {
            writer.set_modified(*time);
        }
        match writer.write(value).and_then(|()| writer.commit()) {
            Err(Error::DictionaryExpected(_) | Error::ValueExpected(_)) => {
                self.left_out.push(Name::Key(key.clone()));
                Ok(())
            }
            told => told.map_err(Failure::store(self.to)),
        }
    }

    fn write(&self, rows: &[(Key, Vec<u8>, Timestamp)]) -> Result<(), Error> {
        let mut batch = Batch::new();
        for (key, value, time) in rows {
            // Where the time is not known, it is now.
            match time {
                Timestamp(0) => batch.set(key, value),
                time => batch.set_modified(key, value, *time),
            }
        }
        self.store.write(&batch)
    }
}
