//! Asks upstream for the digests that it publishes, as the file of checksums that a build wants.
//!
//! They are as true as the sites that they come from: a build never asks for them itself, but checks
//! files by what somebody has looked at and kept.

use std::fmt::Write as _;
use std::path::PathBuf;

use ringfort_model::digest::Digest;
use ringfort_model::version::KubeVersion;

use super::build::{BuildError, release};
use super::fetch::{FetchError, Fetcher};
use super::upstream;

/// Says why upstream's digests are not known.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    /// The release is none of those that bundles are made of.
    #[error(transparent)]
    Release(#[from] BuildError),
    /// What upstream publishes could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It has no digest of a file.
    #[error("{url} has no SHA-256 digest of {file}: is it what upstream wrote?")]
    Lacks {
        /// What was read.
        url: String,
        /// The file.
        file: String,
    },
}

/// Gives the checksums of all files of a release, as upstream publishes them now.
///
/// # Errors
/// The release is unknown, or a digest of it cannot be had.
pub fn published(asked: KubeVersion, mirror: Option<&str>) -> Result<String, PublishedError> {
    let release = release(asked)?;
    // Nothing is kept.
    let fetcher = Fetcher::new(PathBuf::new());
    let mut text = format!(
        "# Kubernetes {} and what belongs to it, as upstream published it. Compare it with a second source before you keep it.\n",
        release.kubernetes()
    );
    for (file, sums) in upstream::published(release) {
        let url = upstream::mirrored(mirror, &sums);
        let digest = find(&fetcher.text(&url)?, &file);
        let digest = digest.ok_or_else(|| PublishedError::Lacks { url, file: file.clone() })?;
        let address = file.trim_start_matches("https://");
        writeln!(text, "{digest}  {address}").expect("a string takes everything");
    }
    Ok(text)
}

/// Finds a file's digest in what `sha256sum` writes, or takes the one that is there alone.
fn find(text: &str, file: &str) -> Option<Digest> {
    let name = file.rsplit('/').next()?;
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let mut named = lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
    let is_it = |written: &str| {
        let written = written.trim().trim_start_matches('*');
        written.rsplit('/').next() == Some(name)
    };
    if let Some((digest, _)) = named.find(|(_, written)| is_it(written)) {
        return digest.parse().ok();
    }
    let mut lines = lines();
    lines.next().filter(|_| lines.next().is_none())?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ringfort_model::digest::Digest;

    use super::{find, published};
    use crate::bundle::checksums::Checksums;
    use crate::bundle::pins::RELEASES;
    use crate::bundle::server::{Manner, Server};
    use crate::bundle::upstream;

    #[test]
    fn digests_are_found_as_projects_write_them() {
        let digest = Digest::of(b"file");
        let other = Digest::of(b"other");
        let check = |text: String, expected: bool| {
            let found = find(&text, "https://host/a/file.tgz");
            assert_eq!(found.as_ref(), expected.then_some(&digest), "{text}");
        };
        check(digest.to_string(), true);
        check(format!("{digest}\n"), true);
        check(format!("{other}  file\n{digest}  file.tgz\n"), true);
        check(format!("{digest} *release/file.tgz\n{other}  file.tgz.asc\n"), true);
        check(format!("{digest}  another.tgz\n"), false);
        check(format!("{digest}\n{digest}\n"), false);
        check("<html>Sign in</html>".to_owned(), false);
        check(String::new(), false);
    }

    /// What upstream publishes for the newest release, each file with a digest of its address.
    fn sites() -> Vec<(&'static str, Vec<u8>)> {
        let mut sites = BTreeMap::<String, String>::new();
        for (file, sums) in upstream::published(&RELEASES[0]) {
            let name = file.rsplit('/').next().expect("a name");
            let line = format!("{}  {name}\n", Digest::of(file.as_bytes()));
            sites.entry(upstream::mirrored(Some(""), &sums)).or_default().push_str(&line);
        }
        let leaked = |(path, text): (String, String)| -> (&'static str, Vec<u8>) {
            (path.leak(), text.into_bytes())
        };
        sites.into_iter().map(leaked).collect()
    }

    #[test]
    fn what_upstream_publishes_pins_every_file_of_a_release() {
        let server = Server::start(sites(), Manner::Good);
        let mirror = server.url("/");
        let text = published(RELEASES[0].kubernetes(), Some(&mirror)).expect("all is published");
        let pins = Checksums::parse(&text).expect("a file of checksums");
        for file in upstream::published(&RELEASES[0]).into_keys() {
            assert_eq!(pins.of(&file), Some(&Digest::of(file.as_bytes())), "{file}");
        }
    }

    #[test]
    fn what_is_not_published_is_named_and_pins_nothing() {
        let check = |sites, manner, expected: &str| {
            let server = Server::start(sites, manner);
            let found = published(RELEASES[0].kubernetes(), Some(&server.url("/")));
            let error = found.expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(sites(), Manner::Lacks, "kube-apiserver.sha256 was answered with 404");
        check(sites(), Manner::Truncates { to: 7 }, " has no SHA-256 digest of https://");
        let page = |(path, _)| (path, b"<html>Sign in</html>".to_vec());
        check(sites().into_iter().map(page).collect(), Manner::Good, " has no SHA-256 digest of ");
    }
}
