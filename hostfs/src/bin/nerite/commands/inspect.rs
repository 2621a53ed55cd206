//! `ls` and `stat`.

use crate::cli::verbs as cli;
use crate::failure::Failure;
use crate::open::Opened;
use crate::out::Out;
use crate::size::Bytes;
use crate::time::system_time;
use humantime::Rfc3339Timestamp;
use nerite::{Entry, Error, Key, Kind, KvRead, Store, Timestamp};
use nerite_hostfs::FileDevice;
use std::fmt::Write as _;
use std::time::SystemTime;

/// Entries fetched at once, so that memory does not grow with the dictionary.
const PAGE_LEN: usize = 256;

/// Lists a dictionary.
pub(crate) fn ls(at: &Opened<'_>, args: &cli::Ls, out: &mut Out) -> Result<(), Failure> {
    Listing { at, args, out }.dictionary(&args.key)
}

struct Listing<'a> {
    at: &'a Opened<'a>,
    args: &'a cli::Ls,
    out: &'a mut Out,
}

impl Listing<'_> {
    /// Every entry of `top`, and with `-R` every entry's own right after it.
    fn dictionary(&mut self, top: &Key) -> Result<(), Failure> {
        // The dictionaries that are being listed, each with the entries still to come, last first.
        // A stack and not recursion: keys may have 512 names.
        let mut open = vec![self.page(top, None)?];
        while let Some(page) = open.last_mut() {
            if let Some(entry) = page.rest.pop() {
                self.entry(&entry)?;
                if self.args.recursive && entry.kind == Kind::Dictionary {
                    open.push(self.page(&entry.key, None)?);
                }
            } else if let Some(last) = page.last.take() {
                let key = page.key.clone();
                *page = self.page(&key, last.basename())?;
            } else {
                open.pop();
            }
        }
        Ok(())
    }

    fn page(&self, key: &Key, after: Option<&[u8]>) -> Result<Page, Failure> {
        let page = self.at.store.list_page(key, after, PAGE_LEN);
        let mut rest = page.map_err(|error| self.at.failed(error))?;
        let last = if rest.len() < PAGE_LEN { None } else { rest.last() };
        let last = last.map(|entry| entry.key.clone());
        rest.reverse();
        Ok(Page { key: key.clone(), rest, last })
    }

    fn entry(&mut self, Entry { key, kind }: &Entry) -> Result<(), Failure> {
        let failed = |error| self.at.failed(error);
        let mark = if *kind == Kind::Dictionary { "/" } else { "" };
        let mut line = String::new();
        // Writing to a string can't fail.
        if self.args.long {
            let _ = write!(line, "{:>12}  ", self.at.store.size(key).map_err(failed)?);
        }
        if self.args.timestamp || self.args.long {
            let time = self.at.store.last_modified(key).map_err(failed)?;
            let _ = if self.args.timestamp {
                write!(line, "{:<30}  ", time_of(*kind, time, humantime::format_rfc3339_nanos))
            } else {
                write!(line, "{:<20}  ", time_of(*kind, time, humantime::format_rfc3339_seconds))
            };
        }
        self.out.line(format_args!("{line}{key}{mark}"))
    }
}

/// A part of a dictionary.
struct Page {
    key: Key,
    /// The entries not yet shown, in reverse.
    rest: Vec<Entry>,
    /// Where the next part begins; `None` if this is the last.
    last: Option<Key>,
}

/// Shows how full the store is, or what a key holds.
pub(crate) fn stat(at: &Opened<'_>, args: &cli::Stat, out: &mut Out) -> Result<(), Failure> {
    let text = match &args.key {
        None => figures(at.store),
        Some(key) => describe(at.store, key),
    };
    let text = text.map_err(|error| at.failed(error))?;
    out.bytes(text.as_bytes())
}

fn figures(store: &Store<FileDevice>) -> Result<String, Error> {
    let (stat, counts) = (store.stat(), store.count()?);
    let cut = match stat.cut {
        None => "no".to_owned(),
        Some(cut) => format!(
            "at byte {}, before frame {}; frames beyond: {}",
            cut.at, cut.frame, cut.frames_beyond
        ),
    };
    Ok(format!(
        "keys:  {}\nlive:  {}\nused:  {}\nfree:  {}\ncut:   {cut}\n",
        counts.keys,
        Bytes(counts.live_bytes),
        Bytes(stat.used_bytes),
        Bytes(stat.free_bytes),
    ))
}

fn describe(store: &Store<FileDevice>, key: &Key) -> Result<String, Error> {
    let kind = store.exists(key)?.ok_or_else(|| Error::NotFound(key.clone()))?;
    let kind_name = match kind {
        Kind::Value => "value",
        Kind::Dictionary => "dictionary",
    };
    Ok(format!(
        "key:            {key}\nkind:           {kind_name}\nsize:           {}\n\
         last modified:  {}\nsha256:         {}\n",
        Bytes(store.size(key)?),
        time_of(kind, store.last_modified(key)?, humantime::format_rfc3339_nanos),
        store.digest(key)?,
    ))
}

/// In RFC 3339. A dictionary without values directly in it has no time; the store then answers with
/// the epoch.
fn time_of(kind: Kind, time: Timestamp, format: fn(SystemTime) -> Rfc3339Timestamp) -> String {
    if kind == Kind::Dictionary && time == Timestamp::default() {
        return "-".to_owned();
    }
    format(system_time(time)).to_string()
}
