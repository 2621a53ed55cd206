//! What the kernel learns of the machine: a flattened device tree with the memory, the place of
//! ACPI's root, and the command line.

use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;
use vm_fdt::{FdtWriter, FdtWriterResult};

const PAGE: u64 = 4096;

pub(crate) fn make(
    ram: impl Iterator<Item = Range<u64>>,
    rsdp: Option<u64>,
    command_line: &str,
) -> FdtWriterResult<Vec<u8>> {
    let mut tree = FdtWriter::new()?;
    let root = tree.begin_node("")?;
    // Addresses and sizes take two words of 32 bits.
    tree.property_u32("#address-cells", 2)?;
    tree.property_u32("#size-cells", 2)?;
    tree.property_string("compatible", "hermit,pvh")?;
    for region in ram {
        // Whole pages: the kernel takes no others.
        let (start, end) = (region.start.next_multiple_of(PAGE), region.end / PAGE * PAGE);
        if start < end {
            let node = tree.begin_node(&format!("memory@{start:x}"))?;
            tree.property_string("device_type", "memory")?;
            tree.property_array_u64("reg", &[start, end - start])?;
            tree.end_node(node)?;
        }
    }
    if let Some(rsdp) = rsdp {
        let node = tree.begin_node(&format!("hermit,rsdp@{rsdp:x}"))?;
        tree.property_array_u64("reg", &[rsdp, 1])?;
        tree.end_node(node)?;
    }
    let node = tree.begin_node("chosen")?;
    tree.property_string("bootargs", command_line)?;
    tree.end_node(node)?;
    tree.end_node(root)?;
    tree.finish()
}
