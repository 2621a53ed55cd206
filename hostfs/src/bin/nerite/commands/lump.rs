//! `lump`: values under numbers.

use super::data;
use crate::cli::lump::{self as cli, End, Lump};
use crate::failure::{Code, Failure};
use crate::open::Opened;
use crate::out::Out;
use crate::time;
use nerite::{Info, LumpHead, LumpId};
use std::ops::Bound;

/// Numbers fetched at once, so that memory does not grow with the store.
const PAGE_LEN: usize = 1024;

type Range = (Bound<LumpId>, Bound<LumpId>);

/// The value that the command gives a lump, if it does so. `info` is that of the store.
pub(super) fn value(
    command: &Lump,
    info: &dyn Fn() -> Result<Info, Failure>,
) -> Result<Option<Vec<u8>>, Failure> {
    match command {
        Lump::Put(args) | Lump::Embed(args) => {
            let image = &args.at.image.image;
            data::value(image, args.file.as_deref(), args.value.as_deref(), info).map(Some)
        }
        _ => Ok(None),
    }
}

/// Does what the command says, with the value that it has.
pub(super) fn lump(
    at: &Opened<'_>,
    command: &Lump,
    value: Option<&[u8]>,
    out: &mut Out,
) -> Result<(), Failure> {
    let failed = |error| at.failed(error);
    let lumps = at.store.lumps();
    let value = value.unwrap_or_default();
    match command {
        Lump::Put(args) => told(out, lumps.put(args.at.id, value).map_err(failed)?),
        Lump::Embed(args) => told(out, lumps.embed(args.at.id, value).map_err(failed)?),
        Lump::Get(one) => out.bytes(&found(at, one, lumps.get(one.id).map_err(failed)?)?),
        Lump::GetBytes(one) => {
            data::hex(out, 0, &found(at, one, lumps.get(one.id).map_err(failed)?)?)
        }
        Lump::Head(one) => head(out, found(at, one, lumps.head(one.id).map_err(failed)?)?),
        Lump::Delete(one) => {
            let deleted = lumps.delete(one.id).map_err(failed)?;
            found(at, one, deleted.then_some(()))
        }
        Lump::DeleteRange(args) => {
            let deleted = lumps.delete_range(range(args.from, args.to)).map_err(failed)?;
            out.line(if deleted { "deleted" } else { "nothing" })
        }
        Lump::List(args) => {
            let mut all = Lumps { at, rest: Some(range(args.from, args.to)), page: Vec::new() };
            while let Some(id) = all.next()? {
                out.line(format_args!("0x{id}"))?;
            }
            Ok(())
        }
        Lump::Usage(args) => {
            out.line(lumps.usage_range(range(args.from, args.to)).map_err(failed)?)
        }
    }
}

fn told(out: &mut Out, is_new: bool) -> Result<(), Failure> {
    out.line(if is_new { "new" } else { "overwritten" })
}

fn head(out: &mut Out, head: LumpHead) -> Result<(), Failure> {
    out.line(format_args!("{}\t{}", head.size, time::shown(head.last_modified)))
}

fn found<T>(at: &Opened<'_>, one: &cli::OneLump, lump: Option<T>) -> Result<T, Failure> {
    lump.ok_or_else(|| {
        let message = format!("{}: lump {} is not found", at.image.display(), one.id.0);
        Failure::new(Code::NotFound, message)
    })
}

fn range(from: LumpId, to: End) -> Range {
    let to = match to {
        End::Before(to) => Bound::Excluded(to),
        End::Last => Bound::Unbounded,
    };
    (Bound::Included(from), to)
}

/// The numbers of a range of lumps, a page at a time.
pub(super) struct Lumps<'a> {
    at: &'a Opened<'a>,
    /// What follows the page.
    rest: Option<Range>,
    /// The last one first.
    page: Vec<LumpId>,
}

impl<'a> Lumps<'a> {
    /// All of them.
    pub(super) fn all(at: &'a Opened<'a>) -> Self {
        Self { at, rest: Some((Bound::Unbounded, Bound::Unbounded)), page: Vec::new() }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Result<Option<LumpId>, Failure> {
        if self.page.is_empty()
            && let Some(range) = self.rest.take()
        {
            let page = self.at.store.lumps().list_range(range, PAGE_LEN);
            self.page = page.map_err(|error| self.at.failed(error))?;
            if let Some(last) = self.page.last().filter(|_| self.page.len() == PAGE_LEN) {
                self.rest = Some((Bound::Excluded(*last), range.1));
            }
            self.page.reverse();
        }
        Ok(self.page.pop())
    }
}
