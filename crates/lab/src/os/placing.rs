//! Control groups of machines: made before a machine starts, removed after it has ended. Nothing is
//! ever moved out of the caller's own groups, and groups of others are never touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::boot::Placement;
use crate::groups::{self, Groups};
use crate::name::LabName;
use crate::os::processes::signal;
use crate::os::{Fault, make_directory, names_in, read, remove_empty, write_kernel};
use crate::shape::Machine;

/// Says who places machines on this host.
pub(crate) fn placement() -> Result<Placement, Fault> {
    Ok(match own_groups()? {
        Groups::Legacy(_) => Placement::ByLab,
        Groups::Unified => Placement::BySystemd,
    })
}

/// Moves a process that is about to become a machine into groups of its own.
pub(crate) fn place(pid: u32, lab: &LabName, machine: &Machine) -> Result<(), Fault> {
    let Groups::Legacy(own) = own_groups()? else { return Ok(()) };
    for group in own {
        let of_lab = group.join(lab.mark());
        let of_machine = of_lab.join(machine.name.as_str());
        make_directory(&of_machine)?;
        if groups::is_cpuset(&group) {
            inherit_cpuset(&group, &of_lab)?;
            inherit_cpuset(&of_lab, &of_machine)?;
        }
        write_kernel(&of_machine.join("cgroup.procs"), &pid.to_string())?;
    }
    Ok(())
}

/// Finds every group of a lab, wherever the command that made it was placed.
pub(crate) fn groups_of(lab: &LabName) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Vec::new();
    for place in groups::mounted(&read("/proc/self/mountinfo".as_ref())?) {
        search(&place, &lab.mark(), DEPTH, &mut found);
    }
    Ok(found)
}

/// Ends whatever still runs in a group and removes it with all below it; says whether it is gone.
pub(crate) fn clear(group: &Path) -> bool {
    (0..TRIES).any(|_| {
        end_all(group);
        remove_tree(group) || {
            thread::sleep(PAUSE);
            false
        }
    })
}

fn own_groups() -> Result<Groups, Fault> {
    let mounts = read("/proc/self/mountinfo".as_ref())?;
    Ok(groups::own_groups(&mounts, &read("/proc/self/cgroup".as_ref())?))
}

/// A new group of this kind takes no process until it is told which processors it may use.
fn inherit_cpuset(from: &Path, to: &Path) -> Result<(), Fault> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        write_kernel(&to.join(file), read(&from.join(file))?.trim())?;
    }
    Ok(())
}

fn search(directory: &Path, name: &str, depth: u8, found: &mut Vec<PathBuf>) {
    for below in directories_in(directory) {
        if below.file_name().is_some_and(|found| found == name) {
            found.push(below);
        } else if depth > 0 {
            search(&below, name, depth - 1, found);
        }
    }
}

fn end_all(group: &Path) {
    let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in processes.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0) {
        signal(pid, Signal::KILL);
    }
    directories_in(group).iter().for_each(|below| end_all(below));
}

fn remove_tree(group: &Path) -> bool {
    directories_in(group).iter().for_each(|below| {
        remove_tree(below);
    });
    remove_empty(group)
}

fn directories_in(path: &Path) -> Vec<PathBuf> {
    let names = names_in(path).unwrap_or_default();
    names
        .iter()
        .map(|name| path.join(name))
        .filter(|path| path.is_dir() && !path.is_symlink())
        .collect()
}

const DEPTH: u8 = 8;
const TRIES: u8 = 100;
const PAUSE: Duration = Duration::from_millis(50);
