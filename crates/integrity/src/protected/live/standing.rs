//! Whether a process that runs a program with a component's name may be that component: anybody calls a program as he
//! likes. Pure.

use ringfort_facts::control_group;

/// As what a process may be a component.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// As a program of the machine, in a unit of systemd or in none.
    Machine {
        /// The unit.
        unit: Option<String>,
        /// Whether that is the unit that is called like the program.
        is_own: bool,
    },
    /// In a pod that the kubelet has by a file of its own, with its uid.
    Pod(String),
}

/// Says as what a process may be the component of a program: by its `status` and its groups, as `/proc` shows both.
///
/// It is root's, or in the unit that is called like the program; no one who is logged in began it; and pods are no
/// others than static ones.
pub fn standing(program: &str, status: &str, groups: &str) -> Option<Standing> {
    if let Some(pod) = control_group::static_pod(groups) {
        return Some(Standing::Pod(pod));
    }
    if control_group::is_in_pod(groups) || control_group::is_of_users(groups) {
        return None;
    }
    let units: Vec<&str> = control_group::paths(groups).filter_map(unit).collect();
    let own = format!("{program}.service");
    let is_own = !units.is_empty() && units.iter().all(|unit| *unit == own);
    let unit = units.first().map(|unit| (*unit).to_owned());
    (is_own || is_of_root(status)).then_some(Standing::Machine { unit, is_own })
}

/// The outermost service: below it others than systemd may make groups, with any name.
fn unit(path: &str) -> Option<&str> {
    path.split('/').find(|part| part.ends_with(".service"))
}

/// Whether somebody who began a process, and who it acts as, is root.
fn is_of_root(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let uids: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
    uids.len() == 4 && uids.iter().all(|uid| *uid == "0")
}

#[cfg(test)]
mod tests {
    use super::{Standing, standing};

    const ROOT: &str = "Name:\tkubelet\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n";
    const USER: &str = "Name:\tkubelet\nUid:\t1000\t1000\t1000\t1000\n";
    const POD: &str = "0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33";

    fn check(status: &str, groups: &str, expected: Option<&str>) {
        let found = standing("etcd", status, groups).map(|standing| match standing {
            Standing::Machine { unit, .. } => unit.unwrap_or_default(),
            Standing::Pod(uid) => uid,
        });
        assert_eq!(found.as_deref(), expected, "{groups}");
    }

    #[test]
    fn a_component_is_roots_or_in_its_own_unit() {
        check(ROOT, "0::/system.slice/kubelet.service", Some("kubelet.service"));
        check(ROOT, "0::/", Some(""));
        check(USER, "0::/system.slice/etcd.service", Some("etcd.service"));
        check(USER, "0::/system.slice/other.service", None);
        check(USER, "0::/", None);
        check("Uid:\t1000\t0\t0\t0\n", "0::/", None);
        check("", "0::/", None);
        // A service that may make groups calls one like another service.
        check(USER, "0::/system.slice/other.service/etcd.service", None);
        check(USER, "2:cpu:/etcd.service\n0::/system.slice/other.service", None);
    }

    #[test]
    fn nobody_who_is_logged_in_and_no_pod_but_a_static_one_is_a_component() {
        check(ROOT, "0::/user.slice/user-0.slice/session-3.scope", None);
        check(ROOT, "0::/user.slice/user-1000.slice/user@1000.service/etcd.service", None);
        check(ROOT, &format!("0::/kubepods/burstable/pod{POD}/x"), None);
        let of_file = "d0".repeat(16);
        check(USER, &format!("0::/kubepods/burstable/pod{of_file}/x"), Some(&of_file));
        check(ROOT, &format!("0::/kubepods/pod{POD}/x/kubepods/pod{of_file}/y"), None);
    }

    #[test]
    fn its_own_unit_is_the_same_in_every_hierarchy() {
        let is_own = |groups: &str| match standing("etcd", ROOT, groups) {
            Some(Standing::Machine { is_own, .. }) => is_own,
            other => panic!("{other:?}"),
        };
        assert!(is_own("0::/system.slice/etcd.service"));
        assert!(!is_own("0::/"));
        assert!(!is_own("2:cpu:/etcd.service\n0::/system.slice/other.service"));
    }
}
