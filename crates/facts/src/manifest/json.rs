//! JSON into trees: one value after another, as a stream.

use serde_json::Value;

use super::tree::{Budget, Builder, Collection, Fault, Span, Tree};

/// Reads all values of a text from `start` on.
pub(super) fn documents(text: &str, start: usize, budget: &mut Budget) -> Result<Vec<Tree>, Fault> {
    let mut at = start;
    let mut trees = Vec::new();
    loop {
        let mut reader = Reader { text, at, builder: Builder::new(budget) };
        if reader.next().is_none() {
            return Ok(trees);
        }
        reader.value()?;
        at = reader.at;
        trees.extend(reader.builder.finish());
    }
}

struct Reader<'t, 'b> {
    text: &'t str,
    at: usize,
    builder: Builder<'b>,
}

impl<'t> Reader<'t, '_> {
    /// Steps over white space and gives the byte that follows, without taking it.
    fn next(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        self.at += blank.count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Reads a value; the builder bounds how deep this goes.
    fn value(&mut self) -> Result<(), Fault> {
        match self.next() {
            Some(b'{') => self.map(),
            Some(b'[') => self.list(),
            Some(b'"') => {
                let start = self.at;
                let text = self.string()?;
                self.builder.scalar(Value::String(text), Span::new(start, self.at), 0)
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => Err(self.fault("the text ends too early")),
        }
    }

    fn map(&mut self) -> Result<(), Fault> {
        self.builder.begin(Collection::Map, self.at, 0)?;
        self.at += 1;
        let mut more = self.next() != Some(b'}');
        while more {
            let start = self.at;
            if self.next() != Some(b'"') {
                return Err(self.fault("a key in quotes is expected"));
            }
            let key = self.string()?;
            self.builder.key(key, Span::new(start, self.at));
            if self.next() != Some(b':') {
                return Err(self.fault("a `:` is expected after a key"));
            }
            self.at += 1;
            self.value()?;
            more = self.comma(b'}', "a `,` or `}` is expected")?;
        }
        self.close()
    }

    fn list(&mut self) -> Result<(), Fault> {
        self.builder.begin(Collection::List, self.at, 0)?;
        self.at += 1;
        let mut more = self.next() != Some(b']');
        while more {
            self.value()?;
            more = self.comma(b']', "a `,` or `]` is expected")?;
        }
        self.close()
    }

    /// Whether a comma and so another member follows, not the end.
    fn comma(&mut self, end: u8, wanted: &str) -> Result<bool, Fault> {
        match self.next() {
            Some(b',') => {
                self.at += 1;
                self.next();
                Ok(true)
            }
            Some(byte) if byte == end => Ok(false),
            _ => Err(self.fault(wanted)),
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.at += 1;
        self.builder.end(self.at)
    }

    fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let Some(end) = rest.as_bytes().iter().position(special) else {
                self.at = self.text.len();
                return Err(self.fault("the text ends inside quotes"));
            };
            text.push_str(&rest[..end]);
            self.at += end + 1;
            match rest.as_bytes()[end] {
                b'"' => return Ok(text),
                b'\\' => text.push(self.escape()?),
                _ => {
                    self.at -= 1;
                    return Err(self.fault("a control character must be escaped"));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let escaped = match self.text.as_bytes().get(self.at) {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.fault("this escape is unknown")),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// Reads `uXXXX`, or two of them that are one character; half of two is unknown, as in Go.
    fn unicode(&mut self) -> Result<char, Fault> {
        let first = self.unit(self.at + 1).ok_or_else(|| self.fault("four digits are expected"))?;
        self.at += 5;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let follows = self.text[self.at..].starts_with("\\u");
        let second = if follows { self.unit(self.at + 2) } else { None };
        let Some(second) = second.filter(|unit| (0xdc00..0xe000).contains(unit)) else {
            return Ok(char::REPLACEMENT_CHARACTER);
        };
        self.at += 6;
        let both = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        Ok(char::from_u32(both).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn unit(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 4)?;
        let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        all.then(|| u32::from_str_radix(digits, 16).ok())?
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = self.text.as_bytes()[start..].iter().take_while(part).count();
        let digits = &self.text[start..start + length];
        // The grammar is serde_json's, which also bounds what a float can be.
        let read: Value = serde_json::from_str(digits)
            .map_err(|_| self.fault(format!("`{digits}` is no number")))?;
        self.at += length;
        let number = match digits.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => read.as_f64().map_or(Value::Null, Value::from),
        };
        self.builder.scalar(number, Span::new(start, self.at), 0)
    }

    fn word(&mut self) -> Result<(), Fault> {
        let words =
            [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)];
        let rest = &self.text[self.at..];
        let Some((word, value)) = words.into_iter().find(|(word, _)| rest.starts_with(word)) else {
            return Err(self.fault("a value is expected"));
        };
        let span = Span::new(self.at, self.at + word.len());
        self.at += word.len();
        self.builder.scalar(value, span, 0)
    }

    fn fault(&self, why: impl Into<String>) -> Fault {
        Fault::new(self.at, why)
    }
}
