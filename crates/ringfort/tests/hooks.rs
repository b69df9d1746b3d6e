//! What other systems start: the action of code hosts, and the hook of pre-commit. Each is read from its file
//! and run as it stands there.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ringfort_facts::manifest;
use serde_json::Value;

const RINGFORT: &str = env!("CARGO_BIN_EXE_ringfort");

/// A pod with a fault in a tree of its own, in a directory whose name a shell would part.
fn room() -> tempfile::TempDir {
    let room = tempfile::tempdir().unwrap();
    fs::create_dir(room.path().join("two words")).unwrap();
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: { name: web }\nspec:\n  hostPID: true\n  containers: [{ name: web, image: web:1 }]\n";
    fs::write(room.path().join("two words/web.yaml"), pod).unwrap();
    room
}

fn read(name: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join(name)).unwrap();
    manifest::read(&text).unwrap().remove(0).into_value()
}

/// Runs the action's one step, with what the code host would put into its environment.
fn act(room: &Path, given: &[(&str, &str)]) -> Output {
    let action = read("action.yml");
    let step = &action["runs"]["steps"][0];
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-e", "-c", step["run"].as_str().unwrap()])
        .current_dir(room);
    for (name, value) in step["env"].as_object().unwrap() {
        let input =
            value.as_str().unwrap().trim_start_matches("${{ inputs.").trim_end_matches(" }}");
        let default = action["inputs"][input]["default"].as_str().unwrap();
        let value = given.iter().find(|(it, _)| *it == input).map_or(default, |(_, value)| value);
        bash.env(name, if input == "ringfort" { RINGFORT } else { value });
    }
    bash.env("GITHUB_OUTPUT", room.join("output")).env("GITHUB_STEP_SUMMARY", room.join("summary"));
    bash.output().unwrap()
}

#[test]
fn the_action_writes_sarif_and_ends_as_check_does() {
    let room = room();
    let done = act(room.path(), &[("paths", "two words\n"), ("arguments", "--severity=high\n")]);
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stderr));
    let sarif: Value =
        serde_json::from_str(&fs::read_to_string(room.path().join("ringfort.sarif")).unwrap())
            .unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let place = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(place, "two%20words/web.yaml");
    assert!(results.iter().any(|it| it["ruleId"] == "workload/own-process-namespace"));
    let read = |name: &str| fs::read_to_string(room.path().join(name)).unwrap();
    assert_eq!(read("output"), "sarif=ringfort.sarif\n");
    assert!(read("summary").contains("`workload/own-process-namespace`"));
}

#[test]
fn what_is_given_to_the_action_is_never_run() {
    let room = room();
    act(room.path(), &[("paths", "$(touch ran)`touch ran`; touch ran\n"), ("sarif", "a b.sarif")]);
    assert!(!room.path().join("ran").exists());
    assert!(room.path().join("a b.sarif").exists());
}

#[test]
fn the_hook_judges_the_directory_that_it_names() {
    let room = room();
    let hooks = read(".pre-commit-hooks.yaml");
    let hook = &hooks[0];
    assert_eq!(hook["pass_filenames"], false);
    let entry = hook["entry"].as_str().unwrap();
    let words = entry
        .split(' ')
        .chain(hook["args"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()));
    let words: Vec<&str> = words.collect();
    let programs = PathBuf::from(RINGFORT).parent().unwrap().to_owned();
    let run = |at: &Path| {
        let mut command = Command::new(programs.join(words[0]));
        command.args(&words[1..]).current_dir(at).output().unwrap()
    };
    let done = run(room.path());
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("two words/web.yaml:5"));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(run(empty.path()).status.code(), Some(0));
}
