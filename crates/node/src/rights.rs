//! What processes of this machine may do, as the kernel tells of each: its user, capabilities, whether it
//! can gain privileges, its filter of system calls and its AppArmor profile.

use std::fs;
use std::io;
use std::path::Path;

use ringfort_model::act::ProcessSeen;

use crate::processes;
use crate::root::Root;

/// How many filters of system calls a process is under.
const FILTERS: &str = "Seccomp_filters:";

/// Looks at the processes of these names.
///
/// # Errors
/// The kernel told of one what cannot be read; one that ended meanwhile is left out.
pub fn look(root: &Root, names: &[String]) -> io::Result<Vec<ProcessSeen>> {
    let first = fs::read_to_string(root.own("proc/1/status")).unwrap_or_default();
    let of_machine = field(&first, FILTERS);
    let mut found = Vec::new();
    for directory in processes::all(root) {
        let name = processes::program(&directory).filter(|name| names.contains(name));
        let Some(name) = name else { continue };
        let Ok(status) = fs::read_to_string(directory.join("status")) else { continue };
        let odd = || io::Error::other(format!("the kernel told of {name} {status:?}"));
        let read = process(&name, &status, profile(&directory), of_machine);
        found.push(read.ok_or_else(odd)?);
    }
    Ok(found)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    // Of four users, the second is in force.
    line.split_whitespace().nth(usize::from(name == "Uid:"))
}

/// Reads a process. Filters that the whole machine is under, as a machine in a container is, count for
/// nothing.
fn process(
    name: &str,
    status: &str,
    app_armor: Option<String>,
    of_machine: Option<&str>,
) -> Option<ProcessSeen> {
    let count = |text: Option<&str>| text?.parse::<u32>().ok();
    let is_own = match (count(field(status, FILTERS)), count(of_machine)) {
        (Some(own), Some(machine)) => own > machine,
        // A kernel that does not count them.
        _ => true,
    };
    Some(ProcessSeen {
        name: name.to_owned(),
        user: field(status, "Uid:")?.parse().ok()?,
        capabilities: field(status, "CapEff:")?.to_owned(),
        no_new_privileges: field(status, "NoNewPrivs:")? == "1",
        app_armor,
        seccomp: if is_own { field(status, "Seccomp:")?.parse().ok()? } else { 0 },
    })
}

/// Reads the name of an AppArmor profile, which may hold spaces; none where the kernel tells of none.
fn profile(directory: &Path) -> Option<String> {
    let said = fs::read_to_string(directory.join("attr/apparmor/current")).ok()?;
    let said = said.trim();
    (!said.is_empty()).then(|| said.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{look, process};
    use crate::root::Root;

    const STATUS: &str = "Name:\tetcd\nUid:\t998\t997\t997\t997\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n";

    #[test]
    fn a_process_is_read_as_the_kernel_tells_of_it() {
        let seen = process("etcd", STATUS, None, None).unwrap();
        assert_eq!((seen.name.as_str(), seen.user, seen.seccomp), ("etcd", 997, 2));
        assert!(seen.no_new_privileges);
        assert_eq!(process("etcd", "", None, None), None);
        let filtered = format!("{STATUS}Seccomp_filters:\t2\n");
        for (of_machine, expected) in [(Some("0"), 2), (Some("1"), 2), (Some("2"), 0), (None, 2)] {
            assert_eq!(process("etcd", &filtered, None, of_machine).unwrap().seccomp, expected);
        }
    }

    #[test]
    fn processes_are_known_by_their_whole_names_and_what_ended_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join("proc").join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("1/status", "Seccomp_filters:\t1\n");
        write("7/cmdline", "/usr/local/bin/etcd\0--name");
        write("7/status", &format!("{STATUS}Seccomp_filters:\t1\n"));
        write("7/attr/apparmor/current", "cri-containerd.apparmor.d (enforce)\n");
        write("8/cmdline", "/usr/local/bin/etcdctl\0");
        write("8/status", STATUS);
        write("9/cmdline", "etcd");
        let root = Root::new(directory.path());
        let names = ["etcd".to_owned()];
        let seen = look(&root, &names).unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].app_armor.as_deref(), Some("cri-containerd.apparmor.d (enforce)"));
        assert_eq!(seen[0].seccomp, 0);
        write("7/attr/apparmor/current", "\n");
        assert_eq!(look(&root, &names).unwrap()[0].app_armor, None);
        write("9/status", "Name:\tetcd\n");
        assert!(look(&root, &names).is_err());
    }
}
