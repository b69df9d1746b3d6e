//! Builds the base system once for each recipe and suite: aside, and renamed when it is whole, so
//! that what is in the cache under its name can be used.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::apt::{Mirror, code_name, mirror_in};
use crate::os::claim::Claim;
use crate::os::command::run_by_line;
use crate::os::{Fault, make_directory, names_in, read, remove, unwritable};
use crate::places::Places;
use crate::recipe;

/// Says why there is no base system.
#[derive(Debug, thiserror::Error)]
pub enum NoBase {
    /// The host's distribution is not known.
    #[error(
        "/etc/os-release names no code name: a lab's machines are made from the packages of a Debian host"
    )]
    Distribution,
    /// The host's package sources do not name its own suite.
    #[error(
        "no package source of this host has suite {suite:?} with component main: add one below /etc/apt"
    )]
    Mirror {
        /// The suite that was looked for.
        suite: String,
    },
    /// The host did not do something.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Gives the directory of the base system, building it if need be.
pub(crate) fn ready(places: &Places, report: &dyn Fn(&str)) -> Result<PathBuf, NoBase> {
    let os_release = read("/etc/os-release".as_ref())?;
    let suite = code_name(&os_release).ok_or(NoBase::Distribution)?;
    let digest = recipe::digest(suite);
    let place = places.cache().join(&digest.as_str()[..16]);
    let _claim = Claim::wait_for(places.cache())?;
    if !place.exists() {
        let mirror = find_mirror(suite)?;
        report(&format!("building the base system from {} (once)", mirror.address));
        build(&mirror, &place, report)?;
    }
    Ok(place)
}

fn find_mirror(suite: &str) -> Result<Mirror, NoBase> {
    let directory = Path::new("/etc/apt/sources.list.d");
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    files.extend(names_in(directory)?.iter().map(|name| directory.join(name)));
    let texts: Vec<String> =
        files.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    let found = mirror_in(texts.iter().map(String::as_str), suite);
    found.ok_or_else(|| NoBase::Mirror { suite: suite.to_owned() })
}

fn build(mirror: &Mirror, place: &Path, report: &dyn Fn(&str)) -> Result<(), Fault> {
    let aside = place.with_extension("making");
    remove(&aside)?;
    make_directory(&aside)?;
    let command = recipe::command(mirror, &aside.to_string_lossy());
    run_by_line(&command, &|line| {
        if let Some(phase) = phase(line) {
            report(phase);
        }
    })?;
    finish(&aside)?;
    fs::rename(&aside, place).map_err(|source| unwritable(place, source))
}

/// Takes the phases out of what debootstrap says; packages are too many to name.
fn phase(line: &str) -> Option<&str> {
    let text = line.strip_prefix("I: ")?;
    PHASES.iter().any(|phase| text.starts_with(phase)).then_some(text.trim_end_matches(['.', ' ']))
}

/// Makes the installed packages a machine's base: no identity of its own, quiet units, glue.
fn finish(root: &Path) -> Result<(), Fault> {
    for name in names_in(&root.join("etc/ssh"))? {
        if name.starts_with("ssh_host_") {
            remove(&root.join("etc/ssh").join(name))?;
        }
    }
    for emptied in ["etc/machine-id", "etc/hostname", "etc/resolv.conf", "var/cache/apt/archives"] {
        remove(&root.join(emptied))?;
    }
    make_directory(&root.join("var/cache/apt/archives/partial"))?;
    let units = root.join("etc/systemd/system");
    for unit in recipe::MASKED {
        link("/dev/null", &units.join(unit))?;
    }
    let glue = units.join(recipe::GLUE_UNIT);
    fs::write(&glue, recipe::GLUE).map_err(|source| unwritable(&glue, source))?;
    let wanted = units.join("sysinit.target.wants");
    make_directory(&wanted)?;
    link(&format!("../{}", recipe::GLUE_UNIT), &wanted.join(recipe::GLUE_UNIT))
}

fn link(target: &str, place: &Path) -> Result<(), Fault> {
    remove(place)?;
    symlink(target, place).map_err(|source| unwritable(place, source))
}

const PHASES: [&str; 6] = [
    "Retrieving InRelease",
    "Resolving dependencies of base",
    "Installing core packages",
    "Unpacking the base system",
    "Configuring the base system",
    "Base system installed",
];

#[cfg(test)]
mod tests {
    use super::phase;

    #[test]
    fn reports_phases_not_packages() {
        for (line, expected) in [
            ("I: Unpacking the base system...", Some("Unpacking the base system")),
            ("I: Unpacking systemd...", None),
            ("I: Base system installed successfully.", Some("Base system installed successfully")),
            ("anything", None),
        ] {
            assert_eq!(phase(line), expected, "{line}");
        }
    }
}
