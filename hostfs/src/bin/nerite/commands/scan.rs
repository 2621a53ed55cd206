//! `scan`.

use crate::cli::verbs as cli;
use crate::failure::Failure;
use crate::open::Opened;
use crate::out::Out;
use nerite::{Escaped, Key};
use std::ops::Bound;

/// Prints the values of a range of keys: a line for each, whatever bytes it has.
pub(crate) fn scan(at: &Opened<'_>, args: &cli::Scan, out: &mut Out) -> Result<(), Failure> {
    let from = args.from.as_ref().map_or(Bound::Unbounded, Bound::Included);
    let to = args.to.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let range: (Bound<&Key>, Bound<&Key>) = (from, to);
    let mut rows = at.store.scan(range);
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0
        && let Some(row) = rows.next().map_err(|error| at.failed(error))?
    {
        left -= 1;
        if args.keys_only {
            out.line(row.key)?;
        } else {
            out.line(format_args!("{}\t{}", row.key, Escaped(row.value)))?;
        }
    }
    Ok(())
}
