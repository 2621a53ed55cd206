//! Nodes: the pages of the tree. They are searched where they lie and never decoded as a whole.
//!
//! ```text
//! | header | common prefix | slots | cells, in key order | zeros |
//! slot:  | where the cell starts | head: the first bytes of the rest of the key |
//! cell:  | length of the rest of the key | rest of the key | payload |
//! ```
//!
//! A *leaf* (level 0) has an entry for payload, a *branch* a pointer to a node one level below.
//! What is below a branch's cell has keys from the cell's on and below the next one's; its first
//! cell takes what is lower, too.

mod leaf;
mod pack;
mod view;

pub(crate) use leaf::{LeafEntry, LeafValue};
pub(crate) use pack::{Limits, Pack, separator};
pub(crate) use view::{LEVEL_MAX, Node, first_key, mend, stored_check};

#[cfg(test)]
mod tests;
