//! Where in the tree of control groups pods are, by the names that a kubelet gives their groups.
//!
//! Never here: which container a process is in, and how a pod is called.

/// The group of all who are logged in, as systemd has it.
const USERS: &str = "user.slice";

/// Gives the paths of groups in `/proc/PID/cgroup`: one of version 2, and one for each kind of version 1.
pub fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2))
}

/// Gives the parts of a path of groups, the outermost first.
pub fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// Finds the group of a pod in the parts of a path: which part, and the pod's uid. The innermost counts: a machine may
/// itself be a container.
pub fn pod(parts: &[&str]) -> Option<(usize, String)> {
    (0..parts.len()).rev().find_map(|at| Some((at, pod_at(parts, at)?)))
}

/// Says whether a process whose `/proc/PID/cgroup` this is runs in a pod.
pub fn is_in_pod(text: &str) -> bool {
    paths(text).any(|path| pod(&parts(path)).is_some())
}

/// Gives the uid of the pod that a process runs in whose `/proc/PID/cgroup` this is, where a kubelet has it by a file of
/// its own: its uid is a digest then. There is no other pod around it: who is root in one makes groups with any name.
pub fn static_pod(text: &str) -> Option<String> {
    let pods = |path| {
        let parts = parts(path);
        (0..parts.len()).filter_map(|at| pod_at(&parts, at)).collect::<Vec<_>>()
    };
    let mut all = paths(text).map(pods).filter(|pods| !pods.is_empty());
    let first = all.next()?;
    let is_static = first.len() == 1 && !first[0].contains('-') && all.all(|other| other == first);
    first.into_iter().next().filter(|_| is_static)
}

/// Says whether a process whose `/proc/PID/cgroup` this is was begun by somebody who is logged in.
pub fn is_of_users(text: &str) -> bool {
    paths(text).any(|path| parts(path).contains(&USERS))
}

/// A pod's uid, where a part of a path is the group of one: `pod1234-…` below `kubepods` by one driver,
/// `kubepods-…-pod1234_….slice` by the other.
///
/// Below `user.slice` whoever is logged in makes groups with any name, so there are no pods.
fn pod_at(parts: &[&str], at: usize) -> Option<String> {
    let above = &parts[..at];
    if above.contains(&USERS) {
        return None;
    }
    let group = parts[at].split(':').next()?;
    let uid = match group.strip_suffix(".slice") {
        Some(slice) => {
            let (before, uid) = slice.rsplit_once("-pod")?;
            before.split('-').any(|word| word == "kubepods").then(|| uid.replace('_', "-"))?
        }
        None => match above {
            [.., "kubepods"] | [.., "kubepods", "burstable" | "besteffort"] => {
                group.strip_prefix("pod")?.to_owned()
            }
            _ => return None,
        },
    };
    is_uid(&uid).then_some(uid)
}

/// A uid of the API, or of a static pod, which is a digest.
pub fn is_uid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_hex && (groups == [8, 4, 4, 4, 12] || groups == [32])
}

#[cfg(test)]
mod tests {
    use super::{is_in_pod, is_of_users, parts, pod, static_pod};

    const UID: &str = "0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33";
    const SLICE: &str = "0f3c8a52_9d6e_4b1f_8c07_5a2b9e4d1c33";

    #[test]
    fn a_process_is_in_a_pod_only_where_a_kubelet_has_pods() {
        let check = |text: String, expected: bool| assert_eq!(is_in_pod(&text), expected, "{text}");
        check(format!("0::/kubepods/burstable/pod{UID}/x"), true);
        check(format!("0::/kubepods.slice/kubepods-pod{SLICE}.slice/crio-x.scope"), true);
        check(format!("0::/kubelet/kubepods/pod{UID}"), true);
        check(format!("12:pids:/kubepods/pod{UID}/x\n1:name=systemd:/\n0::/"), true);
        check(String::new(), false);
        check("0::/kubepods/pod1/x".to_owned(), false);
        check("0::/system.slice/kubelet.service".to_owned(), false);
        check(format!("0::/pod{UID}/x"), false);
        // Whoever is logged in may make groups with such names, and a service that was given its own.
        let of_user = "user.slice/user-1000.slice/user@1000.service/app.slice";
        check(format!("0::/{of_user}/kubepods-x"), false);
        check(format!("0::/{of_user}/kubepods/pod{UID}/x"), false);
        check(format!("0::/{of_user}/kubepods.slice/kubepods-pod{SLICE}.slice/x"), false);
        check("0::/system.slice/a.service/kubepods-x".to_owned(), false);
    }

    #[test]
    fn a_static_pod_is_one_by_its_uid_and_with_none_around_it() {
        let uid = "d0".repeat(16);
        let check = |text: String, expected: bool| {
            assert_eq!(static_pod(&text).as_deref() == Some(&uid), expected, "{text}");
        };
        check(format!("0::/kubepods/burstable/pod{uid}/x"), true);
        check(format!("0::/kubepods.slice/kubepods-pod{uid}.slice/crio-x.scope"), true);
        check(
            format!("12:pids:/kubepods/pod{uid}/x\n1:name=systemd:/kubepods/pod{uid}/x\n0::/"),
            true,
        );
        check(format!("0::/kubepods/pod{UID}/x"), false);
        check(format!("0::/kubepods/pod{UID}/x/kubepods/pod{uid}/y"), false);
        check(format!("0::/kubepods/pod{uid}/x/kubepods/pod{uid}/y"), false);
        check(format!("2:cpu:/kubepods/pod{uid}/x\n0::/kubepods/pod{UID}/x"), false);
        check(format!("0::/user.slice/kubepods/pod{uid}/x"), false);
        check(String::new(), false);
    }

    #[test]
    fn who_is_logged_in_is_below_the_users_slice() {
        assert!(is_of_users("4:memory:/a\n0::/user.slice/user-0.slice/session-3.scope"));
        assert!(is_of_users("0::/machine.slice/x/user.slice/y"));
        assert!(!is_of_users("0::/system.slice/user.slice.service\n1:cpu:/"));
    }

    #[test]
    fn the_innermost_pod_counts() {
        let path = format!("/kubepods/pod{}/x/kubepods/pod{UID}/y", "d0".repeat(16));
        assert_eq!(pod(&parts(&path)), Some((4, UID.to_owned())));
    }
}
