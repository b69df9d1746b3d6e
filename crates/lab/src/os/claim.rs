//! Claims: one command at a time changes a lab, and one at a time the host's settings. A claim ends
//! with the process that holds it, however that ends.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::os::{Fault, make_directory};

/// The sole right to change a directory and what it stands for.
#[derive(Debug)]
pub(crate) struct Claim {
    directory: File,
}

impl Claim {
    /// Takes the claim on a directory that exists; `None` if someone else keeps it.
    ///
    /// A command that was killed may have left a program that is still ending: it is waited for.
    pub(crate) fn take(path: &Path) -> Result<Option<Self>, Fault> {
        let refused = |source| Fault::Refused { what: format!("lock {}", path.display()), source };
        let directory = File::open(path).map_err(refused)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Self { directory })),
                Err(Errno::WOULDBLOCK) if Instant::now() > deadline => return Ok(None),
                Err(Errno::WOULDBLOCK) => thread::sleep(PATIENCE / 20),
                Err(error) => return Err(refused(error.into())),
            }
        }
    }

    /// Gives a standard input that nothing is read from, but that keeps the claim until the program
    /// that has it ends: for one whose work must not come after another's `down`.
    pub(crate) fn shared(&self) -> Result<Stdio, Fault> {
        let shared = self.directory.try_clone();
        let refused = |source| Fault::Refused { what: "share a claim".to_owned(), source };
        shared.map(Stdio::from).map_err(refused)
    }

    /// Makes the directory if need be and waits for the claim on it.
    ///
    /// Whoever had it before may have removed the directory: then it is made again.
    pub(crate) fn wait_for(path: &Path) -> Result<Self, Fault> {
        let refused = |source| Fault::Refused { what: format!("lock {}", path.display()), source };
        loop {
            make_directory(path)?;
            let directory = match File::open(path) {
                Ok(directory) => directory,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(refused(error)),
            };
            flock(&directory, FlockOperation::LockExclusive).map_err(|e| refused(e.into()))?;
            let held = directory.metadata().map_err(refused)?.ino();
            if fs::metadata(path).is_ok_and(|now| now.ino() == held) {
                return Ok(Self { directory });
            }
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::Claim;

    #[test]
    fn only_one_has_a_claim() {
        let directory = tempfile::tempdir().unwrap();
        let first = Claim::take(directory.path()).unwrap();
        assert!(first.is_some());
        assert!(Claim::take(directory.path()).unwrap().is_none());
        drop(first);
        assert!(Claim::take(directory.path()).unwrap().is_some());
    }
}
