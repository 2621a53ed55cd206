//! The page tables of x86-64, four levels deep, each entry of 8 bytes.
//!
//! An entry that was there is never changed here.

use nerite_virtio::Run;

/// The page that is always there, in bytes.
pub(crate) const PAGE: u64 = 1 << 12;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const WRITE_THROUGH: u64 = 1 << 3;
const UNCACHED: u64 = 1 << 4;
/// The entry is of a page and not of a table, at the levels of 1 GiB and 2 MiB.
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// How much memory an entry of each level stands for, as a power of two.
const LEVELS: [u32; 4] = [39, 30, 21, 12];

/// Where the tables lie, by physical addresses.
pub(crate) trait Tables {
    /// The table of the first level; the low bits may say something else.
    fn root(&self) -> u64;
    /// The entry that lies there.
    fn read(&self, at: u64) -> u64;
    /// Makes an entry.
    fn write(&self, at: u64, entry: u64);
    /// A table without entries, for ever; none if it can't be had.
    fn make(&self) -> Option<u64>;
}

fn entry_at(table: u64, address: u64, level: u32) -> u64 {
    (table & ADDRESS) + (address >> level) % 512 * 8
}

/// Where the memory at a virtual address really lies, up to the end of its page; `None` if nothing
/// is mapped there.
pub(crate) fn find(tables: &impl Tables, address: u64) -> Option<Run> {
    let mut table = tables.root();
    for level in LEVELS {
        let entry = tables.read(entry_at(table, address, level));
        if entry & PRESENT == 0 {
            return None;
        }
        if level == 12 || (level < 39 && entry & LARGE != 0) {
            let size = 1 << level;
            let offset = address % size;
            let len = usize::try_from(size - offset).ok()?;
            // Where a large page has no address it has another flag.
            return Some(Run { address: (entry & ADDRESS & !(size - 1)) + offset, len });
        }
        table = entry;
    }
    None
}

/// Maps one page uncached, unless it is mapped; `None` if there is no memory for the tables.
pub(crate) fn map_device(tables: &impl Tables, page: u64, physical: u64) -> Option<()> {
    let mut table = tables.root();
    for level in LEVELS {
        let at = entry_at(table, page, level);
        table = tables.read(at);
        if table & PRESENT == 0 {
            table = match level {
                12 => physical & ADDRESS | UNCACHED | WRITE_THROUGH | WRITABLE | PRESENT,
                _ => tables.make()? | WRITABLE | PRESENT,
            };
            // What was absent is in no TLB: nothing to flush.
            tables.write(at, table);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    /// Entries by their places. Tables are made from 1 MiB on, so many at most.
    struct Fake {
        entries: RefCell<BTreeMap<u64, u64>>,
        left: Cell<u64>,
    }

    impl Fake {
        fn new(entries: &[(u64, u64)], left: u64) -> Self {
            Self { entries: RefCell::new(entries.iter().copied().collect()), left: left.into() }
        }
    }

    impl Tables for Fake {
        fn root(&self) -> u64 {
            0x1000 | 0x18 // with flags, as CR3 has them
        }

        fn read(&self, at: u64) -> u64 {
            self.entries.borrow().get(&at).copied().unwrap_or(0)
        }

        fn write(&self, at: u64, entry: u64) {
            let old = self.entries.borrow_mut().insert(at, entry);
            assert_eq!(old.unwrap_or(0) & PRESENT, 0, "an entry at {at:#x} was there");
        }

        fn make(&self) -> Option<u64> {
            self.left.set(self.left.get().checked_sub(1)?);
            Some(0x10_0000 + self.left.get() * PAGE)
        }
    }

    #[test]
    fn pages_of_each_size_are_found_up_to_their_end() {
        let tables = Fake::new(
            &[
                (0x1000 + 8, 0x2003),                              // 512 GiB on: a table
                (0x2000, 0x3003),                                  // 1 GiB of it: a table
                (0x2008, (7 << 30) | LARGE | PRESENT),             // a page of 1 GiB
                (0x3000, 0x4003),                                  // 2 MiB: a table
                (0x3008, (9 << 21) | (1 << 12) | LARGE | PRESENT), // 2 MiB, and PAT
                (0x4010, (1 << 63) | 0x5000 | PRESENT),            // 4 KiB, not to be executed
            ],
            0,
        );
        let base: u64 = 1 << 39;
        let at = |offset| find(&tables, base + offset).map(|run| (run.address, run.len));
        assert_eq!(at(0x2ffe), Some((0x5ffe, 2)));
        assert_eq!(at((1 << 21) + 5), Some(((9 << 21) + 5, (1 << 21) - 5)));
        assert_eq!(at((1 << 30) + 5), Some(((7 << 30) + 5, (1 << 30) - 5)));
        for absent in [0x1000, 2 << 21, 2 << 30] {
            assert_eq!(at(absent), None, "{absent:#x}");
        }
        assert_eq!(find(&tables, 0), None);
    }

    #[test]
    fn what_was_mapped_is_found_and_stays() {
        let tables = Fake::new(&[], 6);
        let window: u64 = 1 << 45;
        assert_eq!(find(&tables, window), None);
        for (page, physical) in [(window, 0xfe00_3000), (window + PAGE, 0xfe00_4000)] {
            map_device(&tables, page, physical).unwrap();
            map_device(&tables, page, physical).unwrap();
            let run = find(&tables, page + 20).unwrap();
            assert_eq!((run.address, run.len), (physical + 20, 4096 - 20));
        }
        assert_eq!(tables.left.get(), 3, "one table for each level");
        let entries = tables.entries.borrow();
        let pages = entries.values().filter(|entry| *entry & ADDRESS >= 0xfe00_0000);
        assert!(pages.clone().all(|page| page & UNCACHED != 0) && pages.count() == 2);
    }

    #[test]
    fn no_memory_for_tables_is_told() {
        assert_eq!(map_device(&Fake::new(&[], 2), 1 << 45, 0xfe00_3000), None);
    }
}
