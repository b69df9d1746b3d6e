//! The way to files as a machine, or a process in a container, sees them: links lead where they lead there.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use ringfort_model::machine::{AclEntry, AclTag, FileFacts, FileKind, Observed, Unseen};
use ringfort_model::mode::{FileMode, Owner};

use super::{MOST_BYTES, is_directory};
use crate::root::Root;

/// A root directory, opened or not.
pub(super) struct Door {
    root: Result<OwnedFd, Errno>,
    /// What supplies what this door does not show.
    closes: &'static str,
}

impl Door {
    /// Opens the machine's own.
    pub(super) fn machine(root: &Root) -> Self {
        Self::open(root.path(), "run it as root")
    }

    /// Opens that of a process, by its directory below `/proc`.
    pub(super) fn process(directory: &Path) -> Self {
        Self::open(&directory.join("root"), "run it as root, with the right to trace processes")
    }

    fn open(path: &Path, closes: &'static str) -> Self {
        Self { root: openat(CWD, path, PATH, Mode::empty()), closes }
    }

    /// Tells a file's mode, owner and grants.
    pub(super) fn about(&self, path: &str) -> Observed<FileFacts> {
        self.observed(path, self.reach(path, PATH).and_then(|file| about(&file)))
    }

    /// Says whether a path itself is a directory; a link to one is none.
    pub(super) fn is_directory(&self, path: &str) -> Observed<bool> {
        let opened = self.reach(path, PATH | OFlags::NOFOLLOW);
        self.observed(path, opened.and_then(|file| about(&file))).map(|it| is_directory(&it))
    }

    /// Tells where a file is: its device and its number there.
    pub(super) fn place(&self, path: &str) -> Observed<(u64, u64)> {
        let stat = self.reach(path, PATH).and_then(|file| rustix::fs::fstat(&file));
        self.observed(path, stat.map(|stat| (stat.st_dev, stat.st_ino)))
    }

    /// Reads a text, if it is not too large.
    pub(super) fn text(&self, path: &str) -> Observed<String> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let read = self.reach(path, flags).map_err(io::Error::from).and_then(|file| {
            let mut bytes = Vec::new();
            File::from(file).take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
            match bytes.len() as u64 > MOST_BYTES {
                true => Err(io::Error::other(format!("larger than {MOST_BYTES} bytes"))),
                false => String::from_utf8(bytes).map_err(|_| io::Error::other("not UTF-8")),
            }
        });
        match read {
            Ok(text) => Observed::Known(text),
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(errno) => self.observed(path, Err(errno)),
                None => Observed::Gap(Unseen {
                    at: path.to_owned(),
                    why: error.to_string(),
                    closes: format!("a text of at most {MOST_BYTES} bytes at {path}"),
                }),
            },
        }
    }

    /// Reads the end of a file, and says whether that is all of it.
    pub(super) fn end(&self, path: &str, most: u64) -> Observed<(Vec<u8>, bool)> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let read = self.reach(path, flags).map_err(io::Error::from).and_then(|file| {
            let mut file = File::from(file);
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
            let mut bytes = Vec::new();
            file.take(most).read_to_end(&mut bytes)?;
            Ok((bytes, length <= most))
        });
        let errno = |error: &io::Error| error.raw_os_error().map(Errno::from_raw_os_error);
        self.observed(path, read.map_err(|error| errno(&error).unwrap_or(Errno::IO)))
    }

    /// Lists what a directory holds, up to one more than the most.
    pub(super) fn names(&self, path: &str, most: usize) -> Observed<Vec<String>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let names = self.reach(path, flags).and_then(Dir::new).and_then(|entries| {
            let mut names = Vec::new();
            for entry in entries {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if name != "." && name != ".." {
                    names.push(name);
                }
                if names.len() > most {
                    break;
                }
            }
            names.sort();
            Ok(names)
        });
        self.observed(path, names)
    }

    fn reach(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let root = self.root.as_ref().map_err(|errno| *errno)?;
        openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)
    }

    fn observed<T>(&self, path: &str, seen: Result<T, Errno>) -> Observed<T> {
        match seen {
            Ok(value) => Observed::Known(value),
            // Where the root itself is not there, nothing was looked at.
            Err(Errno::NOENT | Errno::NOTDIR) if self.root.is_ok() => Observed::Absent,
            Err(errno) => Observed::Gap(Unseen {
                at: path.to_owned(),
                why: io::Error::from(errno).to_string(),
                closes: self.closes.to_owned(),
            }),
        }
    }
}

/// A file as a place, unread.
const PATH: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

fn about(file: &OwnedFd) -> Result<FileFacts, Errno> {
    let stat = rustix::fs::fstat(file)?;
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        _ => FileKind::Other,
    };
    let owner = Owner { uid: stat.st_uid, gid: stat.st_gid };
    Ok(FileFacts { kind, mode: FileMode(stat.st_mode & 0o7777), owner, acl: acl(file) })
}

/// Reads grants beside a mode. A file system without them has none.
fn acl(file: &OwnedFd) -> Observed<Vec<AclEntry>> {
    let mut bytes = [0_u8; 4096];
    let at = format!("/proc/self/fd/{}", file.as_raw_fd());
    match rustix::fs::getxattr(&at, "system.posix_acl_access", &mut bytes[..]) {
        Ok(length) => match entries(&bytes[..length]) {
            Some(entries) => Observed::Known(entries),
            None => unread_acl("an access control list of another version"),
        },
        Err(Errno::NODATA | Errno::NOTSUP) => Observed::Absent,
        Err(errno) => unread_acl(&io::Error::from(errno).to_string()),
    }
}

fn unread_acl<T>(why: &str) -> Observed<T> {
    Observed::Gap(Unseen {
        at: "system.posix_acl_access".to_owned(),
        why: why.to_owned(),
        closes: "an access control list that can be read, or none".to_owned(),
    })
}

/// Reads entries as the kernel gives them (include/uapi/linux/posix_acl_xattr.h): a version of four bytes,
/// then a tag and permissions of two bytes each and an id of four.
fn entries(bytes: &[u8]) -> Option<Vec<AclEntry>> {
    let (version, entries) = bytes.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != 2 || entries.len() % 8 != 0 {
        return None;
    }
    let entry = |bytes: &[u8]| {
        let two = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let id = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        let tag = match two(0) {
            0x01 => AclTag::Owner,
            0x02 => AclTag::User,
            0x04 => AclTag::OwningGroup,
            0x08 => AclTag::Group,
            0x10 => AclTag::Mask,
            0x20 => AclTag::Other,
            _ => return None,
        };
        let id = matches!(tag, AclTag::User | AclTag::Group).then_some(id);
        Some(AclEntry { tag, id, permissions: two(2) })
    };
    entries.chunks(8).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::{AclTag, entries};

    #[test]
    fn access_control_lists_are_read_as_the_kernel_gives_them() {
        let bytes = [2, 0, 0, 0, 2, 0, 4, 0, 232, 3, 0, 0, 0x10, 0, 6, 0, 255, 255, 255, 255];
        let read = entries(&bytes).unwrap();
        assert_eq!((read[0].tag, read[0].id, read[0].permissions), (AclTag::User, Some(1000), 4));
        assert_eq!((read[1].tag, read[1].id, read[1].permissions), (AclTag::Mask, None, 6));
        for bad in [&bytes[..3], &bytes[..7], &[1, 0, 0, 0], &[2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]]
        {
            assert_eq!(entries(bad), None, "{bad:?}");
        }
    }
}
