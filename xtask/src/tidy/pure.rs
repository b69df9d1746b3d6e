//! Rooms that decide and never act name nothing that acts. Pure.

use std::path::Path;

use super::Violation;
use super::source::{Line, Source, is_only_tests};

/// Where nothing may act.
const PURE: &[&str] = &[
    "crates/audit/src",
    "crates/model/src",
    "crates/spec/src",
    "crates/facts/src",
    "crates/check/src",
    "crates/controls/src",
    "crates/engine/src",
    "crates/integrity/src/baseline",
    "crates/integrity/src/baseline.rs",
    "crates/integrity/src/cgroup.rs",
    "crates/integrity/src/change.rs",
    "crates/integrity/src/history.rs",
    "crates/integrity/src/journal.rs",
    "crates/integrity/src/judge.rs",
    "crates/integrity/src/path.rs",
    "crates/integrity/src/process.rs",
    "crates/integrity/src/protected",
    "crates/integrity/src/protected.rs",
    "crates/integrity/src/records.rs",
    "crates/integrity/src/state.rs",
    "crates/integrity/src/volume.rs",
    "crates/integrity/src/watch",
    "crates/integrity/src/watch.rs",
    "crates/integrity/src/why.rs",
    "crates/integrity/src/workload.rs",
    "crates/forge/src/render",
    "crates/policy/src",
    "crates/store/src/format",
];

/// What acts, or differs from run to run.
const EFFECTS: &[(&str, &str)] = &[
    ("std::fs", "files"),
    ("std::env", "the environment"),
    ("std::process", "processes"),
    ("std::thread", "threads"),
    ("std::net::TcpStream", "the network"),
    ("std::net::TcpListener", "the network"),
    ("std::net::UdpSocket", "the network"),
    ("std::net::ToSocketAddrs", "the network"),
    ("std::time::SystemTime", "the clock"),
    ("std::time::Instant", "the clock"),
    ("SystemTime::now", "the clock"),
    ("Instant::now", "the clock"),
    ("Timestamp::now", "the clock"),
    ("Zoned::now", "the clock"),
    ("OffsetDateTime::now_utc", "the clock"),
    ("tokio::", "waiting"),
    ("rand::", "chance"),
    ("HashMap", "an order that differs from run to run"),
    ("HashSet", "an order that differs from run to run"),
];

/// Where proofs are made: what is measured there holds also while somebody sets the clock.
const STEADY: &[&str] = &["crates/prove/src"];

/// Clocks that can be set.
const CLOCKS: &[&str] = &[
    "std::time::SystemTime",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "OffsetDateTime::now_utc",
];

/// Finds effects in the rooms that have none, and clocks that jump where time is measured.
pub(crate) fn check(file: &Path, source: &Source) -> Vec<Violation> {
    let is_in = |rooms: &[&str]| rooms.iter().any(|room| file.starts_with(room));
    let pure = EFFECTS.iter().filter(|_| is_in(PURE)).map(|(effect, touches)| {
        (*effect, format!("{effect} reaches {touches}, and this room decides without acting"))
    });
    let steady = CLOCKS.iter().filter(|_| is_in(STEADY)).map(|clock| {
        (
            *clock,
            format!("{clock} jumps when the clock is set, and this room measures: use Instant"),
        )
    });
    let unwanted: Vec<(&str, String)> = pure.chain(steady).collect();
    if unwanted.is_empty() || is_only_tests(file) {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (number, paths) in paths(source.lines()) {
        for (effect, message) in &unwanted {
            if paths.iter().any(|path| names(path, effect)) {
                violations.push(Violation::new(file, number, message.clone()));
            }
        }
    }
    violations
}

/// Whether `path` contains `effect` as whole words.
fn names(path: &str, effect: &str) -> bool {
    let is_word = |each: char| each.is_alphanumeric() || each == '_';
    path.match_indices(effect).any(|(at, _)| {
        let before = path[..at].chars().next_back();
        let after = path[at + effect.len()..].chars().next();
        let open = effect.ends_with("::");
        !before.is_some_and(is_word) && (open || !after.is_some_and(is_word))
    })
}

/// Each line's code with, for a `use`, every path that it brings in spelt out.
fn paths(lines: &[Line]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut statement: Option<(usize, String)> = None;
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.test) {
        let code = line.code.trim();
        match &mut statement {
            None if begins_use(code) => statement = Some((index + 1, code.to_owned())),
            None => found.push((index + 1, vec![code.to_owned()])),
            Some((_, text)) => text.push_str(code),
        }
        if let Some((number, text)) = statement.take_if(|(_, text)| text.contains(';')) {
            let tree = text.trim_end_matches(';').split_once("use ").map_or("", |(_, tree)| tree);
            let mut spelt = Vec::new();
            spell("", tree, &mut spelt);
            found.push((number, spelt));
        }
    }
    found
}

fn begins_use(code: &str) -> bool {
    code.starts_with("use ") || (code.starts_with("pub") && code.contains(" use "))
}

/// Spells out a tree of `use`: `std::{fs, io::{self, Read}}` has three paths.
fn spell(prefix: &str, tree: &str, out: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, branches)) = tree.split_once('{') else {
        out.push(format!("{prefix}{tree}"));
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let branches = branches.strip_suffix('}').unwrap_or(branches);
    let mut depth = 0usize;
    let mut start = 0;
    for (at, character) in branches.char_indices().chain([(branches.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                spell(&prefix, &branches[start..at], out);
                start = at + 1;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_room(code: &str, expected: &[(usize, &str)]) {
        let found = check(Path::new("crates/model/src/name.rs"), &Source::new(code));
        let found: Vec<_> = found
            .iter()
            .map(|each| (each.line, each.message.split(' ').next().unwrap_or_default()))
            .collect();
        assert_eq!(found, expected, "{code}");
    }

    #[test]
    fn effects_are_found_however_they_are_imported() {
        check_room("use std::fs;", &[(1, "std::fs")]);
        check_room("use std::{fmt, fs as files};", &[(1, "std::fs")]);
        check_room(
            "use std::{\n    collections::{BTreeMap, HashMap},\n    env,\n};",
            &[(1, "std::env"), (1, "HashMap")],
        );
        check_room("let now = jiff::Timestamp::now();", &[(1, "Timestamp::now")]);
        check_room("pub(crate) use std::net::{IpAddr, TcpStream};", &[(1, "std::net::TcpStream")]);
    }

    #[test]
    fn words_that_only_look_alike_are_let_pass() {
        check_room("use std::{fmt, net::IpAddr};", &[]);
        check_room("let a = strand::b; // std::fs", &[]);
        check_room("fn std_fs() { my_std::fsx() }", &[]);
        check_room("#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n", &[]);
    }

    #[test]
    fn rooms_that_measure_know_no_clock_that_jumps() {
        let check = |code: &str| check(Path::new("crates/prove/src/drive.rs"), &Source::new(code));
        assert_eq!(check("use std::time::{Duration, Instant};"), []);
        let found = check("use std::time::{Instant, SystemTime};");
        assert!(found[0].message.contains("jumps when the clock is set"), "{found:?}");
    }

    #[test]
    fn rooms_that_act_may() {
        let source = Source::new("use std::fs;");
        assert_eq!(check(Path::new("crates/host/src/lib.rs"), &source), []);
        assert_eq!(check(Path::new("crates/spec/src/parse/tests.rs"), &source), []);
    }
}
