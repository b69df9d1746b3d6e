//! YAML as a tree in which every node knows its place in the text.
//!
//! Reads the part of YAML that a person writes into a spec: one document of maps, lists and
//! scalars. Anchors, tags and several documents are refused, so that what is read is what is seen.
//! Never here: what the values mean.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::report::Problem;

/// A value with its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its bytes in the text.
    pub range: Range<usize>,
    /// What stands there.
    pub content: Content,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Nothing, `~` or `null`.
    Empty,
    /// A scalar, as text.
    Text {
        /// The text, with escapes resolved.
        text: String,
        /// Whether it stands without quotes, so that it may mean a number or a truth value.
        style: Style,
    },
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the file.
    Map(Vec<Entry>),
    /// Something that is not read; that has been said.
    Refused,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Style {
    /// Without quotes.
    Plain,
    /// In quotes or as a block.
    Quoted,
}

/// One entry of a map.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key.
    pub key: String,
    /// The key's bytes in the text.
    pub key_range: Range<usize>,
    /// The value.
    pub value: Node,
}

/// Reads a text; what cannot be read is said, and left out of the tree.
pub(crate) fn read(text: &str) -> (Option<Node>, Vec<Problem>) {
    if text.len() > MOST_BYTES {
        let message = format!("the file is larger than {} KiB", MOST_BYTES / 1024);
        return (None, vec![Problem::new("too-large", 0..0, message)]);
    }
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MOST_LEVELS,
        block_nesting_limit: MOST_LEVELS,
    };
    let mut events = Vec::new();
    for next in Parser::new_from_str_with_options(text, options) {
        match next {
            Ok((event, span)) => events.push((event, bytes(span))),
            Err(error) => return (None, vec![broken(text, &error)]),
        }
    }
    let mut builder = Builder { events: events.into_iter(), problems: Vec::new() };
    let root = builder.document();
    (root, builder.problems)
}

fn broken(text: &str, error: &granit_parser::ScanError) -> Problem {
    let at = error.marker().byte_offset().unwrap_or(text.len());
    Problem::new("yaml", at..at.saturating_add(1), "the file is not YAML").label(error.info())
}

type Events<'t> = std::vec::IntoIter<(Event<'t>, Range<usize>)>;

struct Builder<'t> {
    events: Events<'t>,
    problems: Vec<Problem>,
}

impl Builder<'_> {
    fn document(&mut self) -> Option<Node> {
        let mut root = None;
        while let Some((event, range)) = self.events.next() {
            match event {
                Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(..)
                | Event::DocumentEnd => {}
                _ if root.is_some() => {
                    let message = "the file holds more than one document";
                    let problem = Problem::new("several-documents", range, message);
                    self.problems.push(problem.help("describe one cluster in one file"));
                    return root;
                }
                event => root = Some(self.node(event, range)),
            }
        }
        root
    }

    fn node(&mut self, event: Event<'_>, range: Range<usize>) -> Node {
        if let Some(tag) = event.tag() {
            let message = format!("the tag {tag} has no meaning here");
            self.problems.push(Problem::new("tag", range.clone(), message).help("remove it"));
        }
        match event {
            Event::Scalar(text, style, _, _) => scalar(text.into_owned(), style, range),
            Event::SequenceStart(..) => self.list(range),
            Event::MappingStart(..) => self.map(range),
            _ => self.alias(range),
        }
    }

    /// Says only of the first alias that none is read.
    fn alias(&mut self, range: Range<usize>) -> Node {
        if !self.problems.iter().any(|problem| problem.code == ALIAS) {
            let problem = Problem::new(ALIAS, range.clone(), "aliases are not read here");
            self.problems.push(problem.help("write the value itself, at every `*`"));
        }
        Node { range, content: Content::Refused }
    }

    fn list(&mut self, start: Range<usize>) -> Node {
        let mut range = start;
        let mut items = Vec::new();
        while let Some((event, at)) = self.events.next() {
            range.end = range.end.max(at.end);
            if event == Event::SequenceEnd {
                break;
            }
            items.push(self.node(event, at));
        }
        Node { range, content: Content::List(items) }
    }

    fn map(&mut self, start: Range<usize>) -> Node {
        let mut range = start;
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: BTreeMap<String, Range<usize>> = BTreeMap::new();
        while let Some((event, at)) = self.events.next() {
            range.end = range.end.max(at.end);
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, at);
            let Some((event, at)) = self.events.next() else { break };
            let value = self.node(event, at);
            let Some((key, key_range)) = self.key(key) else { continue };
            if let Some(first) = seen.get(&key) {
                self.problems.push(duplicate(&key, key_range, first.clone()));
                continue;
            }
            seen.insert(key.clone(), key_range.clone());
            entries.push(Entry { key, key_range, value });
        }
        Node { range, content: Content::Map(entries) }
    }

    fn key(&mut self, node: Node) -> Option<(String, Range<usize>)> {
        match node.content {
            Content::Text { text, .. } => return Some((text, node.range)),
            Content::Refused => {}
            _ => {
                let message = "a field's name must be a text";
                self.problems.push(Problem::new("bad-key", node.range, message));
            }
        }
        None
    }
}

fn scalar(text: String, style: ScalarStyle, range: Range<usize>) -> Node {
    let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
    let nothing = matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL");
    let content = match style {
        Style::Plain if nothing => Content::Empty,
        style => Content::Text { text, style },
    };
    Node { range, content }
}

fn duplicate(key: &str, again: Range<usize>, first: Range<usize>) -> Problem {
    Problem::new("duplicate-field", again, format!("field `{key}` is given twice"))
        .label("given again here")
        .also(first, "first given here")
        .help("keep one of the two")
}

fn bytes(span: Span) -> Range<usize> {
    span.byte_range().unwrap_or_default()
}

const ALIAS: &str = "alias";

/// A spec of a thousand machines with all their keys is a tenth of this.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The deepest spec has four levels.
const MOST_LEVELS: usize = 32;
