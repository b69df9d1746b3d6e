//! Lists and maps that are written by lines and their indentation.

use ringfort_facts::manifest::Node;
use serde_json::Value;

use super::{Change, Edit, Unwritable, Writer, said};
use crate::fix::Why;

impl Writer<'_> {
    pub(super) fn block_map(
        &mut self,
        node: Node<'_>,
        change: &Change<'_, '_>,
    ) -> Result<(), Unwritable> {
        let elsewhere = Unwritable { at: node.range().start, why: Why::Elsewhere };
        let Change { entries, added } = change;
        if added.is_empty() && entries.iter().all(|(_, stays)| !stays) {
            let first = entries.first().map(|(entry, _)| entry.start);
            return self.empty_block(node, first.ok_or(elsewhere)?, "{}");
        }
        self.remove_lines(change)?;
        if added.is_empty() {
            return Ok(());
        }
        let columns = || entries.iter().filter_map(|(entry, _)| self.text.column(entry.start));
        let indent = columns().next().ok_or(elsewhere)?;
        let last = entries.iter().map(|(entry, _)| self.end(entry.node)).max().unwrap_or_default();
        self.put_lines(last, said::block(added, indent, self.text.line_break()));
        Ok(())
    }

    /// Takes away the lines of all entries that go.
    fn remove_lines(&mut self, change: &Change<'_, '_>) -> Result<(), Unwritable> {
        let mut entries = change.entries.iter().peekable();
        while let Some((entry, stays)) = entries.next() {
            if *stays {
                continue;
            }
            let before = self.text.before(entry.start);
            let mut end = self.end(entry.node);
            if before.bytes().all(|byte| byte == b' ') {
                let lines = self.text.line_start(entry.start)..self.text.line_end(end);
                self.edits.push(Edit { at: lines, with: String::new() });
                continue;
            }
            let elsewhere = Unwritable { at: entry.start, why: Why::Elsewhere };
            if !before.bytes().all(|byte| b" -".contains(&byte)) {
                return Err(elsewhere);
            }
            // The first entries of a list's item: what follows moves up to the dash, if nothing is between.
            while let Some((gone, _)) = entries.next_if(|(_, stays)| !stays) {
                end = self.end(gone.node);
            }
            let (next, _) = entries.peek().ok_or(elsewhere)?;
            let line_end = self.text.line_end(end);
            let between = self.text.whole.get(line_end..next.start).unwrap_or("#");
            let at = match between.bytes().all(|byte| byte == b' ') {
                true => entry.start..next.start,
                false => {
                    let line = self.text.whole[..line_end].trim_end_matches(['\r', '\n']);
                    let dash = self.text.whole[..entry.start].trim_end_matches(' ').len();
                    dash..line.len()
                }
            };
            self.edits.push(Edit { at, with: String::new() });
        }
        Ok(())
    }

    pub(super) fn append_to_block(
        &mut self,
        node: Node<'_>,
        items: &[Node<'_>],
        added: &[Value],
    ) -> Result<(), Unwritable> {
        let dash = items.iter().find_map(|item| self.dash(*item));
        let dash = dash.ok_or(Unwritable { at: node.range().start, why: Why::Elsewhere })?;
        let indent = " ".repeat(dash - self.text.line_start(dash));
        let line = |item: &Value| {
            format!("{indent}- {}{}", said::flow(item, false), self.text.line_break())
        };
        let lines = added.iter().map(line).collect();
        let last = items.iter().map(|item| self.end(*item)).max().unwrap_or_default();
        self.put_lines(last, lines);
        Ok(())
    }

    pub(super) fn shorten_block(
        &mut self,
        node: Node<'_>,
        items: &[Node<'_>],
        stays: &[bool],
    ) -> Result<(), Unwritable> {
        let elsewhere = || Unwritable { at: node.range().start, why: Why::Elsewhere };
        if !stays.contains(&true) {
            let first = items.first().and_then(|item| self.dash(*item));
            return self.empty_block(node, first.ok_or_else(elsewhere)?, "[]");
        }
        for (item, _) in items.iter().zip(stays).filter(|(_, stays)| !**stays) {
            let dash = self.dash(*item).ok_or_else(elsewhere)?;
            let lines = self.text.line_start(dash)..self.text.line_end(self.end(*item));
            self.edits.push(Edit { at: lines, with: String::new() });
        }
        Ok(())
    }

    /// Finds the dash of an item that begins on the dash's own line.
    fn dash(&self, item: Node<'_>) -> Option<usize> {
        let start = item.alias().map_or(item.range().start, |alias| alias.start);
        let before = self.text.before(start);
        let indent = before.strip_suffix(|c: char| c == ' ')?.trim_end_matches(' ');
        let indent = indent.strip_suffix('-')?;
        let is_alone = indent.bytes().all(|byte| byte == b' ');
        is_alone.then(|| self.text.line_start(start) + indent.len())
    }

    /// Writes something empty behind a key, in the place of all lines below it.
    fn empty_block(&mut self, node: Node<'_>, first: usize, empty: &str) -> Result<(), Unwritable> {
        let elsewhere = Unwritable { at: node.range().start, why: Why::Elsewhere };
        let colon = self.colon(node).ok_or(elsewhere)?;
        let lines = self.text.line_start(first)..self.text.line_end(self.end(node));
        if colon > lines.start {
            return Err(Unwritable { at: colon, why: Why::Elsewhere });
        }
        self.edits.push(Edit { at: colon..colon, with: format!(" {empty}") });
        self.edits.push(Edit { at: lines, with: String::new() });
        Ok(())
    }
}
