//! Where data go: standard output, or a file.

use crate::failure::Failure;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Standard output, or a file, buffered. [`flush`](Self::flush) it at the end.
pub(crate) struct Out {
    to: BufWriter<Box<dyn Write>>,
    /// As messages call it.
    name: String,
    /// The file, if it is one.
    file: Option<File>,
    /// The last byte that was written.
    last: Option<u8>,
}

impl Out {
    pub(crate) fn stdout() -> Self {
        let to: Box<dyn Write> = Box::new(io::stdout());
        Self { to: BufWriter::new(to), name: "standard output".into(), file: None, last: None }
    }

    /// A file, empty at first, in place of what it held before. The image itself is refused.
    pub(crate) fn file(path: &Path, image: &Path) -> Result<Self, Failure> {
        let same = |other: &fs::Metadata| {
            fs::metadata(image)
                .is_ok_and(|image| (image.dev(), image.ino()) == (other.dev(), other.ino()))
        };
        if fs::metadata(path).is_ok_and(|metadata| same(&metadata)) {
            let message = format!("{}: is the image itself", path.display());
            return Err(Failure::usage(message));
        }
        let name = path.display().to_string();
        let file = File::create(path).map_err(Failure::input(&name))?;
        let again = file.try_clone().map_err(Failure::input(&name))?;
        Ok(Self { to: BufWriter::new(Box::new(file)), name, file: Some(again), last: None })
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.last = bytes.last().copied().or(self.last);
        self.to.write_all(bytes).map_err(|error| Failure::output(&self.name, &error))
    }

    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        self.last = Some(b'\n');
        writeln!(self.to, "{line}").map_err(|error| Failure::output(&self.name, &error))
    }

    /// Ends the last line, if there is one without an end.
    pub(crate) fn end_line(&mut self) -> Result<(), Failure> {
        match self.last.take() {
            None | Some(b'\n') => Ok(()),
            Some(_) => self.bytes(b"\n"),
        }
    }

    /// Writes what is left. A file is on stable storage then, where it can be.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let flushed = self.to.flush().and_then(|()| match &self.file {
            // What is no regular file may not know how.
            Some(file) if file.metadata()?.is_file() => file.sync_all(),
            _ => Ok(()),
        });
        flushed.map_err(|error| Failure::output(&self.name, &error))
    }
}
