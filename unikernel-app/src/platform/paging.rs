//! Maps device memory above the 4 GiB that `boot.s` maps. Firmware puts 64-bit PCI BARs there when
//! the machine has much memory.

use alloc::boxed::Box;
use core::arch::asm;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const UNCACHED: u64 = 1 << 4;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const PAGE_SHIFT: u32 = 21;

type Table = [u64; 512];

/// Maps the pages of 2 MiB around `[start, start + len)` one to one, unless they are mapped.
pub(crate) fn map_device(start: u64, len: u64) {
    let last = start.saturating_add(len.saturating_sub(1)) >> PAGE_SHIFT;
    for page in start >> PAGE_SHIFT..=last {
        let directory = table_at(table_at(root(), page >> 18), page >> 9);
        let entry = &mut directory[index(page)];
        if *entry & PRESENT == 0 {
            // A page that was absent is in no TLB: nothing to flush.
            *entry = page << PAGE_SHIFT | LARGE | UNCACHED | WRITABLE | PRESENT;
        }
    }
}

fn index(number: u64) -> usize {
    (number % 512) as usize
}

fn root() -> &'static mut Table {
    let address: u64;
    // SAFETY: reading CR3 has no effect.
    unsafe { asm!("mov {}, cr3", out(reg) address, options(nomem, nostack)) }
    // SAFETY: `boot.s` made the table and left it to this file. It is the only code here, runs on
    // one CPU, and each reference is dropped before the next one to the same table is made.
    unsafe { &mut *((address & ADDRESS) as usize as *mut Table) }
}

/// The table that entry `number` of `upper` points to, made if it is absent.
fn table_at(upper: &mut Table, number: u64) -> &'static mut Table {
    #[repr(C, align(4096))]
    struct Aligned(Table);

    let entry = &mut upper[index(number)];
    if *entry & PRESENT == 0 {
        let table = Box::leak(Box::new(Aligned([0; 512])));
        *entry = &raw const table.0 as u64 | WRITABLE | PRESENT;
    }
    // SAFETY: the entry points to a table of `boot.s` or one made above, never to a page: those are
    // only in the lowest level. For the reference see `root`.
    unsafe { &mut *((*entry & ADDRESS) as usize as *mut Table) }
}
