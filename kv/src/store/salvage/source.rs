//! What reading a damaged store needs.

use crate::format::layout::Layout;
use crate::log::Disk;

/// The device, and what tells its store from others.
pub(super) struct Source<'a, D> {
    pub(super) disk: &'a Disk<D>,
    pub(super) layout: Layout,
    pub(super) birth: u64,
}
