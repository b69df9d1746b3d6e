//! Chooses the files that a machine's agent puts back by itself, and opens its unit to their directories alone.
//!
//! Never here: whether it does; the control that puts the agent there knows.

use std::collections::BTreeSet;

use ringfort_model::content::Content;
use ringfort_model::integrity::{BASELINE, CANARY, PutBack, REPAIR};
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::mode::Owner;

use super::build::{above, is_below, parent};
use super::{Draft, DraftFault, Sketch};

/// What of a cluster's files agents put back.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The path of the agent's unit.
    unit: String,
    /// Files and directories; everything where there are none.
    paths: Vec<String>,
    /// Those of them that something lies at.
    used: BTreeSet<usize>,
}

impl Draft<'_> {
    /// Has agents put files back: those at these paths and below, all where there are none. The list of a machine's
    /// is written in the place of [`REPAIR`], and the unit of the agent may write to their directories.
    pub fn put_back(&mut self, unit: &str, paths: &[String]) {
        let unit = format!("{}/{unit}", crate::paths::UNITS);
        self.put_back = Some(Wanted { unit, paths: paths.to_vec(), used: BTreeSet::new() });
    }

    /// Says which paths name nothing on any machine.
    pub(super) fn unused_paths(&mut self, wanted: &Wanted) {
        for (_, path) in wanted.paths.iter().enumerate().filter(|(at, _)| !wanted.used.contains(at))
        {
            self.faults.push(DraftFault::NothingToPutBack { path: path.clone() });
        }
    }
}

impl Sketch {
    /// Lets the agent write where the files lie that it puts back. Gives these.
    pub(super) fn open_agent(&mut self, wanted: &mut Wanted) -> BTreeSet<String> {
        let files = self.chosen(wanted);
        let mut directories: BTreeSet<&str> =
            files.iter().filter_map(|path| parent(path)).collect();
        let all = directories.clone();
        directories.retain(|path| !above(path).any(|above| all.contains(above)));
        // One that is not there yet must not keep the agent from beginning.
        let lines: String =
            directories.iter().map(|path| format!("ReadWritePaths=-{path}\n")).collect();
        let is_others = |path: &String| {
            let what = self.items.get(&ItemId::file(path)).map(|item| &item.what);
            matches!(what, Some(What::File { owner, .. }) if *owner != Owner::ROOT)
        };
        let gives_away = files.iter().any(is_others);
        if let Some(text) = self.text_of(&wanted.unit) {
            *text = text.replace(OWN, &format!("{OWN}{lines}"));
            if gives_away {
                *text = text.replace(CAPABILITIES, &format!("{CAPABILITIES} CAP_CHOWN"));
            }
        }
        files
    }

    /// Writes the list of the files that the agent puts back, each with what reads it at its start.
    pub(super) fn list_put_back(&mut self, files: &BTreeSet<String>) {
        let list = |path: &String| {
            let reads = |(_, item): &(&ItemId, &Item)| item.what.reads().any(|read| read == path);
            let readers = self.items.iter().filter(reads).map(|(id, _)| id.clone());
            (path.clone(), readers.collect())
        };
        let list = PutBack(files.iter().map(list).collect());
        match self.text_of(REPAIR) {
            Some(text) if !files.is_empty() => *text = list.text(),
            _ => drop(self.items.remove(&ItemId::file(REPAIR))),
        }
    }

    /// Files in directories of root's whose content is known beforehand and is no secret. The canary is there to be
    /// changed, and a baseline cannot say what it holds itself.
    fn chosen(&self, wanted: &mut Wanted) -> BTreeSet<String> {
        let is_roots =
            |path: &str| match self.items.get(&ItemId::directory(path)).map(|it| &it.what) {
                Some(What::Directory { owner, .. }) => *owner == Owner::ROOT,
                _ => true,
            };
        let mut files = BTreeSet::new();
        for (id, item) in &self.items {
            let (ItemId::File(path), What::File { content, .. }) = (id, &item.what) else {
                continue;
            };
            let is_known = matches!(content, Content::Text(_) | Content::Bundled { .. });
            let is_other = [BASELINE, CANARY, REPAIR].contains(&path.as_str());
            if !is_known || is_other || !above(path).all(is_roots) {
                continue;
            }
            let named = wanted.paths.iter().enumerate().filter(|(_, it)| is_below(path, it));
            let named: Vec<usize> = named.map(|(at, _)| at).collect();
            if wanted.paths.is_empty() || !named.is_empty() {
                files.insert(path.clone());
            }
            wanted.used.extend(named);
        }
        if !files.is_empty() {
            files.insert(REPAIR.to_owned());
        }
        files
    }

    fn text_of(&mut self, path: &str) -> Option<&mut String> {
        match self.items.get_mut(&ItemId::file(path)).map(|item| &mut item.what) {
            Some(What::File { content: Content::Text(text), .. }) => Some(text),
            _ => None,
        }
    }
}

/// What it may do in any case.
const CAPABILITIES: &str = "CapabilityBoundingSet=CAP_SYS_ADMIN CAP_DAC_READ_SEARCH CAP_SYS_PTRACE";
/// Where it may write.
const OWN: &str = "ReadWritePaths=/var/lib/ringfort/integrity\n";
