//! Where a process may make control groups, read from what the kernel says. Pure. Groups are made
//! below the caller's own in each hierarchy, so that the host's accounting of the caller holds.

use std::path::{Path, PathBuf};

/// How the host arranges control groups.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Groups {
    /// Hierarchies of version 1, with or without one of version 2 beside them; the caller's own
    /// group in each.
    Legacy(Vec<PathBuf>),
    /// One hierarchy of version 2.
    Unified,
}

/// One mounted hierarchy.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Hierarchy {
    place: PathBuf,
    unified: bool,
    options: Vec<String>,
}

/// Reads `/proc/self/mountinfo` and `/proc/self/cgroup`.
pub(crate) fn own_groups(mounts: &str, own: &str) -> Groups {
    let hierarchies = hierarchies(mounts);
    if hierarchies.iter().all(|hierarchy| hierarchy.unified) {
        return Groups::Unified;
    }
    let group = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let hierarchy = hierarchies.iter().find(|hierarchy| hierarchy.serves(controllers))?;
        Some(hierarchy.place.join(path.trim_start_matches('/')))
    };
    Groups::Legacy(own.lines().filter_map(group).collect())
}

/// Lists where hierarchies are mounted.
pub(crate) fn mounted(mounts: &str) -> Vec<PathBuf> {
    hierarchies(mounts).into_iter().map(|hierarchy| hierarchy.place).collect()
}

/// Says whether a group limits which processors its processes use.
pub(crate) fn is_cpuset(group: &Path) -> bool {
    group.join("cpuset.cpus").exists() && group.join("cpuset.mems").exists()
}

impl Hierarchy {
    fn serves(&self, controllers: &str) -> bool {
        if controllers.is_empty() {
            return self.unified;
        }
        let has = |controller: &str| self.options.iter().any(|option| option == controller);
        !self.unified && controllers.split(',').all(has)
    }
}

fn hierarchies(mounts: &str) -> Vec<Hierarchy> {
    mounts.lines().filter_map(hierarchy).collect()
}

fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (before, after) = line.split_once(" - ")?;
    let place = PathBuf::from(before.split(' ').nth(4)?);
    let mut fields = after.split(' ');
    let unified = match fields.next()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let options = fields.nth(1)?.split(',').map(str::to_owned).collect();
    Some(Hierarchy { place, unified, options })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Groups, mounted, own_groups};

    const HYBRID: &str = "\
24 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw
25 24 0:23 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
26 24 0:24 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
27 24 0:25 / /sys/fs/cgroup/unified rw shared:3 - cgroup2 cgroup2 rw
";

    #[test]
    fn finds_the_own_group_in_each_hierarchy() {
        let own = "9:name=systemd:/a/b\n4:memory:/unmounted\n1:cpu,cpuacct:/\n0::/c\n";
        let expected = ["systemd/a/b", "cpu/", "unified/c"];
        let expected = expected.map(|path| PathBuf::from("/sys/fs/cgroup").join(path));
        assert_eq!(own_groups(HYBRID, own), Groups::Legacy(expected.to_vec()));
    }

    #[test]
    fn a_host_of_version_two_is_left_to_systemd() {
        let mounts = "25 1 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(own_groups(mounts, "0::/user.slice\n"), Groups::Unified);
    }

    #[test]
    fn lists_what_is_mounted() {
        assert_eq!(mounted(HYBRID).len(), 3);
    }
}
