//! Finds the machines of a lab among the host's processes, by the name on their command line: that
//! holds after any crash, whatever the record says.

use std::fs;
use std::path::PathBuf;

use ringfort_model::name::NodeName;
use rustix::process::{Pid, Signal, kill_process};

use crate::boot::{GATE, machine_option};
use crate::name::LabName;
use crate::os::{Fault, names_in};
use crate::shape::{Machine, Shape};
use crate::virtual_machine::PROGRAM;

/// A process of the host that stands for a machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Supervisor {
    pub(crate) pid: u32,
    /// The machine's name: nothing else of it is on a command line.
    pub(crate) machine: NodeName,
    pub(crate) kind: Kind,
}

/// What such a process does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// It holds the machine's mounts and network, and starts it again when it asks for that.
    Gate,
    /// It is the nspawn of one life of the machine.
    Life,
    /// It is a virtual machine, whole.
    Emulator,
}

/// Lists the supervisors of all machines of a lab.
pub(crate) fn supervisors(lab: &LabName) -> Result<Vec<Supervisor>, Fault> {
    let machines = largest().machines();
    let names = |m: &Machine| [machine_option(lab, m), lab.machine_mark(&m.name)];
    let names: Vec<[String; 2]> = machines.iter().map(names).collect();
    let found = processes()?.into_iter().filter_map(|pid| {
        let words = words_of(pid)?;
        let kind = kind_of(&words)?;
        let is_named = |names: &[String; 2]| names.iter().any(|name| words.contains(name));
        let place = names.iter().position(is_named)?;
        Some(Supervisor { pid, machine: machines[place].name.clone(), kind })
    });
    Ok(found.collect())
}

/// Finds the machine's own first process below its supervisor.
pub(crate) fn init_of(supervisor: u32) -> Result<Option<u32>, Fault> {
    let is_init = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let parent = field("PPid:").map(str::trim) == Some(supervisor.to_string().as_str());
        parent && field("NSpid:").is_some_and(|ids| ids.split_whitespace().last() == Some("1"))
    };
    Ok(processes()?.into_iter().find(is_init))
}

/// Says whether a process is there and not merely waiting to be buried.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    !matches!(state, Some('Z' | 'X') | None)
}

/// Sends a signal; a process that is gone needs none.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Gives the network name space that a process is in.
pub(crate) fn network_of(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/ns/net"))
}

fn processes() -> Result<Vec<u32>, Fault> {
    let names = names_in("/proc".as_ref())?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

fn words_of(pid: u32) -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into());
    Some(words.collect())
}

/// Someone who only searches for a machine's name is no supervisor of it.
fn kind_of(words: &[String]) -> Option<Kind> {
    let program = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    match program {
        "systemd-nspawn" => Some(Kind::Life),
        PROGRAM => Some(Kind::Emulator),
        "setsid" | "nsenter" | "unshare" | "sh" => {
            words.iter().any(|word| word == GATE).then_some(Kind::Gate)
        }
        _ => None,
    }
}

/// The largest lab there can be has every machine that any lab has.
fn largest() -> Shape {
    Shape::new(9, 79).expect("the numbers are the limits")
}

#[cfg(test)]
mod tests {
    use super::{Kind, kind_of};

    fn check(line: &str, expected: Option<Kind>) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(kind_of(&words), expected, "{line}");
    }

    #[test]
    fn tells_machines_from_those_who_look_for_them() {
        check("systemd-nspawn --quiet --machine=ringfort-lab.a.cp1", Some(Kind::Life));
        check("/usr/bin/systemd-nspawn --machine=ringfort-lab.a.cp1", Some(Kind::Life));
        check("sh -c script ringfort-lab-gate /labs/a/machines/cp1", Some(Kind::Gate));
        check("qemu-system-x86_64 -name ringfort-lab.a.cp1 -m 2048", Some(Kind::Emulator));
        check(
            "sh -c script ringfort-lab-gate /labs/a/machines/cp1 qemu-system-x86_64",
            Some(Kind::Gate),
        );
        check("grep --machine=ringfort-lab.a.cp1 /proc/1/cmdline", None);
        check("sh -c grep --machine=ringfort-lab.a.cp1", None);
    }
}
