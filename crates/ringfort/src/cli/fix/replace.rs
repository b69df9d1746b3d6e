//! Writes a file anew so that there is always a whole one: what was, or what comes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::Path;

/// Writes a text in the place of another that was read from a file. Links to it stay links; its mode and its
/// owner stay.
///
/// # Errors
/// The file may not be written, has other names, says something else by now, or the disk takes no more. It is
/// as it was then.
pub(super) fn replace(path: &Path, before: &str, after: &str) -> io::Result<()> {
    let real = fs::canonicalize(path)?;
    // A file that nobody may write is not exchanged either.
    let was = OpenOptions::new().write(true).open(&real)?.metadata()?;
    if was.nlink() > 1 {
        return Err(io::Error::other(
            "it has other names (hard links), which would keep the old text",
        ));
    }
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let aside = real.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = write(&aside, after, &was).and_then(|()| {
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

fn write(aside: &Path, text: &str, like: &fs::Metadata) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(aside)?;
    file.write_all(text.as_bytes())?;
    let is = file.metadata()?;
    if (is.uid(), is.gid()) != (like.uid(), like.gid()) {
        chown(aside, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(like.permissions())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

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
