//! One look at everything protected.

use std::path::Path;

use serde::Serialize;

use super::look::{Pace, Root};
use crate::baseline::Entries;
use crate::change::{Finding, Unknown};
use crate::judge::{Look, Verdict, judge};
use crate::path::FilePath;
use crate::protected::{Class, Protected};
use crate::watch::unlisted;

/// So many findings and unknown paths of one look are named; all are counted.
const MOST_NAMED: usize = 10_000;

/// Counts one more, and names it while there is room.
pub(super) fn note<T>(one: T, named: &mut Vec<T>, count: &mut u64) {
    *count += 1;
    if named.len() < MOST_NAMED {
        named.push(one);
    }
}

/// What a scan came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Scan {
    /// How many entries were looked at.
    pub entries: u64,
    /// How many bytes were read.
    pub bytes: u64,
    /// How many files have a content that nobody knows beforehand, so that theirs was not compared.
    pub unstated: u64,
    /// How many directories hold what nobody knows beforehand, so that it was not compared.
    pub watched: u64,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// What could not be compared.
    pub unknown: Vec<Unknown>,
}

/// Looks at everything once.
///
/// # Errors
/// The root cannot be opened.
pub fn scan(root: &Path, entries: &Entries, pace: Pace) -> std::io::Result<Scan> {
    let mut root = Root::open(root, pace)?;
    let mut scan = Scan::default();
    for entry in entries.iter() {
        visit(&mut root, entries, &entry, &mut scan);
    }
    scan.bytes = root.bytes();
    Ok(scan)
}

/// Looks at one entry, and at what it holds if all of that is known.
pub(crate) fn visit(root: &mut Root, entries: &Entries, entry: &Protected, scan: &mut Scan) {
    scan.entries += 1;
    let look = root.look(&entry.path, entry.expected);
    match judge(entry, &look) {
        Verdict::Same => {}
        Verdict::ContentUnstated => scan.unstated += 1,
        Verdict::Differs(differences) => scan.findings.push(Finding {
            path: entry.path.clone(),
            class: entry.class,
            severity: entry.severity,
            differences,
        }),
        Verdict::Unknown(why) => {
            scan.unknown.push(Unknown { path: entry.path.clone(), why });
            return;
        }
    }
    let is_there = matches!(look, Look::There(_));
    scan.watched += u64::from(is_there && entry.class == Class::Watched);
    if is_there && entry.class == Class::Listed {
        list(root, entries, entry, scan);
    }
}

fn list(root: &mut Root, entries: &Entries, entry: &Protected, scan: &mut Scan) {
    let names = match root.list(&entry.path) {
        Ok(names) => names,
        Err(error) => {
            let why = error.to_string();
            return scan.unknown.push(Unknown { path: entry.path.clone(), why });
        }
    };
    let children = names.iter().filter_map(|name| entry.path.join(name).ok());
    for path in children.filter(|path| !is_known(entries, path)) {
        scan.findings.push(Finding {
            path,
            class: entry.class,
            severity: entry.severity,
            differences: vec![unlisted()],
        });
    }
}

/// Says whether a path is an entry or holds one.
pub(crate) fn is_known(entries: &Entries, path: &FilePath) -> bool {
    entries.find(path).is_some() || entries.below(path).next().is_some()
}

#[cfg(test)]
#[path = "scan/tests.rs"]
mod tests;
