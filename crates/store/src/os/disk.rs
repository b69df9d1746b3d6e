//! Files of one directory, as far as a store needs them. Tests have another that loses power.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What a store does to files. What is not synced may be gone, in part or whole, when the power is.
pub trait Disk {
    /// Gives the names of all files.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Reads a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Writes at a place of a file, which is made where it is not there.
    fn write_at(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file to a length.
    fn cut(&mut self, name: &str, length: u64) -> io::Result<()>;
    /// Makes what was written to a file durable.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    /// Gives a file another name, in place of what had it.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Makes names durable.
    fn sync_names(&mut self) -> io::Result<()>;

    /// Writes a file whole: it has its name when all of it is durable.
    ///
    /// # Errors
    /// It may not have it, or not for ever; the same may be tried again.
    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let aside = format!("{name}.tmp");
        // What an attempt before this one left is not to stand behind it.
        self.cut(&aside, 0)?;
        self.write_at(&aside, 0, bytes)?;
        self.sync(&aside)?;
        self.rename(&aside, name)?;
        self.sync_names()
    }
}

/// A directory of this machine. The file that was written to last stays open.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    open: Option<(String, File)>,
}

impl Directory {
    /// Takes a directory, which is made where it is not there. Others than its owner have no business in it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self { path: path.to_owned(), open: None })
    }

    fn file(&mut self, name: &str) -> io::Result<&File> {
        if self.open.as_ref().is_none_or(|(open, _)| open != name) {
            let path = self.path.join(name);
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
            self.open = Some((name.to_owned(), file));
        }
        Ok(&self.open.as_ref().expect("it was opened above").1)
    }

    fn forget(&mut self, name: &str) {
        self.open.take_if(|(open, _)| open == name);
    }
}

impl Disk for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn write_at(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all_at(bytes, at)
    }

    fn cut(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.file(name)?.set_len(length)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.forget(from);
        self.forget(to);
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.forget(name);
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}
