//! YAML into trees.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag};

use super::scalar::{self, Scalar};
use super::tree::{Budget, Builder, Collection, Fault, MOST_LEVELS, Span, Tree};

/// Reads the documents of a text, parted as Kubernetes parts them.
pub(super) fn documents(text: &str, budget: &mut Budget) -> Result<Vec<Tree>, Fault> {
    let mut trees = Vec::new();
    let mut start = 0;
    while let Some(separator) = separator(text, start) {
        trees.extend(document(&text[start..separator], start, budget)?);
        let line = text[separator..].split('\n').next().unwrap_or_default();
        let rest = line["---".len()..].trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err(Fault::new(separator, "nothing but a comment may follow `---`"));
        }
        start = (separator + line.len() + 1).min(text.len());
    }
    trees.extend(document(&text[start..], start, budget)?);
    Ok(trees)
}

/// Finds the next line that begins with `---`.
fn separator(text: &str, start: usize) -> Option<usize> {
    let rest = &text[start..];
    if rest.starts_with("---") {
        return Some(start);
    }
    rest.find("\n---").map(|at| start + at + 1)
}

/// Reads one document, which begins at `base` of the whole text.
fn document(text: &str, base: usize, budget: &mut Budget) -> Result<Option<Tree>, Fault> {
    let mut reader = Reader {
        text,
        base,
        builder: Builder::new(budget),
        end: 0,
        brackets: 0,
        unquoted_breaks: line_breaks(text),
    };
    let options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        flow_nesting_limit: MOST_LEVELS + 1,
        block_nesting_limit: MOST_LEVELS + 1,
    };
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(error) => return Err(broken(base, text, &error)),
        };
        let bytes = span.byte_range().unwrap_or(reader.end..reader.end);
        documents += usize::from(matches!(event, Event::DocumentStart(..)));
        if documents > 1 {
            let why = "a document must begin with `---`, as Kubernetes leaves out this one";
            return Err(Fault::new(base + bytes.start, why));
        }
        reader.take(event, bytes)?;
    }
    reader.finish()
}

fn broken(base: usize, text: &str, error: &ScanError) -> Fault {
    let at = base + error.marker().byte_offset().unwrap_or(text.len());
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => Fault::too_deep(at),
        _ => Fault::new(at, error.info()),
    }
}

struct Reader<'t, 'b> {
    text: &'t str,
    base: usize,
    builder: Builder<'b>,
    /// Where what was read last ends.
    end: usize,
    /// How many brackets and braces are open.
    brackets: usize,
    /// How many line breaks are left that only YAML 1.1 knows, and that are in no quotes.
    unquoted_breaks: usize,
}

impl<'t> Reader<'t, '_> {
    fn take(&mut self, event: Event<'t>, bytes: Range<usize>) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let bytes = self.written(style, bytes);
                let text = if bytes.is_empty() { Cow::Borrowed("") } else { text };
                self.end = bytes.end.max(self.end);
                let span = self.span(bytes.start, bytes.end);
                self.scalar(text, style, tag, anchor, span)
            }
            Event::Anchor(_, name) if !name.bytes().all(is_of_anchor) => {
                let why = "an anchor's name is of letters, digits, `-` and `_`";
                Err(Fault::new(self.base + bytes.start, why))
            }
            Event::Alias(anchor) => {
                self.end = bytes.end;
                let span = self.span(bytes.start, bytes.end);
                if self.builder.wants_key() {
                    return self.builder.alias_key(anchor, span);
                }
                self.builder.alias(anchor, span)
            }
            Event::SequenceStart(style, anchor, _) => {
                self.begin(Collection::List, style, anchor, bytes)
            }
            Event::MappingStart(style, anchor, _) => {
                self.begin(Collection::Map, style, anchor, bytes)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                // A bracket ends here; a block has ended with its last part.
                if !bytes.is_empty() {
                    self.brackets = self.brackets.saturating_sub(1);
                    self.end = bytes.end;
                }
                self.builder.end(self.base + self.end)
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        collection: Collection,
        style: StructureStyle,
        anchor: usize,
        bytes: Range<usize>,
    ) -> Result<(), Fault> {
        if style == StructureStyle::Flow {
            self.brackets += 1;
            self.end = bytes.end;
        } else {
            self.end = self.end.max(bytes.start);
        }
        self.builder.begin(collection, self.base + bytes.start, anchor)
    }

    fn scalar(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        tag: Option<Cow<'t, Tag>>,
        anchor: usize,
        span: Span,
    ) -> Result<(), Fault> {
        let fault = |why: String| Fault::new(span.start as usize, why);
        if self.brackets > 0 && style == ScalarStyle::Plain {
            self.check_in_brackets(&text, tag.is_some(), span)?;
        }
        let is_merge = style == ScalarStyle::Plain && text == "<<";
        if is_merge && self.builder.wants_key() {
            self.builder.merge_key(span);
            return Ok(());
        }
        if matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) {
            self.quoted(span);
        }
        let scalar = match tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix())) {
            Some(tag) => scalar::tagged(&tag, text).map_err(fault)?,
            None if style != ScalarStyle::Plain => Scalar::Text(text),
            _ => scalar::plain(text),
        };
        if self.builder.wants_key() {
            let key = scalar.key().map_err(fault)?;
            self.builder.key(key, span);
            return Ok(());
        }
        self.builder.scalar(scalar.value().map_err(fault)?, span, anchor)
    }

    /// The bytes of a scalar as it is written: those of a block begin at its `|` or `>`.
    fn written(&self, style: ScalarStyle, bytes: Range<usize>) -> Range<usize> {
        if !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            return bytes;
        }
        let header = header(&self.text[self.end.min(bytes.start)..bytes.start]);
        header.map_or(bytes.start, |at| self.end + at)..bytes.end
    }

    /// Refuses what Kubernetes' older rules for brackets read as something else.
    fn check_in_brackets(&self, text: &str, is_tagged: bool, span: Span) -> Result<(), Fault> {
        let after = &self.text.as_bytes()[span.end as usize - self.base..];
        let why = match after {
            _ if text.starts_with('?') => "Kubernetes takes this `?` for a mark of its own",
            _ if is_tagged && text.is_empty() => "a tag in brackets needs a value",
            [b':', b',' | b'[' | b']' | b'{' | b'}', ..] => "a space is missing after the `:`",
            _ => return Ok(()),
        };
        Err(Fault::new(span.start as usize, why))
    }

    fn quoted(&mut self, span: Span) {
        if self.unquoted_breaks > 0 {
            let (start, end) = (span.start as usize, span.end as usize);
            let inside = line_breaks(&self.text[start - self.base..end - self.base]);
            self.unquoted_breaks = self.unquoted_breaks.saturating_sub(inside);
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.base + start, self.base + end)
    }

    fn finish(self) -> Result<Option<Tree>, Fault> {
        if self.unquoted_breaks > 0 {
            let at = self.text.find(LINE_BREAKS).unwrap_or_default();
            let why = "Kubernetes takes this character for the end of a line; write it in quotes";
            return Err(Fault::new(self.base + at, why));
        }
        Ok(self.builder.finish())
    }
}

/// Finds the `|` or `>` of a block among what may stand before it: properties and comments.
fn header(before: &str) -> Option<usize> {
    let mut rest = before;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || ":-?,".contains(c));
        let end = match rest.chars().next()? {
            '|' | '>' => return Some(before.len() - rest.len()),
            '#' => rest.find('\n'),
            '&' | '!' => rest.find(char::is_whitespace),
            _ => None,
        };
        rest = &rest[end?..];
    }
}

/// Whether Kubernetes takes a character for a part of an anchor's name.
fn is_of_anchor(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

/// Counts the characters that end a line in YAML 1.1 and are ordinary in YAML 1.2.
fn line_breaks(text: &str) -> usize {
    if text.is_ascii() { 0 } else { text.matches(LINE_BREAKS).count() }
}

const LINE_BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
