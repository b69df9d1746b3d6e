//! Builds a document's value and, beside it, the places of its parts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::{Map, Value};

/// A document: its value, and a spot for each part of it.
#[derive(Debug)]
pub(super) struct Tree {
    pub value: Value,
    pub root: Spot,
    /// The children of one parent stand together, in the order of the value.
    pub spots: Vec<Spot>,
    /// What aliases repeat, in order and none within another.
    pub repeated: Vec<Span>,
}

impl Tree {
    /// Whether an alias repeats a part of the text.
    pub(super) fn is_repeated(&self, span: Span) -> bool {
        let before = self.repeated.partition_point(|it| it.start <= span.start);
        let nearest = before.checked_sub(1).map(|at| self.repeated[at]);
        nearest.is_some_and(|it| span.end <= it.end)
    }
}

/// The place of one part of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub value: Span,
    pub key: Option<Span>,
    pub alias: Option<Span>,
    /// Its children, as indexes of the tree's spots.
    pub children: Span,
}

/// A range in four bytes each, as there are millions of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// Makes a span; offsets fit, as no text of 4 GiB is read.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let short = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: short(start), end: short(end) }
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start as usize..span.end as usize
    }
}

/// What is wrong at a byte of the text.
#[derive(Debug)]
pub(super) struct Fault {
    pub at: usize,
    pub why: String,
}

impl Fault {
    pub(super) fn new(at: usize, why: impl Into<String>) -> Self {
        Self { at, why: why.into() }
    }

    pub(super) fn too_deep(at: usize) -> Self {
        Self::new(at, format!("values are nested more than {MOST_LEVELS} levels deep"))
    }
}

/// How much a text may still make of itself.
#[derive(Debug)]
pub(super) struct Budget {
    pub nodes: usize,
    pub copied_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { nodes: MOST_NODES, copied_bytes: MOST_COPIED_BYTES }
    }
}

/// Puts a document together from its parts in the order of the text.
pub(super) struct Builder<'b> {
    budget: &'b mut Budget,
    open: Vec<Open>,
    /// Spots whose parent is not closed yet.
    waiting: Vec<Spot>,
    spots: Vec<Spot>,
    anchors: BTreeMap<usize, Anchored>,
    repeated: Vec<Span>,
    root: Option<(Value, Spot)>,
}

/// A list or map that is not closed yet.
struct Open {
    inside: Inside,
    start: usize,
    anchor: usize,
    /// Where its children begin among those that wait.
    first: usize,
}

enum Inside {
    List(Vec<Value>),
    Map { map: Map<String, Value>, key: Option<Key>, merged: BTreeSet<String> },
}

enum Key {
    Name(String, Span),
    Merge(Span),
}

/// A value that an alias may name.
struct Anchored {
    value: Value,
    spot: Spot,
    levels: usize,
    bytes: usize,
}

/// What begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Collection {
    List,
    Map,
}

impl<'b> Builder<'b> {
    pub(super) fn new(budget: &'b mut Budget) -> Self {
        Self {
            budget,
            open: Vec::new(),
            waiting: Vec::new(),
            spots: Vec::new(),
            anchors: BTreeMap::new(),
            repeated: Vec::new(),
            root: None,
        }
    }

    /// Whether what comes next is a key.
    pub(super) fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { inside: Inside::Map { key: None, .. }, .. }))
    }

    pub(super) fn key(&mut self, name: String, span: Span) {
        self.set_key(Key::Name(name, span));
    }

    /// Takes the key `<<`, whose value's entries become those of the map.
    pub(super) fn merge_key(&mut self, span: Span) {
        self.set_key(Key::Merge(span));
    }

    fn set_key(&mut self, given: Key) {
        if let Some(Open { inside: Inside::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(given);
        }
    }

    /// Uses an anchored value as a key.
    pub(super) fn alias_key(&mut self, anchor: usize, span: Span) -> Result<(), Fault> {
        let anchored = self.anchored(anchor, span)?;
        let at = anchored.spot.value;
        let name = match anchored.value {
            Value::String(ref name) => name.clone(),
            ref value @ (Value::Bool(_) | Value::Number(_)) => value.to_string(),
            _ => return Err(Fault::new(span.start as usize, KEY_IS_NO_TEXT)),
        };
        self.copied(name.len(), span)?;
        self.repeated.push(at);
        self.key(name, span);
        Ok(())
    }

    /// Begins a list or map; an anchor of 0 is none.
    pub(super) fn begin(
        &mut self,
        collection: Collection,
        start: usize,
        anchor: usize,
    ) -> Result<(), Fault> {
        if self.wants_key() {
            return Err(Fault::new(start, KEY_IS_NO_TEXT));
        }
        self.fits(1, start)?;
        let inside = match collection {
            Collection::List => Inside::List(Vec::new()),
            Collection::Map => Inside::Map { map: Map::new(), key: None, merged: BTreeSet::new() },
        };
        self.open.push(Open { inside, start, anchor, first: self.waiting.len() });
        Ok(())
    }

    /// Ends the innermost list or map.
    pub(super) fn end(&mut self, end: usize) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let first = self.spots.len();
        self.spots.extend(self.waiting.drain(open.first..));
        let children = Span::new(first, self.spots.len());
        let value = match open.inside {
            Inside::List(list) => Value::Array(list),
            Inside::Map { map, .. } => Value::Object(map),
        };
        let spot = Spot { value: Span::new(open.start, end), key: None, alias: None, children };
        self.give(value, spot, open.anchor)
    }

    /// Adds a scalar.
    pub(super) fn scalar(&mut self, value: Value, span: Span, anchor: usize) -> Result<(), Fault> {
        let spot = Spot { value: span, key: None, alias: None, children: Span::default() };
        self.give(value, spot, anchor)
    }

    /// Adds once more what is anchored.
    pub(super) fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Fault> {
        let Anchored { levels, bytes, .. } = *self.anchored(anchor, span)?;
        self.fits(levels, span.start as usize)?;
        self.copied(bytes, span)?;
        let Anchored { value, spot, .. } = self.anchored(anchor, span)?;
        let (value, spot) = (value.clone(), Spot { alias: Some(span), ..*spot });
        self.repeated.push(spot.value);
        self.give(value, spot, 0)
    }

    /// Ends the document; none was there if nothing was added.
    pub(super) fn finish(self) -> Option<Tree> {
        let (spots, repeated) = (self.spots, outermost(self.repeated));
        self.root.map(|(value, root)| Tree { value, root, spots, repeated })
    }

    fn give(&mut self, value: Value, spot: Spot, anchor: usize) -> Result<(), Fault> {
        let at = spot.alias.unwrap_or(spot.value);
        let Some(nodes) = self.budget.nodes.checked_sub(1) else {
            let why = format!("the text holds more than {MOST_NODES} values");
            return Err(Fault::new(at.start as usize, why));
        };
        self.budget.nodes = nodes;
        if anchor != 0 {
            self.keep(anchor, &value, spot)?;
        }
        self.attach(value, spot)
    }

    /// Makes a finished value a part of the innermost list or map, or the document.
    fn attach(&mut self, value: Value, mut spot: Spot) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some((value, spot));
            return Ok(());
        };
        let (map, key, merged) = match &mut open.inside {
            Inside::List(list) => {
                list.push(value);
                self.waiting.push(spot);
                return Ok(());
            }
            Inside::Map { map, key, merged } => (map, key.take(), merged),
        };
        match key {
            Some(Key::Name(name, span)) => {
                spot.key = Some(span);
                match enter(map, merged, name, value, span)? {
                    None => self.waiting.push(spot),
                    Some(index) => self.waiting[open.first + index] = spot,
                }
                Ok(())
            }
            Some(Key::Merge(span)) => self.merge(value, spot, span),
            None => Ok(()),
        }
    }

    /// Makes the entries of a map, or of each map in a list, those of the innermost map.
    fn merge(&mut self, value: Value, spot: Spot, key: Span) -> Result<(), Fault> {
        let is_alias = spot.alias.is_some();
        let maps = match value {
            Value::Object(map) => vec![(map, spot)],
            Value::Array(list) if !is_alias => {
                let spots = &self.spots[Range::from(spot.children)];
                let maps = list.into_iter().zip(spots.iter().copied());
                // The first of them counts, so it comes last.
                let maps = maps.rev().map(|(map, spot)| match map {
                    Value::Object(map) => Some((map, spot)),
                    _ => None,
                });
                maps.collect::<Option<_>>().ok_or_else(|| no_map(key))?
            }
            _ => return Err(no_map(key)),
        };
        for (map, spot) in maps {
            self.merge_one(map, spot);
        }
        Ok(())
    }

    fn merge_one(&mut self, from: Map<String, Value>, spot: Spot) {
        let Some(open) = self.open.last_mut() else { return };
        let Inside::Map { map, merged, .. } = &mut open.inside else { return };
        let children = &self.spots[Range::from(spot.children)];
        for ((name, value), child) in from.into_iter().zip(children) {
            let child = Spot { alias: child.alias.or(spot.alias), ..*child };
            merged.insert(name.clone());
            match map.iter().position(|(known, _)| *known == name) {
                Some(index) => self.waiting[open.first + index] = child,
                None => self.waiting.push(child),
            }
            map.insert(name, value);
        }
    }

    fn keep(&mut self, anchor: usize, value: &Value, spot: Spot) -> Result<(), Fault> {
        let (levels, bytes) = measure(value);
        self.copied(bytes, spot.value)?;
        self.anchors.insert(anchor, Anchored { value: value.clone(), spot, levels, bytes });
        Ok(())
    }

    fn anchored(&self, anchor: usize, span: Span) -> Result<&Anchored, Fault> {
        let inside = || Fault::new(span.start as usize, "the alias stands inside what it names");
        self.anchors.get(&anchor).ok_or_else(inside)
    }

    fn copied(&mut self, bytes: usize, span: Span) -> Result<(), Fault> {
        let Some(left) = self.budget.copied_bytes.checked_sub(bytes) else {
            let why = "anchors and aliases make too much of this text";
            return Err(Fault::new(span.start as usize, why));
        };
        self.budget.copied_bytes = left;
        Ok(())
    }

    fn fits(&self, levels: usize, at: usize) -> Result<(), Fault> {
        if self.open.len() + levels <= MOST_LEVELS {
            return Ok(());
        }
        Err(Fault::too_deep(at))
    }
}

/// Adds an entry; gives its number if it takes the place of one that was merged.
fn enter(
    map: &mut Map<String, Value>,
    merged: &mut BTreeSet<String>,
    name: String,
    value: Value,
    span: Span,
) -> Result<Option<usize>, Fault> {
    if merged.remove(&name) {
        let index = map.iter().position(|(known, _)| *known == name);
        map.insert(name, value);
        return Ok(index);
    }
    match map.entry(name) {
        serde_json::map::Entry::Vacant(entry) => {
            entry.insert(value);
            Ok(None)
        }
        serde_json::map::Entry::Occupied(entry) => {
            let why = format!("the key `{}` is given twice", entry.key());
            Err(Fault::new(span.start as usize, why))
        }
    }
}

/// Puts spans in order and leaves out those within another; two of them never overlap by a part.
fn outermost(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut end = 0;
    spans.retain(|span| {
        let is_first = end == 0 || span.start >= end;
        end = if is_first { span.end.max(1) } else { end };
        is_first
    });
    spans
}

fn no_map(key: Span) -> Fault {
    Fault::new(key.start as usize, "`<<` takes a map or a list of maps")
}

/// Counts the levels of a value and the bytes that a copy of it takes.
fn measure(value: &Value) -> (usize, usize) {
    let children: Box<dyn Iterator<Item = (usize, &Value)>> = match value {
        Value::Array(list) => Box::new(list.iter().map(|child| (0, child))),
        Value::Object(map) => Box::new(map.iter().map(|(name, child)| (name.len(), child))),
        Value::String(text) => return (0, NODE_BYTES + text.len()),
        _ => return (0, NODE_BYTES),
    };
    let (levels, bytes) = children.fold((0, NODE_BYTES), |(levels, bytes), (name, child)| {
        let (below, more) = measure(child);
        (levels.max(below), bytes + name + more)
    });
    (levels + 1, bytes)
}

const KEY_IS_NO_TEXT: &str = "a key must be a text";

/// Kubernetes takes ten thousand. The deepest real objects, schemas of custom resources, have some
/// fifty, and every walk over a value of a hundred levels fits a small stack.
pub(super) const MOST_LEVELS: usize = 100;

/// Ordinary manifests have a value in seventeen bytes; this is a hundred megabytes of them.
const MOST_NODES: usize = 8_000_000;

/// Four hundred thousand values, which is about what go-yaml lets aliases make of a document.
const MOST_COPIED_BYTES: usize = 400_000 * NODE_BYTES;

/// What a value weighs without its text.
const NODE_BYTES: usize = 80;
