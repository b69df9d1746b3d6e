//! Where things are on a machine: its root directory, and ringfort's own state below it.
//!
//! Every path of an item goes through here, so that tests work in a directory of their own.

use std::path::{Path, PathBuf};

/// The directory that a machine's paths begin at: `/`, or a directory of a test.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

/// Says that a text is no path of an item.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path:?} is not a path of an item: it must begin with '/' and hold no '..'")]
pub struct NotAPath {
    path: String,
}

impl Root {
    /// Takes a directory for the machine's root.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// Finds an item's path.
    ///
    /// # Errors
    /// The path is relative or leaves the root.
    pub fn item(&self, path: &str) -> Result<PathBuf, NotAPath> {
        let not = || NotAPath { path: path.to_owned() };
        let inner = path.strip_prefix('/').ok_or_else(not)?;
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        if inner.contains('\0') || !inner.split('/').all(plain) {
            return Err(not());
        }
        Ok(self.0.join(inner))
    }

    /// Finds a path that this program names itself, without its first `/`.
    pub(crate) fn own(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// Finds a file of ringfort's own state.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.0.join("var/lib/ringfort").join(name)
    }

    /// Gives the root itself.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Root;

    #[test]
    fn items_stay_below_the_root() {
        let root = Root::new("/r");
        let check = |path: &str, expected: Option<&str>| {
            let found = root.item(path).ok();
            assert_eq!(found.as_deref(), expected.map(std::path::Path::new), "{path}");
        };
        check("/etc/hosts", Some("/r/etc/hosts"));
        for bad in ["", "/", "etc/hosts", "/etc/../root", "/./etc", "/etc//x", "/etc/x/", "/a\0b"] {
            check(bad, None);
        }
    }
}
