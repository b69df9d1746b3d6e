//! A way down through a document, for who needs the places of all parts.

use std::ops::Range;

use serde_json::Value;

use super::tree::{Spot, Tree};

/// A part of a document: its value, where it stands, and what is below it.
#[derive(Clone, Copy, Debug)]
pub struct Node<'d> {
    tree: &'d Tree,
    value: &'d Value,
    spot: &'d Spot,
}

impl<'d> Node<'d> {
    pub(super) fn root(tree: &'d Tree) -> Self {
        Self { tree, value: &tree.value, spot: &tree.root }
    }

    /// What it holds.
    #[must_use]
    pub fn value(&self) -> &'d Value {
        self.value
    }

    /// Where it stands, in bytes of the text; behind an alias, where the value stands that was anchored. Of a
    /// value that is not written at all it is empty.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.spot.value.into()
    }

    /// The key that leads to it, where it is an entry of a map.
    #[must_use]
    pub fn key(&self) -> Option<Range<usize>> {
        self.spot.key.map(Range::from)
    }

    /// The alias by which it is written, where it is.
    #[must_use]
    pub fn alias(&self) -> Option<Range<usize>> {
        self.spot.alias.map(Range::from)
    }

    /// Whether an alias repeats it, or what it is a part of, so that it means several parts at once.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.tree.is_repeated(self.spot.value)
    }

    /// What is below it, in the order of the value: keys lead to the entries of a map.
    pub fn children(&self) -> impl Iterator<Item = (Option<&'d str>, Node<'d>)> {
        let tree = self.tree;
        let spots = tree.spots.get(Range::from(self.spot.children)).unwrap_or_default();
        let named: Box<dyn Iterator<Item = (Option<&'d str>, &'d Value)>> = match self.value {
            Value::Object(map) => Box::new(map.iter().map(|(key, it)| (Some(key.as_str()), it))),
            Value::Array(list) => Box::new(list.iter().map(|it| (None, it))),
            _ => Box::new(std::iter::empty()),
        };
        named.zip(spots).map(move |((key, value), spot)| (key, Node { tree, value, spot }))
    }

    /// Finds what a JSON pointer leads to.
    #[must_use]
    pub fn at(self, pointer: &str) -> Option<Node<'d>> {
        pointer.split('/').skip(1).try_fold(self, |node, token| {
            let (index, value) = super::place::position(node.value, token)?;
            let spot = node.tree.spots.get(node.spot.children.start as usize + index)?;
            Some(Node { tree: node.tree, value, spot })
        })
    }
}
