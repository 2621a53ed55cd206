//! `load`.
//!
//! Invariant: nothing is written before the dump was read to its end and found whole, and each of
//! its keys can be set.

use crate::cli::verbs as cli;
use crate::failure::{Code, Failure};
use crate::format::{Reader, Row};
use crate::open::Opened;
use crate::out::Out;
use crate::progress::Progress;
use crate::size::Bytes;
use nerite::{Batch, Error, Key, Kind, KvRead, LumpId, Name, Timestamp};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};

/// A dump that can be read twice.
pub(crate) struct Source {
    file: BufReader<File>,
    name: String,
}

/// What is read at a time when a pipe is put aside.
const PIPE_BUFFER_LEN: usize = 64 << 10;

/// Keys that one commit is tried with. It halves what the store finds too much.
const COMMIT_ROWS: usize = 65_536;

/// Opens the dump. What comes through a pipe is put into a file that has no name.
pub(crate) fn source(args: &cli::Load) -> Result<Source, Failure> {
    let (file, name) = if let Some(path) = &args.file {
        let name = path.display().to_string();
        let file = File::open(path).map_err(Failure::input(&name))?;
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        (if is_file { file } else { put_aside(file, &name)? }, name)
    } else {
        let name = "standard input".to_owned();
        (put_aside(io::stdin(), &name)?, name)
    };
    Ok(Source { file: BufReader::new(file), name })
}

fn put_aside(mut from: impl Read, name: &str) -> Result<File, Failure> {
    let failed = |error: io::Error| {
        Failure::new(Code::Io, format!("can't put {name} aside in a temporary file: {error}"))
    };
    let mut aside = tempfile::tempfile().map_err(failed)?;
    let mut buffer = vec![0; PIPE_BUFFER_LEN];
    let (mut progress, mut len) = (Progress::new(), 0);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(aside),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::input(name)(error)),
        };
        aside.write_all(&buffer[..read]).map_err(failed)?;
        len += read as u64;
        progress.tell(|| format!("read {}", Bytes(len)));
    }
}

/// Sets all keys of a dump.
pub(crate) fn load(at: &Opened<'_>, dump: &mut Source, out: &mut Out) -> Result<(), Failure> {
    let rows = check(at, dump)?;
    let mut load = Loading { at, name: dump.name.clone(), rows, done: 0, commits: 0 };
    let (mut held, mut len) = (Vec::new(), 0);
    let mut progress = Progress::new();
    each(at, dump, "it changes while it is read", |row| {
        let is_lump = matches!(row.name, Name::Lump(_));
        if is_lump || held.len() >= COMMIT_ROWS || len + row.len() > Batch::LEN_MAX {
            load.commit(&held)?;
            held.clear();
            len = 0;
        }
        progress.tell(|| format!("loaded {} of {rows} values", load.done));
        len += row.len();
        held.push(row);
        Ok(())
    })?;
    load.commit(&held)?;
    drop(progress);
    out.line(format_args!("loaded:   {rows} values\ncommits:  {}", load.commits))
}

/// Reads the dump to its end and tells how many rows it has, if all of them can be set.
fn check(at: &Opened<'_>, dump: &mut Source) -> Result<u64, Failure> {
    let info = at.store.info();
    let room = u64::from(info.segment_count).saturating_mul(info.segment_size);
    let longest = info.value_len_max;
    let (mut rows, mut len) = (0, 0u64);
    let mut above: Option<Key> = None;
    let mut progress = Progress::new();
    each(at, dump, "nothing was loaded", |row| {
        rows += 1;
        len = len.saturating_add(row.len());
        let size = row.value.len() as u64;
        if size > longest {
            return Err(at.failed(Error::TooLarge { size, limit: longest }));
        }
        if len > room {
            return Err(at.failed(Error::NoSpace { needed: len, free: room }));
        }
        if let Name::Key(key) = row.name {
            let parent = key.parent();
            if parent != above {
                no_value_above(at, parent.as_ref())?;
                above = parent;
            }
            no_dictionary(at, key)?;
        }
        progress.tell(|| format!("checked {rows} values"));
        Ok(())
    })?;
    Ok(rows)
}

fn no_dictionary(at: &Opened<'_>, key: Key) -> Result<(), Failure> {
    match at.store.exists(&key).map_err(|error| at.failed(error))? {
        Some(Kind::Dictionary) => Err(at.failed(Error::ValueExpected(key))),
        Some(Kind::Value) | None => Ok(()),
    }
}

/// None of these dictionaries may be a value.
fn no_value_above(at: &Opened<'_>, key: Option<&Key>) -> Result<(), Failure> {
    let mut next = key.cloned();
    while let Some(key) = next {
        match at.store.exists(&key).map_err(|error| at.failed(error))? {
            Some(Kind::Value) => return Err(at.failed(Error::DictionaryExpected(key))),
            // Above a dictionary there are only dictionaries.
            Some(Kind::Dictionary) => break,
            None => next = key.parent(),
        }
    }
    Ok(())
}

/// Reads the rows of a dump from its beginning, and checks that it is whole. If it is not, `note` is
/// said besides.
fn each(
    at: &Opened<'_>,
    dump: &mut Source,
    note: &str,
    mut each: impl FnMut(Row) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Source { file, name } = dump;
    file.rewind().map_err(Failure::input(&*name))?;
    // An escaped byte takes six. So memory is bounded, whatever the file is.
    let longest = at.store.info().value_len_max.saturating_add(Key::LEN_MAX as u64);
    let line_len_max = longest.saturating_mul(6).saturating_add(1024);
    let mut reader = Reader::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = file.by_ref().take(line_len_max).read_until(b'\n', &mut line);
        if read.map_err(Failure::input(&*name))? == 0 {
            break;
        }
        if line.len() as u64 == line_len_max && line.last() != Some(&b'\n') {
            let line = reader.lines() + 1;
            let image = at.image.display();
            let message = format!("{name}: line {line}: longer than any value that {image} takes");
            return Err(Failure::new(Code::Full, message));
        }
        let row = reader.line(&line);
        let damaged = |why| {
            let message = format!("{name}: line {}: {why}; {note}", reader.lines());
            Failure::new(Code::Corrupt, message)
        };
        if let Some(row) = row.map_err(damaged)? {
            each(row)?;
        }
    }
    reader.finish().map_err(|why| Failure::new(Code::Corrupt, format!("{name}: {why}; {note}")))
}

/// The writing of rows that were checked.
struct Loading<'a> {
    at: &'a Opened<'a>,
    name: String,
    /// Of the whole dump.
    rows: u64,
    done: u64,
    commits: u64,
}

impl Loading<'_> {
    /// Sets these, in one commit if the store takes it.
    fn commit(&mut self, rows: &[Row]) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for row in rows {
            match (&row.name, row.time) {
                // It may be longer than a batch can be.
                (Name::Key(key), time) if rows.len() == 1 => {
                    return self.alone(key, &row.value, time);
                }
                (Name::Key(key), Some(time)) => batch.set_modified(key, &row.value, time),
                (Name::Key(key), None) => batch.set(key, &row.value),
                // A batch can't have them, so each comes alone.
                (Name::Lump(id), time) => return self.lump(*id, &row.value, time),
            }
        }
        match self.at.store.write(&batch) {
            Ok(()) => {
                self.done += rows.len() as u64;
                self.commits += 1;
                Ok(())
            }
            Err(Error::TooLarge { .. } | Error::NoSpace { .. }) => {
                let (first, second) = rows.split_at(rows.len() / 2);
                self.commit(first)?;
                self.commit(second)
            }
            Err(error) => Err(self.stopped(error)),
        }
    }

    fn alone(&mut self, key: &Key, value: &[u8], time: Option<Timestamp>) -> Result<(), Failure> {
        let mut writer = self.at.store.write_to(key);
        if let Some(time) = time {
            writer.set_modified(time);
        }
        let written = writer.write(value).and_then(|()| writer.commit());
        written.map_err(|error| self.stopped(error))?;
        self.done += 1;
        self.commits += 1;
        Ok(())
    }

    fn lump(&mut self, id: LumpId, value: &[u8], time: Option<Timestamp>) -> Result<(), Failure> {
        let lumps = self.at.store.lumps();
        let put = match time {
            Some(time) => lumps.put_modified(id, value, time),
            None => lumps.put(id, value),
        };
        put.map_err(|error| self.stopped(error))?;
        self.done += 1;
        self.commits += 1;
        Ok(())
    }

    fn stopped(&self, error: Error) -> Failure {
        let failure = self.at.failed(error);
        if self.done == 0 {
            return failure;
        }
        let Self { name, rows, done, .. } = self;
        failure.and_say(&format!("; {done} of {rows} values of {name} are loaded, and stay"))
    }
}
