//! The name of an image (<https://kubernetes.io/docs/concepts/containers/images/>).

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
        let (path, last) = name.rsplit_once('/').map_or(("", name), |(path, last)| (path, last));
        let tag = last.split_once(':').map(|(_, tag)| tag).filter(|tag| !tag.is_empty());
        let first = path.split('/').next().unwrap_or_default();
        let is_host = first == "localhost" || first.contains(['.', ':']);
        Self { registry: is_host.then_some(first), tag, digest }
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

fn is_digest(digest: &str) -> bool {
    let of = |algorithm, length| {
        let hex = digest.strip_prefix(algorithm).and_then(|rest: &str| rest.strip_prefix(':'));
        hex.is_some_and(|hex| hex.len() == length && hex.bytes().all(|it| it.is_ascii_hexdigit()))
    };
    of("sha256", 64) || of("sha512", 128)
}

#[cfg(test)]
mod tests {
    use super::Image;

    #[test]
    fn names_have_parts() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let by_digest = format!("nginx@{digest}");
        for (name, registry, tag, digest) in [
            ("nginx", None, None, None),
            ("nginx:1", None, Some("1"), None),
            ("library/nginx:1", None, Some("1"), None),
            ("localhost:5000/nginx", Some("localhost:5000"), None, None),
            ("example.com/a/b:latest", Some("example.com"), Some("latest"), None),
            (by_digest.as_str(), None, None, Some(digest.as_str())),
            ("nginx@sha256:short", None, None, None),
        ] {
            assert_eq!(Image::of(name), Image { registry, tag, digest }, "{name}");
        }
    }
}
