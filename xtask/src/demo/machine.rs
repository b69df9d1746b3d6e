//! Whether this machine can carry the demo: asked before anything is installed or built.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::failure::{Failure, Result};
use crate::{packages, process, workspace};

/// Six machines take 1.5 GB; the largest program of Kubernetes takes 3 GB to compile.
const LEAST_MEMORY_KILOBYTES: u64 = 6 << 20;
/// Compiled objects beside the sources; the bundle with what Go compiles for it, and base systems; six machines.
const LEAST_DISK_KILOBYTES: [u64; 3] = [6 << 20, 11 << 20, 8 << 20];

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
    let (cache, labs) = (workspace::cache(), workspace::labs());
    // What an earlier run has built needs no room again.
    let reused = cache.join("bundles").is_dir();
    let share = if reused { 3 } else { 1 };
    let least = LEAST_DISK_KILOBYTES.map(|least| least / share);
    let places = [directory, cache.as_path(), labs.as_path()].map(nearest);
    let needs =
        places.iter().zip(least).map(|(place, least)| (place.as_path(), disk_of(place), least));
    for (places, least) in together(needs.collect()) {
        let free = places.first().and_then(|place| disk_kilobytes(place));
        let names: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
        faults.extend(too_little(&format!("disk for {}", names.join(" and ")), free, least));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::stuck(format!("this machine cannot carry the demo:\n  {}", faults.join("\n  "))))
}

/// Gives a directory, or the nearest above it that is there.
fn nearest(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|path| path.is_dir());
    found.unwrap_or(Path::new("/")).to_owned()
}

/// Gives the number of the file system that a directory is on.
fn disk_of(directory: &Path) -> Option<u64> {
    fs::metadata(directory).ok().map(|found| found.dev())
}

/// Adds up what is needed on each file system.
fn together(needs: Vec<(&Path, Option<u64>, u64)>) -> Vec<(Vec<&Path>, u64)> {
    let mut disks: BTreeMap<Option<u64>, (Vec<&Path>, u64)> = BTreeMap::new();
    for (place, disk, least) in needs {
        let (places, sum) = disks.entry(disk).or_default();
        *sum += least;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    disks.into_values().collect()
}

fn too_little(what: &str, found: Option<u64>, least: u64) -> Option<String> {
    let gigabytes = |kilobytes: u64| kilobytes >> 20;
    let Some(found) = found else {
        return Some(format!("how much {what} is free could not be read"));
    };
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
    fn too_little_is_said_in_gigabytes_and_the_unknown_is_no_pass() {
        assert_eq!(too_little("disk", Some(10 << 20), 10 << 20), None);
        let unknown = "how much disk is free could not be read";
        assert_eq!(too_little("disk", None, 10 << 20).as_deref(), Some(unknown));
        let expected = "9 GB of disk are free, 10 GB are needed";
        assert_eq!(too_little("disk", Some(9 << 20), 10 << 20).as_deref(), Some(expected));
    }

    #[test]
    fn what_lies_on_one_disk_is_added_up() {
        let [a, b, c] = ["/a", "/b", "/c"].map(Path::new);
        let apart = together(vec![(a, Some(1), 6), (b, Some(2), 11), (c, Some(1), 8)]);
        assert_eq!(apart, [(vec![a, c], 14), (vec![b], 11)]);
        let one = together(vec![(a, Some(1), 6), (a, Some(1), 11)]);
        assert_eq!(one, [(vec![a], 17)]);
    }
}
