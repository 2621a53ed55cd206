//! `dump`.

use super::lump::Lumps;
use crate::cli::verbs as cli;
use crate::failure::Failure;
use crate::format::Writer;
use crate::open::Opened;
use crate::out::Out;
use crate::progress::Progress;

/// Writes all keys, lumps and values as text.
pub(crate) fn dump(at: &Opened<'_>, args: &cli::Dump, out: &mut Out) -> Result<(), Failure> {
    let mut file = args.output.as_ref().map(|path| Out::file(path, at.image)).transpose()?;
    let to = file.as_mut().unwrap_or(out);
    let mut progress = Progress::new();
    let (mut writer, mut rows) = (Writer::default(), 0u64);
    to.bytes(writer.head().as_bytes())?;
    let mut scan = at.store.scan(..);
    while let Some(row) = scan.next().map_err(|error| at.failed(error))? {
        to.bytes(writer.key(row.key, row.value, row.last_modified).as_bytes())?;
        rows += 1;
        progress.tell(|| format!("{rows} values"));
    }
    let mut lumps = Lumps::all(at);
    while let Some(id) = lumps.next()? {
        // There is no other writer, so it is still there.
        let head = at.store.lumps().head(id).map_err(|error| at.failed(error))?;
        let time = head.map(|head| head.last_modified).unwrap_or_default();
        let value = at.store.lumps().get(id).map_err(|error| at.failed(error))?;
        to.bytes(writer.lump(id, &value.unwrap_or_default(), time).as_bytes())?;
        rows += 1;
        progress.tell(|| format!("{rows} values"));
    }
    to.bytes(writer.end().as_bytes())?;
    file.map_or(Ok(()), |mut file| file.flush())
}
