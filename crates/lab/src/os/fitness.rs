//! Says whether this host can hold a lab, before anything is touched.

use std::env;
use std::path::Path;

use crate::virtual_machine::PROGRAM;

/// What the host lacks for a lab.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// Not the superuser.
    #[error("a lab needs root: run the command again with sudo")]
    NotRoot,
    /// Programs are missing.
    #[error("programs are missing: {programs}; on Debian: apt-get install {packages}")]
    Missing {
        /// Their names.
        programs: String,
        /// The packages that have them.
        packages: String,
    },
    /// The kernel knows no IPv6.
    #[error(
        "this host's kernel has no IPv6: load its module ipv6, or start it without ipv6.disable=1"
    )]
    NoIpv6,
}

/// Checks that the host can hold a lab.
///
/// # Errors
/// Names everything that is missing, with the packages that have it.
pub(crate) fn check() -> Result<(), Unfit> {
    check_for(&NEEDED)
}

/// Checks that the host can hold virtual machines besides.
///
/// # Errors
/// Names everything that is missing, with the packages that have it.
pub(crate) fn check_virtual() -> Result<(), Unfit> {
    check_for(&[NEEDED.as_slice(), &NEEDED_VIRTUAL].concat())
}

/// Checks that machines can have IPv6 addresses.
///
/// # Errors
/// The kernel has no IPv6.
pub(crate) fn check_ipv6() -> Result<(), Unfit> {
    if Path::new("/proc/net/if_inet6").exists() { Ok(()) } else { Err(Unfit::NoIpv6) }
}

fn check_for(needed: &[(&str, &str)]) -> Result<(), Unfit> {
    if !rustix::process::geteuid().is_root() {
        return Err(Unfit::NotRoot);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = env::split_paths(&path).collect();
    missing(needed, |program| {
        directories.iter().any(|directory| is_program(&directory.join(program)))
    })
}

fn missing(needed: &[(&str, &str)], is_there: impl Fn(&str) -> bool) -> Result<(), Unfit> {
    let absent: Vec<_> = needed.iter().filter(|(program, _)| !is_there(program)).collect();
    if absent.is_empty() {
        return Ok(());
    }
    let programs = absent.iter().map(|(program, _)| *program).collect::<Vec<_>>().join(", ");
    let mut packages: Vec<&str> = absent.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    Err(Unfit::Missing { programs, packages: packages.join(" ") })
}

fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// Programs that a lab runs, with the packages of Debian that have them, side by side by package.
const NEEDED: [(&str, &str); 11] = [
    ("systemd-nspawn", "systemd-container"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("mkfs.ext4", "e2fsprogs"),
    ("debootstrap", "debootstrap"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("setsid", "util-linux"),
    ("unshare", "util-linux"),
];

/// What virtual machines need besides.
const NEEDED_VIRTUAL: [(&str, &str); 1] = [(PROGRAM, "qemu-system-x86")];

#[cfg(test)]
mod tests {
    use super::{NEEDED, missing};

    fn check(absent: &[&str], expected: &str) {
        let found = missing(&NEEDED, |program| !absent.contains(&program));
        assert_eq!(found.err().map(|e| e.to_string()).unwrap_or_default(), expected);
    }

    #[test]
    fn names_each_package_once() {
        check(&[], "");
        check(
            &["nft", "ssh", "ssh-keygen"],
            "programs are missing: nft, ssh, ssh-keygen; \
             on Debian: apt-get install nftables openssh-client",
        );
    }
}
