//! What every machine of a cluster has that is worth protecting, as data. Pure.

use ringfort_model::blueprint::Role;
use ringfort_model::integrity::AUDIT_LOG;
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::severity::Severity::{self, Critical, High, Low, Medium};

use super::Class::{Exact, Growing, Kept, Listed, Watched};
use super::Presence::{Forbidden, Optional};
use super::{Class, ModeRule, Presence, Protected};
use crate::path::FilePath;

/// Where something is there.
#[derive(Clone, Copy, Eq, PartialEq)]
enum On {
    ControlPlanes,
    All,
}

use On::{All, ControlPlanes};

/// A path, how it may change, whether it is there, the most that its mode may be, what is at stake,
/// where, and what somebody gains by changing it.
type Row = (&'static str, Class, Presence, Option<u32>, Severity, On, &'static str);

const ROWS: &[Row] = &[
    // What a kubelet runs, and what it runs by.
    (
        "/etc/kubernetes/manifests",
        Listed,
        Optional,
        Some(0o700),
        Critical,
        All,
        "a file here is a pod that no admission sees",
    ),
    (
        "/etc/kubernetes/kubelet.conf",
        Exact,
        Optional,
        Some(0o600),
        Critical,
        All,
        "whom the kubelet obeys",
    ),
    (
        "/etc/kubernetes/bootstrap-kubelet.conf",
        Exact,
        Forbidden,
        None,
        High,
        All,
        "a token that joins machines",
    ),
    (
        "/etc/kubernetes/kubelet.conf.d",
        Watched,
        Optional,
        None,
        Critical,
        All,
        "settings of the kubelet",
    ),
    (
        "/var/lib/kubelet/config.yaml",
        Exact,
        Optional,
        Some(0o600),
        Critical,
        All,
        "who may run what through the kubelet",
    ),
    (
        "/var/lib/kubelet/instance-config.yaml",
        Exact,
        Optional,
        Some(0o600),
        High,
        All,
        "settings of the kubelet",
    ),
    (
        "/var/lib/kubelet/kubeadm-flags.env",
        Exact,
        Optional,
        Some(0o600),
        Critical,
        All,
        "flags of the kubelet",
    ),
    ("/etc/default/kubelet", Exact, Optional, None, Critical, All, "flags of the kubelet"),
    ("/var/lib/kubelet/pki", Watched, Optional, None, High, All, "who the kubelet is"),
    (
        "/var/lib/kubelet/device-plugins",
        Kept,
        Optional,
        None,
        Medium,
        All,
        "devices that pods are given",
    ),
    (
        "/var/lib/kubelet/volume-plugins",
        Watched,
        Optional,
        None,
        Critical,
        All,
        "programs that the kubelet runs as root",
    ),
    (
        "/usr/libexec/kubernetes/kubelet-plugins",
        Watched,
        Optional,
        None,
        Critical,
        All,
        "programs that the kubelet runs as root",
    ),
    // The control plane.
    ("/etc/kubernetes", Watched, Optional, None, High, All, "configuration of components"),
    (
        "/etc/kubernetes/pki",
        Watched,
        Optional,
        None,
        Critical,
        ControlPlanes,
        "who is believed to be whom",
    ),
    (
        "/etc/kubernetes/admin.conf",
        Exact,
        Optional,
        Some(0o600),
        Critical,
        ControlPlanes,
        "everything",
    ),
    (
        "/etc/kubernetes/super-admin.conf",
        Exact,
        Optional,
        Some(0o600),
        Critical,
        ControlPlanes,
        "everything",
    ),
    (
        "/etc/kubernetes/controller-manager.conf",
        Exact,
        Optional,
        Some(0o600),
        Critical,
        ControlPlanes,
        "who the controller manager is",
    ),
    (
        "/etc/kubernetes/scheduler.conf",
        Exact,
        Optional,
        Some(0o600),
        Critical,
        ControlPlanes,
        "who the scheduler is",
    ),
    (
        "/etc/kubernetes/admission",
        Watched,
        Optional,
        None,
        Critical,
        ControlPlanes,
        "what the API server lets in",
    ),
    (
        "/etc/kubernetes/audit",
        Watched,
        Optional,
        None,
        Critical,
        ControlPlanes,
        "what is written down",
    ),
    ("/etc/kubernetes/authn", Watched, Optional, None, Critical, ControlPlanes, "who may come in"),
    ("/etc/kubernetes/authz", Watched, Optional, None, Critical, ControlPlanes, "who may do what"),
    (
        "/etc/kubernetes/encryption",
        Watched,
        Optional,
        None,
        Critical,
        ControlPlanes,
        "keys that Secrets are sealed with",
    ),
    (
        "/var/lib/etcd",
        Kept,
        Optional,
        Some(0o700),
        Critical,
        ControlPlanes,
        "all objects of the cluster",
    ),
    ("/etc/etcd", Watched, Optional, None, Critical, ControlPlanes, "who reaches all objects"),
    (AUDIT_LOG, Growing, Optional, Some(0o600), Critical, ControlPlanes, "what was done"),
    // What runs containers.
    (
        "/etc/cni/net.d",
        Watched,
        Optional,
        None,
        Critical,
        All,
        "programs that run as root for each pod",
    ),
    (
        "/opt/cni/bin",
        Watched,
        Optional,
        None,
        Critical,
        All,
        "programs that run as root for each pod",
    ),
    (
        "/etc/containerd",
        Watched,
        Optional,
        None,
        Critical,
        All,
        "how containers run, and which registry is asked",
    ),
    ("/opt/containerd", Watched, Optional, None, Critical, All, "what the runtime runs as root"),
    ("/etc/docker/certs.d", Watched, Optional, None, Critical, All, "which registry is asked"),
    ("/etc/crio", Watched, Optional, None, Critical, All, "how containers run"),
    ("/etc/nri", Watched, Optional, None, Critical, All, "programs inside the runtime"),
    ("/opt/nri", Watched, Optional, None, Critical, All, "programs inside the runtime"),
    ("/etc/cdi", Watched, Optional, None, High, All, "devices and mounts of containers"),
    ("/run/cdi", Watched, Optional, None, High, All, "devices and mounts of containers"),
    ("/usr/local/bin", Watched, Optional, None, Critical, All, "programs of root"),
    ("/usr/local/sbin", Watched, Optional, None, Critical, All, "programs of root"),
    ("/usr/local/lib", Watched, Optional, None, High, All, "libraries that programs of root load"),
    ("/usr/local/lib/systemd", Watched, Optional, None, Critical, All, "what root runs by itself"),
    // The host.
    ("/etc/ld.so.preload", Exact, Forbidden, None, Critical, All, "code in every process"),
    ("/etc/ld.so.conf", Exact, Optional, Some(0o644), Critical, All, "which libraries are loaded"),
    ("/etc/ld.so.conf.d", Watched, Optional, None, Critical, All, "which libraries are loaded"),
    ("/etc/ld.so.cache", Exact, Optional, Some(0o644), Critical, All, "which libraries are loaded"),
    ("/etc/passwd", Exact, Optional, Some(0o644), Critical, All, "who is root"),
    ("/etc/group", Exact, Optional, Some(0o644), High, All, "who is in which group"),
    ("/etc/shadow", Exact, Optional, Some(0o640), Critical, All, "who may log in"),
    ("/etc/gshadow", Exact, Optional, Some(0o640), High, All, "who may join groups"),
    ("/etc/sudoers", Exact, Optional, Some(0o440), Critical, All, "who becomes root"),
    ("/etc/sudoers.d", Watched, Optional, None, Critical, All, "who becomes root"),
    ("/etc/sudo.conf", Exact, Optional, None, Critical, All, "what sudo loads as root"),
    ("/etc/polkit-1", Watched, Optional, None, High, All, "who becomes root"),
    ("/etc/ssh", Watched, Optional, None, Critical, All, "who may log in"),
    ("/root/.ssh", Watched, Optional, Some(0o700), Critical, All, "who logs in as root"),
    ("/etc/pam.d", Watched, Optional, None, Critical, All, "how people show who they are"),
    ("/etc/security", Watched, Optional, None, High, All, "what somebody who logged in may do"),
    ("/etc/nsswitch.conf", Exact, Optional, None, High, All, "who says who somebody is"),
    ("/etc/crontab", Exact, Optional, None, Critical, All, "what root runs by itself"),
    ("/etc/cron.d", Watched, Optional, None, Critical, All, "what root runs by itself"),
    ("/etc/cron.daily", Watched, Optional, None, Critical, All, "what root runs by itself"),
    ("/etc/cron.hourly", Watched, Optional, None, Critical, All, "what root runs by itself"),
    ("/etc/cron.weekly", Watched, Optional, None, Critical, All, "what root runs by itself"),
    ("/etc/cron.monthly", Watched, Optional, None, Critical, All, "what root runs by itself"),
    ("/etc/anacrontab", Exact, Optional, None, Critical, All, "what root runs by itself"),
    (
        "/var/spool/cron/crontabs",
        Watched,
        Optional,
        None,
        Critical,
        All,
        "what root runs by itself",
    ),
    ("/etc/systemd/system", Watched, Optional, None, Critical, All, "what root runs by itself"),
    ("/usr/lib/systemd/system", Watched, Optional, None, Critical, All, "what root runs by itself"),
    ("/etc/systemd", Watched, Optional, None, High, All, "how everything is run"),
    ("/etc/init.d", Watched, Optional, None, High, All, "what root runs by itself"),
    ("/etc/rc.local", Exact, Optional, None, Critical, All, "what root runs by itself"),
    ("/etc/udev/rules.d", Watched, Optional, None, High, All, "what root runs for devices"),
    ("/etc/network/if-pre-up.d", Watched, Optional, None, High, All, "what root runs for networks"),
    ("/etc/network/if-up.d", Watched, Optional, None, High, All, "what root runs for networks"),
    ("/etc/network/if-down.d", Watched, Optional, None, High, All, "what root runs for networks"),
    (
        "/etc/network/if-post-down.d",
        Watched,
        Optional,
        None,
        High,
        All,
        "what root runs for networks",
    ),
    ("/etc/network/interfaces", Exact, Optional, None, High, All, "what root runs for networks"),
    (
        "/etc/network/interfaces.d",
        Watched,
        Optional,
        None,
        High,
        All,
        "what root runs for networks",
    ),
    ("/etc/networkd-dispatcher", Watched, Optional, None, High, All, "what root runs for networks"),
    ("/etc/logrotate.conf", Exact, Optional, None, High, All, "what root runs by itself"),
    ("/etc/logrotate.d", Watched, Optional, None, High, All, "what root runs by itself"),
    (
        "/etc/tmpfiles.d",
        Watched,
        Optional,
        None,
        High,
        All,
        "what root writes and links at each start",
    ),
    ("/var/lib/cloud/scripts", Watched, Optional, None, High, All, "what root runs at each start"),
    (
        "/etc/apt",
        Watched,
        Optional,
        None,
        High,
        All,
        "whose packages root installs, and what it runs then",
    ),
    ("/etc/dpkg", Watched, Optional, None, High, All, "what root runs for packages"),
    ("/etc/kernel", Watched, Optional, None, High, All, "what root runs for kernels"),
    ("/etc/initramfs-tools", Watched, Optional, None, High, All, "what the machine starts"),
    ("/etc/grub.d", Watched, Optional, None, High, All, "what the machine starts"),
    ("/etc/default/grub", Exact, Optional, None, High, All, "what the machine starts"),
    ("/etc/default/grub.d", Watched, Optional, None, High, All, "what the machine starts"),
    ("/etc/modules", Exact, Optional, None, Critical, All, "code in the kernel"),
    ("/etc/modules-load.d", Watched, Optional, None, Critical, All, "code in the kernel"),
    ("/etc/modprobe.d", Watched, Optional, None, Critical, All, "code in the kernel"),
    ("/usr/lib/modules", Kept, Optional, None, Critical, All, "code in the kernel"),
    ("/etc/sysctl.conf", Exact, Optional, None, High, All, "settings of the kernel"),
    ("/etc/sysctl.d", Watched, Optional, None, High, All, "settings of the kernel"),
    ("/etc/apparmor.d", Watched, Optional, None, High, All, "what programs may do"),
    ("/etc/selinux", Watched, Optional, None, High, All, "what programs may do"),
    ("/etc/hosts", Exact, Optional, None, Medium, All, "who is reached by a name"),
    ("/etc/resolv.conf", Exact, Optional, None, Medium, All, "who answers for names"),
    ("/etc/profile", Exact, Optional, None, High, All, "what runs when somebody logs in"),
    ("/etc/profile.d", Watched, Optional, None, High, All, "what runs when somebody logs in"),
    ("/etc/bash.bashrc", Exact, Optional, None, High, All, "what runs when somebody logs in"),
    ("/etc/environment", Exact, Optional, None, High, All, "what runs when somebody logs in"),
    (
        "/etc/update-motd.d",
        Watched,
        Optional,
        None,
        High,
        All,
        "what root runs when somebody logs in",
    ),
    ("/root/.bashrc", Exact, Optional, None, High, All, "what runs when root logs in"),
    ("/root/.bash_profile", Exact, Optional, None, High, All, "what runs when root logs in"),
    ("/root/.bash_login", Exact, Optional, None, High, All, "what runs when root logs in"),
    ("/root/.bash_logout", Exact, Optional, None, High, All, "what runs when root logs out"),
    ("/root/.profile", Exact, Optional, None, High, All, "what runs when root logs in"),
    ("/usr/bin", Watched, Optional, None, High, All, "programs of everybody"),
    ("/usr/sbin", Watched, Optional, None, High, All, "programs of root"),
    ("/boot", Watched, Optional, None, High, All, "what the machine starts"),
    // The loader itself writes here at each start, and a unit when that went well.
    ("/boot/grub/grubenv", Kept, Optional, None, Low, All, "which entry the loader starts next"),
    ("/var/lib/dpkg/status", Exact, Optional, Some(0o644), High, All, "which packages count"),
    (
        "/var/lib/dpkg/info",
        Watched,
        Optional,
        None,
        High,
        All,
        "what packages should hold, and what root runs for them",
    ),
    (
        "/var/lib/dpkg/diversions",
        Exact,
        Optional,
        Some(0o644),
        High,
        All,
        "where files of packages lie",
    ),
    (
        "/var/lib/dpkg/alternatives",
        Watched,
        Optional,
        None,
        High,
        All,
        "what names of programs stand for",
    ),
    (
        "/var/lib/ringfort/integrity",
        Kept,
        Optional,
        Some(0o700),
        High,
        All,
        "what is compared with",
    ),
    ("/var/log", Kept, Optional, None, Low, All, "what was logged"),
];

/// What is another's than root's: etcd's own, and what distributions give to a group of their own numbers.
const OTHERS: [&str; 3] = ["/var/lib/etcd", "/etc/shadow", "/etc/gshadow"];

/// Gives what every machine of a role has.
pub(super) fn rows(role: Role) -> impl Iterator<Item = Protected> {
    let is_here = move |row: &&Row| row.5 == All || role == Role::ControlPlane;
    ROWS.iter().filter(is_here).map(|&(path, class, presence, mode, severity, ..)| Protected {
        path: FilePath::new(path).expect("the table holds paths, which a test reads"),
        class,
        presence,
        severity,
        mode: mode.map(|mode| ModeRule::AtMost(FileMode(mode))),
        owner: mode.filter(|_| !OTHERS.contains(&path)).map(|_| Owner { uid: 0, gid: 0 }),
        expected: None,
    })
}

/// Gives the row that a path belongs to: its own, or that of the nearest directory above it.
fn nearest(path: &FilePath) -> Option<&'static Row> {
    let holds = |row: &&Row| {
        let rest = path.as_bytes().strip_prefix(row.0.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    };
    ROWS.iter().filter(holds).max_by_key(|row| row.0.len())
}

/// Says what is at stake at a path.
pub fn stake(path: &FilePath) -> Severity {
    nearest(path).map_or(High, |row| row.4)
}

/// Says how a directory that the blueprint makes may change.
pub(super) fn class_of_directory(path: &FilePath) -> Class {
    match nearest(path) {
        Some(row) if matches!(row.1, Listed | Watched) => row.1,
        _ => Kept,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_a_path_once_and_says_why() {
        let mut known = BTreeSet::new();
        for row in ROWS {
            assert!(FilePath::new(row.0).is_ok(), "{}", row.0);
            assert!(known.insert(row.0), "{} is there twice", row.0);
            assert!(!row.6.is_empty(), "{}", row.0);
        }
    }

    /// What somebody who was root for a moment comes back by, on a machine of Debian's kind.
    const WAYS_BACK: &[&str] = &[
        "/etc/kubernetes/manifests/x.yaml",
        "/etc/kubernetes/kubelet.conf",
        "/etc/kubernetes/kubelet.conf.d/x.conf",
        "/etc/default/kubelet",
        "/var/lib/kubelet/config.yaml",
        "/var/lib/kubelet/kubeadm-flags.env",
        "/var/lib/kubelet/instance-config.yaml",
        "/var/lib/kubelet/volume-plugins/x/x",
        "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/x/x",
        "/etc/cni/net.d/x.conf",
        "/opt/cni/bin/x",
        "/etc/containerd/certs.d/x/hosts.toml",
        "/etc/docker/certs.d/x/hosts.toml",
        "/opt/containerd/bin/x",
        "/opt/containerd/lib/x",
        "/opt/containerd/image-verifier/bin/x",
        "/etc/nri/x",
        "/opt/nri/x",
        "/etc/cdi/x",
        "/run/cdi/x",
        "/etc/passwd",
        "/etc/shadow",
        "/etc/group",
        "/etc/sudoers",
        "/etc/sudoers.d/x",
        "/etc/sudo.conf",
        "/etc/polkit-1/rules.d/x.rules",
        "/etc/ssh/sshd_config",
        "/root/.ssh/authorized_keys",
        "/root/.bashrc",
        "/root/.profile",
        "/etc/pam.d/x",
        "/etc/security/x",
        "/etc/ld.so.preload",
        "/etc/ld.so.conf",
        "/etc/ld.so.conf.d/x",
        "/etc/ld.so.cache",
        "/usr/local/lib/x.so",
        "/usr/local/lib/systemd/system/x.service",
        "/etc/crontab",
        "/etc/anacrontab",
        "/etc/cron.d/x",
        "/etc/cron.hourly/x",
        "/etc/cron.daily/x",
        "/etc/cron.weekly/x",
        "/etc/cron.monthly/x",
        "/var/spool/cron/crontabs/root",
        "/etc/systemd/system/x.service",
        "/etc/systemd/system.conf",
        "/etc/systemd/user/x.service",
        "/usr/lib/systemd/system/x.service",
        "/etc/init.d/x",
        "/etc/rc.local",
        "/etc/udev/rules.d/x.rules",
        "/etc/network/if-pre-up.d/x",
        "/etc/network/if-up.d/x",
        "/etc/network/if-down.d/x",
        "/etc/network/if-post-down.d/x",
        "/etc/network/interfaces",
        "/etc/network/interfaces.d/x",
        "/etc/networkd-dispatcher/routable.d/x",
        "/etc/logrotate.conf",
        "/etc/logrotate.d/x",
        "/etc/tmpfiles.d/x.conf",
        "/var/lib/cloud/scripts/per-boot/x",
        "/etc/grub.d/x",
        "/etc/default/grub",
        "/etc/default/grub.d/x.cfg",
        "/etc/update-motd.d/x",
        "/etc/apt/apt.conf.d/x",
        "/etc/apt/sources.list.d/x.list",
        "/etc/dpkg/dpkg.cfg.d/x",
        "/etc/kernel/postinst.d/x",
        "/etc/modules",
        "/etc/modules-load.d/x.conf",
        "/etc/modprobe.d/x.conf",
        "/etc/sysctl.conf",
        "/etc/sysctl.d/x.conf",
        "/etc/apparmor.d/x",
        "/etc/selinux/config",
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/profile",
        "/etc/profile.d/x.sh",
        "/etc/environment",
        "/etc/bash.bashrc",
        "/boot/x",
        "/usr/bin/x",
        "/usr/sbin/x",
        "/usr/local/bin/x",
        "/usr/local/sbin/x",
    ];

    #[test]
    fn every_way_back_is_told_with_what_is_at_stake() {
        for path in WAYS_BACK {
            let row = nearest(&path.parse().unwrap());
            let row = row.unwrap_or_else(|| panic!("{path} is in no row"));
            let is_told = row.0 == *path || matches!(row.1, Listed | Watched);
            assert!(is_told, "{path} lies in {}, of which nothing is told", row.0);
            assert!(row.4 >= Medium && row.5 == All, "{path}");
        }
    }

    #[test]
    fn what_programs_write_all_the_time_is_not_told() {
        let class = |path: &str| nearest(&path.parse().unwrap()).map(|row| row.1);
        assert_eq!(class("/boot/grub/grubenv"), Some(Kept));
        assert_eq!(class("/boot/grub/grub.cfg"), Some(Watched));
        assert_eq!(class("/etc/network/run/ifstate"), None);
    }

    #[test]
    fn the_log_of_an_api_server_grows() {
        let row = nearest(&AUDIT_LOG.parse().unwrap()).unwrap();
        assert_eq!((row.0, row.1), (AUDIT_LOG, Growing));
    }

    #[test]
    fn the_nearest_row_decides() {
        let check = |path: &str, expected| assert_eq!(stake(&path.parse().unwrap()), expected);
        check("/etc/kubernetes/manifests/new.yaml", Critical);
        check("/etc/kubernetes/other", High);
        check("/etc/kubernetesother", High);
        check("/var/log/syslog", Low);
        check("/srv/x", High);
    }
}
