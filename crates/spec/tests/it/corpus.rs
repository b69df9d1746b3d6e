//! Bad files, kept beside what is said about each: `NAME.yaml` and `NAME.txt`.
//!
//! A new fault that somebody met is a new file; `UPDATE_GOLDEN=1` writes what is said about it.

use std::fs;
use std::path::Path;

use ringfort_spec::Paint;

use crate::{SHORT, read};

#[test]
fn every_kept_file_is_refused_in_the_kept_words() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut differ = Vec::new();
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") && !is_as_kept(&path) {
            differ.push(path.file_name().unwrap().to_owned());
        }
    }
    assert!(differ.is_empty(), "other words than kept (UPDATE_GOLDEN=1 keeps them): {differ:?}");
}

fn is_as_kept(path: &Path) -> bool {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let said = read(&text).expect_err("a file of the corpus is bad").render(Paint::Plain);
    assert!(said.contains("error["), "{}", path.display());
    let kept = path.with_extension("txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&kept, &said).unwrap();
    }
    fs::read_to_string(kept).is_ok_and(|kept| kept == said)
}

/// Changes good files at places that a generator of fixed seed chooses.
#[test]
fn no_change_of_a_good_file_brings_the_reader_down() {
    let seeds = [SHORT, include_str!("../../../../examples/cluster.yaml")];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for round in 0..3000 {
        let mut bytes = seeds[round % 2].as_bytes().to_vec();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            let piece = PIECES[next(PIECES.len())].as_bytes();
            let until = (at + next(8)).min(bytes.len());
            bytes.splice(at..until, piece.iter().copied());
        }
        if let Err(report) = read(&String::from_utf8_lossy(&bytes)) {
            let drawn = report.render(Paint::Plain);
            assert!(report.problems().len() == drawn.matches("error[").count(), "{drawn}");
        }
    }
}

const PIECES: &[&str] = &[
    "",
    ":",
    " ",
    "\n",
    "\t",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "!!str ",
    "|",
    ">",
    "\"",
    "'",
    "#",
    "null",
    "\r\n",
    "\u{feff}",
    "---\n",
    "...\n",
    "? ",
    "é",
    "日本",
    "0x1f",
    "1e9",
    "-1",
    "/",
    "network:",
    "ssh: {",
    "waivers: [{",
    "10.0.0.11",
    "\u{0}",
    "\\u",
    "%YAML 1.2\n",
];
