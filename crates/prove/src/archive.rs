//! Evidence as one file: a deterministic tar archive with a signed statement of what is in it.
//!
//! The statement is an in-toto Statement (v1) in a DSSE envelope: its subjects are the archive's files
//! with their digests, its predicate says what was proved. Whoever has the public key sees whether one
//! byte of anything was changed.

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use ringfort_model::digest::Digest;
use ringfort_pki::{KeyError, PrivateKey, is_signed};

/// The signed statement's file.
const ENVELOPE: &str = "statement.dsse.json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What the predicate is.
pub const PREDICATE: &str = "https://ringfort.dev/evidence/v1";
/// More than this is no evidence of ours.
const MOST_BYTES: u64 = 256 << 20;

/// The files of an archive by their names.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Says why an archive is not what was signed.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    /// It is no archive, or one of another shape.
    #[error("this is no evidence of ringfort: {why}")]
    Shape {
        /// What is wrong with it.
        why: String,
    },
    /// The signature is not by this key.
    #[error("the statement was changed, or signed by another key: this one is {key_id}")]
    Signature {
        /// Digest of the public key that was tried.
        key_id: String,
    },
    /// A file is not the one that was signed.
    #[error("{name} {how}")]
    File {
        /// Which.
        name: String,
        /// How it differs.
        how: &'static str,
    },
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

impl Envelope {
    fn write(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("an envelope has string keys only")
    }
}

#[derive(Deserialize, Serialize)]
struct Signature {
    keyid: String,
    sig: String,
}

/// Writes files and a signed statement of them.
///
/// # Errors
/// The library does not sign.
pub fn write(files: &Files, predicate: &Value, key: &PrivateKey) -> Result<Vec<u8>, KeyError> {
    let subject = |(name, bytes): (&String, &Vec<u8>)| json!({"name": name, "digest": {"sha256": Digest::of(bytes)}});
    let statement = json!({
        "_type": STATEMENT,
        "subject": files.iter().map(subject).collect::<Vec<_>>(),
        "predicateType": PREDICATE,
        "predicate": predicate,
    });
    let payload = statement.to_string();
    let envelope = Envelope {
        payload: STANDARD.encode(&payload),
        payload_type: PAYLOAD_TYPE.to_owned(),
        signatures: vec![Signature {
            keyid: key.public().id.to_string(),
            sig: STANDARD.encode(key.sign(&encoded(payload.as_bytes()))?),
        }],
    };
    let envelope = envelope.write();
    let all = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    Ok(tar(all.chain([(ENVELOPE, envelope.as_slice())])))
}

/// What is signed: the type and the payload, each with its length (DSSE, pre-authentication encoding).
fn encoded(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

fn tar<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        builder.append_data(&mut header, name, bytes).expect("memory takes every name of ours");
    }
    builder.into_inner().expect("memory takes every byte")
}

/// Reads an archive, and sees that every file is the one that was signed by a key.
///
/// # Errors
/// It is no such archive, the signature is another key's, or a file was changed, added or taken away.
pub fn read(archive: &[u8], public_pem: &str) -> Result<(Files, Value), NotSigned> {
    let shape = |why: &dyn ToString| NotSigned::Shape { why: why.to_string() };
    let mut files = Files::new();
    let mut entries = tar::Archive::new(archive);
    for entry in entries.entries().map_err(|e| shape(&e))? {
        let entry = entry.map_err(|e| shape(&e))?;
        let name = entry.path().map_err(|e| shape(&e))?.display().to_string();
        let mut bytes = Vec::new();
        entry.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|e| shape(&e))?;
        if files.insert(name.clone(), bytes).is_some() {
            return Err(NotSigned::File { name, how: "is there twice" });
        }
    }
    // There is one way to write an archive, so that no byte of it is beside the signature.
    let all =
        files.iter().filter(|(name, _)| *name != ENVELOPE).chain(files.get_key_value(ENVELOPE));
    if tar(all.map(|(name, bytes)| (name.as_str(), bytes.as_slice()))) != archive {
        return Err(shape(&"it is not written as ringfort writes it"));
    }
    let written = files.remove(ENVELOPE).ok_or_else(|| shape(&"it holds no statement"))?;
    let envelope: Envelope = serde_json::from_slice(&written).map_err(|e| shape(&e))?;
    if envelope.write() != written {
        return Err(shape(&"its statement is not written as ringfort writes it"));
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|e| shape(&e))?;
    let key_id = pem_id(public_pem);
    let signed = envelope.signatures.iter().all(|signature| {
        let bytes = STANDARD.decode(&signature.sig).unwrap_or_default();
        signature.keyid == key_id && is_signed(&encoded(&payload), &bytes, public_pem)
    });
    if !signed || envelope.signatures.is_empty() || envelope.payload_type != PAYLOAD_TYPE {
        return Err(NotSigned::Signature { key_id });
    }
    let statement: Value = serde_json::from_slice(&payload).map_err(|e| shape(&e))?;
    if statement["_type"] != STATEMENT || statement["predicateType"] != PREDICATE {
        return Err(shape(&"its statement is of another kind"));
    }
    compare(&files, &statement)?;
    Ok((files, statement["predicate"].clone()))
}

fn compare(files: &Files, statement: &Value) -> Result<(), NotSigned> {
    let subjects = statement["subject"].as_array().into_iter().flatten();
    let signed: BTreeMap<&str, &str> = subjects
        .filter_map(|one| Some((one["name"].as_str()?, one["digest"]["sha256"].as_str()?)))
        .collect();
    for (name, bytes) in files {
        match signed.get(name.as_str()) {
            Some(digest) if *digest == Digest::of(bytes).as_str() => {}
            Some(_) => return Err(NotSigned::File { name: name.clone(), how: "was changed" }),
            None => return Err(NotSigned::File { name: name.clone(), how: "was added" }),
        }
    }
    match signed.keys().find(|name| !files.contains_key(**name)) {
        Some(name) => Err(NotSigned::File { name: (*name).to_owned(), how: "was taken away" }),
        None => Ok(()),
    }
}

fn pem_id(public_pem: &str) -> String {
    let der: String = public_pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD
        .decode(der)
        .map_or_else(|_| "no public key".to_owned(), |der| Digest::of(&der).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use ringfort_pki::PrivateKey;

    use super::{Files, NotSigned, read, write};

    fn files() -> Files {
        [("a.json", "one"), ("b/c.json", "two")]
            .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
            .into()
    }

    #[test]
    fn what_is_written_is_read_with_the_key_that_signed_it_alone() {
        let key = PrivateKey::make().unwrap();
        let archive = write(&files(), &json!({"proved": 2}), &key).unwrap();
        let (read_files, predicate) = read(&archive, &key.public().pem).unwrap();
        assert_eq!((read_files, predicate), (files(), json!({"proved": 2})));
        let other = PrivateKey::make().unwrap();
        let refused = read(&archive, &other.public().pem);
        assert!(matches!(refused, Err(NotSigned::Signature { .. })), "{refused:?}");
    }

    #[test]
    fn one_changed_byte_is_seen_wherever_it_is() {
        let key = PrivateKey::make().unwrap();
        let archive = write(&files(), &json!({"proved": 2}), &key).unwrap();
        let public = key.public().pem;
        for at in 0..archive.len() {
            let mut changed = archive.clone();
            changed[at] ^= 1;
            assert!(read(&changed, &public).is_err(), "byte {at}");
        }
    }

    #[test]
    fn files_that_come_or_go_are_seen() {
        let key = PrivateKey::make().unwrap();
        let archive = write(&files(), &json!({}), &key).unwrap();
        let mut builder = tar::Builder::new(Vec::new());
        let mut entries = tar::Archive::new(archive.as_slice());
        for entry in entries.entries().unwrap().skip(1) {
            let entry = entry.unwrap();
            let (mut header, path) = (entry.header().clone(), entry.path().unwrap().into_owned());
            builder.append_data(&mut header, path, entry).unwrap();
        }
        let less = builder.into_inner().unwrap();
        let refused = read(&less, &key.public().pem);
        assert!(matches!(refused, Err(NotSigned::File { .. })), "{refused:?}");
    }
}
