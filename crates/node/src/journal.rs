//! The file of the machine's journal. What it says and what follows from it is the engine's; here
//! its bytes reach the disk before anything else happens.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use crate::files;
use crate::root::Root;

/// The journal's file, open at its end.
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    /// Opens the file behind its good bytes and cuts what follows them.
    pub(crate) fn open(root: &Root, good: usize) -> io::Result<Self> {
        let path = path(root);
        path.parent().map_or(Ok(()), files::private_directory)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path)?;
        file.set_len(good as u64)?;
        file.seek(io::SeekFrom::End(0))?;
        file.sync_all()?;
        files::sync_parent(&path)?;
        Ok(Self { file })
    }

    /// Appends bytes and waits until they are on the disk.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_data()
    }
}

/// Reads the whole journal; none is an empty one.
pub(crate) fn read(root: &Root) -> io::Result<Vec<u8>> {
    match std::fs::read(path(root)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

fn path(root: &Root) -> PathBuf {
    root.state("journal")
}

#[cfg(test)]
mod tests {
    use super::{Journal, read};
    use crate::root::Root;

    #[test]
    fn bytes_follow_the_good_ones() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        assert_eq!(read(&root).unwrap(), b"");
        let mut journal = Journal::open(&root, 0).unwrap();
        journal.append(b"good").unwrap();
        journal.append(b"torn").unwrap();
        let mut journal = Journal::open(&root, 4).unwrap();
        journal.append(b"!").unwrap();
        assert_eq!(read(&root).unwrap(), b"good!");
    }
}
