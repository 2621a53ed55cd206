//! `ls`, `stat` and `verify`.

use crate::cli;
use crate::failure::{Code, Failure};
use crate::open::open_to_read;
use crate::size::Bytes;
use humantime::Rfc3339Timestamp;
use nerite::{Entry, Error, Key, Kind, KvRead, Store, Timestamp};
use nerite_hostfs::FileDevice;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Entries fetched at once, so that memory does not grow with the dictionary.
const PAGE_LEN: usize = 256;

/// Lists a dictionary.
pub(crate) fn ls(args: &cli::Ls) -> Result<(), Failure> {
    let image = &args.image.image;
    let store = open_to_read(image)?;
    let mut listing =
        Listing { image, args, store: &store, out: BufWriter::new(io::stdout().lock()) };
    let listed = listing.dictionary(&args.key);
    // What was listed before a failure is shown as well.
    let flushed = listing.out.flush().map_err(|error| Failure::output(&error));
    listed.and(flushed)
}

struct Listing<'a, W> {
    image: &'a Path,
    args: &'a cli::Ls,
    store: &'a Store<FileDevice>,
    out: W,
}

impl<W: Write> Listing<'_, W> {
    /// Every entry of `top`, and with `-R` every entry's own right after it.
    fn dictionary(&mut self, top: &Key) -> Result<(), Failure> {
        // The dictionaries that are being listed, each with the entries still to come, last first.
        // A stack and not recursion: keys may have 512 names.
        let mut open = vec![self.page(top, None)?];
        while let Some(page) = open.last_mut() {
            if let Some(entry) = page.rest.pop() {
                self.entry(&entry).map_err(|error| match error {
                    EntryError::Store(error) => Failure::store(self.image)(error),
                    EntryError::Output(error) => Failure::output(&error),
                })?;
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
        let mut rest =
            self.store.list_page(key, after, PAGE_LEN).map_err(Failure::store(self.image))?;
        let last = if rest.len() < PAGE_LEN { None } else { rest.last() };
        let last = last.map(|entry| entry.key.clone());
        rest.reverse();
        Ok(Page { key: key.clone(), rest, last })
    }

    fn entry(&mut self, Entry { key, kind }: &Entry) -> Result<(), EntryError> {
        if self.args.long {
            let size = self.store.size(key)?;
            let time = self.store.last_modified(key)?;
            write!(
                self.out,
                "{size:>12}  {:<20}  ",
                time_of(*kind, time, humantime::format_rfc3339_seconds)
            )?;
        }
        let mark = if *kind == Kind::Dictionary { "/" } else { "" };
        writeln!(self.out, "{key}{mark}")?;
        Ok(())
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

enum EntryError {
    Store(Error),
    Output(io::Error),
}

impl From<Error> for EntryError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for EntryError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Shows how full the store is, or what a key holds.
pub(crate) fn stat(args: &cli::Stat) -> Result<(), Failure> {
    let image = &args.image.image;
    let store = open_to_read(image)?;
    let text = match &args.key {
        None => figures(&store).map_err(Failure::store(image))?,
        Some(key) => describe(&store, key).map_err(Failure::store(image))?,
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::output(&error))
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

/// Proves all that the store names, and prints what is wrong.
pub(crate) fn verify(args: &cli::Image) -> Result<(), Failure> {
    let image = &*args.image;
    let findings = open_to_read(image)?.verify().map_err(Failure::store(image))?;
    let mut out = io::stdout().lock();
    findings
        .iter()
        .try_for_each(|finding| writeln!(out, "{finding}"))
        .and_then(|()| out.flush())
        .map_err(|error| Failure::output(&error))?;
    if findings.is_empty() {
        return Ok(());
    }
    let message = format!("{}: damaged in {} place(s)", image.display(), findings.len());
    Err(Failure::new(Code::Corrupt, message))
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
    // 64 bits of nanoseconds end in 2554, well within what `SystemTime` and RFC 3339 can hold.
    format(UNIX_EPOCH + Duration::from_nanos(time.0)).to_string()
}
