//! What a machine's protected files should be: signed, numbered, of one machine. Pure.
//!
//! The bytes of a baseline are also its form in memory: paths in order, each without what it has in
//! common with the one before, and every sixteenth whole, so that one is found without reading all.

mod entries;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use ringfort_pki::{Ed25519Key, Ed25519Public};
use serde::{Deserialize, Serialize};

pub use entries::{Entries, Malformed};

/// The first line of a baseline; its number is raised when an older program could not read it.
const MAGIC: &[u8] = b"ringfort integrity baseline 1\n";
/// The first line of a baseline as text.
const TEXT: &str = "ringfort integrity baseline in base64\n";
const LINE_BYTES: usize = 76;
const SIGNATURE_BYTES: usize = 64;
const LENGTH_BYTES: usize = 4;
/// No header is longer; one that says so is none.
const LONGEST_HEADER_BYTES: usize = 64 << 10;

/// What a baseline says of itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The cluster.
    pub cluster: String,
    /// The machine that it is of, and no other.
    pub node: String,
    /// Rises with every baseline of the machine; one with a lower number is old.
    pub counter: u64,
    /// How many entries follow.
    pub entries: u64,
}

/// A baseline that was signed, is of this machine, and is not older than one that was there before.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// What it says of itself.
    pub header: Header,
    /// What should be where.
    pub entries: Entries,
}

/// What a baseline has to be to be believed.
#[derive(Clone, Copy, Debug)]
pub struct Trusted<'a> {
    /// The public half of the key that signs baselines, in PEM.
    pub key: &'a str,
    /// The machine; `None` believes the baseline's own word, for somebody who chose the file by hand.
    pub node: Option<&'a str>,
    /// The highest number that was seen.
    pub least: u64,
}

/// Says why a baseline is not believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It is of another form.
    #[error("this is no baseline that is read here: it does not begin as one")]
    Foreign,
    /// It ends early, or says something of itself that cannot be.
    #[error("the baseline is damaged: {why}")]
    Damaged {
        /// What is wrong.
        why: String,
    },
    /// Somebody else made or changed it.
    #[error("the baseline was not signed by the key that is trusted here")]
    Unsigned,
    /// It is another machine's.
    #[error("the baseline is of machine {of}, and this one is {here}")]
    OtherNode {
        /// Whose it is.
        of: String,
        /// This machine.
        here: String,
    },
    /// It was replaced since.
    #[error(
        "the baseline has number {counter}, and number {least} was seen already: an old one says nothing"
    )]
    Older {
        /// Its number.
        counter: u64,
        /// The highest that was seen.
        least: u64,
    },
}

/// Says why a baseline is not made.
#[derive(Debug, thiserror::Error)]
#[error("no baseline can be made: {why}")]
pub struct NotMade {
    why: String,
}

/// Writes a baseline and signs it.
///
/// # Errors
/// The key does not sign.
pub fn write(header: &Header, entries: &Entries, key: &Ed25519Key) -> Result<Vec<u8>, NotMade> {
    let not_made = |why: String| NotMade { why };
    let header = Header { entries: entries.len() as u64, ..header.clone() };
    let header = serde_json::to_vec(&header).map_err(|error| not_made(error.to_string()))?;
    let length = u32::try_from(header.len()).map_err(|error| not_made(error.to_string()))?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(entries.as_bytes());
    let signature = key.sign(&bytes);
    bytes.extend_from_slice(&signature);
    Ok(bytes)
}

/// Reads a baseline and believes it, or says why not. The signature is looked at before anything that
/// it covers.
///
/// # Errors
/// It is not to be believed.
pub fn read(bytes: &[u8], trusted: &Trusted<'_>) -> Result<Baseline, Refused> {
    let damaged = |why: &str| Refused::Damaged { why: why.to_owned() };
    let signed = bytes.strip_prefix(MAGIC).ok_or(Refused::Foreign)?;
    let at = bytes.len() - signed.len().min(SIGNATURE_BYTES);
    let (message, signature) = bytes.split_at(at);
    let key = Ed25519Public::read(trusted.key);
    if !key.is_some_and(|key| key.has_signed(message, signature)) {
        return Err(Refused::Unsigned);
    }
    let rest = &message[MAGIC.len()..];
    let (length, rest) =
        rest.split_first_chunk::<LENGTH_BYTES>().ok_or_else(|| damaged("it has no header"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > LONGEST_HEADER_BYTES || length > rest.len() {
        return Err(damaged("its header is cut off"));
    }
    let (header, body) = rest.split_at(length);
    let header: Header =
        serde_json::from_slice(header).map_err(|error| damaged(&error.to_string()))?;
    require(&header, trusted)?;
    let entries = Entries::read(body).map_err(|error| damaged(&error.to_string()))?;
    if entries.len() as u64 != header.entries {
        return Err(damaged("it has another number of entries than it says"));
    }
    Ok(Baseline { header, entries })
}

/// Writes a baseline as text, for what carries only that.
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::from(TEXT);
    for line in BASE64.encode(bytes).as_bytes().chunks(LINE_BYTES) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text
}

/// Reads a baseline in either form, and believes it or says why not.
///
/// # Errors
/// It is not to be believed.
pub fn read_text(bytes: &[u8], trusted: &Trusted<'_>) -> Result<Baseline, Refused> {
    let Some(lines) = bytes.strip_prefix(TEXT.as_bytes()) else { return read(bytes, trusted) };
    let letters: Vec<u8> = lines.iter().copied().filter(|letter| *letter != b'\n').collect();
    let damaged = |error: base64::DecodeError| Refused::Damaged { why: error.to_string() };
    read(&BASE64.decode(letters).map_err(damaged)?, trusted)
}

fn require(header: &Header, trusted: &Trusted<'_>) -> Result<(), Refused> {
    if let Some(here) = trusted.node.filter(|node| *node != header.node) {
        return Err(Refused::OtherNode { of: header.node.clone(), here: here.to_owned() });
    }
    if header.counter < trusted.least {
        return Err(Refused::Older { counter: header.counter, least: trusted.least });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ringfort_model::blueprint::Role;

    use super::*;
    use crate::protected::Protection;

    fn header(node: &str, counter: u64) -> Header {
        Header { cluster: "harbour".into(), node: node.into(), counter, entries: 0 }
    }

    fn entries() -> Entries {
        Entries::of(&Protection::derive(None, &[], Role::ControlPlane))
    }

    #[test]
    fn only_the_trusted_newest_baseline_of_this_machine_is_believed() {
        let (key, other) = (Ed25519Key::make().unwrap(), Ed25519Key::make().unwrap());
        let (public, node) = (key.public().pem(), "w1");
        let bytes = write(&header(node, 7), &entries(), &key).unwrap();
        let check = |bytes: &[u8], node, least, expected: Option<&Refused>| {
            let trusted = Trusted { key: &public, node: Some(node), least };
            assert_eq!(read(bytes, &trusted).err().as_ref(), expected);
        };
        check(&bytes, "w1", 0, None);
        check(&bytes, "w1", 7, None);
        check(&bytes, "w1", 8, Some(&Refused::Older { counter: 7, least: 8 }));
        let wrong = Refused::OtherNode { of: "w1".into(), here: "w2".into() };
        check(&bytes, "w2", 0, Some(&wrong));
        let fake = write(&header(node, 9), &entries(), &other).unwrap();
        check(&fake, "w1", 0, Some(&Refused::Unsigned));
        check(b"x", "w1", 0, Some(&Refused::Foreign));
        check(b"", "w1", 0, Some(&Refused::Foreign));
    }

    #[test]
    fn a_baseline_that_was_changed_anywhere_is_refused() {
        let key = Ed25519Key::make().unwrap();
        let public = key.public().pem();
        let bytes = write(&header("w1", 1), &entries(), &key).unwrap();
        let trusted = Trusted { key: &public, node: None, least: 0 };
        assert_eq!(read(&bytes, &trusted).unwrap().entries, entries());
        let as_text = text(&bytes);
        assert_eq!(read_text(as_text.as_bytes(), &trusted).unwrap().entries, entries());
        assert_eq!(read_text(&bytes, &trusted).unwrap().entries, entries());
        assert!(read_text(&as_text.as_bytes()[..as_text.len() - 9], &trusted).is_err());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(read(&changed, &trusted).is_err(), "byte {at} was changed");
            assert!(read(&bytes[..at], &trusted).is_err(), "cut at {at}");
        }
    }
}
