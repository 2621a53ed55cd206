//! How the image ends.

/// What the image hands to QEMU's `isa-debug-exit`, which makes QEMU exit with `2 * status + 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// All that was asked for is done, and durable.
    Done = 0,
    /// The command line makes no sense.
    Usage = 1,
    /// The machine lacks something, or its disk can't be used.
    Machine = 2,
    /// The store, or the application on it, failed.
    Store = 3,
    /// The code panicked, or ran out of memory.
    Panic = 4,
    /// The CPU met an exception.
    Fault = 5,
}

/// The port of that device on a PC.
pub const EXIT_PORT: u16 = 0xf4;
