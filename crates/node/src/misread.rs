//! Remembers components that may have read a file which was put right since: with which process
//! that ends, by the time it was started, on the disk before the file changes.
//!
//! Times are ticks since the machine booted, so that no clock decides; another boot starts every
//! process anew.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::files::{self, Permissions};
use crate::processes;
use crate::root::Root;

/// Up to which process of a component nobody knows what it read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Until {
    /// Every one of this boot: the file is being written.
    Now,
    /// Those that were started until then, in ticks.
    Ticks(u64),
}

/// The files that are being put right now, by the components that read them. Steps are done side by
/// side: only the last one to end may say from when on a component has read what is right.
#[derive(Debug, Default)]
pub(crate) struct Doubts(Mutex<BTreeMap<String, Open>>);

/// The doubts about one component that are open.
#[derive(Debug, Default)]
struct Open {
    count: usize,
    /// Whether one of them was dropped without an end: none of the others settles anything then.
    was_dropped: bool,
}

/// One file of one component that is being put right. Dropped without an end, it leaves the
/// component in doubt: the file may hold anything.
pub(crate) struct Doubt<'a> {
    doubts: &'a Doubts,
    root: &'a Root,
    component: String,
    has_ended: bool,
}

impl Doubts {
    /// Says that every process of a component may have read what is about to be put right.
    pub(crate) fn begin<'a>(&'a self, root: &'a Root, component: &str) -> io::Result<Doubt<'a>> {
        let mut open = self.open();
        write(root, &path(root, component), Until::Now)?;
        open.entry(component.to_owned()).or_default().count += 1;
        Ok(Doubt { doubts: self, root, component: component.to_owned(), has_ended: false })
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doubt<'_> {
    /// Says that the file is right from now on.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.has_ended = true;
        self.close()
    }

    /// Counting and settling are one act: of two that end at once, one is the last.
    fn close(&self) -> io::Result<()> {
        let mut all = self.doubts.open();
        let Some(open) = all.get_mut(&self.component) else { return Ok(()) };
        open.count -= 1;
        open.was_dropped |= !self.has_ended;
        match open {
            Open { count: 0, was_dropped } => {
                let is_right = !*was_dropped;
                all.remove(&self.component);
                if is_right { settle(self.root, &self.component) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            // Nothing is written where nothing is settled.
            let _ = self.close();
        }
    }
}

/// Says that only processes which run now may have read what was wrong.
pub(crate) fn settle(root: &Root, component: &str) -> io::Result<()> {
    files::remove_if_there(&note(root, component))?;
    match processes::youngest(root, component) {
        Some((_, ticks)) => write(root, &path(root, component), Until::Ticks(ticks)),
        None => files::remove_if_there(&path(root, component)),
    }
}

/// Says whether a process that was started then may have read what was wrong.
pub(crate) fn covers(root: &Root, component: &str, started: u64) -> bool {
    let until = |path: PathBuf| match read(root, &path) {
        Some(Until::Now) => true,
        Some(Until::Ticks(ticks)) => started <= ticks,
        None => false,
    };
    until(path(root, component)) || until(note(root, component))
}

/// Says that somebody else than an operator puts a file right which this unit or component may have read: the
/// agent of a machine, which starts nothing anew. The next run does.
///
/// # Errors
/// It cannot be written down.
pub fn note_misread(root: &Root, name: &str) -> io::Result<()> {
    write(root, &note(root, name), Until::Now)
}

/// Says whether it was noted of a unit since this boot.
pub(crate) fn is_noted(root: &Root, unit: &str) -> bool {
    read(root, &note(root, unit)).is_some()
}

/// Takes a note back: what it was of was started anew.
pub(crate) fn forget_note(root: &Root, unit: &str) -> io::Result<()> {
    files::remove_if_there(&note(root, unit))
}

fn read(root: &Root, path: &Path) -> Option<Until> {
    let text = std::fs::read_to_string(path).ok()?;
    let (boot, until) = text.trim().split_once(' ')?;
    match until {
        _ if boot != self::boot(root) => None,
        "now" => Some(Until::Now),
        ticks => ticks.parse().ok().map(Until::Ticks),
    }
}

fn write(root: &Root, path: &Path, until: Until) -> io::Result<()> {
    path.parent().map_or(Ok(()), files::private_directory)?;
    let until = match until {
        Until::Now => "now".to_owned(),
        Until::Ticks(ticks) => ticks.to_string(),
    };
    let text = format!("{} {until}\n", boot(root));
    files::write(path, text.as_bytes(), Permissions::private())
}

fn boot(root: &Root) -> String {
    let id = std::fs::read_to_string(root.own("proc/sys/kernel/random/boot_id"));
    id.map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
}

fn path(root: &Root, component: &str) -> PathBuf {
    root.state("misread").join(component.replace('/', "_"))
}

/// Where the agent notes it: it can write nowhere else.
fn note(root: &Root, name: &str) -> PathBuf {
    root.state("integrity/misread").join(name.replace('/', "_"))
}

#[cfg(test)]
mod tests {
    use super::{Doubts, boot, covers, forget_note, is_noted, note_misread, settle};
    use crate::root::Root;

    fn machine() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        let id = directory.path().join("proc/sys/kernel/random");
        std::fs::create_dir_all(&id).unwrap();
        std::fs::write(id.join("boot_id"), "one\n").unwrap();
        (directory, root)
    }

    fn process(root: &tempfile::TempDir, started: u64) {
        let at = root.path().join("proc/77");
        std::fs::create_dir_all(&at).unwrap();
        std::fs::write(at.join("cmdline"), "/usr/local/bin/etcd\0").unwrap();
        let stat = format!("77 (etcd) S {} {started} 0", "0 ".repeat(18).trim());
        std::fs::write(at.join("stat"), stat).unwrap();
    }

    #[test]
    fn a_process_from_before_a_file_was_put_right_is_not_believed() {
        let (directory, root) = machine();
        process(&directory, 500);
        assert!(!covers(&root, "etcd", 500), "nothing was put right");
        let doubts = Doubts::default();
        let doubt = doubts.begin(&root, "etcd").unwrap();
        assert!(covers(&root, "etcd", 900), "who starts meanwhile may read either");
        doubt.end().unwrap();
        assert!(covers(&root, "etcd", 500));
        assert!(!covers(&root, "etcd", 501));
        assert!(!covers(&root, "kube-apiserver", 500));
    }

    #[test]
    fn the_last_of_several_files_ends_the_doubt() {
        let (directory, root) = machine();
        process(&directory, 500);
        let doubts = Doubts::default();
        let (one, other) =
            (doubts.begin(&root, "etcd").unwrap(), doubts.begin(&root, "etcd").unwrap());
        one.end().unwrap();
        assert!(covers(&root, "etcd", 900), "the other file is still wrong");
        other.end().unwrap();
        assert!(!covers(&root, "etcd", 501));
        drop(doubts.begin(&root, "etcd").unwrap());
        assert!(covers(&root, "etcd", 900), "the file may hold anything");
        doubts.begin(&root, "etcd").unwrap().end().unwrap();
        assert!(!covers(&root, "etcd", 501));
    }

    #[test]
    fn a_file_that_was_not_put_right_leaves_the_doubt_of_the_others() {
        let (directory, root) = machine();
        process(&directory, 500);
        let doubts = Doubts::default();
        let (one, other) =
            (doubts.begin(&root, "etcd").unwrap(), doubts.begin(&root, "etcd").unwrap());
        drop(one);
        other.end().unwrap();
        assert!(covers(&root, "etcd", 900), "the first file may hold anything");
    }

    #[test]
    fn many_files_are_put_right_side_by_side() {
        let (directory, root) = machine();
        process(&directory, 500);
        let doubts = Doubts::default();
        // Two that end at once are the case: each round has both threads at it.
        for _ in 0..200 {
            let both = [doubts.begin(&root, "etcd").unwrap(), doubts.begin(&root, "etcd").unwrap()];
            std::thread::scope(|scope| {
                for doubt in both {
                    scope.spawn(move || doubt.end().unwrap());
                }
            });
            assert!(covers(&root, "etcd", 500) && !covers(&root, "etcd", 501));
        }
    }

    #[test]
    fn what_an_agent_put_right_is_in_doubt_until_its_reader_was_started_anew() {
        let (directory, root) = machine();
        process(&directory, 500);
        note_misread(&root, "etcd").unwrap();
        assert!(covers(&root, "etcd", 900) && !covers(&root, "kube-apiserver", 900));
        settle(&root, "etcd").unwrap();
        assert!(covers(&root, "etcd", 500) && !covers(&root, "etcd", 501));
        note_misread(&root, "kubelet.service").unwrap();
        assert!(is_noted(&root, "kubelet.service") && !is_noted(&root, "containerd.service"));
        forget_note(&root, "kubelet.service").unwrap();
        assert!(!is_noted(&root, "kubelet.service"));
        note_misread(&root, "kubelet.service").unwrap();
        std::fs::write(directory.path().join("proc/sys/kernel/random/boot_id"), "two\n").unwrap();
        assert!(!is_noted(&root, "kubelet.service"), "another boot has read everything anew");
    }

    #[test]
    fn another_boot_has_read_everything_anew() {
        let (directory, root) = machine();
        process(&directory, 500);
        drop(Doubts::default().begin(&root, "etcd").unwrap());
        std::fs::write(directory.path().join("proc/sys/kernel/random/boot_id"), "two\n").unwrap();
        assert_eq!(boot(&root), "two");
        assert!(!covers(&root, "etcd", 5));
    }
}
