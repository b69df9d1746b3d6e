//! A second run over many files: it says what the first said, of the same files and question alone.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const RINGFORT: &str = env!("CARGO_BIN_EXE_ringfort");

/// Writes pods, of which every third has a fault, until they are worth keeping what is said of them.
fn write(tree: &Path) {
    fs::create_dir(tree).unwrap();
    let filler = "# what stands here says nothing\n".repeat(256);
    for number in 0..200 {
        let pid = number % 3 == 0;
        let pod = format!(
            "{filler}apiVersion: v1\nkind: Pod\nmetadata: {{ name: pod-{number}, namespace: shop }}\n\
             spec: {{ hostPID: {pid}, containers: [{{ name: web, image: web }}] }}\n"
        );
        fs::write(tree.join(format!("{number}.yaml")), pod).unwrap();
    }
    fs::write(tree.join("broken.yaml"), "{").unwrap();
}

fn check(room: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(RINGFORT);
    command.args(["check", "tree"]).args(arguments).current_dir(room);
    command.env("XDG_CACHE_HOME", room.join("cache")).output().unwrap()
}

fn entries(room: &Path) -> Vec<PathBuf> {
    let directory = fs::read_dir(room.join("cache/ringfort/check"));
    directory.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_same_question_has_the_same_answer_and_is_kept_once() {
    let room = tempfile::tempdir().unwrap();
    write(&room.path().join("tree"));
    for format in ["table", "json", "sarif"] {
        let before = entries(room.path()).len();
        let anew = check(room.path(), &["--format", format, "--no-cache"]);
        assert_eq!(entries(room.path()).len(), before, "nothing is kept");
        let first = check(room.path(), &["--format", format]);
        assert_eq!(entries(room.path()).len(), before + 1);
        let again = check(room.path(), &["--format", format]);
        assert_eq!(entries(room.path()).len(), before + 1);
        assert_eq!(anew.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&anew.stderr).contains("broken.yaml"));
        assert!(anew == first && first == again, "{format}");
    }
}

#[test]
fn a_changed_file_is_judged_whatever_its_time_says() {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("tree/1.yaml");
    write(&room.path().join("tree"));
    let before = check(room.path(), &["--control", "workload/own-process-namespace"]);
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    let text = fs::read_to_string(&file).unwrap().replace("hostPID: false", "hostPID: true ");
    fs::write(&file, text).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    let after = check(room.path(), &["--control", "workload/own-process-namespace"]);
    let said = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said(&before).contains("tree/1.yaml") && said(&after).contains("tree/1.yaml"));
}

#[test]
fn what_was_tampered_with_is_judged_anew() {
    let room = tempfile::tempdir().unwrap();
    write(&room.path().join("tree"));
    let first = check(room.path(), &[]);
    let entry = &entries(room.path())[0];
    let lie = String::from_utf8_lossy(&fs::read(entry).unwrap()).replace("failed", "passed");
    fs::write(entry, lie).unwrap();
    assert!(check(room.path(), &[]) == first);
}
