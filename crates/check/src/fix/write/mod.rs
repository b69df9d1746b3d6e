//! Writes a changed value into the text that it was read from: as few bytes as say it, in the style of their
//! neighbours. What is not written plainly where it stands is refused.

mod block;
mod flow;
mod said;
mod text;

use std::ops::Range;

use ringfort_facts::manifest::Node;
use serde_json::{Map, Value};

use super::Why;
use text::Text;

/// Bytes of a text, and what takes their place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Edit {
    pub(super) at: Range<usize>,
    pub(super) with: String,
}

/// Why a value cannot be written, and the byte where that was seen.
#[derive(Debug)]
pub(super) struct Unwritable {
    pub(super) at: usize,
    pub(super) why: Why,
}

/// Gives the edits that make a part of a text say something else.
pub(super) fn edits(text: &str, node: Node<'_>, wanted: &Value) -> Result<Vec<Edit>, Unwritable> {
    let mut writer = Writer { text: Text::new(text), edits: Vec::new() };
    writer.write(node, wanted, Style::Block)?;
    let mut edits = writer.edits;
    // What is put at a place stands before what goes from there on.
    edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
    match edits.windows(2).find(|pair| pair[0].at.end > pair[1].at.start) {
        Some(pair) => Err(Unwritable { at: pair[1].at.start, why: Why::Elsewhere }),
        None => Ok(edits),
    }
}

/// Makes edits, which are in order, in a text.
pub(super) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edited = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        edited.push_str(text.get(done..edit.at.start).unwrap_or_default());
        edited.push_str(&edit.with);
        done = edit.at.end;
    }
    edited.push_str(text.get(done..).unwrap_or_default());
    edited
}

/// How what is around a value is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Style {
    /// By lines and their indentation.
    Block,
    /// In brackets and braces.
    Flow,
}

struct Writer<'t> {
    text: Text<'t>,
    edits: Vec<Edit>,
}

/// An entry of a map as it is written.
#[derive(Clone, Copy)]
struct Entry<'d> {
    key: &'d str,
    node: Node<'d>,
    start: usize,
}

/// What becomes of a map.
struct Change<'d, 'w> {
    /// Its entries in the order of the text, and whether each stays.
    entries: Vec<(Entry<'d>, bool)>,
    added: Vec<(&'w str, &'w Value)>,
}

impl Writer<'_> {
    fn write(&mut self, node: Node<'_>, wanted: &Value, around: Style) -> Result<(), Unwritable> {
        if node.value() == wanted {
            return Ok(());
        }
        if let Some(alias) = node.alias() {
            return Err(Unwritable { at: alias.start, why: Why::Alias });
        }
        match (node.value(), wanted) {
            (Value::Object(_), Value::Object(wanted)) => self.map(node, wanted),
            (Value::Array(_), Value::Array(wanted)) => self.list(node, wanted),
            _ => self.instead(node, wanted, around),
        }
    }

    fn map(&mut self, node: Node<'_>, wanted: &Map<String, Value>) -> Result<(), Unwritable> {
        let entries = self.entries(node)?;
        let style = self.style(node, entries.first().map(|entry| entry.start));
        for entry in &entries {
            if let Some(wanted) = wanted.get(entry.key) {
                self.write(entry.node, wanted, style)?;
            }
        }
        let stays = |entry: Entry<'_>| wanted.contains_key(entry.key);
        let is_added = |(key, _): &(&String, _)| !entries.iter().any(|entry| entry.key == *key);
        let added: Vec<_> =
            wanted.iter().filter(is_added).map(|(key, value)| (key.as_str(), value)).collect();
        if added.is_empty() && entries.iter().all(|entry| stays(*entry)) {
            return Ok(());
        }
        self.is_its_own(node)?;
        let entries = entries.iter().map(|entry| (*entry, stays(*entry))).collect();
        let change = Change { entries, added };
        match style {
            Style::Block => self.block_map(node, &change),
            Style::Flow => self.flow_map(node, &change),
        }
    }

    /// Gives the entries of a map as they are written, if all of them are written in it.
    fn entries<'d>(&self, node: Node<'d>) -> Result<Vec<Entry<'d>>, Unwritable> {
        let range = node.range();
        let entry = |(key, node): (Option<&'d str>, Node<'d>)| {
            let start = node.key().map(|key| key.start).filter(|at| range.contains(at))?;
            Some(Entry { key: key?, node, start })
        };
        let entries: Option<Vec<_>> = node.children().map(entry).collect();
        let merged = || Unwritable { at: range.start, why: Why::Merge };
        let mut entries = entries.ok_or_else(merged)?;
        entries.sort_by_key(|entry| entry.start);
        Ok(entries)
    }

    fn list(&mut self, node: Node<'_>, wanted: &[Value]) -> Result<(), Unwritable> {
        let items: Vec<Node<'_>> = node.children().map(|(_, item)| item).collect();
        let style = self.style(node, items.first().map(|item| item.range().start));
        if wanted.len() >= items.len() {
            let (kept, added) = wanted.split_at(items.len());
            for (item, wanted) in items.iter().zip(kept) {
                self.write(*item, wanted, style)?;
            }
            if added.is_empty() {
                return Ok(());
            }
            self.is_its_own(node)?;
            return match style {
                Style::Block => self.append_to_block(node, &items, added),
                Style::Flow => self.append_to_flow(node, &items, added),
            };
        }
        self.is_its_own(node)?;
        let mut rest = wanted.iter().peekable();
        let stays: Vec<bool> =
            items.iter().map(|item| rest.next_if(|it| *it == item.value()).is_some()).collect();
        if rest.peek().is_some() {
            return Err(Unwritable { at: node.range().start, why: Why::Elsewhere });
        }
        match style {
            Style::Block => self.shorten_block(node, &items, &stays),
            Style::Flow => self.shorten_flow(node, &items, &stays),
        }
    }

    /// Puts another value in the place of one that is a single one, or is not written at all.
    fn instead(&mut self, node: Node<'_>, wanted: &Value, around: Style) -> Result<(), Unwritable> {
        self.is_its_own(node)?;
        let range = node.range();
        let elsewhere = Unwritable { at: range.start, why: Why::Elsewhere };
        if node.value().is_object() || node.value().is_array() {
            return Err(elsewhere);
        }
        let written = &self.text.whole[range.clone()];
        if !written.is_empty() {
            if written.contains('\n') {
                return Err(elsewhere);
            }
            let with = said::flow(wanted, self.text.is_quoted());
            self.edits.push(Edit { at: range, with });
            return Ok(());
        }
        let (Some(key), Some(colon)) = (node.key(), self.colon(node)) else {
            return Err(elsewhere);
        };
        match (wanted, around) {
            (Value::Object(map), Style::Block) => {
                let indent = self.text.column(key.start).ok_or(elsewhere)? + said::STEP;
                let entries: Vec<_> = map.iter().map(|(key, it)| (key.as_str(), it)).collect();
                self.put_lines(colon, said::block(&entries, indent, self.text.line_break()));
            }
            _ => {
                let with = format!(" {}", said::flow(wanted, self.text.is_quoted()));
                self.edits.push(Edit { at: colon..colon, with });
            }
        }
        Ok(())
    }

    /// How a list or a map is written. A block begins with its first part, one in brackets before it.
    fn style(&self, node: Node<'_>, first: Option<usize>) -> Style {
        let range = node.range();
        let is_bracket = self.text.whole[range.clone()].starts_with(['{', '[']);
        if is_bracket && first != Some(range.start) { Style::Flow } else { Style::Block }
    }

    /// What an alias repeats would change wherever it is repeated.
    fn is_its_own(&self, node: Node<'_>) -> Result<(), Unwritable> {
        match node.is_repeated() {
            true => Err(Unwritable { at: node.range().start, why: Why::Anchor }),
            false => Ok(()),
        }
    }

    /// Finds the byte behind the `:` that follows a value's key.
    fn colon(&self, node: Node<'_>) -> Option<usize> {
        let end = node.key()?.end;
        let rest = &self.text.whole[end..];
        let at = end + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
        self.text.whole[at..].starts_with(':').then_some(at + 1)
    }

    /// Finds where what is written of a value ends.
    fn end(&self, node: Node<'_>) -> usize {
        if let Some(alias) = node.alias() {
            return alias.end;
        }
        let range = node.range();
        if range.is_empty() {
            return self.colon(node).unwrap_or(range.end);
        }
        let written = &self.text.whole[range.clone()];
        if written.starts_with(['|', '>']) {
            let header = written.lines().next().unwrap_or_default();
            let kept = if header.contains('+') { written } else { written.trim_end() };
            return range.start + kept.len();
        }
        if let Some((_, first)) = node.children().next()
            && self.style(node, Some(first.key().map_or(first.range().start, |key| key.start)))
                == Style::Block
        {
            return node.children().map(|(_, part)| self.end(part)).max().unwrap_or(range.end);
        }
        range.end
    }

    /// Puts lines behind the line of a byte.
    fn put_lines(&mut self, after: usize, lines: String) {
        let at = self.text.line_end(after);
        let is_open = !self.text.whole[..at].ends_with('\n');
        let line_break = self.text.line_break();
        let with = match is_open {
            true => format!("{line_break}{}", lines.trim_end_matches(['\r', '\n'])),
            false => lines,
        };
        self.edits.push(Edit { at: at..at, with });
    }
}

#[cfg(test)]
mod tests;
