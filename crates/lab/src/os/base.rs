//! Builds the base system once for each recipe and suite: aside, and renamed when it is whole, so
//! that what is in the cache under its name can be used.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::apt::{Mirror, code_name, mirror_in};
use crate::os::claim::Claim;
use crate::os::command::run_by_line;
use crate::os::{Fault, image, make_directory, names_in, read, remove, unwritable};
use crate::places::Places;
use crate::recipe::{self, Base};
use crate::virtual_machine::Image;

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

/// Gives the directory of a base system, building it if need be: its root, or of a virtual machine
/// its image.
pub(crate) fn ready(places: &Places, base: Base, report: &dyn Fn(&str)) -> Result<PathBuf, NoBase> {
    let os_release = read("/etc/os-release".as_ref())?;
    let own = code_name(&os_release).ok_or(NoBase::Distribution)?;
    let digest = base.digest(base.suite(own));
    let place = places.cache().join(&digest.as_str()[..16]);
    let _claim = Claim::wait_for(places.cache())?;
    if !place.exists() {
        // A mirror of one suite of Debian is a mirror of all.
        let mirror = Mirror { suite: base.suite(own).to_owned(), ..find_mirror(own)? };
        report(&format!("building {} from {} (once)", named(base), mirror.address));
        build(base, &mirror, &place, report)?;
    }
    Ok(place)
}

fn named(base: Base) -> &'static str {
    match base {
        Base::Container => "the base system",
        Base::Virtual => "the base system of virtual machines",
    }
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

fn build(base: Base, mirror: &Mirror, place: &Path, report: &dyn Fn(&str)) -> Result<(), Fault> {
    let aside = place.with_extension("making");
    remove(&aside)?;
    let root = match base {
        Base::Container => aside.clone(),
        Base::Virtual => aside.join("root"),
    };
    make_directory(&root)?;
    let command = base.command(mirror, &root.to_string_lossy());
    run_by_line(&command, &|line| {
        if let Some(phase) = phase(line) {
            report(phase);
        }
    })?;
    finish(base, &root)?;
    if base == Base::Virtual {
        image::make(&root, &Image::new(aside.clone()))?;
        remove(&root)?;
    }
    fs::rename(&aside, place).map_err(|source| unwritable(place, source))
}

/// Takes the phases out of what debootstrap says; packages are too many to name.
fn phase(line: &str) -> Option<&str> {
    let text = line.strip_prefix("I: ")?;
    PHASES.iter().any(|phase| text.starts_with(phase)).then_some(text.trim_end_matches(['.', ' ']))
}

/// Makes the installed packages a machine's base: no identity of its own, quiet units, glue.
fn finish(base: Base, root: &Path) -> Result<(), Fault> {
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
    for unit in base.masked() {
        link("/dev/null", &units.join(unit))?;
    }
    match base {
        Base::Container => {
            let glue = units.join(recipe::GLUE_UNIT);
            fs::write(&glue, recipe::GLUE).map_err(|source| unwritable(&glue, source))?;
            wish(&units, "sysinit.target", &format!("../{}", recipe::GLUE_UNIT))
        }
        Base::Virtual => {
            forget_profiles(&root.join("etc/apparmor.d"))?;
            wish(&units, "multi-user.target", recipe::NETWORK_UNIT)
        }
    }
}

/// Removes AppArmor's profiles of a hundred programs that are not there: to compile them is most of
/// an emulated machine's boot. What profiles are made of stays.
fn forget_profiles(directory: &Path) -> Result<(), Fault> {
    for name in names_in(directory)? {
        let path = directory.join(name);
        if path.is_file() {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Makes a target want a unit.
fn wish(units: &Path, target: &str, unit: &str) -> Result<(), Fault> {
    let wanted = units.join(format!("{target}.wants"));
    make_directory(&wanted)?;
    let name = Path::new(unit).file_name().unwrap_or_default();
    link(unit, &wanted.join(name))
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
