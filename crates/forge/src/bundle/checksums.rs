//! The checksums that a user pins: a file as `sha256sum` writes it, with addresses for names.

use std::collections::BTreeMap;

use minisign_verify::{PublicKey, Signature};

use ringfort_model::digest::Digest;

/// Digests of release files by their address without the scheme.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Checksums(BTreeMap<String, Digest>);

/// Says what is wrong with a file of checksums.
#[derive(Debug, thiserror::Error)]
pub enum ChecksumsError {
    /// A line is not as it should be.
    #[error(
        "line {line} of the checksums is not a SHA-256 digest, two spaces and an address such as dl.k8s.io/release/v1.37.2/bin/linux/amd64/kubelet"
    )]
    Line {
        /// Its number, from 1.
        line: usize,
    },
    /// Two lines pin one file to different digests.
    #[error(
        "line {line} of the checksums gives {address} another digest than a line before it: keep one"
    )]
    Contradiction {
        /// Its number, from 1.
        line: usize,
        /// The file.
        address: String,
    },
    /// The public key is none.
    #[error("the public key cannot be read: give the file that minisign wrote, or its last line")]
    Key {
        /// What the reader said.
        #[source]
        source: minisign_verify::Error,
    },
    /// The signature is none, or not of this key and this file.
    #[error("the signature of the checksums does not hold: do not use them")]
    Signature {
        /// What the reader said.
        #[source]
        source: minisign_verify::Error,
    },
}

impl Checksums {
    /// Reads the file.
    ///
    /// # Errors
    /// A line is wrong, or contradicts another.
    pub fn parse(text: &str) -> Result<Self, ChecksumsError> {
        let mut pinned = BTreeMap::new();
        for (at, written) in text.lines().enumerate() {
            let line = at + 1;
            if written.trim().is_empty() || written.starts_with('#') {
                continue;
            }
            let (digest, address) = read_line(written).ok_or(ChecksumsError::Line { line })?;
            let before = pinned.insert(address.to_owned(), digest.clone());
            if before.is_some_and(|before| before != digest) {
                let address = address.to_owned();
                return Err(ChecksumsError::Contradiction { line, address });
            }
        }
        Ok(Self(pinned))
    }

    /// Reads the file after its signature, as minisign makes it, was checked.
    ///
    /// # Errors
    /// The signature does not hold, or the file is wrong.
    pub fn parse_signed(text: &str, signature: &str, key: &str) -> Result<Self, ChecksumsError> {
        let key = key.trim().lines().last().unwrap_or_default().trim();
        let key = PublicKey::from_base64(key).map_err(|source| ChecksumsError::Key { source })?;
        let refused = |source| ChecksumsError::Signature { source };
        let signature = Signature::decode(signature).map_err(refused)?;
        key.verify(text.as_bytes(), &signature, false).map_err(refused)?;
        Self::parse(text)
    }

    /// Finds the digest of the file at an address.
    pub(super) fn of(&self, url: &str) -> Option<&Digest> {
        self.0.get(url.split_once("://").map_or(url, |(_, address)| address))
    }
}

fn read_line(line: &str) -> Option<(Digest, &str)> {
    let (digest, address) = line.split_once("  ")?;
    let address = address.trim_start().trim_start_matches("https://").trim_end();
    let plain = !address.is_empty() && !address.contains(char::is_whitespace);
    Some((digest.parse().ok()?, address)).filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::Checksums;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn lines_of_digest_and_address_are_read() {
        let check = |text: &str, expected: Result<(), &str>| {
            let read = Checksums::parse(text).map_err(|error| error.to_string());
            match expected {
                Ok(()) => assert!(read.expect(text).of("https://dl.k8s.io/x").is_some(), "{text}"),
                Err(part) => assert!(read.expect_err(text).contains(part), "{text}"),
            }
        };
        check(&format!("# pins\n\n{HEX}  dl.k8s.io/x\n"), Ok(()));
        check(&format!("{HEX}  https://dl.k8s.io/x\n{HEX}  dl.k8s.io/x"), Ok(()));
        check("dl.k8s.io/x", Err("line 1 of the checksums"));
        check(&format!("\n{HEX} dl.k8s.io/x"), Err("line 2 of the checksums"));
        check(&format!("{}  dl.k8s.io/x", &HEX[1..]), Err("line 1 of the checksums"));
        check(&format!("{HEX}  "), Err("line 1 of the checksums"));
        check(&format!("{HEX}  a b"), Err("line 1 of the checksums"));
        let other = HEX.replace('e', "f");
        check(&format!("{HEX}  x\n{other}  x"), Err("line 2 of the checksums gives x another"));
    }

    #[test]
    fn a_signature_holds_for_its_text_and_its_key_alone() {
        let text = include_str!("samples/checksums.txt");
        let signature = include_str!("samples/checksums.txt.minisig");
        let key = include_str!("samples/checksums.pub");
        let other_key = include_str!("samples/other.pub");
        assert!(Checksums::parse_signed(text, signature, key).is_ok());
        let check = |text: &str, signature: &str, key: &str, expected: &str| {
            let error = Checksums::parse_signed(text, signature, key).expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(&text.replace("v1.37.2", "v1.37.1"), signature, key, "does not hold");
        check(text, signature, other_key, "does not hold");
        check(text, "", key, "does not hold");
        check(text, signature, "no key", "the public key cannot be read");
    }
}
