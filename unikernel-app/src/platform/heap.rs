//! The heap: the longest piece of RAM above the image and below 4 GiB, which is what is mapped.

use super::start_info::StartInfo;
use core::ops::Range;
use nerite_unikernel::memory::longest_gap;
use spin::Mutex;
use talc::{ErrOnOom, Span, Talc, Talck};

#[global_allocator]
static HEAP: Talck<Mutex<()>, ErrOnOom> = Talc::new(ErrOnOom).lock();

unsafe extern "C" {
    /// In `image.ld`: the first byte after the image.
    static image_end: u8;
}

/// Gives the heap its memory, and tells how much. Must be called once, before anything allocates.
pub(crate) fn start(info: &StartInfo) -> u64 {
    let first = &raw const image_end as u64;
    let usable = |ram: Range<u64>| ram.start.max(first)..ram.end.min(1 << 32);
    let ram = info.ram().map(usable).filter(|ram| !ram.is_empty());
    let Some(gap) = longest_gap(ram, &info.taken()) else {
        panic!("the machine has no memory above the image");
    };
    let span = Span::new(gap.start as usize as *mut u8, gap.end as usize as *mut u8);
    // SAFETY: this is RAM, mapped, outside the image and the loader's data; nobody else takes any.
    let claimed = unsafe { HEAP.lock().claim(span) };
    assert!(claimed.is_ok(), "the machine has not enough memory for a heap");
    gap.end - gap.start
}
