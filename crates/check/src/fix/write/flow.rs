//! Lists and maps that are written in brackets and braces, as all of JSON is.

use std::ops::Range;

use ringfort_facts::manifest::Node;
use serde_json::Value;

use super::{Change, Edit, Unwritable, Writer, said};
use crate::fix::Why;

/// What is written of a part, from its key on, and whether it stays.
type Part = (Range<usize>, bool);

impl Writer<'_> {
    pub(super) fn flow_map(
        &mut self,
        node: Node<'_>,
        change: &Change<'_, '_>,
    ) -> Result<(), Unwritable> {
        let Change { entries, added } = change;
        let parts: Vec<Part> = entries
            .iter()
            .map(|(entry, stays)| (entry.start..self.end(entry.node), *stays))
            .collect();
        let is_quoted = self.text.is_quoted()
            || entries.iter().any(|(entry, _)| self.text.whole[entry.start..].starts_with('"'));
        let Some(last) = self.remove_parts(node, &parts)? else {
            let entries: Vec<_> =
                added.iter().map(|(key, it)| said::entry(key, it, is_quoted)).collect();
            return self.refill(node, &format!("{{{}}}", entries.join(", ")));
        };
        let layout = self.layout(node, parts.first());
        let line_break = self.text.line_break();
        for (key, value) in added {
            let with = match &layout {
                Some((indent, step)) => {
                    let ways = (indent.as_str(), step.as_str());
                    let entry = said::lines_in_braces(key, value, ways, is_quoted, line_break);
                    format!(",{line_break}{indent}{entry}")
                }
                None => format!(", {}", said::entry(key, value, is_quoted)),
            };
            self.put_behind(last, with)?;
        }
        Ok(())
    }

    pub(super) fn append_to_flow(
        &mut self,
        node: Node<'_>,
        items: &[Node<'_>],
        added: &[Value],
    ) -> Result<(), Unwritable> {
        let is_quoted = self.text.is_quoted()
            || node.key().is_some_and(|key| self.text.whole[key.start..].starts_with('"'));
        let parts: Vec<Part> = items.iter().map(|item| (self.of_item(*item), true)).collect();
        let Some((last, _)) = parts.last() else {
            let items: Vec<_> = added.iter().map(|item| said::flow(item, is_quoted)).collect();
            return self.refill(node, &format!("[{}]", items.join(", ")));
        };
        let layout = self.layout(node, parts.first());
        for item in added {
            let item = said::flow(item, is_quoted);
            let with = match &layout {
                Some((indent, _)) => format!(",{}{indent}{item}", self.text.line_break()),
                None => format!(", {item}"),
            };
            self.put_behind(last.end, with)?;
        }
        Ok(())
    }

    pub(super) fn shorten_flow(
        &mut self,
        node: Node<'_>,
        items: &[Node<'_>],
        stays: &[bool],
    ) -> Result<(), Unwritable> {
        let parts: Vec<Part> =
            items.iter().zip(stays).map(|(item, stays)| (self.of_item(*item), *stays)).collect();
        match self.remove_parts(node, &parts)? {
            Some(_) => Ok(()),
            None => self.refill(node, "[]"),
        }
    }

    fn of_item(&self, item: Node<'_>) -> Range<usize> {
        item.alias().unwrap_or_else(|| item.range().start..self.end(item))
    }

    /// Takes away the parts that go, each with the comma beside it. Gives the end of the last that stays;
    /// where none does, nothing is taken away yet.
    fn remove_parts(
        &mut self,
        node: Node<'_>,
        parts: &[Part],
    ) -> Result<Option<usize>, Unwritable> {
        let Some(first) = parts.iter().position(|(_, stays)| *stays) else { return Ok(None) };
        if parts.iter().any(|(part, _)| part.is_empty()) {
            return Err(Unwritable { at: node.range().start, why: Why::Elsewhere });
        }
        let mut last = parts[first].0.clone();
        if first > 0 {
            self.cut(parts[0].0.start..last.start)?;
        }
        for pair in parts[first..].windows(2) {
            let (part, stays) = &pair[1];
            match stays {
                true => last = part.clone(),
                false => self.cut(pair[0].0.end..part.end)?,
            }
        }
        Ok(Some(last.end))
    }

    /// Takes away bytes among which no comment begins.
    fn cut(&mut self, at: Range<usize>) -> Result<(), Unwritable> {
        self.has_no_comment(&at)?;
        self.edits.push(Edit { at, with: String::new() });
        Ok(())
    }

    /// Writes something else in the place of brackets and all that is in them.
    fn refill(&mut self, node: Node<'_>, with: &str) -> Result<(), Unwritable> {
        let at = node.range();
        self.has_no_comment(&at)?;
        self.edits.push(Edit { at, with: with.to_owned() });
        Ok(())
    }

    /// Puts something behind the last part, where no comment says something of that part.
    fn put_behind(&mut self, last: usize, with: String) -> Result<(), Unwritable> {
        self.has_no_comment(&(last..self.text.line_end(last)))?;
        self.edits.push(Edit { at: last..last, with });
        Ok(())
    }

    fn has_no_comment(&self, at: &Range<usize>) -> Result<(), Unwritable> {
        let written = self.text.whole.get(at.clone()).unwrap_or("#");
        match written.contains('#') {
            true => Err(Unwritable { at: at.start, why: Why::Comment }),
            false => Ok(()),
        }
    }

    /// Gives the indentation of parts that have lines of their own, and how much deeper a level stands.
    fn layout(&self, node: Node<'_>, first: Option<&Part>) -> Option<(String, String)> {
        let (first, _) = first?;
        let before = self.text.before(first.start);
        let is_alone = before.bytes().all(|byte| b" \t".contains(&byte));
        if !is_alone || self.text.line_start(first.start) <= node.range().start {
            return None;
        }
        let step = if before.contains('\t') { "\t" } else { "  " };
        let outer = self.text.before(node.range().start);
        let outer = outer.len() - outer.trim_start().len();
        let is_wider = before.len() > outer + 2 && !before.contains('\t');
        let step = if is_wider { " ".repeat(before.len() - outer) } else { step.to_owned() };
        Some((before.to_owned(), step))
    }
}
