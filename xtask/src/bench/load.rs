//! What a lab's machines take of the host: memory and processor time of all their processes, found
//! by descent from the process that stands for each machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Ticks of the kernel's processor times in a second; Linux shows 100 to programs everywhere.
const TICKS: f64 = 100.0;

/// A process, as the kernel shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Process {
    id: u32,
    parent: u32,
    name: String,
    /// Its processor time with that of the children it has buried: so nothing is lost when a
    /// process ends between two looks.
    ticks: u64,
}

impl Process {
    /// Reads `/proc/ID/stat`.
    fn of_stat(stat: &str) -> Option<Self> {
        // The name may hold spaces and brackets; what follows it does not.
        let (head, tail) = stat.rsplit_once(')')?;
        let (id, name) = head.split_once(" (")?;
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>());
        Some(Self {
            id: id.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            name: name.to_owned(),
            ticks: ticks.sum::<Result<_, _>>().ok()?,
        })
    }
}

/// The processes of one machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    processes: Vec<Process>,
}

impl Machine {
    /// The first process of that name.
    pub(super) fn process(&self, name: &str) -> Option<u32> {
        self.processes.iter().find(|process| process.name == name).map(|process| process.id)
    }
}

/// The machines of a lab by their name, with all that runs in them.
pub(super) fn machines(lab: &str) -> BTreeMap<String, Machine> {
    let all = processes();
    let supervisors = all.iter().filter_map(|process| {
        let words = fs::read(format!("/proc/{}/cmdline", process.id)).ok()?;
        let words = String::from_utf8_lossy(&words).into_owned();
        Some((machine_named(&words, lab)?, process.id))
    });
    supervisors
        .map(|(name, id)| (name, Machine { processes: below(&all, id) }))
        .filter(|(_, machine)| !machine.processes.is_empty())
        .collect()
}

/// The machine that a supervisor's command line names, if it is a supervisor of the lab.
fn machine_named(words: &str, lab: &str) -> Option<String> {
    let mut words = words.split('\0');
    if !words.next()?.ends_with("systemd-nspawn") {
        return None;
    }
    let option = format!("--machine=ringfort-lab.{lab}.");
    words.find_map(|word| word.strip_prefix(&option)).map(str::to_owned)
}

fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|id| Process::of_stat(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?))
        .collect()
}

/// Everything that descends from a process, without itself.
fn below(all: &[Process], root: u32) -> Vec<Process> {
    let mut known = BTreeSet::from([root]);
    let mut found = Vec::new();
    loop {
        let more: Vec<_> = all
            .iter()
            .filter(|process| known.contains(&process.parent) && !known.contains(&process.id))
            .cloned()
            .collect();
        if more.is_empty() {
            return found;
        }
        known.extend(more.iter().map(|process| process.id));
        found.extend(more);
    }
}

/// Memory in bytes. What several processes share is divided among them, so that sums are true.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Memory {
    /// Everything mapped: also the pages of programs, which the kernel can drop and read again.
    pub(super) mapped: u64,
    /// What is backed by no file: heaps, stacks, shared memory.
    pub(super) anonymous: u64,
    /// The same as `anonymous`, of ringfort's own processes.
    pub(super) own: u64,
    /// How many processes there are.
    pub(super) processes: u64,
}

/// Sums up the memory of all machines.
pub(super) fn memory(machines: &BTreeMap<String, Machine>) -> Memory {
    let mut sum = Memory::default();
    for process in machines.values().flat_map(|machine| &machine.processes) {
        let path = format!("/proc/{}/smaps_rollup", process.id);
        let rollup = fs::read_to_string(path).unwrap_or_default();
        let anonymous = bytes(&rollup, "Pss_Anon:") + bytes(&rollup, "Pss_Shmem:");
        sum.mapped += bytes(&rollup, "Pss:");
        sum.anonymous += anonymous;
        sum.own += if process.name == OWN { anonymous } else { 0 };
        sum.processes += 1;
    }
    sum
}

/// What ringfort's own processes are called.
const OWN: &str = "ringfort";

fn bytes(rollup: &str, field: &str) -> u64 {
    let line = rollup.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() << 10
}

/// Processor time in percent of one core.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Busy {
    /// Of everything in the machines.
    pub(super) all: f64,
    /// Of ringfort's own processes.
    pub(super) own: f64,
}

/// Watches the machines of a lab for a while.
pub(super) fn busy(lab: &str, during: Duration) -> Busy {
    let (began, before) = (Instant::now(), ticks(&machines(lab)));
    thread::sleep(during);
    let after = ticks(&machines(lab));
    let percent = |from: u64, to: u64| {
        to.saturating_sub(from) as f64 / TICKS / began.elapsed().as_secs_f64() * 100.0
    };
    Busy { all: percent(before.0, after.0), own: percent(before.1, after.1) }
}

fn ticks(machines: &BTreeMap<String, Machine>) -> (u64, u64) {
    let all = machines.values().flat_map(|machine| &machine.processes);
    all.fold((0, 0), |(all, own), process| {
        (all + process.ticks, own + if process.name == OWN { process.ticks } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(id: u32, name: &str, parent: u32) -> String {
        format!("{id} ({name}) S {parent} 1 1 0 -1 4194560 9 9 9 9 1 2 3 4 20 0 1 0 99 0 0\n")
    }

    #[test]
    fn a_process_is_read_with_whatever_name_it_gave_itself() {
        for name in ["etcd", "a b", ") S 1 (", ""] {
            let found = Process::of_stat(&stat(17, name, 3)).unwrap();
            assert_eq!((found.id, found.parent, found.ticks), (17, 3, 10), "{name}");
            assert_eq!(found.name, name);
        }
        assert_eq!(Process::of_stat("17 (etcd) S 3"), None);
        assert_eq!(Process::of_stat(""), None);
    }

    #[test]
    fn a_machine_is_everything_below_its_supervisor_and_nothing_beside_it() {
        let tree = [(5, 1), (6, 5), (9, 6), (7, 1), (8, 7), (10, 9)];
        let all: Vec<_> = tree
            .iter()
            .map(|(id, parent)| Process::of_stat(&stat(*id, "x", *parent)).unwrap())
            .collect();
        let ids: Vec<_> = below(&all, 5).iter().map(|process| process.id).collect();
        assert_eq!(ids, [6, 9, 10]);
    }

    #[test]
    fn only_supervisors_of_the_lab_name_a_machine() {
        let words = "/usr/bin/systemd-nspawn\0--boot\0--machine=ringfort-lab.a.cp1\0";
        assert_eq!(machine_named(words, "a").as_deref(), Some("cp1"));
        assert_eq!(machine_named(words, "b"), None);
        assert_eq!(machine_named("grep\0--machine=ringfort-lab.a.cp1", "a"), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let rollup = "55d000-7ff000 ---p 00000000 00:00 0 [rollup]\nRss: 9 kB\nPss:    12 kB\nPss_Anon:  3 kB\n";
        assert_eq!(bytes(rollup, "Pss:"), 12 << 10);
        assert_eq!(bytes(rollup, "Pss_Anon:"), 3 << 10);
        assert_eq!(bytes("", "Pss:"), 0);
    }
}
