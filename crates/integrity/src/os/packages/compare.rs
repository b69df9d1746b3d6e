//! Holds files against what packages say of them, and finds what no package knows.

use std::collections::VecDeque;

use super::{PackageFinding, PackageScan};
use crate::baseline::Entries;
use crate::change::Finding;
use crate::judge::{Aspect, Difference, Kind, Look, Seen, Verdict, differs, judge, name};
use crate::os::look::Root;
use crate::packages::{Packages, SWEPT, is_generated, is_program, stake};
use crate::path::FilePath;
use crate::protected::{Class, Protected};

/// No path leads over more links.
const MOST_LINKS: usize = 40;
/// So many levels of a directory that no package knows are counted.
const MOST_COUNTED: u64 = 100_000;
/// Where links of packages lead to what is made on the machine.
const MADE_HERE: &[&str] = &["/etc", "/proc", "/run", "/usr/share", "/var"];

/// A comparison under way.
pub(super) struct Compare<'a> {
    pub root: &'a mut Root,
    pub packages: &'a Packages,
    pub baseline: &'a Entries,
    pub scan: PackageScan,
}

/// Where a link leads in the end.
enum End {
    /// To nothing, to `/dev/null`, or to a directory.
    Nowhere,
    /// To a file that a package or the baseline knows.
    Known,
    /// To something else.
    Else(FilePath),
    /// In a circle, or to where nobody can look.
    Unseen,
}

impl Compare<'_> {
    /// Compares everything.
    pub fn all(mut self) -> PackageScan {
        let packages = self.packages;
        for (entry, package) in packages.files() {
            if !self.is_of_baseline(&entry.path) {
                match entry.expected {
                    Some(_) => self.file(&entry, package),
                    None => self.named(&entry, package),
                }
            }
        }
        for entry in packages.settings().filter(|entry| entry.expected.is_some()) {
            if !self.is_of_baseline(&entry.path) {
                self.setting(&entry);
            }
        }
        for top in SWEPT {
            let top = super::here(top);
            match self.root.kind(&top) {
                Some(Kind::Directory) => self.sweep(top),
                Some(kind) => {
                    self.scan.miss(top, format!("it is no directory but a {}", name(kind)));
                }
                None => {}
            }
        }
        self.scan
    }

    /// Says whether the baseline knows what a file should hold: it knows better.
    fn is_of_baseline(&self, path: &FilePath) -> bool {
        self.baseline.find(path).is_some_and(|entry| entry.expected.is_some())
    }

    fn find(&mut self, entry: &Protected, package: Option<&str>, differences: Vec<Difference>) {
        let (path, severity) = (entry.path.clone(), entry.severity);
        let finding = Finding { path, class: Class::Packaged, severity, differences };
        self.scan.find(PackageFinding { finding, package: package.map(str::to_owned) });
    }

    /// A file with a digest.
    fn file(&mut self, entry: &Protected, package: Option<&str>) {
        self.scan.files += 1;
        let look = self.root.look(&entry.path, entry.expected);
        match judge(entry, &look) {
            Verdict::Same | Verdict::ContentUnstated => {}
            Verdict::Differs(_)
                if look == Look::Missing && self.packages.leaves_out(&entry.path) =>
            {
                self.scan.left_out += 1;
            }
            Verdict::Differs(differences) => self.find(entry, package, differences),
            Verdict::Unknown(why) => self.scan.miss(entry.path.clone(), why),
        }
    }

    /// A path without a digest: a directory, a link, or a file that cannot be compared.
    fn named(&mut self, entry: &Protected, package: Option<&str>) {
        let is_swept = SWEPT.iter().any(|top| entry.path.is_within(&super::here(top)));
        match self.root.look(&entry.path, None) {
            Look::Missing if self.packages.leaves_out(&entry.path) => self.scan.left_out += 1,
            Look::Missing if is_swept => {
                let missing = differs(Aspect::Presence, "there", "missing");
                self.find(entry, package, vec![missing]);
            }
            Look::There(Seen { kind: Kind::Link, .. }) if is_swept => self.link(entry, package),
            Look::There(Seen { kind: Kind::Directory | Kind::Link, .. }) | Look::Missing => {}
            Look::Unreadable(why) | Look::Astray(why) => self.scan.miss(entry.path.clone(), why),
            look @ Look::There(Seen { kind: Kind::File, .. }) => match judge(entry, &look) {
                Verdict::Differs(differences) => self.find(entry, package, differences),
                Verdict::Unknown(why) => self.scan.miss(entry.path.clone(), why),
                Verdict::Same | Verdict::ContentUnstated => {}
            },
            Look::There(Seen { kind, .. }) => {
                let other = differs(Aspect::Kind, "link or directory", name(kind));
                self.find(entry, package, vec![other]);
            }
        }
    }

    fn setting(&mut self, entry: &Protected) {
        let look = self.root.look(&entry.path, entry.expected);
        match judge(entry, &look) {
            Verdict::Same | Verdict::ContentUnstated => {}
            Verdict::Differs(_) => self.scan.settings.push(entry.path.clone()),
            Verdict::Unknown(why) => self.scan.miss(entry.path.clone(), why),
        }
    }

    /// A link that a package brought: where it led then is not known, but that it led to something that a
    /// package brought.
    fn link(&mut self, entry: &Protected, package: Option<&str>) {
        match self.end(&entry.path) {
            End::Nowhere | End::Known => {}
            End::Else(end) => {
                let is_made_here = MADE_HERE.iter().any(|top| end.is_within(&super::here(top)));
                if is_generated(&end) || (is_made_here && !is_program(&entry.path)) {
                    self.scan.generated += 1;
                } else {
                    self.find(entry, package, vec![leads(&end)]);
                }
            }
            End::Unseen => self.scan.miss(entry.path.clone(), "nobody can say where it leads"),
        }
    }

    fn end(&mut self, path: &FilePath) -> End {
        let Some(end) = self.resolve(path) else { return End::Unseen };
        match self.root.kind(&end) {
            None | Some(Kind::Directory) => End::Nowhere,
            // A unit that is masked is nothing.
            Some(Kind::Device) if end.as_bytes() == b"/dev/null" => End::Nowhere,
            Some(Kind::File) if self.packages.find(&end).is_some() || self.is_of_baseline(&end) => {
                End::Known
            }
            Some(_) => End::Else(end),
        }
    }

    /// Goes along links, part by part.
    fn resolve(&mut self, path: &FilePath) -> Option<FilePath> {
        let mut left: VecDeque<Vec<u8>> = path.parts().map(<[u8]>::to_vec).collect();
        let (mut at, mut links) = (FilePath::root(), 0);
        while let Some(part) = left.pop_front() {
            match part.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    at = at.parent().unwrap_or(at);
                    continue;
                }
                part => at = at.join(part).ok()?,
            }
            let Some(target) = self.root.target(&at) else { continue };
            links += 1;
            if links > MOST_LINKS {
                return None;
            }
            at = if target.starts_with(b"/") { FilePath::root() } else { at.parent()? };
            target.split(|&byte| byte == b'/').rev().for_each(|it| left.push_front(it.to_vec()));
        }
        Some(at)
    }

    /// Gives what lies in a directory; one that cannot be read is missed.
    fn below(&mut self, directory: FilePath) -> Vec<FilePath> {
        match self.root.list(&directory) {
            Ok(names) => names.iter().filter_map(|name| directory.join(name).ok()).collect(),
            Err(error) => {
                self.scan.miss(directory, error.to_string());
                Vec::new()
            }
        }
    }

    /// Goes through a directory for what no package knows.
    fn sweep(&mut self, top: FilePath) {
        let mut left = vec![top];
        while let Some(directory) = left.pop() {
            for path in self.below(directory) {
                if self.packages.names(&path) {
                    if self.root.kind(&path) == Some(Kind::Directory) {
                        left.push(path);
                    }
                } else if self.baseline.find(&path).is_none() {
                    self.unlisted(path);
                }
            }
        }
    }

    fn unlisted(&mut self, path: FilePath) {
        let Some(kind) = self.root.kind(&path) else { return };
        if is_generated(&path) {
            self.scan.generated += 1;
            return;
        }
        let found = match kind {
            Kind::Link if self.is_alternative(&path) || self.is_of_library(&path) => return,
            Kind::Link => {
                let target = self.root.target(&path).unwrap_or_default();
                format!("a link to {}", String::from_utf8_lossy(&target).escape_default())
            }
            Kind::Directory => match self.count(&path) {
                0 => return,
                1 => "a directory with one file".to_owned(),
                many => format!("a directory with {many} files"),
            },
            kind => name(kind).to_owned(),
        };
        let difference = differs(Aspect::Presence, "missing: no package brought it", &found);
        let entry = Protected {
            severity: stake(&path),
            path,
            class: Class::Packaged,
            presence: crate::protected::Presence::Forbidden,
            mode: None,
            owner: None,
            expected: None,
        };
        self.find(&entry, None, vec![difference]);
    }

    /// Says whether a link stands for one of several programs, all of packages.
    fn is_alternative(&mut self, path: &FilePath) -> bool {
        let packages = self.packages;
        let Some((chosen, choices)) = packages.alternatives.of(path) else { return false };
        let leads_to_chosen = self.root.target(path).is_some_and(|it| it == chosen.as_bytes());
        let choice = self.root.target(chosen).and_then(|it| FilePath::new(it).ok());
        let is_choice = choice.is_some_and(|choice| {
            choices.contains(&choice)
                || self.resolve(&choice).is_some_and(|it| choices.contains(&it))
        });
        leads_to_chosen && is_choice && matches!(self.end(path), End::Known | End::Nowhere)
    }

    /// Says whether a link is a shorter name of a library beside it, as ldconfig makes them.
    fn is_of_library(&mut self, path: &FilePath) -> bool {
        let target = self.root.target(path).unwrap_or_default();
        let stem = |name: &[u8]| {
            let at = name.windows(3).position(|three| three == b".so")?;
            Some(name[..at].to_vec())
        };
        let is_shorter = stem(path.name()).is_some_and(|it| stem(&target) == Some(it));
        is_shorter && !target.contains(&b'/') && matches!(self.end(path), End::Known)
    }

    /// Counts what lies in a directory that no package knows.
    fn count(&mut self, top: &FilePath) -> u64 {
        let (mut left, mut count) = (vec![top.clone()], 0);
        while let Some(directory) = left.pop() {
            for path in self.below(directory) {
                match self.root.kind(&path) {
                    _ if is_generated(&path) => self.scan.generated += 1,
                    Some(Kind::Directory) => left.push(path),
                    _ => count += 1,
                }
            }
            if count > MOST_COUNTED {
                break;
            }
        }
        count
    }
}

fn leads(end: &FilePath) -> Difference {
    let should = "a link to what a package brought";
    differs(Aspect::Content, should, &format!("a link to {end}"))
}
