//! Takes items away and puts back what was there before ringfort came.

use std::path::{Path, PathBuf};

use rustix::mount::UnmountFlags;

use ringfort_model::item::ItemId;
use ringfort_model::seen::{ItemSeen, Look};

use super::{ActError, Actor};
use crate::backup::Before;
use crate::files;

impl Actor<'_> {
    /// Takes an item away. What was kept stays kept until the journal says so: cut off anywhere,
    /// the same step comes out right.
    pub(super) fn remove(&self, item: &ItemId) -> Result<ItemSeen, ActError> {
        let kept = self.backup.kept(item).map_err(|error| {
            ActError::Refused(format!("what was there before {item} cannot be read: {error}"))
        })?;
        // Nothing was kept: the item was never begun, so there is nothing of ours.
        if let Some(before) = kept {
            self.undo(item, &before)?;
        }
        Ok(self.looker().one(item, &Look::Plain))
    }

    fn undo(&self, item: &ItemId, before: &Before) -> Result<(), ActError> {
        match (item, before) {
            (ItemId::File(path), before) => self.undo_file(item, &self.root.item(path)?, before),
            (ItemId::Directory(path), before) => {
                self.undo_directory(item, &self.root.item(path)?, before)
            }
            (ItemId::Sysctl(name), Before::Value(value)) => self.set_sysctl(name, value),
            (ItemId::User(name), Before::Absent) => self.remove_user(name),
            (ItemId::Image(reference), Before::Absent) => self.remove_image(reference),
            (ItemId::Unit(name), _) => self.remove_unit(name),
            _ => Ok(()),
        }
    }

    fn undo_file(&self, item: &ItemId, path: &Path, before: &Before) -> Result<(), ActError> {
        if matches!(before, Before::Absent | Before::Directory { .. }) {
            files::remove_if_there(path)
                .and_then(
                    |()| if parent_is_there(path) { files::sync_parent(path) } else { Ok(()) },
                )
                .map_err(ActError::at(path))?;
        }
        self.backup.put_back(item, before, path).map_err(ActError::at(path))?;
        if path.starts_with(self.root.own("etc/systemd")) {
            crate::tools::run(self.tools, "systemctl", &["daemon-reload"])?;
        }
        Ok(())
    }

    fn undo_directory(&self, item: &ItemId, path: &Path, before: &Before) -> Result<(), ActError> {
        let was_empty = !matches!(before, Before::Directory { empty: false, .. });
        // Components keep their data below /var: what is there came with the cluster. Elsewhere
        // somebody may have added a file of their own.
        if was_empty && path.starts_with(self.root.own("var")) {
            self.empty(path)?;
        }
        if !matches!(before, Before::Directory { .. }) {
            match std::fs::remove_dir(path) {
                Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {}
                other => files::absent_is_fine(other).map_err(ActError::at(path))?,
            }
        }
        self.backup.put_back(item, before, path).map_err(ActError::at(path))
    }

    /// Takes away all that is in a directory. What is mounted below is detached first and never
    /// entered: a volume holds its user's data.
    fn empty(&self, path: &Path) -> Result<(), ActError> {
        let Ok(entries) = std::fs::read_dir(path) else { return Ok(()) };
        let mounts = std::fs::read_to_string(self.root.own("proc/self/mountinfo"));
        for mount in mounts_below(&mounts.unwrap_or_default(), path) {
            rustix::mount::unmount(&mount, UnmountFlags::DETACH)
                .map_err(|error| ActError::at(&mount)(error.into()))?;
        }
        for entry in entries {
            let entry = entry.map_err(ActError::at(path))?.path();
            let is = std::fs::symlink_metadata(&entry).map_err(ActError::at(&entry))?;
            let removed = if is.is_dir() {
                std::fs::remove_dir_all(&entry)
            } else {
                std::fs::remove_file(&entry)
            };
            files::absent_is_fine(removed).map_err(ActError::at(&entry))?;
        }
        Ok(())
    }
}

fn parent_is_there(path: &Path) -> bool {
    path.parent().is_some_and(Path::is_dir)
}

/// Lists what is mounted below a directory, the last mounted first (proc_pid_mountinfo(5)).
fn mounts_below(mountinfo: &str, directory: &Path) -> Vec<PathBuf> {
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped);
    let below = points.filter(|point| point != directory && point.starts_with(directory));
    let mut below: Vec<_> = below.collect();
    below.reverse();
    below
}

/// Reads a path in which blanks are written as three octal digits.
fn unescaped(text: &str) -> PathBuf {
    let text = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain));
    PathBuf::from(text)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::mounts_below;

    #[test]
    fn mounts_are_detached_from_the_top() {
        let info = "22 1 0:5 / / rw - ext4 /dev/vda rw\n\
                    40 22 0:9 / /var/lib/kubelet rw - ext4 /dev/loop0 rw\n\
                    41 40 0:30 / /var/lib/kubelet/pods/a\\040b rw - tmpfs tmpfs rw\n\
                    42 41 0:31 / /var/lib/kubelet/pods/a\\040b/c rw - tmpfs tmpfs rw\n\
                    43 22 0:32 / /var/lib/kubelet2 rw - tmpfs tmpfs rw\n";
        let check = |directory: &str, expected: &[&str]| {
            let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(mounts_below(info, Path::new(directory)), expected);
        };
        check("/var/lib/kubelet", &["/var/lib/kubelet/pods/a b/c", "/var/lib/kubelet/pods/a b"]);
        check("/var/lib/etcd", &[]);
    }
}
