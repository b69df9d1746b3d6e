//! A directory is written to by one, who has its key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ringfort_model::secret::Secret;
use ringfort_pki::{Ed25519Key, Ed25519Public};
use rustix::fs::{FlockOperation, flock};

use super::disk::{Directory, Disk as _};
use super::store::{MARK, REMOVAL};
use crate::format::checkpoint::{hex, unhex};

/// Why a directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// It cannot be made, or its key cannot be read or written.
    #[error("the store cannot be opened: {0}")]
    File(#[from] io::Error),
    /// Another collects into it.
    #[error("another collects into this store")]
    Taken,
    /// What should be a key is none.
    #[error(
        "the key of the store is none: collect into a new directory, and keep this one to look into"
    )]
    Key,
    /// What was kept is there, and the key that signed it is not.
    #[error(
        "the key of the store is gone, and what it signed is there: put the key back, or collect into a new directory and keep this one to look into"
    )]
    NoKey,
}

/// A directory that nobody else writes to while this is held.
pub struct Claim {
    /// The directory.
    pub directory: Directory,
    /// Its key.
    pub key: Ed25519Key,
    /// Held for as long as this is.
    pub lock: File,
}

const KEY: &str = "key";
const PUBLIC: &str = "key.pub";

/// Takes a directory, and makes it and its key where they are not there.
///
/// # Errors
/// It cannot be had.
pub fn claim(store: &Path) -> Result<Claim, ClaimError> {
    let directory = Directory::new(store)?;
    let lock = hold(store)?.ok_or(ClaimError::Taken)?;
    let document = match fs::read_to_string(store.join(KEY)) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Another key would make all that is there a stranger's.
            if directory.names()?.iter().any(|name| is_kept(name)) {
                return Err(ClaimError::NoKey);
            }
            let made = Ed25519Key::make().and_then(|key| key.pem()).map_err(io::Error::other)?;
            write(store, KEY, made.expose().as_bytes())?;
            made
        }
        Err(error) => return Err(error.into()),
    };
    let key = Ed25519Key::read(document.expose()).map_err(|_| ClaimError::Key)?;
    write(store, PUBLIC, format!("{}\n", hex(&key.public().0)).as_bytes())?;
    Ok(Claim { directory, key, lock })
}

/// Holds a directory for as long as the file is; nothing where somebody else does.
///
/// # Errors
/// The file cannot be made.
pub fn hold(directory: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).mode(0o600);
    let lock = lock.open(directory.join("lock"))?;
    Ok(flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok().then_some(lock))
}

/// Whether a file is one that is there only after the key was.
fn is_kept(name: &str) -> bool {
    let kind = name.split_once('.').map_or(name, |(_, kind)| kind);
    matches!(kind, "open" | "seg" | "checkpoint" | "damaged" | "pub")
        || [MARK, REMOVAL].contains(&name)
}

/// Writes a file that only its owner reads: it has its name when it is durable.
fn write(store: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (aside, path) = (store.join(format!("{name}.new")), store.join(name));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, &path)?;
    File::open(store)?.sync_all()
}

/// Reads the public key that lies in a store. Who can write there can exchange it.
///
/// # Errors
/// There is none.
pub fn public_key(store: &Path) -> io::Result<Ed25519Public> {
    let text = fs::read_to_string(store.join(PUBLIC))?;
    let key = unhex(text.trim()).map(Ed25519Public);
    key.ok_or_else(|| io::Error::other("it is no key: it has 64 hexadecimal digits"))
}

/// What this machine is called.
pub fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
