//! Puts together what packages say: one after the other, in little memory. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::status::{Package, State, md5};
use super::{Alternatives, DATABASE, Packages, stake};
use crate::baseline::Entries;
use crate::change::Unknown;
use crate::path::FilePath;
use crate::protected::{Class, Expected, Hash, ModeRule, Presence, Protected};
use ringfort_model::mode::FileMode;

/// No more paths are taken; that there are more is told.
const MOST_PATHS: usize = 2_000_000;
/// Of packages none brings files that everybody may write.
const MOST_MODE: FileMode = FileMode(0o7775);

/// What paths of packages are called on a machine: directories that were merged are links by now, and
/// files that another package diverted lie elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Names {
    merged: Vec<(Vec<u8>, Vec<u8>)>,
    diverted: BTreeMap<FilePath, (FilePath, Vec<u8>)>,
}

impl Names {
    /// Takes a directory of the root that leads to another.
    pub fn merge(&mut self, from: &FilePath, to: &FilePath) {
        self.merged.push((from.as_bytes().to_vec(), to.as_bytes().to_vec()));
    }

    /// Takes what was diverted: each time a path, where it lies now, and who diverted it.
    ///
    /// # Errors
    /// It is cut off, or holds something that is no path.
    pub fn divert(&mut self, text: &[u8]) -> Result<(), &'static str> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if text.is_empty() {
            return Ok(());
        }
        let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
        for three in lines.chunks(3) {
            let [from, to, by] = three else { return Err("it is cut off") };
            let (Some(from), Some(to)) = (self.path(from), self.path(to)) else {
                return Err("it holds something that is no path");
            };
            self.diverted.insert(from, (to, by.to_vec()));
        }
        Ok(())
    }

    /// Gives a path as it is on the machine; none for what is no path.
    pub fn path(&self, listed: &[u8]) -> Option<FilePath> {
        for (from, to) in &self.merged {
            let rest = listed.strip_prefix(from.as_slice());
            if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest[0] == b'/') {
                return FilePath::new([to, rest].concat()).ok();
            }
        }
        FilePath::new(listed).ok()
    }

    /// Gives a path of a package as it is on the machine.
    fn path_of(&self, listed: &[u8], package: &str) -> Option<FilePath> {
        let path = self.path(listed)?;
        match self.diverted.get(&path) {
            Some((to, by)) if by.as_slice() != package.as_bytes() => Some(to.clone()),
            _ => Some(path),
        }
    }
}

/// Takes packages, and becomes what they say together.
#[derive(Debug, Default)]
pub struct Builder {
    names: Names,
    packages: Vec<String>,
    half: BTreeSet<u16>,
    /// All paths, one after the other.
    paths: Vec<u8>,
    rows: Vec<Row>,
    unknown: Vec<Unknown>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    at: usize,
    length: u16,
    package: u16,
    says: Says,
}

/// What a package says of a path. What comes later here counts more.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Says {
    Named,
    Holds([u8; 16]),
    Held(Option<[u8; 16]>),
}

impl Builder {
    /// Begins, with what paths are called.
    pub fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }

    /// Says that something could not be read.
    pub fn miss(&mut self, path: FilePath, why: impl Into<String>) {
        self.unknown.push(Unknown { path, why: why.into() });
    }

    /// Takes a package with its list of paths and its digests, as they lie in dpkg's directory. None were
    /// not there, or could not be read, which the caller tells.
    pub fn add(&mut self, package: &Package, list: Option<&[u8]>, sums: Option<&[u8]>) {
        if package.state == State::Gone {
            return;
        }
        let number = u16::try_from(self.packages.len()).unwrap_or(u16::MAX);
        self.packages.push(format!("{} {}", package.name, package.version));
        let mut torn = Vec::new();
        let digests = match (package.state, sums) {
            (State::There, Some(sums)) => digests(sums, &mut torn),
            _ => HashMap::new(),
        };
        if package.state == State::Torn {
            self.half.insert(number);
            torn.push("it is half installed, and what of it is there is not known".to_owned());
        }
        let settings: HashSet<&[u8]> =
            package.settings.iter().map(|(path, _)| path.as_slice()).collect();
        let lines = list.into_iter().flat_map(|list| list.split(|&byte| byte == b'\n'));
        let mut count = 0;
        for line in lines.filter(|line| !line.is_empty() && *line != b"/.") {
            count += 1;
            let Some(path) = self.names.path_of(line, &package.name) else {
                torn.push(format!("{:?} of its list is no path", String::from_utf8_lossy(line)));
                continue;
            };
            let says = match digests.get(line) {
                Some(digest) if !settings.contains(line) => Says::Holds(*digest),
                // Of what is half installed nothing is compared.
                _ if package.state == State::Torn => Says::Held(None),
                _ => Says::Named,
            };
            self.push(&path, number, says);
        }
        if count == 0 && package.state == State::There {
            torn.push("its list of paths is empty".to_owned());
        }
        for (path, digest) in &package.settings {
            match self.names.path_of(path, &package.name) {
                Some(path) => self.push(&path, number, Says::Held(*digest)),
                None => torn.push("a setting of it is no path".to_owned()),
            }
        }
        self.tear(package, &torn);
    }

    /// Tells what of a package could not be read: the first, and how many.
    fn tear(&mut self, package: &Package, torn: &[String]) {
        let Some(first) = torn.first() else { return };
        let more = match torn.len() {
            1 => String::new(),
            many => format!(", and {} more", many - 1),
        };
        let place = format!("{DATABASE}/info/{}", package.name);
        if let Ok(path) = FilePath::new(place) {
            self.miss(path, format!("{}: {first}{more}", package.name));
        }
    }

    fn push(&mut self, path: &FilePath, package: u16, says: Says) {
        let Ok(length) = u16::try_from(path.as_bytes().len()) else {
            return self.miss(path.clone(), "its path is too long");
        };
        if self.rows.len() == MOST_PATHS {
            let why = format!("packages name more than {MOST_PATHS} paths");
            self.miss(FilePath::root(), why);
        }
        if self.rows.len() < MOST_PATHS {
            self.rows.push(Row { at: self.paths.len(), length, package, says });
            self.paths.extend_from_slice(path.as_bytes());
        }
    }

    /// Gives what all of them say.
    pub fn finish(mut self, alternatives: Alternatives) -> Packages {
        let mut rows = std::mem::take(&mut self.rows);
        let paths = std::mem::take(&mut self.paths);
        let path = |row: &Row| &paths[row.at..row.at + usize::from(row.length)];
        rows.sort_unstable_by(|one, other| {
            path(one).cmp(path(other)).then_with(|| other.says.cmp(&one.says))
        });
        let (mut kept, mut settings): (Vec<Row>, Vec<Row>) = (Vec::new(), Vec::new());
        for same in rows.chunk_by(|one, other| path(one) == path(other)) {
            let first = same[0];
            let says = same.iter().map(|row| row.says);
            let differs = says.filter(|says| matches!(says, Says::Holds(_)) && *says != first.says);
            match first.says {
                Says::Held(_) => settings.push(first),
                Says::Holds(_) if differs.count() > 0 => {
                    let held = Says::Held(None);
                    settings.push(Row { says: held, ..first });
                    let disagree = "packages disagree about what it holds";
                    FilePath::new(path(&first)).into_iter().for_each(|it| self.miss(it, disagree));
                }
                _ => kept.push(first),
            }
        }
        let pack =
            |rows: &[Row]| Entries::pack(rows.iter().filter_map(|row| entry(path(row), row.says)));
        Packages {
            files: pack(&kept),
            settings: pack(&settings),
            of: kept.iter().map(|row| row.package).collect(),
            of_settings: settings.iter().map(|row| row.package).collect(),
            names: self.packages,
            half: self.half,
            left_out: Vec::new(),
            alternatives,
            unknown: self.unknown,
        }
    }
}

fn entry(path: &[u8], says: Says) -> Option<Protected> {
    let path = FilePath::new(path).ok()?;
    let digest = match says {
        Says::Named | Says::Held(None) => None,
        Says::Holds(digest) | Says::Held(Some(digest)) => Some(digest),
    };
    Some(Protected {
        severity: stake(&path),
        path,
        class: Class::Packaged,
        presence: Presence::Required,
        mode: digest.map(|_| ModeRule::AtMost(MOST_MODE)),
        owner: None,
        expected: digest.map(|digest| Expected { size: None, hash: Hash::Md5(digest) }),
    })
}

/// Reads digests by paths as a list has them.
fn digests(sums: &[u8], torn: &mut Vec<String>) -> HashMap<Vec<u8>, [u8; 16]> {
    let mut all = HashMap::new();
    for line in sums.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let read = line.split_at_checked(32).and_then(|(hex, rest)| {
            let path = rest.strip_prefix(b"  ")?;
            let path = path.strip_prefix(b"./").unwrap_or(path);
            (!path.is_empty()).then_some((md5(hex)?, [b"/", path].concat()))
        });
        match read {
            Some((digest, path)) => drop(all.insert(path, digest)),
            None => {
                torn.push(format!("{:?} is no digest and path", String::from_utf8_lossy(line)));
            }
        }
    }
    all
}
