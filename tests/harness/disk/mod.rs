//! Disks for tests: one that counts, and one that loses power and fails as it is told.

mod counting;
mod fate;
mod medium;
mod monitor;
mod plan;
mod sector;
mod sim;
#[cfg(test)]
mod tests;

pub use counting::{CountingDevice, Counts};
pub use fate::{Fate, NoFate, rot};
pub use medium::{Event, Medium, Written};
pub use monitor::Monitor;
pub use plan::{Fault, NoFault, Repeat, Strike, Unflushed};
pub use sector::{SECTOR, Sector};
pub use sim::{Beyond, SimDisk};
