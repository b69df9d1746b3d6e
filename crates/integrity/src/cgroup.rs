//! Where in the tree of control groups a process is: which pod, which container, which unit. Pure.

use ringfort_facts::control_group;
use serde::{Deserialize, Serialize};

use crate::workload::Workload;

pub(crate) use control_group::is_uid;

/// What a control group says of a process, and which names that leads to.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The pod's uid, as the API has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The container's id, as the runtime has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The unit of systemd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How the pod is called, as far as somebody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Box<Workload>>,
}

/// Reads `/proc/PID/cgroup`: version 2, or the group of version 1 that says most.
pub fn read(text: &str) -> Place {
    let says =
        |place: &Place| (place.container.is_some(), place.pod.is_some(), place.unit.is_some());
    control_group::paths(text).map(place).max_by_key(says).unwrap_or_default()
}

/// Reads a path of control groups. The innermost pod counts: a machine may itself be a container.
fn place(path: &str) -> Place {
    let parts = control_group::parts(path);
    let pod = control_group::pod(&parts);
    let unit = |parts: &[&str]| {
        let is_unit = |part: &&&str| part.ends_with(".service") || part.ends_with(".scope");
        parts.iter().rfind(is_unit).map(|unit| (*unit).to_owned())
    };
    let Some((at, pod)) = pod else { return Place { unit: unit(&parts), ..Place::default() } };
    Place {
        pod: Some(pod),
        container: parts[at..].iter().find_map(|part| container_of(part)),
        unit: unit(&parts[..at]),
        workload: None,
    }
}

/// A container's id in the name of its group: bare, or between a runtime's prefix and `.scope`, or
/// after `slice:runtime:` where the runtime has the other driver than the kubelet.
///
/// CRI-O's monitor of a container has a group beside it that is called nearly so, and is not in the container.
fn container_of(part: &str) -> Option<String> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let name = name.rsplit(':').next()?;
    let (runtime, id) = name.rsplit_once('-').unwrap_or(("", name));
    (is_id(id) && !runtime.ends_with("conmon")).then(|| id.to_owned())
}

/// A container's id, as runtimes make it.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33";
    const SLICE: &str = "0f3c8a52_9d6e_4b1f_8c07_5a2b9e4d1c33";

    fn check(text: &str, pod: Option<&str>, container: Option<&str>, unit: Option<&str>) {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (pod, container, unit) = (owned(pod), owned(container), owned(unit));
        let expected = Place { pod, container, unit, workload: None };
        assert_eq!(read(text), expected, "{text}");
    }

    #[test]
    fn pods_of_both_drivers_are_read() {
        let id = "ab".repeat(32);
        let some = (Some(UID), Some(id.as_str()));
        let check = |text: &str| check(text, some.0, some.1, None);
        check(&format!(
            "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{SLICE}.slice/cri-containerd-{id}.scope\n"
        ));
        check(&format!("0::/kubepods.slice/kubepods-pod{SLICE}.slice/crio-{id}.scope"));
        check(&format!("0::/kubepods.slice/kubepods-pod{SLICE}.slice/docker-{id}.scope"));
        check(&format!("0::/kubepods/burstable/pod{UID}/crio-{id}"));
        check(&format!("0::/kubepods/besteffort/pod{UID}/{id}"));
        check(&format!("0::/kubepods/pod{UID}/{id}/init"));
        check(&format!(
            "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{SLICE}.slice/cri-containerd-{id}.scope"
        ));
        check(&format!("12:pids:/kubepods/pod{UID}/{id}\n1:name=systemd:/\n0::/"));
    }

    #[test]
    fn static_pods_and_mixed_drivers_are_read_and_what_only_looks_like_a_pod_is_none() {
        let id = "ab".repeat(32);
        check("0::/", None, None, None);
        check("0::/system.slice/ssh.service", None, None, Some("ssh.service"));
        check("0::/user.slice/user-0.slice/session-3.scope", None, None, Some("session-3.scope"));
        check("0::/kubepods/podless/x", None, None, None);
        check(&format!("0::/user.slice/evil-pod{SLICE}.slice/x"), None, None, None);
        check(&format!("0::/kubepods/pod{UID}"), Some(UID), None, None);
        let of_static = "d0".repeat(16);
        check(&format!("0::/kubepods/pod{of_static}/{id}"), Some(&of_static), Some(&id), None);
        let other = format!(
            "0::/system.slice/containerd.service/kubepods-besteffort-pod{SLICE}.slice:cri-containerd:{id}"
        );
        check(&other, Some(UID), Some(&id), Some("containerd.service"));
    }

    #[test]
    fn what_watches_over_a_container_is_not_in_it() {
        let id = "ab".repeat(32);
        for group in [format!("crio-conmon-{id}.scope"), format!("crio-conmon-{id}")] {
            check(&format!("0::/kubepods/pod{UID}/{group}"), Some(UID), None, None);
        }
    }

    #[test]
    fn groups_that_a_user_may_make_are_no_pods() {
        let id = "ab".repeat(32);
        let groups = [
            format!("pod{UID}/{id}"),
            format!("kubepods/pod{UID}/{id}"),
            format!("kubepods/burstable/pod{UID}/{id}"),
            format!("kubepods.slice/kubepods-pod{SLICE}.slice/{id}"),
            format!("kubepods-pod{SLICE}.slice:cri-containerd:{id}"),
        ];
        let of_user = "user.slice/user-1000.slice/user@1000.service/app.slice";
        for group in &groups {
            for machine in ["", "/machine.slice/machine-w1.scope/payload"] {
                let text = format!("0::{machine}/{of_user}/{group}");
                check(&text, None, None, Some("user@1000.service"));
            }
        }
        // Who may make groups in a container is in that one's pod, however they are called.
        let inner = format!("0::/kubepods/pod{}/{id}/{of_user}/{}", "d0".repeat(16), groups[1]);
        check(&inner, Some(&"d0".repeat(16)), Some(&id), None);
    }

    #[test]
    fn a_pod_is_one_only_where_the_kubelet_has_pods() {
        let id = "ab".repeat(32);
        check(&format!("0::/pod{UID}/{id}"), None, None, None);
        check(&format!("0::/kubepods/else/pod{UID}/{id}"), None, None, None);
        let of_service = format!("0::/system.slice/a.service/pod{UID}/{id}");
        check(&of_service, None, None, Some("a.service"));
        let check = |text: &str, unit: Option<&str>| check(text, Some(UID), Some(&id), unit);
        check(&format!("0::/kubelet/kubepods/burstable/pod{UID}/{id}"), None);
        let machine = "/machine.slice/machine-w1.scope/payload";
        let unit = Some("machine-w1.scope");
        check(&format!("0::{machine}/kubepods/besteffort/pod{UID}/{id}"), unit);
        check(&format!("0::{machine}/kubepods.slice/kubepods-pod{SLICE}.slice/{id}"), unit);
        // A machine that somebody who is logged in began, in groups of version 1.
        let session = "/user.slice/user-0.slice/session-3.scope";
        let of_lab = format!("lab/w1/kubepods/pod{UID}/{id}");
        check(&format!("4:memory:{session}/{of_lab}\n3:freezer:/{of_lab}\n0::{session}"), None);
    }

    #[test]
    fn a_machine_in_a_container_has_pods_of_its_own() {
        let (outer, inner) = ("ab".repeat(32), "cd".repeat(32));
        let nested = format!("0::/kubepods/pod{UID}/{outer}/kubepods/pod{UID}/{inner}");
        check(&nested, Some(UID), Some(&inner), None);
    }
}
