//! The name of an image (<https://kubernetes.io/docs/concepts/containers/images/>).

use ringfort_model::image;

use crate::fault::Remedy;
use crate::judgement::Sheet;
use crate::place::{Field, Place};

/// The parts of an image's name.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Image<'n> {
    pub(super) registry: Option<&'n str>,
    pub(super) tag: Option<&'n str>,
    pub(super) digest: Option<&'n str>,
}

impl<'n> Image<'n> {
    pub(super) fn of(name: &'n str) -> Self {
        let (name, digest) = match name.split_once('@') {
            Some((name, digest)) => (name, Some(digest).filter(|digest| is_digest(digest))),
            None => (name, None),
        };
        let last = name.rsplit('/').next().unwrap_or_default();
        let tag = last.split_once(':').map(|(_, tag)| tag).filter(|tag| !tag.is_empty());
        Self { registry: image::registry(name), tag, digest }
    }

    /// Whether a registry is asked without a policy, or need not be asked.
    pub(super) fn is_fixed_or_newest(&self) -> bool {
        self.digest.is_some() || self.tag.is_none_or(|tag| tag == "latest")
    }

    /// Judges the name at a place. A container without an image says nothing that could pass.
    pub(super) fn judge(
        place: &Place<'_>,
        sheet: &mut Sheet,
        is_good: impl FnOnce(Image<'_>) -> bool,
        remedy: Remedy,
    ) {
        match place.word() {
            Field::Is(name) if is_good(Image::of(name)) => sheet.pass(place),
            Field::Is(_) => sheet.fail(place, remedy),
            Field::Absent | Field::Unreadable => sheet.unread(place),
        }
    }
}

/// Whether a text is a digest (OCI image specification, descriptors): of the algorithms that are registered in
/// full and in small letters, of others by the grammar. What is no digest names nothing that is fixed.
fn is_digest(digest: &str) -> bool {
    let Some((algorithm, encoded)) = digest.split_once(':') else { return false };
    let is_hex = |length| {
        encoded.len() == length && encoded.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    };
    match algorithm {
        "sha256" | "blake3" => is_hex(64),
        "sha384" => is_hex(96),
        "sha512" => is_hex(128),
        _ => {
            let is_part = |it: &str| {
                !it.is_empty()
                    && it.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
            };
            let is_encoded =
                |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'=' | b'_' | b'-');
            algorithm.split(['+', '.', '_', '-']).all(is_part)
                && !encoded.is_empty()
                && encoded.bytes().all(is_encoded)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Image;

    #[test]
    fn names_have_parts() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let by_digest = format!("nginx@{digest}");
        let in_capitals = format!("nginx@sha256:{}", "A".repeat(64));
        for (name, registry, tag, digest) in [
            ("nginx", None, None, None),
            ("nginx:1", None, Some("1"), None),
            ("library/nginx:1", None, Some("1"), None),
            ("localhost:5000/nginx", Some("localhost:5000"), None, None),
            ("example.com/a/b:latest", Some("example.com"), Some("latest"), None),
            (by_digest.as_str(), None, None, Some(digest.as_str())),
            ("nginx@sha256:short", None, None, None),
            (in_capitals.as_str(), None, None, None),
            ("nginx@sha3-256:0a1B", None, None, Some("sha3-256:0a1B")),
            ("nginx@SHA3:0a1b", None, None, None),
            ("nginx@sha3:", None, None, None),
        ] {
            assert_eq!(Image::of(name), Image { registry, tag, digest }, "{name}");
        }
    }
}
