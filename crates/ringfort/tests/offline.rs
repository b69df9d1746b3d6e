//! What judges and fixes files opens no connection: the kernel kills the program where it asks for a socket.
#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, apply_filter};

/// Numbers of the calls by which a program gets a socket: `socket`, `connect`, and `io_uring_setup`, which
/// could ask for both.
#[cfg(target_arch = "x86_64")]
const CALLS: [i64; 3] = [41, 42, 425];
#[cfg(target_arch = "aarch64")]
const CALLS: [i64; 3] = [198, 203, 425];

/// The signal that tells of a call that is forbidden.
const SIGSYS: i32 = 31;

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop }
spec:
  hostPID: true
  containers: [{ name: web, image: web:1 }]
";

const FACTS: &str = r#"{"apiVersion": "facts.ringfort.dev/v1", "kind": "MachineFacts", "name": {"known": "a"},
"components": {}, "files": {}, "below": {}, "certificates": {}, "kernel": {}, "accounts": "absent"}"#;

/// Its server has a name, which somebody has to be asked about.
const KUBECONFIG: &str = "\
clusters: [{ name: a, cluster: { server: 'https://api.invalid:6443', certificate-authority: a.pem } }]
users: [{ name: a, user: { client-certificate: a.pem, client-key: a.pem } }]
contexts: [{ name: a, context: { cluster: a, user: a } }]
current-context: a
";

#[test]
fn files_and_facts_are_judged_and_fixed_without_a_socket() {
    let room = tempfile::tempdir().unwrap();
    fs::create_dir(room.path().join("deploy")).unwrap();
    fs::write(room.path().join("deploy/web.yaml"), POD).unwrap();
    fs::write(room.path().join("facts.json"), FACTS).unwrap();
    fs::write(room.path().join("admin.conf"), KUBECONFIG).unwrap();
    fs::write(room.path().join("a.pem"), "").unwrap();
    for (arguments, code) in [
        (&["check", "deploy"][..], 1),
        (&["check", "--format", "html", "deploy/web.yaml"], 1),
        (&["check", "pods", "deploy"], 1),
        (&["check", "facts.json"], 3),
        (&["fix", "--dry-run", "deploy"], 1),
        (&["fix", "deploy"], 0),
    ] {
        let output = without_sockets(arguments, room.path());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    }
    // What does ask for one is killed, so that the lines above say something.
    let output = without_sockets(&["check", "--kubeconfig", "admin.conf"], room.path());
    assert_eq!(output.status.signal(), Some(SIGSYS), "{output:?}");
}

/// Runs the program as the child of a thread that may not ask for a socket, which holds for the child too.
fn without_sockets(arguments: &[&str], room: &Path) -> Output {
    std::thread::scope(|scope| {
        let run = || {
            apply_filter(&filter()).unwrap();
            let mut ringfort = Command::new(env!("CARGO_BIN_EXE_ringfort"));
            ringfort.args(arguments).current_dir(room).env_clear().env("HOME", room);
            ringfort.output().unwrap()
        };
        scope.spawn(run).join().unwrap()
    })
}

fn filter() -> BpfProgram {
    let always: Vec<SeccompRule> = Vec::new();
    let rules: BTreeMap<i64, _> = CALLS.map(|call| (call, always.clone())).into();
    let machine = std::env::consts::ARCH.try_into().unwrap();
    let (other, named) = (SeccompAction::Allow, SeccompAction::KillProcess);
    SeccompFilter::new(rules, other, named, machine).unwrap().try_into().unwrap()
}
