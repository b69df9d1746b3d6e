//! Files that are judged together. Their texts are held, their trees only while one of them is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ringfort_check::kinds::POLICIES;
use ringfort_check::outline::{Outline, outline};
use ringfort_check::report::{
    InFile, InObject, LeftOut, Locate, Located, Named, Place, Report, Span, Why,
};
use ringfort_check::texts::Texts;
use ringfort_check::upstream::Standing;
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::manifest::{self, Document, Lines};
use ringfort_model::judgement::Gap;

use super::place;
use crate::cli::Fault;
use crate::cli::files::{self, Unread};
use crate::cli::sources::{self, Built};

/// All files that could be read as text, and what could not.
pub(in crate::cli) struct Tree {
    pub(in crate::cli) files: Vec<File>,
    pub(in crate::cli) unread: Vec<Unread>,
    /// Kinds of which a cluster did not list all objects, and why not; none where files were read.
    unlisted: Vec<(&'static str, Gap)>,
    /// By the numbers of their files, objects of a cluster that are left out, and why.
    left_out: BTreeMap<usize, Why>,
    /// By the numbers of their files, objects that are called as Kubernetes' own, and how they differ from it.
    changed: BTreeMap<usize, String>,
    /// Where the texts come from: of a cluster nobody fills them in.
    texts: Texts,
}

/// A file.
pub(in crate::cli) struct File {
    pub(in crate::cli) name: Arc<str>,
    pub(in crate::cli) text: String,
    pub(in crate::cli) path: PathBuf,
    /// Whether it was named itself, and not found below a directory.
    is_named: bool,
}

/// By their names, objects of a cluster that are not judged as all others are.
pub(super) struct Spared {
    /// What is called as Kubernetes' own.
    pub(super) standings: BTreeMap<String, Standing>,
    /// What is about to be gone.
    pub(super) deleted: BTreeSet<String>,
}

/// Outlines of all documents of each file; none of one that is no manifest.
pub(in crate::cli) struct Outlines(Vec<Vec<Outline>>);

impl Tree {
    /// Reads files, and all below directories. What cannot be read is kept, unless it was named itself.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, Fault> {
        let (mut named, mut built, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        for path in paths {
            let is_named = !path.is_dir();
            let found = sources::find(path, paths).map_err(Fault::usage)?;
            named.extend(found.files.into_iter().map(|path| (path, is_named)));
            built.extend(found.built);
            unread.extend(found.unread);
        }
        let mut tree = Self::of(named, unread)?;
        tree.files.extend(built.into_iter().map(|Built { name, text }| {
            let path = PathBuf::from(&name);
            File { name: name.into(), text, path, is_named: false }
        }));
        Ok(tree)
    }

    /// Reads the files that may be edited. What stands beside them and may not be is told.
    pub(in crate::cli) fn written(paths: &[PathBuf]) -> Result<(Self, Vec<Unread>), Fault> {
        let (mut named, mut left, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        for path in paths {
            let is_named = !path.is_dir();
            let found = sources::written(path).map_err(Fault::usage)?;
            named.extend(found.files.into_iter().map(|path| (path, is_named)));
            left.extend(found.left);
            unread.extend(found.unread);
        }
        Ok((Self::of(named, unread)?, left))
    }

    /// Takes objects of a cluster for files that nobody wrote, each with its name and its text.
    pub(super) fn of_cluster(
        mut objects: Vec<(String, String)>,
        unlisted: Vec<(&'static str, Gap)>,
        spared: &Spared,
    ) -> Self {
        objects.sort();
        let (mut left_out, mut changed) = (BTreeMap::new(), BTreeMap::new());
        for (number, (name, _)) in objects.iter().enumerate() {
            match spared.standings.get(name) {
                _ if spared.deleted.contains(name) => {
                    left_out.insert(number, Why::Deleted);
                }
                Some(Standing::Own(own)) => {
                    left_out.insert(number, Why::Own(*own));
                }
                Some(Standing::Changed(how)) => {
                    changed.insert(number, how.clone());
                }
                None => {}
            }
        }
        let file = |(name, text): (String, String)| {
            let path = PathBuf::from(&name);
            File { name: name.into(), text, path, is_named: false }
        };
        let files = objects.into_iter().map(file).collect();
        Self { files, unread: Vec::new(), unlisted, left_out, changed, texts: Texts::Served }
    }

    fn of(named: Vec<(PathBuf, bool)>, unread: Vec<Unread>) -> Result<Self, Fault> {
        let (files, unlisted) = (Vec::new(), Vec::new());
        let (left_out, changed) = (BTreeMap::new(), BTreeMap::new());
        let mut tree = Self { files, unread, unlisted, left_out, changed, texts: Texts::Written };
        let texts = side_by_side(&named, |(path, is_named)| match is_named {
            true => files::text(path),
            false => files::text_found(path),
        });
        for ((path, is_named), text) in named.into_iter().zip(texts) {
            match text {
                Ok(text) => {
                    let name = path.display().to_string().into();
                    tree.files.push(File { name, text, path, is_named });
                }
                Err(unread) if is_named => return Err(Fault::usage(unread)),
                Err(unread) => tree.unread.push(unread),
            }
        }
        Ok(tree)
    }

    /// Reads all documents, to keep of them what others may rest on.
    pub(in crate::cli) fn outlines(&mut self) -> Result<Outlines, Fault> {
        let texts = self.texts;
        let read = side_by_side(&self.files, |file| {
            let documents = manifest::read(&file.text)?;
            Ok(documents.into_iter().map(|it| outline(it.into_value(), texts)).collect())
        });
        let mut outlines = Vec::with_capacity(read.len());
        for (file, read) in self.files.iter().zip(read) {
            let wrong = |error: manifest::Unreadable| Unread::of(&file.path, &error);
            match read.map_err(wrong) {
                Ok(documents) => outlines.push(documents),
                Err(unread) if file.is_named => return Err(Fault::usage(unread)),
                Err(unread) => {
                    outlines.push(Vec::new());
                    self.unread.push(unread);
                }
            }
        }
        Ok(Outlines(outlines))
    }

    /// Gives all objects, of outlines.
    pub(in crate::cli) fn objects<'t>(
        &'t self,
        outlines: &'t Outlines,
        world: World,
        usual: Option<&'t str>,
    ) -> Objects<'t> {
        let mut objects = Objects::new(world, usual).with_texts(self.texts);
        for (file, documents) in outlines.0.iter().enumerate() {
            for (document, outline) in documents.iter().enumerate() {
                objects.add_outline(Origin { file, document }, outline);
            }
        }
        self.unread.iter().for_each(|unread| objects.add_unread(unread.name.clone()));
        for &(kind, ref gap) in &self.unlisted {
            objects.add_unlisted(kind, gap.clone());
        }
        if self.texts == Texts::Served {
            objects = objects.with_notice();
            // Of others a cluster is asked for policies alone, and those make no pods.
            for (versions, kind) in POLICIES {
                versions.iter().for_each(|version| objects.add_podless(version, kind));
            }
        }
        objects
    }

    /// Says what was not read, each with the reason.
    pub(super) fn unseen(&self) -> Vec<String> {
        let unlisted = self
            .unlisted
            .iter()
            .map(|(_, Gap { said, closes })| format!("{said}: it needs {closes}"));
        self.unread.iter().map(ToString::to_string).chain(unlisted).collect()
    }

    /// Gives, by the numbers of their files, objects that are known to the others and not judged themselves.
    pub(super) fn left_out(&self) -> &BTreeMap<usize, Why> {
        &self.left_out
    }

    /// Says how many objects are left out, and of what is found in those that are called as Kubernetes' own how they
    /// differ.
    pub(super) fn tell_left_out(&self, report: &mut Report) {
        report.left_out = LeftOut::count(self.left_out.values().copied());
        let changed = self.changed.iter();
        let changed = changed.map(|(number, how)| (&*self.files[*number].name, how.as_str()));
        report.tell_changed(&changed.collect());
    }

    /// Names the kinds of which a cluster did not list all objects.
    pub(super) fn unlisted(&self) -> Vec<&'static str> {
        self.unlisted.iter().map(|(kind, _)| *kind).collect()
    }

    /// Covers what a cluster's ConfigMaps hold wherever something is said of it, letter by letter so that places
    /// stay: an excerpt must not spread what may be a secret.
    pub(super) fn cover(&mut self, report: &Report) {
        let mut covered: BTreeMap<&str, Vec<Range<usize>>> = BTreeMap::new();
        let found = report.findings.iter().map(|it| &it.place);
        for place in found.chain(report.unknown.iter().map(|it| &it.place)) {
            if let Place::File(InFile { file, span, at, .. }) = place
                && is_held(at)
            {
                let start = span.offset as usize;
                covered.entry(file).or_default().push(start..start + span.length as usize);
            }
        }
        for file in &mut self.files {
            for range in covered.remove(&*file.name).unwrap_or_default() {
                if file.text.get(range.clone()).is_some() {
                    file.text.replace_range(range.clone(), &"*".repeat(range.len()));
                }
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.files.iter().map(|file| file.text.len()).sum()
    }
}

/// Whether a place is what a ConfigMap holds.
fn is_held(at: &InObject) -> bool {
    let is_data = |key: &str| at.pointer.starts_with(key);
    at.object.kind == "ConfigMap" && ["/data/", "/binaryData/"].into_iter().any(is_data)
}

/// Gives the part of a row, sorted by file, that is of each file.
pub(super) fn by_file(files: usize, of: &[usize]) -> Vec<Range<usize>> {
    let first = |file: usize| of.partition_point(|it| *it < file);
    (0..files).map(|file| first(file)..first(file + 1)).collect()
}

/// Does the same with every item, as many at once as there are processors, and gives what came of it in
/// the order of the items.
pub(in crate::cli) fn side_by_side<I: Sync, T: Send>(
    items: &[I],
    work: impl Fn(&I) -> T + Sync,
) -> Vec<T> {
    let most = thread::available_parallelism().map_or(1, usize::from);
    let workers = most.min(items.len().div_ceil(FEW)).max(1);
    let next = AtomicUsize::new(0);
    let take = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        items.get(at).map(|item| (at, work(item)))
    };
    let mut done: Vec<(usize, T)> = thread::scope(|scope| {
        let others: Vec<_> = (1..workers)
            .map(|_| scope.spawn(|| std::iter::from_fn(take).collect::<Vec<_>>()))
            .collect();
        let mut done: Vec<_> = std::iter::from_fn(take).collect();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, done)| done).collect()
}

/// So few items are not worth another thread.
const FEW: usize = 16;

/// A file with its tree, for as long as it is looked at.
pub(super) struct Parsed<'t> {
    pub(super) documents: Vec<Document>,
    lines: Lines<'t>,
}

/// Finds places in files, and reads again those whose trees are not held.
pub(super) struct Finder<'t> {
    files: &'t [File],
    /// The files looked at last, the latest at the end.
    recent: Vec<(usize, Rc<Parsed<'t>>)>,
}

/// What one object rests on lies in few other files.
const MOST_RECENT: usize = 8;

impl<'t> Finder<'t> {
    pub(super) fn new(files: &'t [File]) -> Self {
        Self { files, recent: Vec::new() }
    }

    /// Gives the tree of a file. Its text has been read once already, so that it can be read.
    pub(super) fn parsed(&mut self, file: usize) -> Rc<Parsed<'t>> {
        if let Some(at) = self.recent.iter().position(|(number, _)| *number == file) {
            self.recent[at..].rotate_left(1);
        } else {
            let text = &self.files[file].text;
            let documents = manifest::read(text).unwrap_or_default();
            if self.recent.len() == MOST_RECENT {
                self.recent.remove(0);
            }
            self.recent.push((file, Rc::new(Parsed { documents, lines: Lines::new(text) })));
        }
        Rc::clone(&self.recent[self.recent.len() - 1].1)
    }
}

impl Locate for Finder<'_> {
    fn locate(&mut self, origin: Origin, pointer: &str) -> Located {
        let file = Arc::clone(&self.files[origin.file].name);
        let parsed = self.parsed(origin.file);
        let Some(document) = parsed.documents.get(origin.document) else {
            let named = Named { pointer: pointer.into(), container: None };
            return Located { file, span: Span::default(), missing: Some(pointer.into()), named };
        };
        let (range, missing) = place(document, pointer);
        let named = Named::of(document.value(), pointer);
        let missing = Some(missing).filter(|it| !it.is_empty()).map(Into::into);
        Located { file, span: span(&parsed.lines, range), missing, named }
    }
}

/// Gives lines and columns of bytes.
pub(super) fn span(lines: &Lines<'_>, range: Range<usize>) -> Span {
    let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let (start, end) = (lines.position(range.start), lines.position(range.end));
    Span {
        line: short(start.line),
        column: short(start.column),
        end_line: short(end.line),
        end_column: short(end.column),
        offset: short(range.start),
        length: short(range.end.saturating_sub(range.start)),
    }
}

impl File {
    /// A file that is not one of the tree, such as that of waivers.
    pub(super) fn of(path: &Path) -> Result<Self, Unread> {
        let text = files::text(path)?;
        let name = path.display().to_string().into();
        Ok(Self { name, text, path: path.to_owned(), is_named: true })
    }
}

#[cfg(test)]
mod tests {
    use super::{by_file, side_by_side};

    #[test]
    fn what_comes_of_items_is_in_their_order() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(
            side_by_side(&items, |it| it * 2),
            items.iter().map(|it| it * 2).collect::<Vec<_>>()
        );
        assert_eq!(side_by_side(&[0; 0], |it: &i32| *it), Vec::<i32>::new());
    }

    #[test]
    fn a_row_is_parted_by_files() {
        assert_eq!(by_file(4, &[0, 0, 2, 2, 2, 3]), [0..2, 2..2, 2..5, 5..6]);
    }
}
