//! Files that may be edited: manifests that stand for themselves, or that a kustomization lists as resources.
//!
//! A patch may look like a workload and is a part of one: what is missing in it stands elsewhere, so that nothing is
//! added to it. The same holds for what Kustomize makes other objects of, and for templates of charts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::kustomization::{self, Kustomization};
use super::{CHART, Walk, chart_of_template, whole};
use crate::cli::files::Unread;

/// What a path leads to, for who edits.
#[derive(Default)]
pub struct Written {
    /// Files that may be edited.
    pub files: Vec<PathBuf>,
    /// Files that are not to be touched, with who reads them.
    pub left: Vec<Unread>,
    /// What cannot be read, or is made by a program.
    pub unread: Vec<Unread>,
}

/// Finds what a path leads to that may be edited. Nothing outside of it is.
///
/// # Errors
/// The path cannot be looked at, or is itself no file to be edited.
pub fn written(path: &Path) -> Result<Written, Unread> {
    if let Some(chart) = chart_of_template(path).or_else(|| chart_of_template(&whole(path))) {
        return Err(Unread::of(path, &format!("{}: {OF_CHART}", chart.join(CHART).display())));
    }
    let mut walk = Walk::default();
    if path.is_dir() {
        walk.enter(path)?;
    } else if kustomization::is_named(path) {
        return Err(Unread::of(path, &"it is no object: name the files that it lists"));
    } else {
        walk.files.push(path.to_owned());
    }
    let (readers, broken) = readers(path, &walk);
    let root = whole(path);
    let links = walk.links.iter().filter(|it| !whole(it).starts_with(&root));
    let mut written = Written { left: links.map(|it| outside(it)).collect(), ..Written::default() };
    written.unread.extend(walk.unread);
    for file in walk.files {
        let at = whole(&file);
        if !at.starts_with(&root) {
            written.left.push(outside(&file));
        } else if let Some(chart) = chart_of_template(&at) {
            let why = format!("it leads to a template of {}: {OF_CHART}", chart.display());
            written.left.push(Unread::of(&file, &why));
        } else if let Some(reader) = readers.get(&at) {
            let why = format!("{} reads it as a part of others", reader.display());
            written.left.push(Unread::of(&file, &why));
        } else if !broken.iter().any(|it| at.starts_with(&it.directory)) {
            written.files.push(file);
        } else if path == file {
            let why = "a kustomization beside it cannot be read, so that it may be a patch";
            return Err(Unread::of(path, &why));
        }
    }
    if written.left.first().is_some_and(|left| left.name == path.display().to_string()) {
        return Err(written.left.remove(0));
    }
    written.unread.extend(broken.into_iter().map(|it| it.unread));
    let charts = walk.charts.iter().map(|chart| Unread::of(&chart.join(CHART), &OF_CHART));
    written.unread.extend(charts);
    Ok(written)
}

/// Says of a link why what it leads to is not edited.
fn outside(link: &Path) -> Unread {
    let to = whole(link);
    Unread::of(link, &format!("it leads out of what was named: name {} itself", to.display()))
}

const OF_CHART: &str = "templates of a chart are not edited: change them by hand";

/// A kustomization that cannot be read.
struct Broken {
    directory: PathBuf,
    unread: Unread,
}

/// Finds who reads files that no kustomization lists as resources: by whole path of the file, the kustomization.
/// One may stand below the path, or above it.
fn readers(path: &Path, walk: &Walk) -> (BTreeMap<PathBuf, PathBuf>, Vec<Broken>) {
    let path = whole(path);
    let above = path.ancestors().skip(1).filter(|it| kustomization::file_of(it).is_some());
    let all = walk.kustomizations.iter().cloned().chain(above.map(Path::to_owned));
    let (mut readers, mut listed, mut broken) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    for directory in all {
        match Kustomization::read(&directory) {
            Ok(one) => {
                listed.extend(one.listed());
                readers.extend(one.read_besides().map(|file| (file, one.file.clone())));
            }
            Err(unread) => broken.push(Broken { directory: whole(&directory), unread }),
        }
    }
    readers.retain(|file, _| !listed.contains(file));
    (readers, broken)
}
