//! Files, directories and private keys.

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use ringfort_model::digest::Digest;
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::secret::Secret;
use ringfort_model::step::Source;
use ringfort_pki::{PrivateKey, TunnelSecret};

use super::{ActError, Actor};
use crate::files::{self, Aside, Permissions};

impl Actor<'_> {
    /// Writes a file from where the step says.
    pub(super) fn write_file(
        &self,
        path: &Path,
        mode: FileMode,
        owner: Owner,
        source: &Source,
        secret: &[u8],
    ) -> Result<(), ActError> {
        clear_directory(path)?;
        let mut aside = Aside::begin(path).map_err(ActError::at(path))?;
        match source {
            Source::Text(text) => aside.write_all(text.as_bytes()).map_err(ActError::at(path))?,
            Source::Stored(digest) => self.store.copy(digest, &mut aside)?,
            Source::Secret { digest, .. } => {
                if Digest::of(secret) != *digest {
                    return Err(ActError::SecretAltered);
                }
                aside.write_all(secret).map_err(ActError::at(path))?;
            }
        }
        aside.place(Permissions { mode, owner }).map_err(ActError::at(path))
    }
}

/// Makes a key, unless there is one: a key that is in use is never replaced, since what was
/// signed for it would be worth nothing.
pub(super) fn make_key(path: &Path, mode: FileMode, owner: Owner) -> Result<(), ActError> {
    make_once(
        path,
        Permissions { mode, owner },
        |text| PrivateKey::read(text).is_ok(),
        || Ok(PrivateKey::make()?.pem()),
    )
}

/// Makes a WireGuard key, unless there is one: the other machines know its public half.
pub(super) fn make_tunnel_key(path: &Path, mode: FileMode, owner: Owner) -> Result<(), ActError> {
    make_once(
        path,
        Permissions { mode, owner },
        |text| TunnelSecret::read(text).is_ok(),
        || Ok(TunnelSecret::make()?.text()),
    )
}

fn make_once(
    path: &Path,
    permissions: Permissions,
    is_key: fn(&str) -> bool,
    make: fn() -> Result<Secret<String>, ActError>,
) -> Result<(), ActError> {
    // Only what was read and is no key is replaced: one that could not be read may be in use.
    let there = std::fs::symlink_metadata(path).is_ok_and(|is| is.is_file());
    if there {
        let file = files::open(path).map_err(ActError::at(path))?;
        let text = std::io::read_to_string(&file).map(zeroize::Zeroizing::new);
        let is_key = match text {
            Ok(text) => is_key(&text),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => false,
            Err(error) => return Err(ActError::at(path)(error)),
        };
        if is_key {
            return files::set_permissions(&file, permissions).map_err(ActError::at(path));
        }
    }
    clear_directory(path)?;
    files::write(path, make()?.expose().as_bytes(), permissions).map_err(ActError::at(path))
}

/// Makes a directory, or puts its mode and owner right.
pub(super) fn make_directory(path: &Path, mode: FileMode, owner: Owner) -> Result<(), ActError> {
    let there = std::fs::symlink_metadata(path);
    if there.as_ref().is_ok_and(|is| !is.is_dir()) {
        std::fs::remove_file(path).map_err(ActError::at(path))?;
    }
    if !there.is_ok_and(|is| is.is_dir()) {
        make_parents(path)?;
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(path)
            .and_then(|()| files::sync_parent(path))
            .map_err(ActError::at(path))?;
    }
    files::open_directory(path)
        .and_then(|directory| files::set_permissions(&directory, Permissions { mode, owner }))
        .map_err(ActError::at(path))
}

/// Makes what is missing above a directory, as a plain `mkdir -p` would.
fn make_parents(path: &Path) -> Result<(), ActError> {
    let Some(parent) = path.parent().filter(|parent| !parent.exists()) else { return Ok(()) };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o755).create(parent).map_err(ActError::at(parent))
}

/// Takes away an empty directory where a file should be; a full one is somebody's.
fn clear_directory(path: &Path) -> Result<(), ActError> {
    if std::fs::symlink_metadata(path).is_ok_and(|is| is.is_dir()) {
        std::fs::remove_dir(path).map_err(ActError::at(path))?;
    }
    Ok(())
}
