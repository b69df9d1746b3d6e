//! Cuts bytes into lines as they come, each with its number and place. What is held of a line is bounded.

use crate::fault::Why;

/// The longest line that is read: a server's own limit for a request is far below.
pub const MOST_BYTES: usize = 16 << 20;

/// Where something stands in a log.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The number of the line, from 1.
    pub line: u64,
    /// The byte at which the line begins.
    pub byte: u64,
}

/// What is done with a line.
pub type Visit<'v> = dyn FnMut(Place, Result<&[u8], Why>) + 'v;

/// Bytes that are on their way to being lines.
#[derive(Debug)]
pub struct Lines {
    rest: Vec<u8>,
    /// Where the line in `rest` begins.
    at: Place,
    /// How much of a line that is too long has been let go.
    dropped: u64,
    most: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self::with_most(MOST_BYTES)
    }
}

impl Lines {
    /// Begins, with another bound for a line.
    pub fn with_most(most: usize) -> Self {
        Self { rest: Vec::new(), at: Place { line: 1, byte: 0 }, dropped: 0, most }
    }

    /// Takes the next bytes, and visits every line that ends in them.
    pub fn push(&mut self, mut bytes: &[u8], visit: &mut Visit<'_>) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            // A line that came in one piece is not copied.
            if self.rest.is_empty() && self.dropped == 0 && line.len() <= self.most {
                visit(self.at, Ok(line));
                self.at.byte += end as u64 + 1;
            } else {
                self.keep(line);
                self.end(1, visit);
            }
            self.at.line += 1;
            bytes = rest;
        }
        self.keep(bytes);
    }

    /// Gives where the line begins that has not ended.
    pub fn place(&self) -> Place {
        self.at
    }

    /// Visits what stands behind the last line.
    pub fn finish(mut self, visit: &mut Visit<'_>) {
        if !self.rest.is_empty() || self.dropped > 0 {
            self.end(0, visit);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.dropped > 0 || self.rest.len() + bytes.len() > self.most {
            self.dropped += (self.rest.len() + bytes.len()) as u64;
            self.rest = Vec::new();
        } else {
            self.rest.extend_from_slice(bytes);
        }
    }

    fn end(&mut self, newline: u64, visit: &mut Visit<'_>) {
        let length = self.rest.len() as u64 + self.dropped;
        match self.dropped {
            0 => visit(self.at, Ok(&self.rest)),
            _ => visit(self.at, Err(Why::TooLong { most: self.most })),
        }
        self.at.byte += length + newline;
        self.rest.clear();
        self.dropped = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    /// Lines with their places, however the bytes are cut on their way.
    fn check(text: &str, expected: &[&str]) {
        for size in 1..=text.len() {
            let mut lines = Lines::with_most(6);
            let mut found = Vec::new();
            let mut visit = |place: super::Place, line: Result<&[u8], super::Why>| {
                let line = line.map_or_else(|_| "!", |line| std::str::from_utf8(line).unwrap());
                found.push(format!("{}@{} {line}", place.line, place.byte));
            };
            text.as_bytes().chunks(size).for_each(|piece| lines.push(piece, &mut visit));
            lines.finish(&mut visit);
            assert_eq!(found, expected, "{text:?} in pieces of {size}");
        }
    }

    #[test]
    fn lines_have_their_places_however_they_come() {
        check("a\nbc\n", &["1@0 a", "2@2 bc"]);
        check("a\n\nbc", &["1@0 a", "2@2 ", "3@3 bc"]);
        check("123456\n1234567\n12\n", &["1@0 123456", "2@7 !", "3@15 12"]);
        check("12345678", &["1@0 !"]);
    }
}
