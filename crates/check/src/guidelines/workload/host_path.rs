//! Volumes that are paths of the node.

use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::{PodScene, Scene};

/// Visits what every such volume says; without any, the list of volumes is as it should be.
pub(super) fn each_volume(
    pod: &PodScene<'_>,
    sheet: &mut Sheet,
    visit: impl Fn(&Place<'_>, &mut Sheet),
) {
    let volumes = pod.spec.at("volumes");
    sheet.pass(&volumes);
    for volume in volumes.items() {
        let path = volume.at("hostPath");
        match path.object() {
            Field::Absent => {}
            Field::Is(_) => visit(&path, sheet),
            Field::Unreadable => sheet.unread(&path),
        }
    }
}

/// Visits the path of every such volume.
pub(super) fn each_host_path(
    pod: &PodScene<'_>,
    sheet: &mut Sheet,
    visit: impl Fn(&Place<'_>, &mut Sheet),
) {
    each_volume(pod, sheet, |volume, sheet| visit(&volume.at("path"), sheet));
}

/// Visits what a PersistentVolume says of a directory of its node: by `hostPath`, or by `local`. Without either its
/// description is as it should be.
pub(super) fn each_of_volume(
    volume: &Scene<'_>,
    sheet: &mut Sheet,
    visit: impl Fn(&Place<'_>, &mut Sheet),
) {
    let spec = volume.root.at("spec");
    if spec.value() == Field::Absent {
        return sheet.unread(&spec);
    }
    sheet.pass(&spec);
    for kind in ["hostPath", "local"] {
        let source = spec.entry(kind);
        match source.object() {
            Field::Absent => {}
            Field::Is(_) => visit(&source, sheet),
            Field::Unreadable => sheet.unread(&source),
        }
    }
}

/// Whether a path is one of the system's, lies in one or above one.
pub(super) fn is_of_system(path: &str) -> bool {
    let path = followed(path);
    SYSTEM.iter().any(|system| is_within(&path, system) || is_within(system, &path))
}

/// Whether a path is the socket of a container runtime, or a directory that it lies in, at any depth.
pub(super) fn holds_runtime(path: &str) -> bool {
    let path = followed(path);
    // On a node that is a link. One that lies in a directory which is mounted leads nowhere in a container.
    let path = match path.strip_prefix("/var/run") {
        Some(rest) if is_within(&path, "/var/run") => format!("/run{rest}"),
        _ => path,
    };
    RUNTIMES.iter().any(|socket| is_within(socket, &path))
}

fn is_within(path: &str, above: &str) -> bool {
    above == "/"
        || path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Gives a path as the kernel follows it.
fn followed(path: &str) -> String {
    let mut steps = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    format!("/{}", steps.join("/"))
}

/// Where container runtimes listen, as they are installed.
const RUNTIMES: [&str; 7] = [
    "/run/containerd/containerd.sock",
    "/run/cri-dockerd.sock",
    "/run/crio/crio.sock",
    "/run/docker.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/podman/podman.sock",
];

/// What a node is made of: its programs, its configuration, its devices, and what runs pods.
const SYSTEM: [&str; 22] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/opt/cni",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/log",
    "/var/run",
];

#[cfg(test)]
mod tests {
    use super::{holds_runtime, is_of_system};

    #[test]
    fn paths_are_compared_as_the_kernel_follows_them() {
        for path in ["/", "", "/etc", "/etc/", "//etc//x", "/data/../etc", "/var", "/./proc/1"] {
            assert!(is_of_system(path), "{path}");
        }
        for path in ["/data", "/etcetera", "/var/data", "/mnt/etc"] {
            assert!(!is_of_system(path), "{path}");
        }
    }

    #[test]
    fn who_has_the_directory_of_a_socket_has_the_socket() {
        for path in [
            "/run/containerd/",
            "/var/run/docker",
            "/var/run",
            "/run/crio/crio.sock",
            "/",
            "/run/k3s",
        ] {
            assert!(holds_runtime(path), "{path}");
        }
        for path in
            ["/var", "/run/containerd/io", "/var/runtime", "/run/containerdx", "/data", "/run/user"]
        {
            assert!(!holds_runtime(path), "{path}");
        }
    }
}
