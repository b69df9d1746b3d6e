//! From a JSON pointer to the bytes of a value.

use std::ops::Range;

use serde_json::Value;

use super::tree::{Spot, Tree};

/// Where a value stands, in bytes of the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place<'p> {
    /// As much of the pointer as was found; all of it if the value is there.
    pub pointer: &'p str,
    /// The value; behind an alias, the value that was anchored.
    pub value: Range<usize>,
    /// The key that leads to it, unless it is a document or a member of a list.
    pub key: Option<Range<usize>>,
    /// The nearest alias on the way to it.
    pub alias: Option<Range<usize>>,
}

impl Tree {
    pub(super) fn place<'p>(&self, pointer: &'p str) -> Place<'p> {
        let (mut value, mut spot, mut alias) = (&self.value, &self.root, self.root.alias);
        let mut found = 0;
        for token in pointer.split('/').skip(1) {
            let child = position(value, token).and_then(|(index, child)| {
                Some((child, self.spots.get(spot.children.start as usize + index)?))
            });
            let Some((next, next_spot)) = child else { break };
            (value, spot) = (next, next_spot);
            alias = spot.alias.or(alias);
            found += token.len() + 1;
        }
        place(&pointer[..found], spot, alias.map(Range::from))
    }
}

fn place<'p>(pointer: &'p str, spot: &Spot, alias: Option<Range<usize>>) -> Place<'p> {
    Place { pointer, value: spot.value.into(), key: spot.key.map(Range::from), alias }
}

/// Finds the child that a part of a pointer names, and its number among its siblings.
pub(super) fn position<'v>(value: &'v Value, token: &str) -> Option<(usize, &'v Value)> {
    match value {
        Value::Object(map) => {
            let key = token.replace("~1", "/").replace("~0", "~");
            map.iter().enumerate().find(|(_, (name, _))| **name == key).map(|(n, (_, v))| (n, v))
        }
        Value::Array(list) => {
            let is_plain = token == "0" || !token.starts_with(['0', '+']);
            let index = token.parse().ok().filter(|_| is_plain)?;
            list.get(index).map(|child| (index, child))
        }
        _ => None,
    }
}
