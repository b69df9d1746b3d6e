//! Files of manifests: those that are named, and those below directories that are.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

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
        let name = match is_standard_input(file) {
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
    static GIVEN: OnceLock<io::Result<Vec<u8>>> = OnceLock::new();
    let own;
    let read = match is_standard_input(file) {
        // It comes once, and is looked at more than once: what it is decides who reads it.
        true => GIVEN.get_or_init(|| bytes(io::stdin())),
        false => {
            own = fs::File::open(file).and_then(bytes);
            &own
        }
    };
    let read =
        read.as_ref().map_err(|error| Unread::of(file, &format!("it cannot be read: {error}")))?;
    let text = manifest::text(read, MOST_BYTES).map_err(|error| Unread::of(file, &error))?;
    Ok(text.to_owned())
}

fn bytes(from: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a name means standard input.
pub fn is_standard_input(file: &Path) -> bool {
    file == Path::new(STDIN)
}

/// Reads a file that was found and not named. What is no regular file is not opened: a pipe would keep its reader
/// waiting for ever, and a device may do anything.
pub fn text_found(file: &Path) -> Result<String, Unread> {
    match fs::metadata(file) {
        Ok(it) if !it.is_file() => Err(Unread::of(file, &NOT_REGULAR)),
        _ => text(file),
    }
}

/// Why something that is called like a manifest is not opened.
pub const NOT_REGULAR: &str =
    "it is no regular file, so that it is not opened: name it by itself, or take it away";

/// Gives a file itself; of a directory all manifests below it, by name. The path is one of those that were named.
///
/// # Errors
/// Something below the directory cannot be looked at, or leads out of all that was named.
pub fn manifests(path: &Path, named: &[PathBuf]) -> Result<Vec<PathBuf>, Unread> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    find(path, named, &mut found)?;
    Ok(found)
}

fn find(directory: &Path, named: &[PathBuf], found: &mut Vec<PathBuf>) -> Result<(), Unread> {
    for path in entries(directory)? {
        match entry(&path)? {
            Entry::Directory => find(&path, named, found)?,
            Entry::Link if !is_gone_through(&path, named) => return Err(leads_out(&path)),
            Entry::File if is_manifest(&path) && !path.is_file() => {
                return Err(Unread::of(&path, &NOT_REGULAR));
            }
            Entry::File if is_manifest(&path) => found.push(path),
            Entry::Link | Entry::File => {}
        }
    }
    Ok(())
}

/// Whether what a link leads to is read without it: it lies below a directory that was named.
pub fn is_gone_through(link: &Path, named: &[PathBuf]) -> bool {
    let to = whole(link);
    named.iter().any(|root| root.is_dir() && to.starts_with(whole(root)))
}

/// Says of a link to a directory why nothing is read by it.
pub fn leads_out(link: &Path) -> Unread {
    let to = whole(link);
    let why = format!(
        "it is a link to a directory outside of what was named, which is not followed: name {} as well",
        to.display()
    );
    Unread::of(link, &why)
}

/// A path by which two names of one file are the same.
pub fn whole(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// What is met in a directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// A directory.
    Directory,
    /// A link to a directory, which may lead anywhere, also back to where it stands.
    Link,
    /// Anything else. Whether it is meant to be read says its name.
    File,
}

/// Says what was met. Whether there is something behind it that could not be seen is never guessed.
///
/// # Errors
/// It cannot be looked at, or is a link that leads nowhere.
pub fn entry(path: &Path) -> Result<Entry, Unread> {
    let unread = |what: &str, error: io::Error| Unread::of(path, &format!("{what}: {error}"));
    let own = fs::symlink_metadata(path).map_err(|it| unread("it cannot be looked at", it))?;
    if own.is_dir() {
        return Ok(Entry::Directory);
    }
    if !own.is_symlink() {
        return Ok(Entry::File);
    }
    let there = fs::metadata(path).map_err(|it| unread("it is a link that leads nowhere", it))?;
    Ok(if there.is_dir() { Entry::Link } else { Entry::File })
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

/// Whether a file is a manifest by its name.
pub fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|end| ENDINGS.iter().any(|it| end == *it))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::slice;

    use super::manifests;

    #[test]
    fn nothing_below_a_directory_is_passed_over_without_a_word() {
        let room = tempfile::tempdir().unwrap();
        let (own, other) = (room.path().join("own"), room.path().join("other"));
        for directory in [&own, &other] {
            fs::create_dir(directory).unwrap();
            fs::write(directory.join("a.yaml"), "").unwrap();
        }
        symlink("../other", own.join("link")).unwrap();
        let why = manifests(&own, slice::from_ref(&own)).unwrap_err().to_string();
        assert!(why.contains("outside of what was named"), "{why}");

        // Named as well, it is read there.
        let both = [own.clone(), other.clone()];
        assert_eq!(manifests(&own, &both).unwrap(), [own.join("a.yaml")]);
        assert_eq!(manifests(&other, &both).unwrap(), [other.join("a.yaml")]);

        let _socket = UnixListener::bind(other.join("b.yaml")).unwrap();
        let why = manifests(&other, &both).unwrap_err().to_string();
        assert!(why.contains("no regular file"), "{why}");
    }
}
