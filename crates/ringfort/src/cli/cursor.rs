//! Up to where something was followed, in a file, to go on from there.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use serde::de::DeserializeOwned;

use super::Fault;
use super::files::Unread;

/// Reads a cursor; nothing where it is not there yet.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Fault> {
    let unread = |why: String| Fault::usage(Unread::of(path, &why));
    match std::fs::read(path) {
        Ok(bytes) => {
            let place = serde_json::from_slice(&bytes);
            place.map(Some).map_err(|error| unread(format!("it is no cursor: {error}")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unread(error.to_string())),
    }
}

/// Writes a cursor: it has its name when it is whole, wherever the power goes.
pub fn write(path: &Path, text: &str) -> Result<(), Fault> {
    let aside = path.with_extension("new");
    let write = || {
        let mut file = File::create(&aside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&aside, path)
    };
    write().map_err(|error| Fault::unable(Unread::of(path, &error)))
}
