//! Any text is documents whose parts stand in it where they are said to, or is refused with a place in it.

use std::ops::Range;

use ringfort_facts::manifest::{self, Document};
use serde_json::Value;

/// Reads bytes as YAML or JSON.
pub fn holds(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match manifest::read(&text) {
        Ok(documents) => {
            for document in &documents {
                let (mut left, whole) = (MOST, 0..text.len());
                visit(&text, document, (document.value(), String::new()), &whole, &mut left);
            }
        }
        Err(fault) => {
            let lines = text.split(['\n', '\r']).count();
            assert!((1..=lines).contains(&fault.at.line), "{fault} in {lines} lines");
            assert!(fault.at.column >= 1 && !fault.why.is_empty(), "{fault}");
        }
    }
}

/// An anchor may be named so often that looking at every part would take for ever.
const MOST: usize = 2_000;

fn visit(
    text: &str,
    document: &Document,
    (value, pointer): (&Value, String),
    within: &Range<usize>,
    left: &mut usize,
) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    let place = document.place(&pointer);
    assert_eq!(place.pointer, pointer, "a part is not found");
    let Some(written) = text.get(place.value.clone()) else {
        panic!("{pointer} stands outside of the text, or between two bytes of a letter");
    };
    for range in [&place.key, &place.alias].into_iter().flatten() {
        assert!(text.get(range.clone()).is_some(), "{pointer}: {range:?}");
    }
    // What an alias names stands elsewhere, and so does what a merge key brings. What is empty has no place of its own.
    let is_own = place.alias.is_none() && !written.is_empty();
    if is_own {
        let is_within = within.start <= place.value.start && place.value.end <= within.end;
        assert!(is_within, "{pointer} at {:?} is not within {within:?}", place.value);
    }
    // A tag would change what it is, and JSON writes letters beyond the first 65536 in two halves.
    let is_alone = is_own && written.starts_with('"') && !text.contains('!');
    if let (true, Value::String(said)) = (is_alone, value)
        && !written.contains(['\n', '\r'])
        && !written.contains("\\u")
    {
        let alone = manifest::read(written).expect("what was read as a part is read alone");
        assert_eq!(alone[0].value().as_str(), Some(said.as_str()), "{written}");
    }
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                let inner = (inner, format!("{pointer}/{name}"));
                visit(text, document, inner, &place.value, left);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                visit(text, document, (inner, format!("{pointer}/{index}")), &place.value, left);
            }
        }
        _ => {}
    }
}
