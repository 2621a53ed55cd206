use super::view::{CHECKED_FROM, HEADER_LEN, SLOT_LEN};
use super::*;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::format::check::check;
use crate::format::index_key::RANGE_END_LEN_MAX;
use crate::format::pointer::Pointer;
use crate::random::Random;
use alloc::vec;
use alloc::vec::Vec;

const BIRTH: u64 = 5;
const AT: u64 = 1 << 20;
const LIMITS: Limits = Limits { len: 4096, cells: usize::MAX };

/// A row of test data: few names, many bytes, as keys are.
type Row = (Vec<u8>, Vec<u8>);

impl Random {
    fn bytes(&mut self, len: usize, values: usize) -> Vec<u8> {
        (0..len).map(|_| u8::try_from(self.below(values)).unwrap()).collect()
    }

    /// Rows in key order, each key once.
    fn rows(&mut self, count: usize, key_len: usize, value_len: usize) -> Vec<Row> {
        let prefix = self.bytes(key_len / 2, 256);
        let mut rows: Vec<Row> = (0..count)
            .map(|_| {
                let (key, value) = (1 + self.below(key_len / 2), self.below(value_len + 1));
                ([prefix.clone(), self.bytes(key, 3)].concat(), self.bytes(value, 256))
            })
            .collect();
        rows.sort();
        rows.dedup_by(|left, right| left.0 == right.0);
        rows
    }
}

fn entry(value: &[u8]) -> LeafEntry<'_> {
    let value = LeafValue::Inline { bytes: value, timed: false };
    LeafEntry { sequence: 7, modified: Timestamp(9), value }
}

fn pack(rows: &[Row]) -> Pack {
    let mut pack = Pack::default();
    for (key, value) in rows {
        let mut payload = Vec::new();
        entry(value).encode(&mut payload);
        pack.push(key, &payload);
    }
    pack
}

/// The leaves of the rows, each as full as it gets.
fn leaves(rows: &[Row], block_len: u32) -> Vec<Node> {
    let mut pack = pack(rows);
    let mut leaves = Vec::new();
    while pack.len() > 0 {
        let count = pack.most(LIMITS);
        assert!(count > 0, "any entry fits");
        assert!(count == pack.len() || !pack.fits(count + 1, LIMITS), "as full as it gets");
        let (bytes, check) = pack.take_node(count, 0, (BIRTH, AT), block_len);
        assert!(bytes.len() <= 4096 && bytes.len().is_multiple_of(block_len as usize));
        leaves.push(open(&bytes, check).unwrap());
    }
    leaves
}

fn open(bytes: &[u8], check: u32) -> Result<Node, Fault> {
    let pointer = Pointer { at: AT, len: u32::try_from(bytes.len()).unwrap(), check };
    Node::open(bytes, pointer, BIRTH, 0)
}

#[test]
fn leaves_hold_what_a_sorted_vector_holds_and_find_what_it_finds() {
    let mut random = Random(1);
    for case in 0..300 {
        let (key_len, value_len) = (2 + random.below(60), random.below(200));
        let rows = {
            let count = 1 + random.below(400);
            random.rows(count, key_len, value_len)
        };
        let mut rest = &rows[..];
        for leaf in leaves(&rows, if case % 2 == 0 { 512 } else { 4096 }) {
            let (held, behind) = rest.split_at(leaf.len());
            for (index, (key, value)) in held.iter().enumerate() {
                assert_eq!(leaf.key(index), *key);
                assert_eq!(leaf.entry(index), Ok(entry(value)));
            }
            for _ in 0..50 {
                let sought = &rows[random.below(rows.len())].0;
                let longer = [&sought[..], &random.bytes(1, 3)].concat();
                for key in [&sought[..], &sought[..sought.len() - 1], &longer] {
                    let expected = held.binary_search_by(|row| row.0[..].cmp(key));
                    assert_eq!(leaf.search(key), expected, "case {case}");
                    let child = held.partition_point(|row| row.0[..] <= *key).max(1) - 1;
                    assert_eq!(leaf.child_of(key), child, "case {case}");
                }
            }
            rest = behind;
        }
        assert!(rest.is_empty());
    }
}

#[test]
fn the_longest_keys_and_values_leave_room_for_two_in_a_node() {
    let key = |end: u8| [&[b'k'; RANGE_END_LEN_MAX - 1][..], &[end]].concat();
    let rows = [(vec![b'a'; RANGE_END_LEN_MAX], vec![1; 512]), (key(2), vec![2; 512])];
    assert_eq!(leaves(&rows, 512).len(), 1);
}

#[test]
fn every_flipped_bit_is_noticed_padding_included() {
    let rows = Random(2).rows(9, 20, 20);
    let (sound, check) = pack(&rows).take_node(rows.len(), 0, (BIRTH, AT), 512);
    for bit in 0..sound.len() * 8 {
        let mut damaged = sound.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&damaged, check).is_err(), "bit {bit}");
    }
}

#[test]
fn a_whole_node_of_another_place_store_level_or_life_is_refused() {
    let rows = Random(3).rows(9, 20, 20);
    let (bytes, check) = pack(&rows).take_node(3, 0, (BIRTH, AT), 512);
    let pointer = Pointer { at: AT, len: 512, check };
    let open = |pointer, birth, level| Node::open(&bytes, pointer, birth, level).err();
    assert_eq!(open(pointer, BIRTH, 0), None);
    assert_eq!(open(Pointer { at: 0, ..pointer }, BIRTH, 0), Some(Fault::Field("place")));
    assert_eq!(open(pointer, BIRTH + 1, 0), Some(Fault::Field("place")));
    assert_eq!(open(pointer, BIRTH, 1), Some(Fault::Field("level")));
    assert_eq!(open(Pointer { check: !check, ..pointer }, BIRTH, 0), Some(Fault::Check));
}

/// Fields out of range behind a check that fits: nothing panics, whatever is asked then.
#[test]
fn cells_that_leave_the_node_are_refused_though_the_check_fits() {
    let rows = Random(4).rows(9, 20, 20);
    let (sound, _) = pack(&rows).take_node(5, 0, (BIRTH, AT), 512);
    let mut refused = 0;
    for at in 8..200 {
        for value in [0, 1, 0x7F, 0xFF] {
            let mut crafted = sound.clone();
            crafted[at] = value;
            let check = check(&crafted[CHECKED_FROM..]);
            crafted[4..8].copy_from_slice(&check.to_le_bytes());
            let Ok(node) = open(&crafted, check) else {
                refused += 1;
                continue;
            };
            for index in 0..=node.len() {
                let _ = (node.key(index), node.entry(index), node.child(index));
            }
            let _ = node.search(&rows[2].0);
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_head_that_is_not_its_keys_is_refused_though_the_check_fits() {
    let rows = Random(5).rows(9, 20, 20);
    let (mut bytes, _) = pack(&rows).take_node(5, 0, (BIRTH, AT), 512);
    let slots = HEADER_LEN + usize::from(bytes[28]);
    bytes[slots + SLOT_LEN - 1] ^= 1;
    let check = check(&bytes[CHECKED_FROM..]);
    bytes[4..8].copy_from_slice(&check.to_le_bytes());
    assert_eq!(open(&bytes, check).err(), Some(Fault::Field("head")));
}

#[test]
fn a_separator_is_the_shortest_key_between_two() {
    for (left, right, expected) in [
        (&b"abc"[..], &b"abd"[..], &b"abd"[..]),
        (b"ab", b"b\0\0", b"b"),
        (b"ab", b"abc", b"abc"),
        (b"", b"xyz", b"x"),
    ] {
        let found = separator(left, right);
        assert_eq!(found, expected);
        assert!(left < found && found <= right);
    }
}
