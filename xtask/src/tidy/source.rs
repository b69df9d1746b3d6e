//! Rust source seen without its comments, strings and tests. Pure.
//!
//! A scanner, not a parser: enough to count braces and find paths without being misled by text.

use std::path::Path;

/// A file of Rust, line by line.
pub(crate) struct Source {
    lines: Vec<Line>,
}

/// One line.
pub(crate) struct Line {
    /// The line as code: comments, strings and characters are blanked.
    pub(crate) code: String,
    /// Whether the line is documentation (`///`, `//!`).
    pub(crate) doc: bool,
    /// Whether the line belongs to a module or function that only tests compile.
    pub(crate) test: bool,
}

impl Source {
    /// Scans a file.
    pub(crate) fn new(text: &str) -> Self {
        let code = blank(text);
        let mut lines: Vec<_> = text
            .lines()
            .zip(code.lines())
            .map(|(line, code)| {
                let start = line.trim_start();
                let doc = start.starts_with("///") || start.starts_with("//!");
                Line { code: code.to_owned(), doc, test: false }
            })
            .collect();
        mark_tests(&mut lines);
        Self { lines }
    }

    /// The lines, in order.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }
}

/// Whether the whole file is a module of tests.
pub(crate) fn is_only_tests(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "tests.rs")
        || file.components().any(|part| part.as_os_str() == "tests")
}

/// Marks everything that a `#[cfg(test)]` attribute governs.
fn mark_tests(lines: &mut [Line]) {
    let mut index = 0;
    while index < lines.len() {
        if lines[index].code.trim() == "#[cfg(test)]" {
            let end = end_of_item(lines, index + 1);
            lines[index..=end].iter_mut().for_each(|line| line.test = true);
            index = end;
        }
        index += 1;
    }
}

/// The last line of the item that begins at or after `start`.
pub(crate) fn end_of_item(lines: &[Line], start: usize) -> usize {
    let mut depth = 0usize;
    for (index, line) in lines.iter().enumerate().skip(start) {
        for character in line.code.chars() {
            match character {
                '{' => depth += 1,
                '}' if depth <= 1 => return index,
                '}' => depth -= 1,
                ';' if depth == 0 => return index,
                _ => {}
            }
        }
    }
    lines.len().saturating_sub(1)
}

/// Blanks comments, strings and characters, keeping every line where it is.
fn blank(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let end = end_of_text(&characters, at);
        if end == at {
            out.push(characters[at]);
            at += 1;
        } else {
            let blanked = characters[at..end].iter();
            out.extend(blanked.map(|each| if *each == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment, string or character that begins at `at` ends; `at` itself if none begins.
fn end_of_text(characters: &[char], at: usize) -> usize {
    let rest = &characters[at..];
    let length = match rest {
        ['/', '/', ..] => rest.iter().position(|each| *each == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => 1 + quoted(&rest[1..], '"'),
        ['r', '"' | '#', ..] if !is_word(characters, at) => raw_string(rest),
        ['\'', '\\', ..] => 1 + quoted(&rest[1..], '\''),
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    };
    at + length
}

/// Whether the character before `at` makes it part of a longer word (`br"` is a string, `for"` not).
fn is_word(characters: &[char], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| characters[before]) else { return false };
    before != 'b' && (before.is_alphanumeric() || before == '_')
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            each if each == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a raw string, or 0 if this is a raw identifier.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|each| **each == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let mut at = 2 + hashes;
    while at < rest.len() {
        let closing = rest[at + 1..].iter().take(hashes).filter(|each| **each == '#').count();
        if rest[at] == '"' && closing == hashes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(blank(text), expected);
    }

    #[test]
    fn comments_and_text_are_blanked_and_code_is_kept() {
        check("a // b {\nc", "a       \nc");
        check("a /* { /* } */ */ b", "a                 b");
        check(r#"let a = "{\"}"; b"#, "let a =       ; b");
        check(r##"x(r#"{ " }"#, 1)"##, "x(          , 1)");
        check(
            "let c = '{'; let d = '\\''; 'outer: loop {",
            "let c =    ; let d =     ; 'outer: loop {",
        );
        check("fn r#type<'a>() {", "fn r#type<'a>() {");
        check("let unterminated = \"abc", "let unterminated =     ");
    }

    #[test]
    fn what_only_tests_compile_is_marked() {
        let source =
            Source::new("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        let tests: Vec<_> = source.lines().iter().map(|line| line.test).collect();
        assert_eq!(tests, [false, true, true, true, true, false]);
    }
}
