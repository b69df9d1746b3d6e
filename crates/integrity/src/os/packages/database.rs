//! Reads dpkg's database below a root.

use std::collections::BTreeSet;

use super::here;
use crate::change::Unknown;
use crate::judge::Kind;
use crate::os::look::{Root, Stamp};
use crate::packages::{
    Alternatives, Builder, DATABASE, Names, Package, Packages, State, read_status,
};
use crate::path::FilePath;

/// The most that is read of a file of the database.
const MOST_BYTES: u64 = 64 << 20;
/// Directories of the root that may have been merged into those of `/usr`.
const MERGED: &[&str] = &["/bin", "/lib", "/lib32", "/lib64", "/libo32", "/libx32", "/sbin"];
/// Databases of others, which are not read here.
const OTHERS: &[(&str, &str)] = &[
    ("/var/lib/rpm", "rpm"),
    ("/usr/lib/sysimage/rpm", "rpm"),
    ("/lib/apk/db", "apk"),
    ("/usr/lib/apk/db", "apk"),
    ("/var/lib/pacman", "pacman"),
];
/// What of the database is another when packages are installed.
const STAMPED: &[&str] = &["status", "info", "updates", "diversions", "alternatives"];
/// dpkg's own settings.
const SETTINGS: (&str, &str) = ("/etc/dpkg/dpkg.cfg", "/etc/dpkg/dpkg.cfg.d");

/// Gives what differs when packages were installed or removed between two looks.
pub(super) fn stamps(root: &mut Root) -> Vec<Option<Stamp>> {
    let database = here(DATABASE);
    let names = STAMPED.iter().filter_map(|name| database.join(name.as_bytes()).ok());
    names.map(|path| root.stamp(&path)).collect()
}

/// Says whether it is there.
pub(super) fn is_there(root: &mut Root) -> bool {
    root.kind(&at(&here(DATABASE), "status")) == Some(Kind::File)
}

/// Reads it.
///
/// # Errors
/// There is none that is read here.
pub(super) fn read(root: &mut Root) -> Result<Packages, Unknown> {
    let database = here(DATABASE);
    let (status, info) = (at(&database, "status"), at(&database, "info"));
    let unknown = |path: &FilePath, why: String| Unknown { path: path.clone(), why };
    let mut text = match root.read(&status, MOST_BYTES) {
        Ok(text) => text,
        Err(error) => {
            return Err(other(root).unwrap_or_else(|| unknown(&status, error.to_string())));
        }
    };
    let mut names = merged(root);
    let mut missed = Vec::new();
    // What dpkg has not written into its list yet.
    let updates = at(&database, "updates");
    for name in root.list(&updates).unwrap_or_default() {
        let Ok(path) = updates.join(&name) else { continue };
        if name.iter().all(u8::is_ascii_digit) {
            match root.read(&path, MOST_BYTES) {
                Ok(update) => text.extend([b"\n\n".as_slice(), &update].concat()),
                Err(error) => missed.push(unknown(&path, error.to_string())),
            }
        }
    }
    let diversions = at(&database, "diversions");
    if root.kind(&diversions).is_some() {
        let read = root.read(&diversions, MOST_BYTES).map_err(|error| error.to_string());
        let taken = read.and_then(|text| names.divert(&text).map_err(str::to_owned));
        missed.extend(taken.err().map(|why| unknown(&diversions, why)));
    }
    let alternatives = alternatives(root, &names, &mut missed);
    let (packages, gaps) = read_status(&text);
    let files: BTreeSet<Vec<u8>> =
        root.list(&info).map_err(|error| unknown(&info, error.to_string()))?.into_iter().collect();
    let mut builder = Builder::new(names);
    missed.into_iter().for_each(|it| builder.miss(it.path, it.why));
    gaps.into_iter().for_each(|why| builder.miss(status.clone(), why));
    for package in packages.iter().filter(|it| it.state != State::Gone) {
        let list = part(root, &mut builder, &files, package, "list");
        let sums = part(root, &mut builder, &files, package, "md5sums");
        builder.add(package, list.as_deref(), sums.as_deref());
    }
    let mut packages = builder.finish(alternatives);
    settings(root, &mut packages);
    Ok(packages)
}

fn at(directory: &FilePath, name: &str) -> FilePath {
    directory.join(name.as_bytes()).unwrap_or_else(|_| directory.clone())
}

/// Says whose database lies there instead, or that none does.
fn other(root: &mut Root) -> Option<Unknown> {
    if root.kind(&here(DATABASE)).is_some() {
        return None;
    }
    let known = OTHERS.iter().find(|(place, _)| root.kind(&here(place)).is_some());
    Some(match known {
        Some((place, whose)) => {
            Unknown { path: here(place), why: format!("databases of {whose} are not read") }
        }
        None => Unknown { path: here(DATABASE), why: "no package database is there".to_owned() },
    })
}

fn merged(root: &mut Root) -> Names {
    let mut names = Names::default();
    for place in MERGED {
        let whole = format!("/usr{place}");
        let target = root.target(&here(place));
        if target.is_some_and(|it| it == whole.as_bytes() || it == whole.as_bytes()[1..].to_vec()) {
            names.merge(&here(place), &here(&whole));
        }
    }
    names
}

fn alternatives(root: &mut Root, names: &Names, missed: &mut Vec<Unknown>) -> Alternatives {
    let (directory, mut all) = (at(&here(DATABASE), "alternatives"), Alternatives::default());
    if root.kind(&directory) != Some(Kind::Directory) {
        return all;
    }
    let listed = match root.list(&directory) {
        Ok(listed) => listed,
        Err(error) => {
            missed.push(Unknown { path: directory, why: error.to_string() });
            return all;
        }
    };
    for name in listed {
        let Ok(path) = directory.join(&name) else { continue };
        let read = root.read(&path, MOST_BYTES).map_err(|error| error.to_string());
        let taken = read.and_then(|text| all.take(&name, &text, names).map_err(str::to_owned));
        missed.extend(taken.err().map(|why| Unknown { path, why }));
    }
    all
}

/// Reads a part of what is known of a package. Packages that may be there for several architectures have
/// theirs in the name.
fn part(
    root: &mut Root,
    builder: &mut Builder,
    files: &BTreeSet<Vec<u8>>,
    package: &Package,
    part: &str,
) -> Option<Vec<u8>> {
    let Package { name, architecture, .. } = package;
    let known = [format!("{name}:{architecture}.{part}"), format!("{name}.{part}")];
    let file = known.into_iter().find(|file| files.contains(file.as_bytes()))?;
    let path = at(&at(&here(DATABASE), "info"), &file);
    match root.read(&path, MOST_BYTES) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            builder.miss(path, error.to_string());
            None
        }
    }
}

/// Takes what dpkg leaves out. What cannot be read of that leaves nothing out.
fn settings(root: &mut Root, packages: &mut Packages) {
    let (own, directory) = (here(SETTINGS.0), here(SETTINGS.1));
    let below = root.list(&directory).unwrap_or_default();
    let below = below.iter().filter_map(|name| directory.join(name).ok());
    for path in below.chain([own]).collect::<Vec<_>>() {
        root.read(&path, MOST_BYTES).into_iter().for_each(|text| packages.take_settings(&text));
    }
}
