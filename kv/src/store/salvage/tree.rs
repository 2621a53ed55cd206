//! A walk through a tree that may be damaged: its leaves in key order, and where they are missing.
//!
//! A node with one wrong bit is mended: it fits the check of the pointer that leads to it then.

use super::loss::corruption_of;
use super::source::Source;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error, Fault, Part};
use crate::format::node::Node;
use crate::format::pointer::Pointer;
use crate::format::superblock::{Superblock, Tree};
use crate::log::read_or_mend_node;
use alloc::vec;
use alloc::vec::Vec;

/// Keys from the first on and below the second, if there is one.
pub(super) type Span = (Vec<u8>, Option<Vec<u8>>);

/// A part of the tree.
pub(super) enum Piece {
    Leaf {
        node: Node,
        span: Span,
    },
    /// Nodes are lost here.
    Hole {
        span: Span,
        corruption: Corruption,
    },
    /// There is no tree, and so no key in it.
    Nothing,
}

/// The walk. Memory is that of one path.
pub(super) struct Trees {
    stack: Vec<Todo>,
    /// The tree is none, which was not told yet.
    nothing: bool,
    /// What was wrong with a node that was mended.
    pub(super) mended: Vec<Corruption>,
}

struct Todo {
    pointer: Pointer,
    level: u8,
    span: Span,
}

impl Trees {
    /// Through the tree of this state.
    pub(super) fn new(state: &Superblock) -> Self {
        let span = (Vec::new(), None);
        let root = state.tree.map(|Tree { root, level }| Todo { pointer: root, level, span });
        let (nothing, stack) = (root.is_none(), root.into_iter().collect());
        Self { stack, nothing, mended: Vec::new() }
    }

    /// The next piece, if there is one. Of parts that do not meet `within` nothing is read.
    pub(super) fn next<D: BlockDevice>(
        &mut self,
        source: &Source<'_, D>,
        within: Option<&Span>,
    ) -> Result<Option<Piece>, Error> {
        if core::mem::take(&mut self.nothing) {
            return Ok(Some(Piece::Nothing));
        }
        while let Some(todo) = self.stack.pop() {
            if within.is_some_and(|within| !meet(&todo.span, within)) {
                continue;
            }
            let Todo { pointer, level, span } = todo;
            let Source { disk, layout, birth } = source;
            let node = match read_or_mend_node(disk, layout, *birth, pointer, level) {
                Ok((node, damage)) => {
                    self.mended.extend(damage);
                    node
                }
                Err(error) => {
                    let corruption = corruption_of(error, Part::Node, pointer.at)?;
                    return Ok(Some(Piece::Hole { span, corruption }));
                }
            };
            // In order, each node has keys of its own: so the walk ends, whatever was crafted.
            if !node.is_in_order(&span.0, span.1.as_deref()) {
                let fault = Fault::Field("order of keys");
                let corruption = Corruption { part: Part::Node, at: pointer.at, fault };
                return Ok(Some(Piece::Hole { span, corruption }));
            }
            if level == 0 {
                return Ok(Some(Piece::Leaf { node, span }));
            }
            self.stack.extend(children(&node, &span).into_iter().rev());
        }
        Ok(None)
    }
}

/// What lies below a branch, in key order.
fn children(branch: &Node, span: &Span) -> Vec<Todo> {
    let mut children = vec![];
    for cell in 0..branch.len() {
        let from = if cell == 0 { span.0.clone() } else { branch.key(cell) };
        let next = cell.saturating_add(1);
        let to = if next < branch.len() { Some(branch.key(next)) } else { span.1.clone() };
        let level = branch.level().saturating_sub(1);
        // A node that was opened has pointers in all cells.
        let pointer = branch.child(cell).ok();
        children.extend(pointer.map(|pointer| Todo { pointer, level, span: (from, to) }));
    }
    children
}

/// Whether any key is in both.
pub(super) fn meet(one: &Span, other: &Span) -> bool {
    let begins = |span: &Span, other: &Span| other.1.as_ref().is_none_or(|end| span.0 < *end);
    begins(one, other) && begins(other, one)
}
