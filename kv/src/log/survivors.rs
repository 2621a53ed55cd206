//! Survivors: copies of records outside the chain, made before the segments that they lie in are used
//! again.
//!
//! Invariant: they are durable before any frame names them. So replay need not prove them.

use super::append::Log;
use super::disk::Disk;
use super::outside::{Outside, packed_len};
use super::segments::Kind;
use crate::device::BlockDevice;
use crate::error::Error;
use crate::format::survivors::{HEADER_LEN, put_header};
use alloc::vec::Vec;

impl Log {
    /// Makes copies of these records durable, and tells where each begins. `keep` segments are left,
    /// those that the chain names included.
    ///
    /// # Errors
    /// `NoSpace` before anything is written; `Device`, and then the log is poisoned.
    pub(crate) fn write_survivors<D: BlockDevice>(
        &mut self,
        disk: &Disk<D>,
        records: &[&[u8]],
        keep: u32,
    ) -> Result<Vec<u64>, Error> {
        self.check()?;
        let mut outside = self.outside(self.open.survivors, keep);
        let mut places = Vec::with_capacity(records.len());
        let lens: Vec<_> = records.iter().map(|record| record.len() as u64).collect();
        let mut rest = records;
        while let Some(lens) = lens.get(places.len()..).filter(|lens| !lens.is_empty()) {
            let (at, count, len) = outside.place_run(lens)?;
            let (run, behind) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            self.put_run(&mut outside, (at, len), run, &mut places);
            rest = behind;
        }
        self.poisoned = true;
        disk.write_many(outside.runs.iter().map(|(at, run)| (*at, &run[..])))?;
        disk.flush()?;
        self.poisoned = false;
        for &segment in &outside.taken {
            self.segments.take(segment, Kind::Records);
        }
        self.open.survivors = outside.open;
        self.segments.flushed();
        Ok(places)
    }

    /// Bytes of records for which there is room in the open segment.
    pub(crate) fn survivors_rest(&self) -> u64 {
        let rest = self.superblock().layout.rest(self.open.survivors);
        rest.saturating_sub(HEADER_LEN as u64)
    }

    /// Bytes that records of these lengths would take, with the ends of segments that they can't fill.
    pub(crate) fn survivors_len(&self, lens: &[u64]) -> u64 {
        packed_len(&self.superblock().layout, self.open.survivors, lens)
    }

    /// Puts records of `len` bytes behind a header of their own, at `at`.
    fn put_run(
        &self,
        outside: &mut Outside,
        (at, len): (u64, usize),
        records: &[&[u8]],
        places: &mut Vec<u64>,
    ) {
        let records_len = u32::try_from(len).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEADER_LEN.saturating_add(len));
        put_header(&mut bytes, self.superblock().birth, at, records_len);
        for record in records {
            places.push(at.saturating_add(bytes.len() as u64));
            bytes.extend_from_slice(record);
        }
        let block_len = outside.layout.block_len as usize;
        bytes.resize(bytes.len().next_multiple_of(block_len), 0);
        outside.push(at, &bytes);
    }
}
