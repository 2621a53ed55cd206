//! What the virtio driver needs of the machine. Memory is mapped one to one and there is no IOMMU,
//! so a device sees every buffer at its own address, and nothing is copied.

use super::paging::map_device;
use alloc::alloc::{alloc_zeroed, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::ptr::NonNull;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

pub(crate) struct Machine;

fn pages(count: usize) -> Layout {
    let layout = count.checked_mul(PAGE_SIZE).map(|len| Layout::from_size_align(len, PAGE_SIZE));
    match layout {
        Some(Ok(layout)) if layout.size() > 0 => layout,
        _ => panic!("{count} pages were asked for"),
    }
}

// SAFETY: `dma_alloc` returns zeroed pages of its own, or does not return; `mmio_phys_to_virt` maps
// what it returns, outside RAM; `share` returns the buffer's own address.
unsafe impl Hal for Machine {
    fn dma_alloc(count: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let layout = pages(count);
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc_zeroed(layout) };
        let memory = NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout));
        (memory.as_ptr() as PhysAddr, memory)
    }

    unsafe fn dma_dealloc(_: PhysAddr, memory: NonNull<u8>, count: usize) -> i32 {
        // SAFETY: the caller got it from `dma_alloc` with this count.
        unsafe { dealloc(memory.as_ptr(), pages(count)) };
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, len: usize) -> NonNull<u8> {
        map_device(address, len as u64);
        NonNull::new(address as usize as *mut u8).unwrap_or_else(|| panic!("a BAR is at 0"))
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.as_ptr().cast::<u8>() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}
