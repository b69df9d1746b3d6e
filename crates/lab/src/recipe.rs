//! The base system under every machine, as values: its packages, what is masked in it and what is
//! added. Nothing of Kubernetes is in it. Pure; `os::base` carries it out.

use ringfort_model::digest::Digest;

use crate::apt::Mirror;

/// What a base system is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Base {
    /// Machines that share the host's kernel.
    Container,
    /// Machines with a kernel of their own.
    Virtual,
}

impl Base {
    /// Gives the suite that it is made of on a host of a suite.
    ///
    /// Pods in user namespaces need Linux 6.3, which the older suites do not have.
    pub(crate) fn suite(self, host: &str) -> &str {
        match (self, host) {
            (Self::Virtual, "buster" | "bullseye" | "bookworm") => "trixie",
            _ => host,
        }
    }

    /// Gives the name of the base system in the cache: what the recipe and the suite make it.
    pub(crate) fn digest(self, suite: &str) -> Digest {
        let packages = self.packages().join(",");
        let parts = [suite, self.revision(), &packages, &self.masked().join(","), GLUE];
        Digest::of(parts.join("\n").as_bytes())
    }

    /// Gives the command that unpacks the packages into a directory.
    ///
    /// It runs in name spaces of its own and dies with its caller, so that an interrupted build
    /// leaves neither mounts nor processes.
    pub(crate) fn command(self, mirror: &Mirror, target: &str) -> Vec<String> {
        let alone = ["setpriv", "--pdeathsig", "SIGKILL", "unshare", "--mount", "--pid", "--fork"];
        let mut words: Vec<String> = alone.map(String::from).to_vec();
        let debootstrap = ["--kill-child=SIGKILL", "debootstrap", "--variant=minbase"];
        words.extend(debootstrap.map(String::from));
        if let Some(keyring) = &mirror.keyring {
            words.push(format!("--keyring={}", keyring.display()));
        }
        words.push(format!("--include={}", self.packages().join(",")));
        words.extend([mirror.suite.clone(), target.to_owned(), mirror.address.clone()]);
        words
    }

    /// Changes whenever the way of building changes in a manner the rest does not show.
    fn revision(self) -> &'static str {
        match self {
            Self::Container => "1",
            Self::Virtual => "2",
        }
    }

    fn packages(self) -> Vec<&'static str> {
        match self {
            Self::Container => PACKAGES.to_vec(),
            Self::Virtual => [PACKAGES.as_slice(), &OWN_KERNEL].concat(),
        }
    }

    /// Lists the units that are switched off.
    pub(crate) fn masked(self) -> Vec<&'static str> {
        match self {
            Self::Container => MASKED.to_vec(),
            Self::Virtual => [MASKED.as_slice(), &["serial-getty@.service"]].concat(),
        }
    }
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

/// The unit that gives a virtual machine its address.
pub(crate) const NETWORK_UNIT: &str = "/lib/systemd/system/systemd-networkd.service";

/// What a machine has that would take Kubernetes, and no more.
const PACKAGES: [&str; 11] = [
    "ca-certificates",
    "dbus",
    "ethtool",
    "iproute2",
    "kmod",
    "netbase",
    "nftables",
    "openssh-server",
    "procps",
    "systemd",
    "systemd-sysv",
];

/// What a machine has besides that brings its own kernel: the one Debian makes for clouds.
const OWN_KERNEL: [&str; 5] =
    ["apparmor", "initramfs-tools", "linux-image-cloud-amd64", "udev", "zstd"];

/// Units that make no sense in a lab or stir while a test measures.
const MASKED: [&str; 8] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "getty@.service",
    "systemd-pstore.service",
];

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Base;
    use crate::apt::Mirror;

    #[test]
    fn each_suite_and_kind_has_a_base_of_its_own() {
        assert_eq!(Base::Container.digest("bookworm"), Base::Container.digest("bookworm"));
        assert_ne!(Base::Container.digest("bookworm"), Base::Container.digest("trixie"));
        assert_ne!(Base::Container.digest("bookworm"), Base::Virtual.digest("bookworm"));
    }

    #[test]
    fn nothing_of_kubernetes_is_installed() {
        for word in ["kube", "containerd", "runc", "etcd", "docker"] {
            let packages = Base::Virtual.packages();
            assert!(packages.iter().all(|package| !package.contains(word)), "{word}");
        }
    }

    #[test]
    fn a_virtual_machine_has_a_kernel_new_enough() {
        assert_eq!(Base::Container.suite("bookworm"), "bookworm");
        assert_eq!(Base::Virtual.suite("bookworm"), "trixie");
        assert_eq!(Base::Virtual.suite("forky"), "forky");
    }

    #[test]
    fn only_a_virtual_machine_has_a_kernel() {
        let has = |base: Base| base.packages().contains(&"linux-image-cloud-amd64");
        assert!(has(Base::Virtual) && !has(Base::Container));
    }

    #[test]
    fn the_hosts_keyring_is_used_if_the_source_names_one() {
        let mirror = |keyring| Mirror {
            address: "http://m.example".to_owned(),
            suite: "bookworm".to_owned(),
            keyring,
        };
        let option = "--keyring=/k.gpg".to_owned();
        let command = |keyring| Base::Container.command(&mirror(keyring), "/t");
        assert!(command(Some(PathBuf::from("/k.gpg"))).contains(&option));
        let plain = command(None);
        assert!(plain.iter().all(|word| !word.starts_with("--keyring")));
        assert_eq!(plain[plain.len() - 3..], ["bookworm", "/t", "http://m.example"]);
    }
}
