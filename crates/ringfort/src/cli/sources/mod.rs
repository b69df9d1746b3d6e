//! What paths lead to: files of manifests, and what Kustomize and Helm make of theirs.
//!
//! A patch is no object and a template no manifest, so that neither is judged as one. What a kustomization
//! lists and does not change is read from its own files; anything else is judged as the program that would
//! build it builds it, and is unread where that cannot be done.

mod kustomization;
mod tool;
mod written;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::{self, Entry, Unread, whole};
use kustomization::{Closure, Kustomization};
use tool::Tools;
pub use written::written;

/// What paths lead to.
#[derive(Default)]
pub struct Sources {
    /// Files that are read as they are.
    pub files: Vec<PathBuf>,
    /// What programs made.
    pub built: Vec<Built>,
    /// What cannot be read or made.
    pub unread: Vec<Unread>,
}

/// Manifests that a program made.
pub struct Built {
    /// What they were made of, for people.
    pub name: String,
    /// The manifests.
    pub text: String,
}

/// Finds what a path leads to, which is one of those that were named. Nothing is fetched over the network.
///
/// # Errors
/// The path itself cannot be looked at, or is a template of a chart.
pub fn find(path: &Path, named: &[PathBuf]) -> Result<Sources, Unread> {
    find_with(path, named, &Tools::of_path())
}

fn find_with(path: &Path, named: &[PathBuf], tools: &Tools) -> Result<Sources, Unread> {
    if let Some(chart) = chart_of_template(path) {
        let said = format!("it is a template of the chart {}: name the chart", chart.display());
        return Err(Unread::of(path, &said));
    }
    let mut walk = Walk::default();
    match path.parent() {
        _ if path.is_dir() => walk.enter(path)?,
        Some(parent) if kustomization::is_named(path) => walk.kustomizations.push(here(parent)),
        Some(parent) if path.ends_with(CHART) => walk.charts.push(here(parent)),
        _ => walk.files.push(path.to_owned()),
    }
    Ok(walk.sources(named, tools))
}

/// The directory that a file without one is in.
fn here(parent: &Path) -> PathBuf {
    match parent.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => parent.to_owned(),
    }
}

/// What makes a directory a chart.
const CHART: &str = "Chart.yaml";

/// The chart whose templates a path lies among.
fn chart_of_template(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let among = path.ancestors().filter(|it| it.file_name().is_some_and(|it| it == "templates"));
    let mut charts = among.filter_map(Path::parent);
    charts.find(|it| it.join(CHART).is_file()).map(Path::to_owned)
}

/// What lies below a directory, as it is met.
#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    kustomizations: Vec<PathBuf>,
    charts: Vec<PathBuf>,
    /// Links to directories: none is followed.
    links: Vec<PathBuf>,
    /// What could not be looked at, so that anything may be there.
    unread: Vec<Unread>,
}

impl Walk {
    /// Goes through a directory. All of a chart is the chart's. What cannot be looked at further down is kept.
    fn enter(&mut self, directory: &Path) -> Result<(), Unread> {
        if directory.join(CHART).is_file() {
            self.charts.push(directory.to_owned());
            return Ok(());
        }
        if kustomization::file_of(directory).is_some() {
            self.kustomizations.push(directory.to_owned());
        }
        for path in files::entries(directory)? {
            match files::entry(&path) {
                Ok(Entry::Directory) => {
                    let entered = self.enter(&path);
                    self.unread.extend(entered.err());
                }
                Ok(Entry::Link) => self.links.push(path),
                Ok(Entry::File) => self.meet(path),
                Err(unread) => self.unread.push(unread),
            }
        }
        Ok(())
    }

    fn meet(&mut self, path: PathBuf) {
        match kustomization::is_named(&path) {
            true if path.is_file() => {}
            true => self.unread.push(Unread::of(&path, &files::NOT_REGULAR)),
            false if files::is_manifest(&path) => self.files.push(path),
            false => {}
        }
    }

    /// Gives the links by which something would be missed: they lead to nothing that is gone through anyway.
    fn leading_out(&self, named: &[PathBuf], claimed: &BTreeSet<PathBuf>) -> Vec<Unread> {
        let is_read =
            |it: &PathBuf| claimed.contains(&whole(it)) || files::is_gone_through(it, named);
        let links = self.links.iter().filter(|it| !is_read(it));
        links.map(|it| files::leads_out(it)).collect()
    }

    fn sources(mut self, named: &[PathBuf], tools: &Tools) -> Sources {
        let mut sources = Sources::default();
        sources.unread.append(&mut self.unread);
        let (mut read, mut broken) = (Vec::new(), Vec::new());
        for directory in &self.kustomizations {
            match Kustomization::read(directory) {
                Ok(one) => read.push(one),
                Err(unread) => {
                    sources.unread.push(unread);
                    broken.push(directory);
                }
            }
        }
        let mut claimed: BTreeSet<PathBuf> = read.iter().flat_map(Kustomization::names).collect();
        sources.unread.extend(self.leading_out(named, &claimed));
        for chart in &self.charts {
            // A chart that a kustomization names is a matter of that kustomization.
            if !claimed.contains(&whole(chart)) {
                sources.take_chart(chart, tools);
            }
        }
        let mut listed = Vec::new();
        let mut met = BTreeSet::new();
        for root in roots(&read, &claimed) {
            let closure = Closure::of(root);
            met.extend(closure.directories.iter().cloned());
            sources.take(root, &closure, tools, &mut listed);
        }
        // Those that name one another in a ring, and parts that nobody uses, have no root among them.
        for rest in &read {
            if !met.contains(&whole(&rest.directory)) {
                let closure = Closure::of(rest);
                met.extend(closure.directories.iter().cloned());
                sources.take(rest, &closure, tools, &mut listed);
            }
        }
        // Any file beside a kustomization that cannot be read may be a patch of it.
        let is_patch = |file: &Path| broken.iter().any(|directory| file.starts_with(directory));
        let files = self.files.into_iter();
        sources.files = files.filter(|it| !claimed.contains(&whole(it)) && !is_patch(it)).collect();
        claimed.clear();
        for file in listed {
            if claimed.insert(whole(&file)) {
                sources.files.push(file);
            }
        }
        sources.files.sort();
        sources
    }
}

/// Those that no other names.
fn roots<'k>(
    all: &'k [Kustomization],
    named: &BTreeSet<PathBuf>,
) -> impl Iterator<Item = &'k Kustomization> {
    let is_root = |it: &&Kustomization| !named.contains(&whole(&it.directory)) && !it.is_component;
    all.iter().filter(is_root)
}

impl Sources {
    /// Takes what a kustomization comes to: the files that it lists, or what is built of it.
    fn take(
        &mut self,
        root: &Kustomization,
        closure: &Closure,
        tools: &Tools,
        listed: &mut Vec<PathBuf>,
    ) {
        let unread = |why: &dyn std::fmt::Display| Unread::of(&root.file, why);
        if root.is_component {
            let why = "it is a component that no kustomization here uses: judge one that does";
            return self.unread.push(unread(&why));
        }
        match (&closure.refused, closure.is_plain) {
            (Some(why), _) => self.unread.push(unread(why)),
            (None, true) => listed.extend(closure.files.iter().cloned()),
            (None, false) => match tools.kustomize(&root.directory) {
                Ok(text) => {
                    self.built
                        .push(Built { name: format!("{} (built)", root.file.display()), text });
                }
                Err(why) => self.unread.push(unread(&why)),
            },
        }
    }

    fn take_chart(&mut self, chart: &Path, tools: &Tools) {
        let file = chart.join(CHART);
        match tools.helm(chart) {
            Ok(text) => {
                self.built.push(Built { name: format!("{} (rendered)", file.display()), text });
            }
            Err(why) => self.unread.push(Unread::of(&file, &why)),
        }
    }
}

#[cfg(test)]
mod tests;
