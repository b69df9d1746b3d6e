//! The system packages that the demo, the lab and the bundle need, each with its reason.
//!
//! Only what is missing is installed, and only as root on a Debian-like machine; elsewhere the
//! packages are named and nothing is touched.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::cache;

/// A system package and how to see whether it is there.
pub(crate) struct Package {
    /// Its name in Debian.
    pub(crate) name: &'static str,
    /// Why it is needed.
    pub(crate) why: &'static str,
    shown_by: Shown,
}

enum Shown {
    Program(&'static str),
    File(&'static str),
}

/// Everything a fresh machine may lack, beyond the toolchains of Rust and Go.
pub(crate) const PACKAGES: &[Package] = &[
    needs("systemd-container", "boots the lab's machines", Shown::Program("systemd-nspawn")),
    needs("debootstrap", "makes the lab's base system", Shown::Program("debootstrap")),
    needs("openssh-client", "makes the lab's host and user keys", Shown::Program("ssh-keygen")),
    needs("iproute2", "builds the lab's network", Shown::Program("ip")),
    needs(
        "nftables",
        "cuts links between machines, and is told of policies",
        Shown::Program("nft"),
    ),
    needs("e2fsprogs", "gives each machine a file system of its own", Shown::Program("mkfs.ext4")),
    needs("gcc", "compiles the C parts of runc and of the TLS library", Shown::Program("gcc")),
    needs("libc6-dev", "headers and static libraries of C", Shown::File("/usr/include/stdio.h")),
    needs("libseccomp-dev", "linked into runc", Shown::File("/usr/include/seccomp.h")),
    needs("pkg-config", "finds libseccomp when runc is built", Shown::Program("pkg-config")),
];

/// What virtual machines of a lab need beside.
pub(crate) const VIRTUAL: &[Package] =
    &[needs("qemu-system-x86", "runs virtual machines", Shown::Program("qemu-system-x86_64"))];

/// What kube-bench's scripts call.
pub(crate) const JQ: &[Package] = &[needs("jq", "reads JSON for kube-bench", Shown::Program("jq"))];

/// What ringfort's agent of files is measured beside.
pub(crate) const AIDE: &[Package] =
    &[needs("aide", "looks at the same files as ringfort's agent", Shown::Program("aide"))];

const fn needs(name: &'static str, why: &'static str, shown_by: Shown) -> Package {
    Package { name, why, shown_by }
}

/// The packages that are not installed.
pub(crate) fn missing() -> Vec<&'static Package> {
    missing_of(PACKAGES)
}

/// Those of some packages that are not installed.
pub(crate) fn missing_of(packages: &'static [Package]) -> Vec<&'static Package> {
    packages.iter().filter(|package| !package.is_there()).collect()
}

impl Package {
    fn is_there(&self) -> bool {
        match self.shown_by {
            Shown::Program(name) => program(name).is_some(),
            Shown::File(path) => Path::new(path).exists(),
        }
    }
}

/// Where a program is, on PATH or in the places of the system administrator's programs.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// Whether this process is root, read from the kernel's view of it.
pub(crate) fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .and_then(|ids| ids.split_whitespace().nth(1))
            .is_some_and(|effective| effective == "0")
    })
}

/// Installs what is missing and returns the names of it.
pub(crate) fn install(missing: &[&'static Package]) -> Result<Vec<&'static str>> {
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    if names.is_empty() {
        return Ok(names);
    }
    let wanted = names.join(" ");
    refresh(&wanted)?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(&names);
    apt(&arguments)?;
    Ok(names)
}

/// Gives a program of a package that is not to be installed, since that would start it: the machine's own, or else what is
/// in the package, unpacked into the cache.
pub(crate) fn unpacked(package: &str, path: &str) -> Result<PathBuf> {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    if let Some(installed) = program(&name) {
        return Ok(installed);
    }
    let there = cache().join("packages").join(package);
    let file = there.join(path);
    if file.is_file() {
        return Ok(file);
    }
    refresh(package)?;
    // It has its name when it is whole.
    let aside = there.with_extension("new");
    let failed = |source| Failure::at("write", &aside, &source);
    let _ = fs::remove_dir_all(&aside);
    fs::create_dir_all(&aside).map_err(failed)?;
    let mut download = Command::new("apt-get");
    process::run(download.args(["--quiet=2", "download", package]).current_dir(&aside))?;
    for entry in fs::read_dir(&aside).map_err(failed)? {
        let archive = entry.map_err(failed)?.path();
        process::run(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&aside))?;
    }
    fs::rename(&aside, &there).map_err(failed)?;
    match file.is_file() {
        true => Ok(file),
        false => Err(Failure::stuck(format!("{path} is not in Debian's package {package}"))),
    }
}

/// Asks the machine's apt sources what there is, before packages are taken from them.
fn refresh(wanted: &str) -> Result<()> {
    if program("apt-get").is_none() {
        return Err(Failure::stuck(format!(
            "this machine has no apt-get; install what corresponds to these Debian packages and run again: {wanted}"
        )));
    }
    if !is_root() {
        return Err(Failure::stuck(format!(
            "packages are missing and only root can install them; run: apt-get install {wanted}"
        )));
    }
    apt(&["update"]).map_err(|failure| {
        Failure::stuck(format!(
            "{failure}; check the machine's apt sources and its network, or install by hand: {wanted}"
        ))
    })
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(["--quiet=2", "-oDpkg::Use-Pty=0"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    command.stdin(std::process::Stdio::null()).stdout(std::io::stderr());
    process::run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_is_named_once_with_a_reason() {
        for (index, package) in PACKAGES.iter().enumerate() {
            assert!(!package.why.is_empty(), "{}", package.name);
            let again = PACKAGES[index + 1..].iter().any(|other| other.name == package.name);
            assert!(!again, "{} is listed twice", package.name);
        }
    }

    #[test]
    fn a_program_is_found_only_where_it_is() {
        assert!(program("sh").is_some());
        assert!(program("no-such-program").is_none());
    }
}
