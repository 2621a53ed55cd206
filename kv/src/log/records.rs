//! Records in bytes that may be damaged: those that are whole, and the places between them.
//!
//! Behind a damaged record the next one is looked for where its length says; if there is none, at every
//! byte: there it counts only if another one, or the end, follows right behind it. Checks over
//! [`SEARCH_LEN_MAX`] bytes are tried for that, so that crafted lengths don't take for ever.

use crate::error::Fault;
use crate::format::pointer::Pointer;
use crate::format::record::{Outline, Record};
use alloc::vec::Vec;
use core::ops::Range;

/// Bytes whose checks are tried in search of records, for all that lies in one frame.
const SEARCH_LEN_MAX: u64 = 64 << 20;

/// Bytes that hold records, and how far they were read.
#[derive(Debug, Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
    /// The first byte on the device.
    at: u64,
    /// Sequences that can still come, each once and in order; any, if there are none.
    sequences: Option<Range<u64>>,
    /// Zeros may follow the last record.
    padded: bool,
    /// What was come to last, and whether it is whole.
    here: Range<usize>,
    whole: bool,
    /// What the search may still take.
    search_left: u64,
}

/// What lies between two places.
pub(super) enum Piece<'a> {
    Record {
        record: Record<'a>,
        pointer: Pointer,
    },
    /// The key is the one that is found where it should be, and not proven.
    Damaged {
        at: u64,
        len: u64,
        fault: Fault,
        key: Option<&'a [u8]>,
    },
}

impl Records {
    /// Records from `at` on, which fill `bytes`.
    pub(super) fn new(bytes: Vec<u8>, at: u64, sequences: Option<Range<u64>>) -> Self {
        let search_left = SEARCH_LEN_MAX;
        Self { bytes, at, sequences, padded: false, here: 0..0, whole: true, search_left }
    }

    /// The same, where zeros may follow.
    pub(super) fn padded(bytes: Vec<u8>, at: u64, sequences: Range<u64>) -> Self {
        Self { padded: true, ..Self::new(bytes, at, Some(sequences)) }
    }

    /// Whether a whole record comes first.
    pub(super) fn begins(&self) -> bool {
        self.fit(&self.bytes).is_some()
    }

    /// Goes on to the next piece, if there is one.
    pub(super) fn advance(&mut self) -> bool {
        let start = self.here.end;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let is_end = rest.is_empty() || (self.padded && rest.iter().all(|&byte| byte == 0));
        if is_end {
            return false;
        }
        let (len, sequence) = match self.fit(rest) {
            Some((len, sequence)) => (len, Some(sequence)),
            None => (self.skip(start), None),
        };
        if let (Some(sequence), Some(sequences)) = (sequence, &mut self.sequences) {
            sequences.start = sequence.saturating_add(1);
        }
        self.whole = sequence.is_some();
        self.here = start..start.saturating_add(len.max(1));
        true
    }

    /// What was come to last.
    pub(super) fn piece(&self) -> Option<Piece<'_>> {
        let at = self.at.saturating_add(self.here.start as u64);
        let bytes = self.bytes.get(self.here.clone())?;
        if !self.whole {
            let fault = Record::decode(bytes).err().unwrap_or(Fault::Field("sequence"));
            let key = Outline::of(bytes).and_then(|outline| outline.key);
            return Some(Piece::Damaged { at, len: bytes.len() as u64, fault, key });
        }
        let (record, len, check) = Record::decode(bytes).ok()?;
        let pointer = Pointer { at, len: u32::try_from(len).ok()?, check };
        Some(Piece::Record { record, pointer })
    }

    /// The length and sequence of the record that `bytes` begin with, if one may come.
    fn fit(&self, bytes: &[u8]) -> Option<(usize, u64)> {
        let outline = Outline::of(bytes)?;
        let may_come = |sequences: &Range<u64>| sequences.contains(&outline.sequence);
        if !self.sequences.as_ref().is_none_or(may_come) {
            return None;
        }
        let (record, len, _) = Record::decode(bytes).ok()?;
        Some((len, record.sequence))
    }

    /// How far it is from `start`, where there is none, to the next record or the end.
    fn skip(&mut self, start: usize) -> usize {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let claimed = Outline::of(rest).and_then(|outline| usize::try_from(outline.len).ok());
        if let Some(claimed) = claimed.filter(|&claimed| claimed <= rest.len())
            && self.follows(rest.get(claimed..).unwrap_or_default())
        {
            return claimed;
        }
        // What was tried in vain counts too.
        let tried = claimed.unwrap_or_default().min(rest.len()) as u64;
        let mut left = self.search_left.saturating_sub(tried);
        let found = (1..rest.len()).take_while(|_| self.search_left > 0).find(|&skipped| {
            let behind = rest.get(skipped..).unwrap_or_default();
            let len = Outline::of(behind).map_or(u64::MAX, |outline| outline.len);
            if len > behind.len() as u64 || len > left {
                return false;
            }
            left = left.saturating_sub(len);
            self.fit(behind)
                .is_some_and(|(len, _)| self.follows(behind.get(len..).unwrap_or_default()))
        });
        let skipped = found.unwrap_or(rest.len());
        self.search_left = left;
        skipped
    }

    /// Whether these bytes go on with a record, or are the end.
    fn follows(&self, bytes: &[u8]) -> bool {
        let is_end = if self.padded { bytes.iter().all(|&b| b == 0) } else { bytes.is_empty() };
        is_end || self.fit(bytes).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::record::Operation;
    use alloc::vec;

    /// Records of these sequences, and where each begins.
    fn some(sequences: Range<u64>) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        for sequence in sequences {
            starts.push(bytes.len());
            let operation = Operation::Set { key: b"\x01key", value: &[7; 40] };
            Record { sequence, modified: None, replaced: None, operation }.encode(&mut bytes);
        }
        (bytes, starts)
    }

    /// The sequences of the records, and 0 for damage.
    fn found(mut records: Records) -> Vec<u64> {
        let mut found = Vec::new();
        while records.advance() {
            found.push(match records.piece().unwrap() {
                Piece::Record { record, .. } => record.sequence,
                Piece::Damaged { .. } => 0,
            });
        }
        found
    }

    #[test]
    fn one_flipped_bit_costs_the_record_that_it_is_in_and_no_other() {
        let (bytes, starts) = some(5..9);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let hit = starts.iter().rposition(|&start| start <= bit / 8).unwrap();
            let mut expected = vec![5, 6, 7, 8];
            expected[hit] = 0;
            let all = Records::new(damaged, 4096, Some(5..9));
            assert_eq!(found(all), expected, "bit {bit}");
        }
    }

    #[test]
    fn of_a_damaged_record_the_place_and_what_looks_like_its_key_are_told() {
        let (mut bytes, starts) = some(5..8);
        bytes[starts[1] + 40] ^= 1;
        let mut records = Records::new(bytes, 4096, Some(5..8));
        assert!(records.advance() && records.advance());
        let Some(Piece::Damaged { at, len, fault, key }) = records.piece() else { panic!() };
        assert_eq!((at, len), (4096 + starts[1] as u64, starts[1] as u64));
        assert_eq!((fault, key), (Fault::Check, Some(&b"\x01key"[..])));
    }

    #[test]
    fn zeros_end_them_only_where_they_may() {
        let (mut bytes, _) = some(5..7);
        bytes.resize(bytes.len() + 100, 0);
        assert_eq!(found(Records::padded(bytes.clone(), 0, 5..u64::MAX)), [5, 6]);
        assert_eq!(found(Records::new(bytes, 0, Some(5..7))), [5, 6, 0]);
    }

    #[test]
    fn a_record_that_can_not_come_here_is_none() {
        let (bytes, _) = some(5..7);
        assert_eq!(found(Records::new(bytes.clone(), 0, Some(6..7))), [0, 6]);
        assert_eq!(found(Records::new(bytes.clone(), 0, None)), [5, 6]);
        let twice = [bytes.clone(), bytes].concat();
        assert_eq!(found(Records::new(twice, 0, Some(5..9))), [5, 6, 0]);
    }

    #[test]
    fn lengths_that_lead_far_do_not_take_for_ever() {
        // Every byte could begin a record of half the bytes.
        let mut bytes = Vec::new();
        while bytes.len() < 1 << 20 {
            bytes.extend_from_slice(&[1, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0]);
        }
        let all = Records::new(bytes, 0, None);
        assert_eq!(found(all), [0]);
    }
}
