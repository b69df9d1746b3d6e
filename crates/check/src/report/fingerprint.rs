//! What is the same of a finding from run to run.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Names a finding from run to run: it stays when lines move, and changes with the control, the file, the
/// object and the field.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 16]);

/// Says that a text is no fingerprint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no fingerprint of 32 hexadecimal digits")]
pub struct NotAFingerprint(String);

/// Makes a fingerprint of parts.
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn new(first: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.add(first);
        hasher
    }

    /// Adds a part. Each is closed, so that no two rows of parts are the same text.
    pub(crate) fn add(&mut self, part: &str) -> &mut Self {
        self.0.update(part.len().to_le_bytes());
        self.0.update(part);
        self
    }

    pub(crate) fn finish(self) -> Fingerprint {
        let full: [u8; 32] = self.0.finalize().into();
        let mut short = [0; 16];
        short.copy_from_slice(&full[..16]);
        Fingerprint(short)
    }
}

/// Tells apart what would have one fingerprint, as an object that is given twice: by its turn.
#[derive(Debug, Default)]
pub(crate) struct Turns(BTreeMap<Fingerprint, u32>);

impl Turns {
    pub(crate) fn next(&mut self, fingerprint: Fingerprint) -> Fingerprint {
        let turn = self.0.entry(fingerprint).or_default();
        *turn += 1;
        match *turn {
            1 => fingerprint,
            turn => {
                let mut hasher = Hasher::new(&fingerprint.to_string());
                hasher.add(&turn.to_string());
                hasher.finish()
            }
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let not = || NotAFingerprint(text.to_owned());
        let is_hex = text.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it));
        if text.len() != 32 || !is_hex {
            return Err(not());
        }
        let mut bytes = [0; 16];
        for (byte, at) in bytes.iter_mut().zip((0..32).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| not())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NotAFingerprint;

    fn try_from(text: String) -> Result<Self, NotAFingerprint> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl JsonSchema for Fingerprint {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fingerprint".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::{Fingerprint, Hasher, Turns};

    fn of(parts: &[&str]) -> Fingerprint {
        let mut hasher = Hasher::new("");
        for part in parts {
            hasher.add(part);
        }
        hasher.finish()
    }

    #[test]
    fn parts_do_not_flow_into_each_other() {
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["a"]), of(&["a", ""]));
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
    }

    #[test]
    fn what_is_there_twice_is_told_apart_by_its_turn() {
        let mut turns = Turns::default();
        let one = of(&["a"]);
        let all = [turns.next(one), turns.next(one), turns.next(one)];
        assert_eq!(all[0], one);
        assert!(all[1] != one && all[2] != one && all[1] != all[2], "{all:?}");
    }

    #[test]
    fn it_is_written_and_read() {
        let one = of(&["a"]);
        assert_eq!(one.to_string().parse(), Ok(one));
        for bad in ["", "0", &"g".repeat(32), &"é".repeat(16), &one.to_string().to_uppercase()] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
    }
}
