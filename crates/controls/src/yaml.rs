//! Writes JSON values as YAML that people like to read: block style, keys in their order, texts of
//! several lines as blocks. The same value gives the same bytes.
//!
//! Never here: reading YAML. A text that YAML 1.1 or 1.2 could take for something else is quoted the
//! way JSON quotes it, which YAML reads alike.

use serde_json::{Map, Value};

/// Writes one document.
pub fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(&mut text, map, 0, Start::OfLine),
        Value::Array(list) if !list.is_empty() => sequence(&mut text, list, 0),
        scalar => inline(&mut text, scalar, 0),
    }
    text
}

/// Writes several documents into one text.
pub fn documents(values: &[Value]) -> String {
    values.iter().map(document).collect::<Vec<_>>().join("---\n")
}

/// Where the first key of a mapping stands.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Start {
    OfLine,
    BehindDash,
}

fn mapping(text: &mut String, map: &Map<String, Value>, depth: usize, start: Start) {
    for (place, (key, value)) in map.iter().enumerate() {
        if place > 0 || start == Start::OfLine {
            indent(text, depth);
        }
        text.push_str(&scalar(key));
        text.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text.push('\n');
                mapping(text, inner, depth + 1, Start::OfLine);
            }
            Value::Array(list) if !list.is_empty() => {
                text.push('\n');
                sequence(text, list, depth);
            }
            value => {
                text.push(' ');
                inline(text, value, depth + 1);
            }
        }
    }
}

/// The dashes stand below the key that names the list, as Kubernetes' own tools write it.
fn sequence(text: &mut String, list: &[Value], depth: usize) {
    for value in list {
        indent(text, depth);
        text.push_str("- ");
        match value {
            Value::Object(map) if !map.is_empty() => {
                mapping(text, map, depth + 1, Start::BehindDash);
            }
            Value::Array(inner) if !inner.is_empty() => {
                let inner = Value::Array(inner.clone());
                text.push_str(&format!("{inner}\n"));
            }
            value => inline(text, value, depth + 1),
        }
    }
}

fn inline(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::String(lines) if is_block(lines) => block(text, lines, depth),
        Value::String(word) => text.push_str(&format!("{}\n", scalar(word))),
        other => text.push_str(&format!("{other}\n")),
    }
}

/// A block keeps every character but those that YAML would fold, cut or refuse.
fn is_block(text: &str) -> bool {
    let plain = |c: char| c == '\n' || (' '..='~').contains(&c);
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && text.chars().all(plain)
        && !text.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && body.lines().all(|line| !line.ends_with(' '))
}

fn block(text: &mut String, lines: &str, depth: usize) {
    text.push_str(if lines.ends_with('\n') { "|\n" } else { "|-\n" });
    for line in lines.lines() {
        if !line.is_empty() {
            indent(text, depth);
        }
        text.push_str(line);
        text.push('\n');
    }
}

fn scalar(word: &str) -> String {
    if is_plain(word) { word.to_owned() } else { Value::from(word).to_string() }
}

/// Says whether a text needs no quotes: nothing in it is YAML's, and it looks like no other type.
fn is_plain(word: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_');
    // A flag is no list and no end of a document.
    let head = word.strip_prefix("--").unwrap_or(word);
    let later = |c: char| c.is_ascii_alphanumeric() || " /_.-+=:,()<>;".contains(c);
    head.starts_with(first)
        && word.chars().all(later)
        && !word.contains(": ")
        && !word.ends_with([' ', ':'])
        && !RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

/// Words that some version of YAML reads as a boolean, as nothing, or as a number.
const RESERVED: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf"];

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::document;

    #[test]
    fn what_is_written_reads_back() {
        let texts = [
            "",
            "a",
            "true",
            "Yes",
            "1",
            "1e3",
            "0x1f",
            "01",
            "~",
            "null",
            "-",
            "- a",
            "a: b",
            "a #b",
            "#",
            "a:",
            "key:value",
            "https://10.0.0.1:6443",
            "!has(object.x) && 'a' in b",
            "{}",
            "[a]",
            "a\nb",
            "a\nb\n",
            " a\nb",
            "a \nb",
            "\n",
            "a\n\nb",
            "a\n\n",
            "tab\there",
            "\"q\"",
            "'q'",
            "ünïcode",
            "*",
            "&a",
            "%a",
            "@a",
            "`a`",
            "a, b",
            "2026-11-23",
            "12:30:45",
            ".5",
            "+1",
            "system:node:cp1",
            "*.*",
            "<<",
            "=",
            "a - b",
            "| a",
            "> a",
            "? a",
            "--- a",
            "--a=b",
            "--",
            "---",
            "--1",
            "line\r\nline",
            "1.37",
        ];
        for text in texts {
            let value =
                json!({"k": text, "l": [text, {text: text}, [text]], "m": {"n": {"o": text}}});
            let written = document(&value);
            let read: Value = serde_saphyr::from_str(&written)
                .unwrap_or_else(|error| panic!("{text:?}: {error}\n{written}"));
            assert_eq!(read, value, "{written}");
        }
    }

    #[test]
    fn it_is_written_as_people_write_it() {
        let value = json!({
            "kind": "Pod", "empty": {}, "none": [], "on": true, "port": 6443, "mode": "0600",
            "spec": {"containers": [{"name": "a", "args": ["--x=y", "-v"]}, {"name": "b"}]},
            "text": "one\ntwo\n",
        });
        let expected = "\
kind: Pod
empty: {}
none: []
\"on\": true
port: 6443
mode: \"0600\"
spec:
  containers:
  - name: a
    args:
    - --x=y
    - \"-v\"
  - name: b
text: |
  one
  two
";
        assert_eq!(document(&value), expected);
    }
}
