//! What is signed of a segment when it is sealed, and kept when the segment is not. Whoever holds a copy
//! elsewhere, a witness, can tell a log that was rewritten from the one that it saw.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfort_pki::{Ed25519Key, Ed25519Public};
use serde::{Deserialize, Serialize};

use super::entry::Hash;
use super::sealed::Sealed;

/// A statement about a sealed segment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Checkpoint {
    /// Of this form.
    pub version: u32,
    /// The segment's number, from 1.
    pub segment: u64,
    /// The number of its first entry,
    pub first: u64,
    /// and of its last; one less than the first where there is none.
    pub last: u64,
    /// How many of the entries are unreadable lines.
    pub unreadable: u64,
    /// The chain's head before the segment,
    pub before: String,
    /// and behind it.
    pub after: String,
    /// The earliest and the latest time of an entry, in microseconds of the Unix epoch.
    pub times: Option<(i64, i64)>,
    /// The digest of the file,
    pub file: String,
    /// and its length.
    pub bytes: u64,
    /// When it was sealed, in seconds of the Unix epoch.
    pub sealed: i64,
    /// The digest of the checkpoint before it, empty for the first.
    pub previous: String,
}

/// A statement that the oldest segments were removed: without it, a segment that is gone was taken away.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Removal {
    /// Of this form.
    pub version: u32,
    /// The last segment that was removed.
    pub through: u64,
    /// The digest of its checkpoint.
    pub checkpoint: String,
    /// When, in seconds of the Unix epoch.
    pub at: i64,
}

/// A statement of how far entries were kept, written down now and then beside them: groups that were cut off the end
/// are told by it from a write that did not end.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mark {
    /// Of this form.
    pub version: u32,
    /// The segment that was written to.
    pub segment: u64,
    /// The number of the last entry that was durable.
    pub last: u64,
}

/// The version of all of them.
pub const VERSION: u32 = 1;

/// Something that can be signed; its word keeps one kind from passing for another.
pub trait Statement: for<'de> Deserialize<'de> + Serialize {
    /// What stands before it when it is signed.
    const WORD: &'static str;
}

impl Statement for Checkpoint {
    const WORD: &'static str = "ringfort audit checkpoint v1\n";
}

impl Statement for Mark {
    const WORD: &'static str = "ringfort audit mark v1\n";
}

impl Statement for Removal {
    const WORD: &'static str = "ringfort audit removal v1\n";
}

/// A statement, word by word as it was signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Signed {
    /// The statement in JSON.
    pub statement: String,
    /// The signature of who keeps the store.
    pub signature: String,
    /// Those of who saw it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<Countersignature>,
}

/// Says that somebody saw a statement, and when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Countersignature {
    /// The public key of who saw it.
    pub witness: String,
    /// When it was seen first, by the witness's clock, in seconds of the Unix epoch.
    pub at: i64,
    /// The signature.
    pub signature: String,
}

const WITNESS: &str = "ringfort audit witness v2\n";

fn seen_at(at: i64, statement: &str) -> Vec<u8> {
    spoken(WITNESS, &format!("{at}\n{statement}"))
}

impl Signed {
    /// Signs a statement.
    pub fn new<S: Statement>(statement: &S, key: &Ed25519Key) -> Self {
        let statement = serde_json::to_string(statement).expect("a statement is plain data");
        let signature = STANDARD.encode(key.sign(&spoken(S::WORD, &statement)));
        Self { statement, signature, witnesses: Vec::new() }
    }

    /// Gives the statement, if it is of this kind and by this key.
    pub fn verified<S: Statement>(&self, key: &Ed25519Public) -> Option<S> {
        let signature = STANDARD.decode(&self.signature).ok()?;
        key.has_signed(&spoken(S::WORD, &self.statement), &signature).then_some(())?;
        serde_json::from_str(&self.statement).ok()
    }

    /// Gives its digest, by which the next names it.
    pub fn digest(&self) -> String {
        hex(blake3::hash(self.statement.as_bytes()).as_bytes())
    }

    /// Adds the signature of a witness, who has looked at it before.
    pub fn countersign(&mut self, witness: &Ed25519Key, at: i64) {
        let signature = STANDARD.encode(witness.sign(&seen_at(at, &self.statement)));
        let witness = STANDARD.encode(witness.public().0);
        self.witnesses.push(Countersignature { witness, at, signature });
    }

    /// Says when a witness saw it first, if it did.
    pub fn seen_by(&self, witness: &Ed25519Public) -> Option<i64> {
        let name = STANDARD.encode(witness.0);
        let is_right = |one: &&Countersignature| {
            let spoken = seen_at(one.at, &self.statement);
            let signature = STANDARD.decode(&one.signature);
            one.witness == name && signature.is_ok_and(|it| witness.has_signed(&spoken, &it))
        };
        self.witnesses.iter().filter(is_right).map(|one| one.at).min()
    }

    /// Reads it from JSON.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Writes it as JSON.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = serde_json::to_vec(self).expect("a statement is plain data");
        out.push(b'\n');
        out
    }
}

fn spoken(word: &str, statement: &str) -> Vec<u8> {
    [word.as_bytes(), statement.as_bytes()].concat()
}

impl Checkpoint {
    /// Whether it goes on from the one before it, which has this digest.
    pub fn follows(&self, before: &Self, digest: &str) -> bool {
        self.segment == before.segment + 1
            && self.first == before.last + 1
            && self.last >= before.last
            && self.previous == digest
            && self.before == before.after
    }

    /// Says what a sealed segment is.
    pub fn of(sealed: &Sealed, seconds: i64, previous: &str) -> Self {
        let Sealed { bytes, table, unreadable } = sealed;
        Self {
            version: VERSION,
            segment: table.start.segment,
            first: table.start.first,
            last: table.start.first + table.count() - 1,
            unreadable: *unreadable,
            before: hex(&table.start.before),
            after: hex(&table.after()),
            times: table.times(),
            file: hex(blake3::hash(bytes).as_bytes()),
            bytes: bytes.len() as u64,
            sealed: seconds,
            previous: previous.to_owned(),
        }
    }
}

/// Writes a hash as text.
pub fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a hash from text.
pub fn unhex(text: &str) -> Option<Hash> {
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(())?;
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_of_its_kind_and_a_witness_speaks_for_itself() {
        let key = || Ed25519Key::make().unwrap();
        let (keeper, witness) = (key(), key());
        let removal = Removal { version: VERSION, through: 3, checkpoint: "ab".to_owned(), at: 5 };
        let mut signed = Signed::new(&removal, &keeper);
        assert_eq!(signed.verified::<Removal>(&keeper.public()), Some(removal));
        assert_eq!(signed.verified::<Removal>(&witness.public()), None);
        assert_eq!(signed.verified::<Checkpoint>(&keeper.public()), None);
        assert_eq!(signed.seen_by(&witness.public()), None);
        signed.countersign(&witness, 7);
        assert_eq!(signed.seen_by(&witness.public()), Some(7));
        assert_eq!(signed.seen_by(&keeper.public()), None);
        let mut earlier = signed.clone();
        earlier.witnesses[0].at = 6;
        assert_eq!(earlier.seen_by(&witness.public()), None, "the time is signed too");
        assert_eq!(Signed::read(&signed.bytes()), Some(signed.clone()));
        let other = Signed { statement: signed.statement.replace('3', "4"), ..signed };
        assert_eq!(other.verified::<Removal>(&keeper.public()), None);
        assert_eq!(other.seen_by(&witness.public()), None);
    }

    #[test]
    fn hashes_come_back_from_their_text() {
        assert_eq!(unhex(&hex(&[0xa5; 32])), Some([0xa5; 32]));
        assert_eq!(unhex("+5"), None);
        assert_eq!(unhex(&"+5".repeat(32)), None);
    }
}
