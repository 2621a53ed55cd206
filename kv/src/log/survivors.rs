//! Survivors: copies of records outside the chain, made before the segments that they lie in are used
//! again.
//!
//! Invariant: they are durable before any frame names them. So replay need not prove them.

use super::append::Log;
use super::disk::Disk;
use super::outside::Outside;
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
        let mut rest = records;
        while !rest.is_empty() {
            // What does not fit the open segment begins a new one, which holds any record.
            let here = fitting(rest, outside.room());
            let count = if here > 0 { here } else { fitting(rest, outside.layout.segment_len()) };
            let (run, behind) = rest.split_at_checked(count.max(1)).unwrap_or((rest, &[]));
            self.put_run(&mut outside, run, &mut places)?;
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

    /// Puts records that fit together behind a header of their own.
    fn put_run(
        &self,
        outside: &mut Outside,
        records: &[&[u8]],
        places: &mut Vec<u64>,
    ) -> Result<(), Error> {
        let len = records.iter().map(|record| record.len()).sum::<usize>();
        let at = outside.place(HEADER_LEN.saturating_add(len))?;
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
        Ok(())
    }
}

/// How many of the records fit `room` bytes, with a header.
fn fitting(records: &[&[u8]], room: u64) -> usize {
    let mut len = HEADER_LEN as u64;
    let fits = |record: &&&[u8]| {
        len = len.saturating_add(record.len() as u64);
        len <= room
    };
    records.iter().take_while(fits).count()
}
