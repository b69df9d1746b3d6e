//! Reads what lies where keys and certificates of a cluster are, or may be left: small files of text, and
//! what kubeconfigs hold inside of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use ringfort_model::secret::Secret;

use crate::root::Root;

/// Where they may lie, or be left.
const PLACES: [&str; 9] = [
    "etc/cni",
    "etc/containerd",
    "etc/etcd",
    "etc/kubernetes",
    "home",
    "root",
    "tmp",
    "var/lib/kubelet",
    "var/lib/ringfort",
];
/// Files of pods belong to pods.
const SKIPPED: [&str; 1] = ["var/lib/kubelet/pods"];
/// A larger file is neither a key nor a certificate.
const MOST_BYTES: u64 = 64 << 10;
/// How a PEM block begins in base64, as kubeconfigs hold it.
const INSIDE: &str = "LS0tLS1CRUdJTi";

/// Gives each text to a reader, with the path that it is from.
///
/// # Errors
/// A directory or a file could not be read: what was not looked at may be anything.
pub(crate) fn each_text<T>(root: &Root, read: impl Fn(&str, &str) -> Vec<T>) -> io::Result<Vec<T>> {
    let mut found = Vec::new();
    let mut places: Vec<PathBuf> = PLACES.iter().map(|place| root.own(place)).collect();
    let skipped: Vec<PathBuf> = SKIPPED.iter().map(|place| root.own(place)).collect();
    while let Some(place) = places.pop() {
        let entries = match fs::read_dir(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|error| at(&place, &error))?,
        };
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            match () {
                () if skipped.contains(&path) => {}
                () if kind.is_dir() => places.push(path),
                () if kind.is_file() => {
                    let shown = path.strip_prefix(root.path()).unwrap_or(&path);
                    let shown = format!("/{}", shown.display());
                    for text in texts(&path)? {
                        found.extend(read(&shown, text.expose()));
                    }
                }
                () => {}
            }
        }
    }
    Ok(found)
}

/// Reads the text of one file, and those inside of it; one that went away meanwhile has none.
fn texts(path: &Path) -> io::Result<Vec<Secret<String>>> {
    let gone = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(Vec::new()),
        _ => Err(at(path, &error)),
    };
    let size = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) => return gone(error),
    };
    if size > MOST_BYTES {
        return Ok(Vec::new());
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => Secret::new(bytes),
        Err(error) => return gone(error),
    };
    let Ok(text) = std::str::from_utf8(bytes.expose()) else { return Ok(Vec::new()) };
    let mut texts: Vec<Secret<String>> = inside(text).collect();
    texts.push(Secret::new(text.to_owned()));
    Ok(texts)
}

/// Opens what is written in base64 between blanks and quotes.
fn inside(text: &str) -> impl Iterator<Item = Secret<String>> {
    let is_edge = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',');
    let words = text.split(is_edge).filter(|word| word.starts_with(INSIDE));
    words.filter_map(|word| {
        let bytes = Secret::new(STANDARD.decode(word).ok()?);
        Some(Secret::new(std::str::from_utf8(bytes.expose()).ok()?.to_owned()))
    })
}

/// Names what could not be read.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Cuts a text into those of its PEM blocks whose first line is meant.
pub(crate) fn blocks(text: &str, is_meant: impl Fn(&str) -> bool) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("-----BEGIN ") {
        rest = &rest[begin..];
        let first = rest.lines().next().unwrap_or_default();
        let Some(end) = rest.find("-----END ") else { break };
        let length = rest[end..].find('\n').map_or(rest.len(), |line| end + line + 1);
        if is_meant(first.trim_end()) {
            found.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    found
}
