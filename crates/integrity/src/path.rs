//! Paths as the kernel has them: bytes, which need not be text. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An absolute path on a machine, without `.`, `..` or empty parts.
///
/// It is written as text with everything that is not plain as `\xNN`, so that no name of a file can
/// forge a line of a report.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(Vec<u8>);

/// Says that bytes are no path of this form.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no absolute path without empty parts, `.` and `..`")]
pub struct NotAPath {
    text: String,
}

impl FilePath {
    /// The directory that everything lies below.
    pub fn root() -> Self {
        Self(b"/".to_vec())
    }

    /// Takes a path.
    ///
    /// # Errors
    /// It is not absolute, holds a NUL, or a part of it is empty, `.` or `..`.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, NotAPath> {
        let bytes = bytes.into();
        let is_part = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
        let is_path = bytes == b"/"
            || bytes.strip_prefix(b"/").is_some_and(|rest| rest.split(|&b| b == b'/').all(is_part));
        if is_path { Ok(Self(bytes)) } else { Err(NotAPath { text: escape(&bytes) }) }
    }

    /// Gives the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Gives the parts, the outermost first.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|part| !part.is_empty())
    }

    /// Gives the directory that holds it; none holds the root.
    pub fn parent(&self) -> Option<Self> {
        let at = self.0.iter().rposition(|&byte| byte == b'/')?;
        match (at, self.0.len()) {
            (0, 1) => None,
            (0, _) => Some(Self::root()),
            _ => Some(Self(self.0[..at].to_vec())),
        }
    }

    /// Gives its last part.
    pub fn name(&self) -> &[u8] {
        self.parts().last().unwrap_or_default()
    }

    /// Names something in it.
    ///
    /// # Errors
    /// The name is none.
    pub fn join(&self, name: &[u8]) -> Result<Self, NotAPath> {
        let mut bytes = if self.0 == b"/" { Vec::new() } else { self.0.clone() };
        bytes.push(b'/');
        bytes.extend_from_slice(name);
        Self::new(bytes)
    }

    /// Says whether it is `other` or lies below it.
    pub fn is_within(&self, other: &Self) -> bool {
        let rest = self.0.strip_prefix(other.0.as_slice());
        other.0 == b"/" || rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

/// Writes bytes as text, with everything that is not plain as `\xNN`.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' => text.push_str("\\x5c"),
                plain if !plain.is_control() => text.push(plain),
                other => {
                    let mut buffer = [0; 4];
                    push_hex(&mut text, other.encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
        push_hex(&mut text, chunk.invalid());
    }
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    bytes.iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut pieces = text.split('\\');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let hex = piece.strip_prefix('x')?;
        bytes.push(u8::from_str_radix(hex.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&hex.as_bytes()[2..]);
    }
    Some(bytes)
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0))
    }
}

impl FromStr for FilePath {
    type Err = NotAPath;

    fn from_str(text: &str) -> Result<Self, NotAPath> {
        Self::new(unescape(text).ok_or_else(|| NotAPath { text: text.to_owned() })?)
    }
}

impl TryFrom<String> for FilePath {
    type Error = NotAPath;

    fn try_from(text: String) -> Result<Self, NotAPath> {
        text.parse()
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::FilePath;

    #[test]
    fn any_path_is_read_as_it_was_written_and_forges_no_line() {
        let check = |bytes: &[u8], expected: &str| {
            let path = FilePath::new(bytes).unwrap();
            assert_eq!(path.to_string(), expected);
            assert_eq!(expected.parse::<FilePath>().unwrap(), path);
        };
        check(b"/", "/");
        check("/etc/ä".as_bytes(), "/etc/ä");
        check(b"/a\nb\\", "/a\\x0ab\\x5c");
        check(b"/\xff\xfe", "/\\xff\\xfe");
        for bad in ["", "a", "//", "/a/", "/a//b", "/./a", "/a/..", "/a\0", "/\\xzz", "/\\x2"] {
            assert!(bad.parse::<FilePath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn parents_and_what_lies_below() {
        let path = |text: &str| text.parse::<FilePath>().unwrap();
        assert_eq!(path("/a/b").parent(), Some(path("/a")));
        assert_eq!(path("/a").parent(), Some(path("/")));
        assert_eq!(path("/").parent(), None);
        assert_eq!(path("/a").join(b"b").unwrap(), path("/a/b"));
        assert!(path("/").join(b"a/../b").is_err());
        assert!(path("/a/b").is_within(&path("/a")) && path("/a").is_within(&path("/")));
        assert!(!path("/ab").is_within(&path("/a")));
    }
}
