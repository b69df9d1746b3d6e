//! One look at everything that packages brought, and at what lies among it and came with none.

mod compare;
mod database;
mod transactions;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::look::{Pace, Root};
use super::scan::note;
use crate::baseline::Entries;
use crate::change::{Finding, Unknown};
use crate::packages::DATABASE;
use crate::path::FilePath;
use compare::Compare;
pub(super) use transactions::{LogMark, hold_all, mark};

/// How often all is looked at anew because packages were installed meanwhile.
const TRIES: usize = 3;

/// A file that is not as its package brought it, or that no package brought.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PackageFinding {
    /// What is not as it should be.
    #[serde(flatten)]
    pub finding: Finding,
    /// The package and its version, where one names the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

/// What a comparison with the package database came to.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageScan {
    /// How many packages there are.
    pub packages: u64,
    /// A digest of all that was compared with: machines with the same packages have the same.
    pub database: String,
    /// How many files were compared with their digest.
    pub files: u64,
    /// How many bytes were read.
    pub bytes: u64,
    /// How much is there that packages make when they are installed, which nobody has a digest of.
    pub generated: u64,
    /// How many files are not there because the settings of dpkg leave them out.
    pub left_out: u64,
    /// Settings that are not as their package brought them: that is what they are for.
    pub settings: Vec<FilePath>,
    /// What is not as it should be.
    pub findings: Vec<PackageFinding>,
    /// How much is not, also beyond what is named.
    pub findings_count: u64,
    /// What could not be compared.
    pub unknown: Vec<Unknown>,
    /// How much could not be, also beyond what is named.
    pub unknown_count: u64,
}

impl PackageFinding {
    /// Says in what it differs, on one line.
    pub(super) fn found(&self) -> String {
        let each = self.finding.differences.iter().map(|it| format!("{}: {}", it.of, it.found));
        each.collect::<Vec<_>>().join(", ")
    }
}

impl PackageScan {
    /// Nothing could be looked at.
    pub(super) fn unseen(why: &str) -> Self {
        let mut scan = Self::default();
        scan.miss(here(DATABASE), why);
        scan
    }

    fn find(&mut self, found: PackageFinding) {
        note(found, &mut self.findings, &mut self.findings_count);
    }

    fn miss(&mut self, path: FilePath, why: impl Into<String>) {
        let unknown = Unknown { path, why: why.into() };
        note(unknown, &mut self.unknown, &mut self.unknown_count);
    }
}

/// Compares what lies below a root with its package database, as long as no package is installed or removed
/// meanwhile. Of what the baseline knows better, that decides.
///
/// # Errors
/// The root cannot be opened.
pub fn scan_packages(root: &Path, baseline: &Entries, pace: Pace) -> std::io::Result<PackageScan> {
    let mut root = Root::open(root, pace)?;
    for _ in 0..TRIES {
        let before = database::stamps(&mut root);
        let mut scan = once(&mut root, baseline);
        scan.bytes = root.bytes();
        root.begin_anew();
        if database::stamps(&mut root) == before {
            return Ok(scan);
        }
    }
    // What was found while files were replaced says nothing of them.
    let why = "packages were installed or removed each time while it was looked at them";
    Ok(PackageScan { bytes: root.bytes(), ..PackageScan::unseen(why) })
}

/// Says whether there is a database below a root that files are compared with.
pub(super) fn is_compared(root: &Path) -> bool {
    Root::open(root, Pace::free()).is_ok_and(|mut root| database::is_there(&mut root))
}

fn once(root: &mut Root, baseline: &Entries) -> PackageScan {
    let mut scan = PackageScan::default();
    let packages = match database::read(root) {
        Ok(packages) => packages,
        Err(Unknown { path, why }) => {
            scan.miss(path, why);
            return scan;
        }
    };
    scan.packages = packages.count() as u64;
    scan.database = packages.digest();
    packages.unknown.iter().for_each(|it| scan.miss(it.path.clone(), it.why.clone()));
    Compare { root, packages: &packages, baseline, scan }.all()
}

/// A path that is written here.
fn here(path: &str) -> FilePath {
    FilePath::new(path).expect("it is written as one here")
}

#[cfg(test)]
#[path = "packages/tests.rs"]
mod tests;
