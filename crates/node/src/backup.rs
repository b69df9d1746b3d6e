//! What was at a place before ringfort first changed it, kept for root alone, so that `reset` puts
//! it back byte for byte.
//!
//! Kept once, before the first change, and forgotten when the place was given back.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::mode::{FileMode, Owner};

use crate::files::{self, Permissions};
use crate::root::Root;

/// What was there before.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Before {
    /// Nothing.
    Absent,
    /// A file; its bytes are kept beside.
    File { mode: FileMode, owner: Owner },
    /// A directory, and whether anything was in it.
    Directory { mode: FileMode, owner: Owner, empty: bool },
    /// A symbolic link.
    Link { target: PathBuf },
    /// A setting, a user or an image that was there, in words.
    Value(String),
}

/// What was kept, with the item's name for people who look.
#[derive(Deserialize, Serialize)]
struct Kept {
    item: ItemId,
    before: Before,
}

/// The place where it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Backup {
    directory: PathBuf,
}

impl Backup {
    /// Finds the place on a machine.
    pub(crate) fn open(root: &Root) -> Self {
        Self { directory: root.state("backup") }
    }

    /// Keeps what is at a path, unless something was kept for this item before.
    pub(crate) fn keep_path(&self, item: &ItemId, path: &Path) -> io::Result<()> {
        if self.kept(item)?.is_some() {
            return Ok(());
        }
        let before = match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Before::Absent,
            Err(error) => return Err(error),
            Ok(metadata) => self.keep_what_is_there(item, path, &metadata)?,
        };
        self.record(item, before)
    }

    fn keep_what_is_there(&self, item: &ItemId, path: &Path, is: &Metadata) -> io::Result<Before> {
        let Permissions { mode, owner } = files::permissions(is);
        let kind = is.file_type();
        if kind.is_dir() {
            return Ok(Before::Directory { mode, owner, empty: is_empty(path)? });
        }
        if kind.is_symlink() {
            return Ok(Before::Link { target: std::fs::read_link(path)? });
        }
        if kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device() {
            return Err(io::Error::other("it is no file, directory or link: take it away by hand"));
        }
        files::private_directory(&self.directory)?;
        let mut aside = files::Aside::begin(&self.bytes_of(item))?;
        files::copy(&mut files::open(path)?, &mut aside)?;
        aside.place(Permissions::private())?;
        Ok(Before::File { mode, owner })
    }

    /// Keeps a value in words; `None` says that nothing was there.
    pub(crate) fn keep_value(&self, item: &ItemId, value: Option<String>) -> io::Result<()> {
        if self.kept(item)?.is_some() {
            return Ok(());
        }
        self.record(item, value.map_or(Before::Absent, Before::Value))
    }

    fn record(&self, item: &ItemId, before: Before) -> io::Result<()> {
        files::private_directory(&self.directory)?;
        let kept = Kept { item: item.clone(), before };
        let text = serde_json::to_vec(&kept).map_err(io::Error::other)?;
        files::write(&self.record_of(item), &text, Permissions::private())
    }

    /// Reads what was kept for an item.
    pub(crate) fn kept(&self, item: &ItemId) -> io::Result<Option<Before>> {
        match std::fs::read(self.record_of(item)) {
            Ok(text) => serde_json::from_slice::<Kept>(&text)
                .map(|kept| Some(kept.before))
                .map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a kept file or link back to its path. The caller sees to directories and absence.
    pub(crate) fn put_back(&self, item: &ItemId, before: &Before, path: &Path) -> io::Result<()> {
        match before {
            Before::File { mode, owner } => {
                let mut aside = files::Aside::begin(path)?;
                files::copy(&mut files::open(&self.bytes_of(item))?, &mut aside)?;
                aside.place(Permissions { mode: *mode, owner: *owner })
            }
            Before::Link { target } => {
                let aside = files::aside(path)?;
                files::remove_if_there(&aside)?;
                std::os::unix::fs::symlink(target, &aside)?;
                std::fs::rename(&aside, path)?;
                files::sync_parent(path)
            }
            Before::Directory { mode, owner, .. } => {
                if !path.is_dir() {
                    std::fs::DirBuilder::new().mode(0o700).create(path)?;
                }
                let permissions = Permissions { mode: *mode, owner: *owner };
                files::set_permissions(&files::open_directory(path)?, permissions)
            }
            Before::Absent | Before::Value(_) => Ok(()),
        }
    }

    /// Forgets what was kept for an item, after the journal says that its place was given back.
    pub(crate) fn forget(&self, item: &ItemId) -> io::Result<()> {
        files::remove_if_there(&self.bytes_of(item))?;
        files::remove_if_there(&self.record_of(item))
    }

    /// Forgets what is kept for items that are not ringfort's: a crash came between the journal's
    /// record and the forgetting.
    pub(crate) fn tidy(&self, owned: &std::collections::BTreeSet<ItemId>) -> io::Result<()> {
        let entries = match std::fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let kept =
                serde_json::from_slice::<Kept>(&std::fs::read(&path)?).map_err(io::Error::other)?;
            if !owned.contains(&kept.item) {
                self.forget(&kept.item)?;
            }
        }
        Ok(())
    }

    fn record_of(&self, item: &ItemId) -> PathBuf {
        self.directory.join(format!("{}.json", Self::name(item)))
    }

    fn bytes_of(&self, item: &ItemId) -> PathBuf {
        self.directory.join(format!("{}.bytes", Self::name(item)))
    }

    fn name(item: &ItemId) -> Digest {
        Digest::of(item.to_string().as_bytes())
    }
}

/// Says whether a directory holds nothing but what its file system put there.
fn is_empty(directory: &Path) -> io::Result<bool> {
    let names = std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.file_name()));
    let names: Vec<_> = names.collect::<io::Result<_>>()?;
    Ok(names.iter().all(|name| name == "lost+found"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{Backup, Before};
    use crate::root::Root;
    use ringfort_model::item::ItemId;

    #[test]
    fn the_first_state_is_kept_and_comes_back_byte_for_byte() {
        let directory = tempfile::tempdir().unwrap();
        let backup = Backup::open(&Root::new(directory.path().join("root")));
        let path = directory.path().join("hosts");
        let item = ItemId::file("/hosts");
        std::fs::write(&path, b"\xff first").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        backup.keep_path(&item, &path).unwrap();
        std::fs::write(&path, "second").unwrap();
        backup.keep_path(&item, &path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let kept = backup.kept(&item).unwrap().unwrap();
        backup.put_back(&item, &kept, &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"\xff first");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        backup.tidy(&[item.clone()].into()).unwrap();
        assert!(backup.kept(&item).unwrap().is_some());
        backup.tidy(&[].into()).unwrap();
        assert_eq!(backup.kept(&item).unwrap(), None);
    }

    #[test]
    fn links_directories_and_absence_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let backup = Backup::open(&Root::new(directory.path().join("root")));
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("away", &link).unwrap();
        let check = |name: &str, expected: fn(&Before) -> bool| {
            let item = ItemId::file(format!("/{name}"));
            backup.keep_path(&item, &directory.path().join(name)).unwrap();
            let kept = backup.kept(&item).unwrap().unwrap();
            assert!(expected(&kept), "{kept:?}");
        };
        check("link", |b| matches!(b, Before::Link { target } if target.as_os_str() == "away"));
        check("none", |b| *b == Before::Absent);
        check("root", |b| matches!(b, Before::Directory { .. }));
    }
}
