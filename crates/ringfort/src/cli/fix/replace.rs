//! Writes a file anew so that there is always a whole one: what was, or what comes.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::Path;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;

/// Writes a text in the place of another that was read from a file. Links to it stay links; its mode, its
/// owner, its access control list and its other extended attributes stay.
///
/// # Errors
/// The file may not be written, has other names, has attributes that cannot be kept, says something else by now, or
/// the disk takes no more. It is as it was then.
pub(super) fn replace(path: &Path, before: &str, after: &str) -> io::Result<()> {
    let real = fs::canonicalize(path)?;
    // A file that nobody may write is not exchanged either.
    let open = OpenOptions::new().write(true).open(&real)?;
    let was = open.metadata()?;
    if was.nlink() > 1 {
        return Err(io::Error::other(
            "it has other names (hard links), which would keep the old text",
        ));
    }
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let aside = real.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = write(&aside, after, (&open, &was)).and_then(|()| {
        if fs::read(&real)? != before.as_bytes() {
            return Err(io::Error::other("it has changed meanwhile"));
        }
        fs::rename(&aside, &real)
    });
    if written.is_err() {
        // What stands aside is nobody's; the error that led here says more than one of this.
        let _ = fs::remove_file(&aside);
    }
    written?;
    File::open(real.parent().unwrap_or(Path::new("/")))?.sync_all()
}

fn write(aside: &Path, text: &str, (open, like): (&File, &fs::Metadata)) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(aside)?;
    file.write_all(text.as_bytes())?;
    let is = file.metadata()?;
    if (is.uid(), is.gid()) != (like.uid(), like.gid()) {
        chown(aside, Some(like.uid()), Some(like.gid()))?;
    }
    keep_attributes(&file, open)?;
    file.set_permissions(like.permissions())?;
    file.sync_all()
}

/// Gives a file the extended attributes of another, and no more than those: a directory may hand its own access
/// control list to what is made in it.
fn keep_attributes(file: &File, like: &File) -> io::Result<()> {
    let (is, should) = (attributes(file)?, attributes(like)?);
    for name in is.keys().filter(|name| !should.contains_key(*name)) {
        fremovexattr(file, name.as_c_str()).map_err(|error| not_kept(name, error))?;
    }
    for (name, value) in should.iter().filter(|(name, value)| is.get(*name) != Some(*value)) {
        fsetxattr(file, name.as_c_str(), value, XattrFlags::empty())
            .map_err(|error| not_kept(name, error))?;
    }
    Ok(())
}

fn not_kept(name: &CString, error: Errno) -> io::Error {
    let name = name.to_string_lossy();
    io::Error::other(format!("its extended attribute {name} could not be kept: {error}"))
}

/// Reads extended attributes. A file system without them has none.
fn attributes(file: &File) -> io::Result<BTreeMap<CString, Vec<u8>>> {
    let mut names = vec![0; MOST_ATTRIBUTE_BYTES];
    let length = match flistxattr(file, &mut names[..]) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.into()),
    };
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let mut all = BTreeMap::new();
    for name in names {
        let name = CString::new(name).map_err(io::Error::other)?;
        let mut value = vec![0; MOST_ATTRIBUTE_BYTES];
        let length = fgetxattr(file, name.as_c_str(), &mut value[..])
            .map_err(|error| not_kept(&name, error))?;
        value.truncate(length);
        all.insert(name, value);
    }
    Ok(all)
}

/// The kernel takes no longer value, and no longer list of names (XATTR_SIZE_MAX, XATTR_LIST_MAX).
const MOST_ATTRIBUTE_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use rustix::fs::{XattrFlags, getxattr, listxattr, setxattr};
    use rustix::io::Errno;

    use super::replace;

    #[test]
    fn a_file_keeps_its_mode_and_its_links() {
        let room = tempfile::tempdir().unwrap();
        let (file, link) = (room.path().join("a.yaml"), room.path().join("b.yaml"));
        fs::write(&file, "a").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink("a.yaml", &link).unwrap();
        replace(&link, "a", "b").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "b");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(link.is_symlink());
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 2, "something stands aside");
    }

    /// An access control list as the kernel takes it: version 2, then a tag, rights and a number for each entry.
    fn acl(user: u32) -> Vec<u8> {
        let none = u32::MAX;
        let entries = [
            (0x01_u16, 6_u16, none),
            (0x02, 4, user),
            (0x04, 0, none),
            (0x10, 4, none),
            (0x20, 0, none),
        ];
        let mut bytes = 2_u32.to_le_bytes().to_vec();
        for (tag, rights, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(rights.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_file_keeps_its_access_control_list_and_its_attributes_and_gets_no_others() {
        let room = tempfile::tempdir().unwrap();
        let (file, other) = (room.path().join("a.yaml"), room.path().join("other.yaml"));
        fs::write(&file, "a").unwrap();
        fs::write(&other, "a").unwrap();
        let set = |at: &std::path::Path, name: &str, value: &[u8]| {
            setxattr(at, name, value, XattrFlags::empty())
        };
        let can = set(&file, "user.origin", b"git")
            .and_then(|()| set(&file, "system.posix_acl_access", &acl(4711)))
            .and_then(|()| set(room.path(), "system.posix_acl_default", &acl(4712)));
        if can == Err(Errno::NOTSUP) {
            return eprintln!("skipped: the file system here has no such attributes");
        }
        can.unwrap();
        let read = |at: &std::path::Path, name: &str| {
            let mut value = [0; 256];
            getxattr(at, name, &mut value[..]).map(|length| value[..length].to_vec())
        };
        replace(&file, "a", "b").unwrap();
        assert_eq!(read(&file, "user.origin").unwrap(), b"git");
        assert_eq!(read(&file, "system.posix_acl_access").unwrap(), acl(4711));
        // What the directory hands to new files is not for one that was there before.
        replace(&other, "a", "b").unwrap();
        let mut names = [0; 256];
        let length = listxattr(&other, &mut names[..]).unwrap();
        assert_eq!(String::from_utf8_lossy(&names[..length]), "");
    }

    #[test]
    fn what_says_something_else_by_now_or_has_other_names_stays() {
        let room = tempfile::tempdir().unwrap();
        let (file, other) = (room.path().join("a.yaml"), room.path().join("b.yaml"));
        fs::write(&file, "changed").unwrap();
        let changed = replace(&file, "a", "b").unwrap_err();
        assert_eq!(changed.to_string(), "it has changed meanwhile");
        fs::hard_link(&file, &other).unwrap();
        assert!(replace(&file, "changed", "b").is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "changed");
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 2, "something stands aside");
    }
}
