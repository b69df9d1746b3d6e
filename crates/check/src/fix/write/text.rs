//! The lines of a text, and how it is written in general.

/// A text that is edited.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    pub(super) whole: &'t str,
}

impl<'t> Text<'t> {
    pub(super) fn new(whole: &'t str) -> Self {
        Self { whole }
    }

    /// Finds where the line of a byte begins.
    pub(super) fn line_start(&self, at: usize) -> usize {
        self.whole[..at].rfind('\n').map_or(0, |before| before + 1)
    }

    /// Finds the byte behind the line of a byte.
    pub(super) fn line_end(&self, at: usize) -> usize {
        // What keeps its blank lines ends with a line, not within the next.
        if at > 0 && self.whole[..at].ends_with('\n') {
            return at;
        }
        self.whole[at..].find('\n').map_or(self.whole.len(), |found| at + found + 1)
    }

    /// Gives what stands before a byte on its line.
    pub(super) fn before(&self, at: usize) -> &'t str {
        &self.whole[self.line_start(at)..at]
    }

    /// Gives the column of a byte, from 0, where nothing but spaces and dashes of lists stand before it.
    pub(super) fn column(&self, at: usize) -> Option<usize> {
        let before = self.before(at);
        before.bytes().all(|byte| b" -".contains(&byte)).then_some(before.len())
    }

    /// Gives the end of lines that the text has.
    pub(super) fn line_break(&self) -> &'static str {
        match self.whole.find('\n') {
            Some(at) if self.whole[..at].ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    /// Whether keys and texts stand in quotes, as in JSON.
    pub(super) fn is_quoted(&self) -> bool {
        self.whole.trim_start_matches('\u{feff}').trim_start().starts_with('{')
    }
}
