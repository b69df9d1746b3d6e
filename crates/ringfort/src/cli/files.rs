//! Files of manifests: those that are named, and those below directories that are.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ringfort_facts::manifest;

/// What files of manifests end with.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Standard input.
const STDIN: &str = "-";

/// A file or a directory that cannot be read.
#[derive(Debug)]
pub struct Unread {
    /// Its name, for people.
    pub name: String,
    /// Why.
    pub why: String,
}

impl Unread {
    /// Says of a file why nothing can be made of it.
    pub fn of(file: &Path, why: &dyn std::fmt::Display) -> Self {
        let name = match file == Path::new(STDIN) {
            true => "standard input".to_owned(),
            false => file.display().to_string(),
        };
        Self { name, why: why.to_string() }
    }
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.why)
    }
}

impl std::error::Error for Unread {}

/// No manifest of people is larger.
const MOST_BYTES: usize = 64 << 20;

/// Reads a file, or standard input where it is called `-`. Of a file that is too large no more is read
/// than shows it.
pub fn text(file: &Path) -> Result<String, Unread> {
    let mut bytes = Vec::new();
    let most = MOST_BYTES as u64 + 1;
    match file == Path::new(STDIN) {
        true => io::stdin().take(most).read_to_end(&mut bytes),
        false => fs::File::open(file).and_then(|it| it.take(most).read_to_end(&mut bytes)),
    }
    .map_err(|error| Unread::of(file, &format!("it cannot be read: {error}")))?;
    let text = manifest::text(&bytes, MOST_BYTES).map_err(|error| Unread::of(file, &error))?;
    Ok(text.to_owned())
}

/// Gives a file itself; of a directory all manifests below it, by name.
pub fn manifests(path: &Path) -> Result<Vec<PathBuf>, Unread> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for path in entries(path)? {
        if is_below(&path) {
            found.extend(manifests(&path)?);
        } else if is_manifest(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Gives what a directory holds, by name.
pub fn entries(directory: &Path) -> Result<Vec<PathBuf>, Unread> {
    let unread = |error: io::Error| Unread::of(directory, &format!("it cannot be read: {error}"));
    let mut all = fs::read_dir(directory)
        .and_then(|all| {
            all.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        })
        .map_err(unread)?;
    all.sort();
    Ok(all)
}

/// Whether a path is a directory to go through. A link to one may lead back to where it stands.
pub fn is_below(path: &Path) -> bool {
    path.is_dir() && !path.is_symlink()
}

/// Whether a file is a manifest by its name.
pub fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|end| ENDINGS.iter().any(|it| end == *it))
}
