//! What a package database says of a machine's files. Pure.
//!
//! dpkg keeps plain text without a signature, and MD5 alone: it shows who changed a file and not the
//! database, and what was changed by accident. Whatever of it cannot be read is unknown, never left out.

mod alternatives;
mod build;
pub(crate) mod glob;
mod places;
mod status;
pub mod transaction;

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::severity::Severity;

use crate::baseline::Entries;
use crate::change::Unknown;
use crate::path::FilePath;
use crate::protected::Protected;
use transaction::Owner;

pub use alternatives::Alternatives;
pub use build::{Builder, Names};
pub use places::{SWEPT, is_generated, is_loose, is_program, is_swept};
pub use status::{Package, State, read_status};

/// Where dpkg keeps its database.
pub const DATABASE: &str = "/var/lib/dpkg";

/// What packages say of a machine's files.
#[derive(Clone, Debug)]
pub struct Packages {
    /// Every path that a package names, in order; with a digest where its package has one.
    files: Entries,
    /// Files that their owner may change, as they came with their package.
    settings: Entries,
    /// Of which package each of `files` is, by its place in `names`.
    of: Vec<u16>,
    /// And each of `settings`.
    of_settings: Vec<u16>,
    /// Names of packages, with their versions.
    names: Vec<String>,
    /// Those that are half installed.
    half: BTreeSet<u16>,
    left_out: Vec<(LeftOut, Vec<u8>)>,
    /// Names that stand for one of several programs.
    pub alternatives: Alternatives,
    /// What of the database could not be read.
    pub unknown: Vec<Unknown>,
}

/// What dpkg's settings say of paths that match a pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum LeftOut {
    Yes,
    No,
}

impl Packages {
    /// Gives every path that a package names, with its package.
    pub fn files(&self) -> impl Iterator<Item = (Protected, Option<&str>)> {
        let of = self.of.iter().map(|at| self.names.get(usize::from(*at)).map(String::as_str));
        self.files.iter().zip(of)
    }

    /// Gives the files that their owner may change.
    pub fn settings(&self) -> impl Iterator<Item = Protected> {
        self.settings.iter()
    }

    /// Tells how many packages there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Finds what packages say of a path.
    pub fn find(&self, path: &FilePath) -> Option<Protected> {
        self.files.find(path).or_else(|| self.settings.find(path))
    }

    /// Finds whose some paths are; nothing of one whose package is half installed.
    pub fn owners(&self, paths: &BTreeSet<FilePath>) -> BTreeMap<FilePath, Option<Owner>> {
        let files = self.files.iter().zip(&self.of);
        let all = files.chain(self.settings.iter().zip(&self.of_settings));
        let wanted = all.filter(|(entry, _)| paths.contains(&entry.path));
        let owner = |(entry, of): (Protected, &u16)| {
            let name = self.names.get(usize::from(*of)).filter(|_| !self.half.contains(of));
            let path = entry.path.clone();
            (path, name.map(|name| Owner { package: name.clone(), entry }))
        };
        wanted.map(owner).collect()
    }

    /// Says whether packages name a path or something below it.
    pub fn names(&self, path: &FilePath) -> bool {
        let holds = |entries: &Entries| entries.below(path).next().is_some();
        self.find(path).is_some() || holds(&self.files) || holds(&self.settings)
    }

    /// Gives a digest of all that is compared with: of the same packages it is the same.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.files.as_bytes());
        hasher.update(self.settings.as_bytes());
        format!("blake3:{}", hasher.finalize().to_hex())
    }

    /// Tells how much memory the entries take.
    pub fn memory_bytes(&self) -> usize {
        self.files.memory_bytes() + self.settings.memory_bytes() + 2 * self.of.capacity()
    }

    /// Says whether dpkg's settings leave a path out, so that it is not there on purpose. The last pattern
    /// that matches decides.
    pub fn leaves_out(&self, path: &FilePath) -> bool {
        let matches = |(_, pattern): &&(LeftOut, Vec<u8>)| glob::is_match(pattern, path.as_bytes());
        let last = self.left_out.iter().rev().find(matches);
        last.is_some_and(|(what, _)| *what == LeftOut::Yes)
    }

    /// Takes dpkg's settings: what they leave out.
    pub fn take_settings(&mut self, text: &[u8]) {
        for line in text.split(|&byte| byte == b'\n') {
            let rest = |key: &[u8]| line.trim_ascii().strip_prefix(key).map(|it| it.trim_ascii());
            let with = |what, pattern: Option<&[u8]>| Some((what, pattern?.to_vec()));
            let rule = with(LeftOut::Yes, rest(b"path-exclude="))
                .or_else(|| with(LeftOut::Yes, rest(b"path-exclude ")))
                .or_else(|| with(LeftOut::No, rest(b"path-include=")))
                .or_else(|| with(LeftOut::No, rest(b"path-include ")));
            self.left_out.extend(rule);
        }
    }
}

/// Says what is at stake at a path that a package names.
pub fn stake(path: &FilePath) -> Severity {
    if is_loose(path) { Severity::Low } else { crate::protected::stake(path) }
}

#[cfg(test)]
#[path = "packages/tests.rs"]
mod tests;
