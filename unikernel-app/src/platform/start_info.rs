//! What the PVH loader hands over (Xen's `start_info.h`, version 1).

use core::ffi::CStr;
use core::ops::Range;

const MAGIC: u32 = 0x336e_c578;
const RAM: u32 = 1;

#[repr(C)]
struct Header {
    magic: u32,
    version: u32,
    flags: u32,
    module_count: u32,
    modules: u64,
    command_line: u64,
    rsdp: u64,
    memory_map: u64,
    memory_map_len: u32,
    reserved: u32,
}

#[repr(C)]
struct Module {
    start: u64,
    len: u64,
    command_line: u64,
    reserved: u64,
}

#[repr(C)]
struct Region {
    start: u64,
    len: u64,
    kind: u32,
    reserved: u32,
}

/// Where the memory is, and the command line.
pub(crate) struct StartInfo {
    at: u64,
    header: Header,
}

impl StartInfo {
    /// `None` if there is none of a version that has a memory map.
    ///
    /// # Safety
    /// `at` is what the loader left in EBX, memory is mapped one to one, and what lies in
    /// [`taken`](Self::taken) is never written.
    pub(crate) unsafe fn read(at: u32) -> Option<Self> {
        // SAFETY: the loader put the structure there. It need not be aligned for its 64-bit fields.
        let header = unsafe { (at as usize as *const Header).read_unaligned() };
        (header.magic == MAGIC && header.version >= 1).then_some(Self { at: at.into(), header })
    }

    /// Where the first module lies (`-initrd`), if there is one.
    pub(crate) fn module(&self) -> Option<Range<u64>> {
        let first = self.header.modules as usize as *const Module;
        // SAFETY: the loader put so many modules there (`read`).
        let module = (self.header.module_count > 0).then(|| unsafe { first.read_unaligned() })?;
        Some(module.start..module.start.saturating_add(module.len))
    }

    /// Where the root of ACPI's tables is, if there is one.
    #[allow(dead_code, reason = "only the loader of Hermit's applications asks")]
    pub(crate) fn rsdp(&self) -> Option<u64> {
        (self.header.rsdp != 0).then_some(self.header.rsdp)
    }

    /// Every range of RAM.
    pub(crate) fn ram(&self) -> impl Iterator<Item = Range<u64>> {
        (0..self.header.memory_map_len as usize)
            .map(|index| {
                let first = self.header.memory_map as usize as *const Region;
                // SAFETY: the loader put so many regions there (`read`).
                unsafe { first.add(index).read_unaligned() }
            })
            .filter(|region| region.kind == RAM)
            .map(|region| region.start..region.start.saturating_add(region.len))
    }

    /// What the loader's data occupy.
    pub(crate) fn taken(&self) -> [Range<u64>; 3] {
        let range = |start: u64, len: usize| start..start.saturating_add(len as u64);
        let map_len = self.header.memory_map_len as usize * size_of::<Region>();
        let line_len = self.command_line().to_bytes_with_nul().len();
        [
            range(self.at, size_of::<Header>()),
            range(self.header.memory_map, map_len),
            range(self.header.command_line, line_len),
        ]
    }

    /// The command line; empty if there is none.
    pub(crate) fn command_line(&self) -> &CStr {
        match self.header.command_line {
            0 => c"",
            // SAFETY: the loader put a text there that ends with a zero (`read`).
            at => unsafe { CStr::from_ptr(at as usize as *const _) },
        }
    }
}
