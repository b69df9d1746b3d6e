//! The processes of this machine by `/proc`: who runs, and with which inputs it was started.

use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

use ringfort_facts::control_group;
use ringfort_model::digest::Digest;

use crate::misread;
use crate::root::Root;

/// The variable that a component's process carries the digest of its inputs in.
const INPUTS: &[u8] = b"RINGFORT_INPUTS=";

/// Finds the inputs that the youngest process of a name carries: an old one may still be going
/// away beside it. One that may have read a file which was put right since carries none.
///
/// The name is that of the program's file; `comm` is cut to 15 bytes and would mix up components.
pub(crate) fn inputs(root: &Root, name: &str) -> Option<Digest> {
    let (youngest, started) = youngest(root, name)?;
    if misread::covers(root, name, started) {
        return None;
    }
    let environment = std::fs::read(youngest.join("environ")).ok()?;
    let value = environment.split(|byte| *byte == 0).find_map(|pair| pair.strip_prefix(INPUTS))?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Finds the youngest process of a name, and when it was started.
pub(crate) fn youngest(root: &Root, name: &str) -> Option<(PathBuf, u64)> {
    let started = |directory: PathBuf| {
        let ticks = start(&directory).unwrap_or_default();
        (directory, ticks)
    };
    of_name(root, name).map(started).max_by_key(|(_, ticks)| *ticks)
}

/// Asks every process of a name to end that was started until then.
pub(crate) fn end(root: &Root, name: &str, until: u64) {
    for directory in of_name(root, name) {
        let number = directory.file_name().and_then(|name| name.to_str()?.parse().ok());
        let is_old = start(&directory).is_some_and(|ticks| ticks <= until);
        if let Some(process) = number.and_then(Pid::from_raw).filter(|_| is_old) {
            // It may have ended by itself.
            let _ = kill_process(process, Signal::TERM);
        }
    }
}

fn of_name<'a>(root: &Root, name: &'a str) -> impl Iterator<Item = PathBuf> + 'a {
    all(root).filter(move |directory| program(directory).as_deref() == Some(name))
}

/// Lists the directories of all processes.
pub(crate) fn all(root: &Root) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(root.own("proc")).ok().into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.iter().all(u8::is_ascii_digit)
    })
}

/// Gives the name of a process's program, by its first argument; `None` for the kernel's own.
pub(crate) fn program(directory: &std::path::Path) -> Option<String> {
    let line = std::fs::read(directory.join("cmdline")).ok()?;
    let first = line.split(|byte| *byte == 0).next()?;
    let name = String::from_utf8_lossy(first.rsplit(|byte| *byte == b'/').next()?).into_owned();
    (!name.is_empty()).then_some(name)
}

/// Whether a process runs in a pod; one that has ended runs nowhere.
pub(crate) fn is_in_pod(directory: &std::path::Path) -> bool {
    std::fs::read_to_string(directory.join("cgroup"))
        .is_ok_and(|groups| control_group::is_in_pod(&groups))
}

/// Reads when a process was started, in ticks since the machine was: field 22 of `stat`, counted
/// behind the name in brackets, which may hold anything.
fn start(directory: &std::path::Path) -> Option<u64> {
    let stat = std::fs::read_to_string(directory.join("stat")).ok()?;
    let behind = &stat[stat.rfind(')')? + 1..];
    behind.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{inputs, is_in_pod};
    use crate::root::Root;
    use ringfort_model::digest::Digest;

    #[test]
    fn the_youngest_process_of_the_whole_name_counts() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        let process = |pid: u32, line: &str, start: u64, inputs: &Digest| {
            let at = directory.path().join(format!("proc/{pid}"));
            std::fs::create_dir_all(&at).unwrap();
            std::fs::write(at.join("cmdline"), line.replace(' ', "\0")).unwrap();
            let stat = format!("{pid} (a) b) S 1{} {start} 0", " 0".repeat(17));
            std::fs::write(at.join("stat"), stat).unwrap();
            std::fs::write(at.join("environ"), format!("A=b\0RINGFORT_INPUTS={inputs}\0")).unwrap();
        };
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        process(9, "/usr/local/bin/kube-controller-manager --x", 10, &old);
        process(7, "kube-controller-manager", 20, &new);
        process(8, "kube-controller-other", 30, &old);
        assert_eq!(inputs(&root, "kube-controller-manager"), Some(new));
        assert_eq!(inputs(&root, "kube-controller"), None);
    }

    #[test]
    fn a_group_that_only_has_the_name_of_pods_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let check = |groups: &str, expected: bool| {
            std::fs::write(directory.path().join("cgroup"), groups).unwrap();
            assert_eq!(is_in_pod(directory.path()), expected, "{groups}");
        };
        let pod = "pod0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33";
        check(&format!("0::/kubepods/{pod}/x\n"), true);
        check("0::/user.slice/user-1000.slice/user@1000.service/kubepods-x\n", false);
        check(&format!("0::/user.slice/user-1000.slice/kubepods/{pod}/x\n"), false);
        std::fs::remove_file(directory.path().join("cgroup")).unwrap();
        assert!(!is_in_pod(directory.path()), "what has ended runs nowhere");
    }
}
