//! Files that appear whole or not at all: written aside, synced, renamed, the directory synced.
//!
//! The last component of a path is never followed through a symbolic link.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, Uid};
use sha2::Digest as _;

use ringfort_model::digest::Digest;
use ringfort_model::item::STAGED;
use ringfort_model::mode::{FileMode, Owner};

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Who may do what with a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permissions {
    pub(crate) mode: FileMode,
    pub(crate) owner: Owner,
}

impl Permissions {
    /// Root alone reads and writes: ringfort's own state.
    pub(crate) fn private() -> Self {
        let owner = Owner {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        };
        Self { mode: FileMode(0o600), owner }
    }
}

/// A file that is being written aside. Dropped before it is placed, it is taken away.
pub(crate) struct Aside {
    file: File,
    aside: PathBuf,
    target: PathBuf,
    placed: bool,
}

impl Aside {
    /// Begins to write a file; what was begun before and not finished is thrown away.
    pub(crate) fn begin(target: &Path) -> io::Result<Self> {
        let aside = aside(target)?;
        remove_if_there(&aside)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(&aside)?;
        Ok(Self { file, aside, target: target.to_owned(), placed: false })
    }

    /// Puts the finished file in its place.
    pub(crate) fn place(mut self, permissions: Permissions) -> io::Result<()> {
        set_permissions(&self.file, permissions)?;
        self.file.sync_all()?;
        std::fs::rename(&self.aside, &self.target)?;
        self.placed = true;
        sync_parent(&self.target)
    }
}

impl io::Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.placed {
            // What stays is thrown away when the same file is begun again.
            let _ = std::fs::remove_file(&self.aside);
        }
    }
}

/// Names the file that a target is written aside as: kubelet skips names that begin with a dot,
/// and the API server reads only names that end in `.yaml`, `.yml` or `.json`.
pub(crate) fn aside(target: &Path) -> io::Result<PathBuf> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(STAGED);
    Ok(target.with_file_name(hidden))
}

/// Writes a whole file.
pub(crate) fn write(target: &Path, bytes: &[u8], permissions: Permissions) -> io::Result<()> {
    let mut aside = Aside::begin(target)?;
    aside.write_all(bytes)?;
    aside.place(permissions)
}

/// Sets owner before mode, since a change of owner clears bits of the mode.
pub(crate) fn set_permissions(file: &File, permissions: Permissions) -> io::Result<()> {
    let Owner { uid, gid } = permissions.owner;
    rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    rustix::fs::fchmod(file, Mode::from_raw_mode(permissions.mode.0))?;
    Ok(())
}

/// Reads the mode and owner of what was found.
pub(crate) fn permissions(metadata: &std::fs::Metadata) -> Permissions {
    Permissions {
        mode: FileMode(metadata.permissions().mode() & 0o7777),
        owner: Owner { uid: metadata.uid(), gid: metadata.gid() },
    }
}

/// Opens a file for reading, but no symbolic link.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

/// Opens a directory, but no symbolic link to one.
pub(crate) fn open_directory(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

/// Hashes a file piece by piece.
pub(crate) fn digest(path: &Path) -> io::Result<Digest> {
    copy(&mut open(path)?, &mut io::sink())
}

/// Copies bytes and hashes them on the way.
pub(crate) fn copy(from: &mut impl Read, to: &mut impl io::Write) -> io::Result<Digest> {
    let mut hash = sha2::Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = match from.read(&mut piece) {
            Ok(0) => return Ok(Digest::from_array(hash.finalize().into())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&piece[..count]);
        to.write_all(&piece[..count])?;
    }
}

/// Makes what changed in a directory last.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    File::open(parent)?.sync_all()
}

/// Makes a directory of ringfort's own state, for root alone.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    sync_parent(path)
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    absent_is_fine(std::fs::remove_file(path))
}

/// Takes "not there" for success.
pub(crate) fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use super::{Aside, Permissions, aside, digest, write};
    use ringfort_model::digest::Digest;
    use ringfort_model::mode::FileMode;

    #[test]
    fn names_aside_are_read_by_nobody() {
        let check = |target: &str, expected: &str| {
            assert_eq!(aside(Path::new(target)).unwrap(), Path::new(expected));
        };
        check(
            "/etc/kubernetes/manifests/etcd.yaml",
            "/etc/kubernetes/manifests/.etcd.yaml.ringfort.new",
        );
        check("/a/b", "/a/.b.ringfort.new");
        assert!(aside(Path::new("/")).is_err());
    }

    #[test]
    fn a_file_appears_whole_with_its_permissions() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("x");
        let mode = |mode| Permissions { mode: FileMode(mode), ..Permissions::private() };
        std::fs::write(aside(&target).unwrap(), "left behind").unwrap();
        write(&target, b"one", mode(0o644)).unwrap();
        write(&target, b"two", mode(0o4751)).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o7777, 0o4751);
        assert_eq!(digest(&target).unwrap(), Digest::of(b"two"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_unfinished_file_leaves_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("x");
        write(&target, b"old", Permissions::private()).unwrap();
        std::io::Write::write_all(&mut Aside::begin(&target).unwrap(), b"half").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_in_the_last_place_is_replaced_and_never_followed() {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = directory.path().join("elsewhere");
        let target = directory.path().join("x");
        std::fs::write(&elsewhere, "kept").unwrap();
        symlink(&elsewhere, &target).unwrap();
        assert!(digest(&target).is_err());
        write(&target, b"new", Permissions::private()).unwrap();
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"kept");
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
    }
}
