//! The index: what each key names, in key order.

mod delta;
mod find;

pub(crate) use delta::{Entry, Index};
pub(crate) use find::Found;
