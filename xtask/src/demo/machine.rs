//! Whether this machine can carry the demo: asked before anything is installed or built.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::failure::{Failure, Result};
use crate::{packages, process};

/// Six machines take 1.5 GB; the largest program of Kubernetes takes 3 GB to compile.
const LEAST_MEMORY_KILOBYTES: u64 = 6 << 20;
/// Sources, compiled objects, the bundle and six machines.
const LEAST_DISK_KILOBYTES: u64 = 25 << 20;

/// Checks the machine and names everything that is wrong with it at once.
pub(crate) fn check(directory: &Path) -> Result<()> {
    let mut faults = Vec::new();
    if (env::consts::OS, env::consts::ARCH) != ("linux", "x86_64") {
        faults.push("the demo boots Linux machines of x86_64, and this is another".to_owned());
    }
    if !packages::is_root() {
        faults.push("booting machines needs root: run it as root".to_owned());
    }
    if packages::program("go").is_none() {
        faults.push("go is not on PATH: install the Go toolchain".to_owned());
    }
    let memory = memory_kilobytes(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    faults.extend(too_little("memory", memory, LEAST_MEMORY_KILOBYTES));
    let disk = disk_kilobytes(directory);
    // What an earlier run has built needs no room again.
    let reused = crate::workspace::cache().join("bundles").is_dir();
    let least = if reused { LEAST_DISK_KILOBYTES / 3 } else { LEAST_DISK_KILOBYTES };
    faults.extend(too_little("disk", disk, least));
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::stuck(format!("this machine cannot carry the demo:\n  {}", faults.join("\n  "))))
}

fn too_little(what: &str, found: Option<u64>, least: u64) -> Option<String> {
    let gigabytes = |kilobytes: u64| kilobytes >> 20;
    let found = found?;
    (found < least).then(|| {
        let (found, least) = (gigabytes(found), gigabytes(least));
        format!("{found} GB of {what} are free, {least} GB are needed")
    })
}

fn memory_kilobytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn disk_kilobytes(directory: &Path) -> Option<u64> {
    let mut command = Command::new("df");
    let printed = process::capture(command.args(["-k", "--output=avail"]).arg(directory)).ok()?;
    printed.lines().last()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_is_free_not_what_is_built_in() {
        let meminfo = "MemTotal:  25000000 kB\nMemFree: 1 kB\nMemAvailable:   24000000 kB\n";
        assert_eq!(memory_kilobytes(meminfo), Some(24_000_000));
        assert_eq!(memory_kilobytes("MemTotal: 1 kB"), None);
    }

    #[test]
    fn too_little_is_said_in_gigabytes_and_the_unknown_is_let_pass() {
        assert_eq!(too_little("disk", Some(10 << 20), 10 << 20), None);
        assert_eq!(too_little("disk", None, 10 << 20), None);
        let expected = "9 GB of disk are free, 10 GB are needed";
        assert_eq!(too_little("disk", Some(9 << 20), 10 << 20).as_deref(), Some(expected));
    }
}
