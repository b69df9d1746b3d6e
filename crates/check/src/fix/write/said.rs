//! New values in words.

use serde_json::Value;

/// How much deeper a new level stands.
pub(super) const STEP: usize = 2;

/// Writes a value on one line.
pub(super) fn flow(value: &Value, is_quoted: bool) -> String {
    match value {
        Value::Object(map) => {
            let entries: Vec<_> =
                map.iter().map(|(key, value)| entry(key, value, is_quoted)).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(list) => {
            let items: Vec<_> = list.iter().map(|item| flow(item, is_quoted)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) => word(text, is_quoted),
        other => other.to_string(),
    }
}

/// Writes an entry of a map on one line.
pub(super) fn entry(key: &str, value: &Value, is_quoted: bool) -> String {
    format!("{}: {}", word(key, is_quoted), flow(value, is_quoted))
}

/// Writes entries of a map, each on lines of its own.
pub(super) fn block(entries: &[(&str, &Value)], indent: usize, line_break: &str) -> String {
    let mut lines = String::new();
    for (key, value) in entries {
        lines.push_str(&" ".repeat(indent));
        match value {
            Value::Object(map) if !map.is_empty() => {
                let below: Vec<_> = map.iter().map(|(key, it)| (key.as_str(), it)).collect();
                lines.push_str(&format!("{}:{line_break}", word(key, false)));
                lines.push_str(&block(&below, indent + STEP, line_break));
            }
            value => lines.push_str(&format!("{}{line_break}", entry(key, value, false))),
        }
    }
    lines
}

/// Writes an entry of a map in braces, where each entry has lines of its own.
pub(super) fn lines_in_braces(
    key: &str,
    value: &Value,
    (indent, step): (&str, &str),
    is_quoted: bool,
    line_break: &str,
) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let deeper = format!("{indent}{step}");
            let below: Vec<_> = map
                .iter()
                .map(|(key, value)| {
                    let below = lines_in_braces(key, value, (&deeper, step), is_quoted, line_break);
                    format!("{line_break}{deeper}{below}")
                })
                .collect();
            format!("{}: {{{}{line_break}{indent}}}", word(key, is_quoted), below.join(","))
        }
        value => entry(key, value, is_quoted),
    }
}

/// Writes a text, in quotes where it could be read as something else.
fn word(text: &str, is_quoted: bool) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !OTHER.contains(&text.to_ascii_lowercase().as_str());
    match is_plain && !is_quoted {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}

/// Words that mean no text to Kubernetes.
const OTHER: [&str; 9] = ["y", "yes", "true", "on", "n", "no", "false", "off", "null"];
