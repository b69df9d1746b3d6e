//! In manifests that others wrote every place holds its value, and mutants of them do no harm.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ringfort_facts::manifest::{self, Document};
use serde_json::Value;

/// Where texts of others are, if they are here.
fn oracles() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracles");
    let folder = std::env::var_os("RINGFORT_ORACLES").map_or(beside, PathBuf::from);
    let found = folder.is_dir().then_some(folder);
    if found.is_none() {
        // Past libtest, which shows nothing of tests that pass: it is counted.
        let said = b"SKIPPED: no manifests of others: RINGFORT_ORACLES names no folder of them\n";
        std::io::stdout().write_all(said).unwrap();
    }
    found
}

/// Reads every YAML and JSON file below a folder.
fn texts() -> Vec<(PathBuf, String)> {
    let mut waiting: Vec<PathBuf> = oracles().into_iter().collect();
    let mut texts = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
            && let Ok(text) = fs::read_to_string(&path)
        {
            texts.push((path, text));
        }
    }
    texts.sort();
    texts
}

/// Calls with the pointer of each scalar of a value.
fn scalars(value: &Value, pointer: &str, call: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Array(list) => {
            for (index, child) in list.iter().enumerate() {
                scalars(child, &format!("{pointer}/{index}"), call);
            }
        }
        Value::Object(map) => {
            for (key, child) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                scalars(child, &format!("{pointer}/{key}"), call);
            }
        }
        scalar => call(pointer, scalar),
    }
}

/// Checks that the bytes at each scalar's place, read alone, are the scalar, and those of its key
/// are the last part of its pointer.
fn check_places(name: &str, text: &str, document: &Document) {
    scalars(document.value(), "", &mut |pointer, scalar| {
        let place = document.place(pointer);
        assert_eq!(place.pointer, pointer, "{name}");
        let written = &text[place.value.clone()];
        let alone = alone(written, &text[..place.value.start]);
        assert_eq!(alone.as_ref(), Some(scalar), "{name}: {pointer} is {written:?}");
        if let Some(key) = place.key {
            let key = manifest::read(&format!("{{? {} : 1}}", &text[key])).unwrap();
            let (key, _) = key[0].value().as_object().unwrap().iter().next().unwrap();
            let key = key.replace('~', "~0").replace('/', "~1");
            assert_eq!(Some(key.as_str()), pointer.rsplit('/').next(), "{name}: {pointer}");
        }
    });
}

/// Reads what stands at a place; a tag before it belongs to it.
fn alone(written: &str, before: &str) -> Option<Value> {
    let tag = before.rsplit([' ', '\n']).nth(1).filter(|word| word.starts_with('!'));
    let text = format!("{} {written}", tag.unwrap_or_default());
    match manifest::read(&text) {
        Ok(read) => Some(read.into_iter().next().map_or(Value::Null, Document::into_value)),
        Err(_) => None,
    }
}

#[test]
fn the_text_at_a_place_is_the_value() {
    let mut documents = 0;
    for (path, text) in texts() {
        for document in manifest::read(&text).unwrap_or_default() {
            documents += 1;
            check_places(&path.display().to_string(), &text, &document);
        }
    }
    eprintln!("the places of {documents} documents were read");
}

/// A small generator of numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most.max(1) as u64).unwrap()
    }
}

fn mutant(text: &str, random: &mut Random) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(4) {
        let (from, to) = (random.below(characters.len()), random.below(characters.len()));
        let written: Vec<char> = PIECES[random.below(PIECES.len())].chars().collect();
        match random.below(3) {
            0 => drop(characters.splice(from..from, written)),
            1 => drop(characters.drain(from..(from + random.below(8)).min(characters.len()))),
            _ => characters.swap(from, to),
        }
        if characters.is_empty() {
            characters.push('a');
        }
    }
    characters.into_iter().collect()
}

#[test]
fn mutants_do_no_harm() {
    let mut random = Random(0x5eed);
    for round in 0..30_000 {
        let text = mutant(SEEDS[round % SEEDS.len()], &mut random);
        let Ok(read) = manifest::read(&text) else { continue };
        for document in read {
            scalars(document.value(), "", &mut |pointer, _| {
                let place = document.place(pointer);
                assert_eq!(place.pointer, pointer, "{text:?}");
                assert!(text.get(place.value.clone()).is_some(), "{text:?}: {place:?}");
                assert!(place.key.is_none_or(|key| text.get(key).is_some()), "{text:?}");
            });
            let whole = document.place("");
            assert!(text.get(whole.value).is_some(), "{text:?}");
        }
    }
}

const PIECES: &[&str] = &[
    "\n",
    "\n---\n",
    "\n...\n",
    ": ",
    "- ",
    "? ",
    "&a ",
    "*a",
    "<<: *a\n",
    "!!str ",
    "!x ",
    "|\n",
    ">2-\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "#",
    " #",
    "\t",
    "  ",
    "\r\n",
    "\u{feff}",
    "\u{2028}",
    "ü",
    "%YAML 1.1\n",
    "~",
    "\\",
];

const SEEDS: &[&str] = &[
    "a: &a {k: 1, l: [2, ~]}\nb:\n  <<: *a\n  c: |\n    text\n    more\n\n- d\n",
    "kind: List\nitems:\n- kind: Pod\n  spec: # c\n    - 'q'\n    - \"d\\n\"\n    - >-\n      folded\n      text\n",
    "{\"a\": [1, -2.5e3, true, null, \"\\u00e9\"], \"b\": {\"c\": {}}}\n{\"d\": []}",
    "a: 1\n---\nb: é\n--- # c\n? [x]\n: y\n...\n---\nc: !!int '5'\nd: *x\ne: &x\n",
];
