//! The base system under every machine, as values: its packages, what is masked in it and what is
//! added. Nothing of Kubernetes is in it. Pure; `os::base` carries it out.

use ringfort_model::digest::Digest;

use crate::apt::Mirror;

/// Gives the name of the base system in the cache: what the recipe and the suite make it.
pub(crate) fn digest(suite: &str) -> Digest {
    let parts = [suite, REVISION, &PACKAGES.join(","), &MASKED.join(","), GLUE];
    Digest::of(parts.join("\n").as_bytes())
}

/// Gives the command that unpacks the packages into a directory.
///
/// It runs in name spaces of its own and dies with its caller, so that an interrupted build leaves
/// neither mounts nor processes.
pub(crate) fn command(mirror: &Mirror, target: &str) -> Vec<String> {
    let alone = ["setpriv", "--pdeathsig", "SIGKILL", "unshare", "--mount", "--pid", "--fork"];
    let mut words: Vec<String> = alone.map(String::from).to_vec();
    words.extend(["--kill-child=SIGKILL", "debootstrap", "--variant=minbase"].map(String::from));
    if let Some(keyring) = &mirror.keyring {
        words.push(format!("--keyring={}", keyring.display()));
    }
    words.push(format!("--include={}", PACKAGES.join(",")));
    words.extend([mirror.suite.clone(), target.to_owned(), mirror.address.clone()]);
    words
}

/// The unit that undoes what a container's systemd makes read-only or private, as on a machine of
/// metal: control groups of version 1, and the propagation of mounts that kubelet wants.
pub(crate) const GLUE: &str = "\
[Unit]
Description=Make control groups writable and mounts shared, as on a machine of metal
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for c in /sys/fs/cgroup/*; do \
mountpoint -q $c && mount -o remount,rw,bind $c; done; mount --make-rshared /'

[Install]
WantedBy=sysinit.target
";

/// The name of that unit.
pub(crate) const GLUE_UNIT: &str = "lab-glue.service";

/// What a machine has that would take Kubernetes, and no more.
const PACKAGES: [&str; 11] = [
    "ca-certificates",
    "conntrack",
    "dbus",
    "ethtool",
    "iproute2",
    "kmod",
    "nftables",
    "openssh-server",
    "procps",
    "systemd",
    "systemd-sysv",
];

/// Units that make no sense in a container or stir while a test measures.
pub(crate) const MASKED: [&str; 7] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "console-getty.service",
    "e2scrub_all.timer",
    "fstrim.timer",
    "getty@.service",
    "systemd-pstore.service",
];

/// Changes whenever the way of building changes in a manner the rest does not show.
const REVISION: &str = "1";

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{PACKAGES, command, digest};
    use crate::apt::Mirror;

    #[test]
    fn each_suite_has_a_base_of_its_own() {
        assert_eq!(digest("bookworm"), digest("bookworm"));
        assert_ne!(digest("bookworm"), digest("trixie"));
    }

    #[test]
    fn nothing_of_kubernetes_is_installed() {
        for word in ["kube", "containerd", "runc", "etcd", "docker"] {
            assert!(PACKAGES.iter().all(|package| !package.contains(word)), "{word}");
        }
    }

    #[test]
    fn the_hosts_keyring_is_used_if_the_source_names_one() {
        let mirror = |keyring| Mirror {
            address: "http://m.example".to_owned(),
            suite: "bookworm".to_owned(),
            keyring,
        };
        let option = "--keyring=/k.gpg".to_owned();
        assert!(command(&mirror(Some(PathBuf::from("/k.gpg"))), "/t").contains(&option));
        let plain = command(&mirror(None), "/t");
        assert!(plain.iter().all(|word| !word.starts_with("--keyring")));
        assert_eq!(plain[plain.len() - 3..], ["bookworm", "/t", "http://m.example"]);
    }
}
