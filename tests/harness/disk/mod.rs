//! Disks for tests: one that counts, and one that loses power and fails as it is told.

mod counting;
mod plan;
mod sim;
#[cfg(test)]
mod tests;

pub use counting::{CountingDevice, Counts};
pub use plan::{Call, Fault, Pending, Repeat};
pub use sim::{Fate, SECTOR, SimDisk};
