//! What the program says, from outside: each file of `said/` is a session at a terminal, kept with
//! what every command wrote and how it ended. None of them needs a machine.
//!
//! A line that begins with `$` is run by a shell, in a directory of the session's own; what follows
//! it is standard output (indented), standard error (behind `!`) and the exit code (behind `?`,
//! where it is not 0). `UPDATE_GOLDEN=1` writes what is said today, and the difference is reviewed.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod bundle;
mod keyring;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RINGFORT: &str = env!("CARGO_BIN_EXE_ringfort");

/// A specification that is right.
const SPEC: &str = "\
apiVersion: ringfort.dev/v1
kind: Cluster
name: harbour
kubernetes: \"1.37\"
controlPlanes: [10.0.0.11, 10.0.0.12, 10.0.0.13]
workers: [10.0.0.21, 10.0.0.22, 10.0.0.23]
";

#[test]
fn the_program_says_what_is_kept() {
    let said = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/said");
    let mut files: Vec<PathBuf> =
        fs::read_dir(said).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no session is kept");
    let differ: Vec<String> = files.iter().filter_map(|file| difference(file)).collect();
    assert!(differ.is_empty(), "{}\nUPDATE_GOLDEN=1 keeps what is said now", differ.join("\n"));
}

/// Plays a session and gives where it first differs from what is kept.
fn difference(file: &Path) -> Option<String> {
    let kept = fs::read_to_string(file).unwrap();
    let said = play(&kept);
    if said == kept {
        return None;
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(file, said).unwrap();
        return None;
    }
    let same = kept.lines().zip(said.lines()).take_while(|(kept, said)| kept == said).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
    Some(format!("{}:{}\n- {}\n+ {}", file.display(), same + 1, line(&kept), line(&said)))
}

fn play(kept: &str) -> String {
    let room = tempfile::tempdir().unwrap();
    fs::write(room.path().join("cluster.yaml"), SPEC).unwrap();
    bundle::write(&room.path().join("bundle"));
    keyring::write_handed_over(room.path());
    let mut said = String::new();
    for line in kept.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            said.push_str(&format!("{line}\n{}", run(command, room.path())));
        } else if line.starts_with('#') {
            said.push_str(&format!("{line}\n"));
        }
    }
    said
}

fn run(command: &str, room: &Path) -> String {
    let programs = Path::new(RINGFORT).parent().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(room).stdin(Stdio::null()).env_clear();
    shell.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    shell.env("HOME", room).env("LC_ALL", "C").env("COLUMNS", "100");
    let output = shell.output().unwrap();
    let mut said = marked(&output.stdout, "  ", room) + &marked(&output.stderr, "! ", room);
    if !output.status.success() {
        said.push_str(&format!("? {}\n", output.status.code().unwrap_or(-1)));
    }
    said + "\n"
}

/// Marks each line, with what differs from run to run taken out.
fn marked(bytes: &[u8], mark: &str, room: &Path) -> String {
    let text = String::from_utf8_lossy(bytes).replace(&room.display().to_string(), "[DIR]");
    let line = |line: &str| format!("{mark}{}", masked(line)).trim_end().to_owned() + "\n";
    text.lines().map(line).collect()
}

/// What differs from run to run: how it begins, how much follows, and what stands in for it.
const MASKS: &[(&str, usize, &str)] = &[
    ("age1", 58, "[PUBLIC KEY]"),
    ("k1-", 8, "[KEY]"),
    ("a write of ", 3, "a write of [NUMBER]"),
    ("\"torn\":", 3, "\"torn\":[NUMBER]"),
];

fn masked(line: &str) -> String {
    MASKS.iter().fold(line.to_owned(), |line, mask| without(&line, *mask))
}

fn without(line: &str, mask: (&str, usize, &str)) -> String {
    let (begin, length, instead) = mask;
    let Some((before, rest)) = line.split_once(begin) else { return line.to_owned() };
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let said = if end == length { instead } else { &line[before.len()..][..begin.len() + end] };
    format!("{before}{said}{}", without(&rest[end..], mask))
}
