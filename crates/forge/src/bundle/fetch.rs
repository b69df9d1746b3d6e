//! Fetches release files over HTTP: only files whose digest is known beforehand, continued where a
//! broken transfer stopped, and never left under their name unless they are what was pinned.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ureq::http::StatusCode;
use ureq::http::header::{CONTENT_RANGE, RANGE};
use ureq::tls::{TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use ringfort_model::digest::Digest;

use super::files::{FileFault, make_directory, measure, remove, rename};

/// Fetches files to a directory, where each goes by its digest.
#[derive(Debug)]
pub(super) struct Fetcher {
    agent: Agent,
    directory: PathBuf,
}

/// Says why a file was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The server was not reached, or did not speak HTTP.
    #[error("{url} cannot be fetched: check the network, or name a mirror with --mirror")]
    Unreachable {
        /// The address.
        url: String,
        /// What happened.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The server does not have it.
    #[error("{url} was answered with {status}: check the address, or name a mirror with --mirror")]
    Refused {
        /// The address.
        url: String,
        /// The answer.
        status: u16,
    },
    /// The transfer broke off every time.
    #[error("{url} broke off after {received} bytes: run again, and it goes on from there")]
    BrokenOff {
        /// The address.
        url: String,
        /// How much is there.
        received: u64,
    },
    /// The file is not the one that is pinned.
    #[error(
        "{url} has the digest {found}, pinned is {pinned}: the file was altered, or the pin is of another file; it was thrown away"
    )]
    Altered {
        /// The address.
        url: String,
        /// The digest of what came.
        found: Digest,
        /// The digest that was expected.
        pinned: Digest,
    },
    /// It could not be written.
    #[error(transparent)]
    File(#[from] FileFault),
}

impl Fetcher {
    /// Makes a fetcher that keeps files in a directory.
    pub(super) fn new(directory: PathBuf) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .user_agent(concat!("ringfort/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .build()
            .new_agent();
        Self { agent, directory }
    }

    /// Fetches the file with a digest, unless it is there already, and gives its path.
    ///
    /// # Errors
    /// The server does not give it, the transfer broke off, or it is another file.
    pub(super) fn fetch(&self, url: &str, pinned: &Digest) -> Result<PathBuf, FetchError> {
        make_directory(&self.directory)?;
        let path = self.directory.join(pinned.as_str());
        if path.exists() && measure(&path)?.sha256 == *pinned {
            return Ok(path);
        }
        let partial = path.with_extension("partial");
        let continued = partial.exists();
        let mut found = self.complete(url, &partial)?;
        if found != *pinned && continued {
            // What was there before may have been the broken half.
            remove(&partial)?;
            found = self.complete(url, &partial)?;
        }
        if found != *pinned {
            remove(&partial)?;
            return Err(FetchError::Altered { url: url.to_owned(), found, pinned: pinned.clone() });
        }
        rename(&partial, &path)?;
        Ok(path)
    }

    /// Reads a small text, of which nothing is known beforehand.
    ///
    /// # Errors
    /// The server does not give it, or it is no text or a long one.
    pub(super) fn text(&self, url: &str) -> Result<String, FetchError> {
        let unreachable =
            |source| FetchError::Unreachable { url: url.to_owned(), source: Box::new(source) };
        let answer = self.agent.get(url).call().map_err(unreachable)?;
        match answer.status() {
            StatusCode::OK => {
                let body = answer.into_body().into_with_config().limit(LIMIT_TEXT_BYTES);
                body.read_to_string().map_err(unreachable)
            }
            status => Err(FetchError::Refused { url: url.to_owned(), status: status.as_u16() }),
        }
    }

    /// Brings a file to its end, however often the transfer breaks off, within limits.
    fn complete(&self, url: &str, partial: &Path) -> Result<Digest, FetchError> {
        for _ in 0..ATTEMPTS {
            if self.receive(url, partial)? == Ended::Complete {
                return Ok(measure(partial)?.sha256);
            }
        }
        let received = partial.metadata().map_err(FileFault::of(partial))?.len();
        Err(FetchError::BrokenOff { url: url.to_owned(), received })
    }

    /// Asks once, for what is lacking.
    fn receive(&self, url: &str, partial: &Path) -> Result<Ended, FetchError> {
        let have = partial.metadata().map_or(0, |found| found.len());
        let mut request = self.agent.get(url);
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let unreachable =
            |source| FetchError::Unreachable { url: url.to_owned(), source: Box::new(source) };
        let answer = request.call().map_err(unreachable)?;
        let range = answer.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
        match answer.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(range, have) => {
                receive_to(partial, OpenOptions::new().append(true), answer.into_body())
            }
            StatusCode::OK => {
                let options = OpenOptions::new().write(true).create(true).truncate(true).clone();
                receive_to(partial, &options, answer.into_body())
            }
            // Nothing is lacking, or more is here than there is: the digest tells.
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => Ok(Ended::Complete),
            status => Err(FetchError::Refused { url: url.to_owned(), status: status.as_u16() }),
        }
    }
}

/// How one transfer ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    Complete,
    BrokenOff,
}

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a transfer may break off.
const ATTEMPTS: usize = 3;
/// The largest release file is a fifth of this.
const LIMIT_BYTES: u64 = 1 << 30;
/// Lists of digests are a tenth of this.
const LIMIT_TEXT_BYTES: u64 = 1 << 16;
const PIECE_BYTES: usize = 1 << 16;

fn receive_to(partial: &Path, options: &OpenOptions, body: Body) -> Result<Ended, FetchError> {
    let mut file: File = options.open(partial).map_err(FileFault::of(partial))?;
    let mut reader = body.into_with_config().limit(LIMIT_BYTES).reader();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(Ended::Complete),
            Ok(count) => file.write_all(&piece[..count]).map_err(FileFault::of(partial))?,
            Err(_) => return Ok(Ended::BrokenOff),
        }
    }
}

/// Says whether a `Content-Range` begins where it was asked to.
fn starts_at(range: Option<&str>, offset: u64) -> bool {
    let first = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next());
    first.and_then(|first| first.parse().ok()) == Some(offset)
}

#[cfg(test)]
mod tests {
    use ringfort_model::digest::Digest;

    use super::Fetcher;
    use crate::bundle::server::{Manner, Server};

    const CONTENT: &[u8] = b"a release file of some length";

    fn fetch(manner: Manner) -> (Result<Vec<u8>, String>, usize) {
        let directory = tempfile::tempdir().expect("a directory");
        let server = Server::start(vec![("/file", CONTENT.to_vec())], manner);
        let fetcher = Fetcher::new(directory.path().to_owned());
        let path = fetcher.fetch(&server.url("/file"), &Digest::of(CONTENT));
        let read = path.map(|path| std::fs::read(path).expect("what was fetched"));
        let read = read.map_err(|error| error.to_string().replace(&server.url(""), ""));
        let left = std::fs::read_dir(directory.path()).expect("the directory").count();
        (read, left)
    }

    #[test]
    fn a_good_file_is_fetched_whatever_breaks_off() {
        let check = |manner| assert_eq!(fetch(manner), (Ok(CONTENT.to_vec()), 1), "{manner:?}");
        check(Manner::Good);
        check(Manner::BreaksOff { after: 7, times: 2, ranges: true });
        check(Manner::BreaksOff { after: 7, times: 2, ranges: false });
    }

    #[test]
    fn a_bad_file_is_never_kept_and_the_reason_is_named() {
        let check = |manner, expected: &str, left| {
            let (found, remains) = fetch(manner);
            let error = found.expect_err("a bad file");
            assert!(error.contains(expected), "{manner:?}: {error}");
            assert_eq!(remains, left, "{manner:?}");
        };
        check(Manner::Alters, "the file was altered", 0);
        check(Manner::Truncates { to: 7 }, "the file was altered", 0);
        check(Manner::Lacks, "/file was answered with 404", 0);
        let endless = Manner::BreaksOff { after: 7, times: 9, ranges: false };
        check(endless, "/file broke off after 7 bytes", 1);
    }

    #[test]
    fn a_second_run_goes_on_where_the_first_stopped() {
        let directory = tempfile::tempdir().expect("a directory");
        let pinned = Digest::of(CONTENT);
        let check = |before: &[u8], sent: u64| {
            let partial = directory.path().join(pinned.as_str()).with_extension("partial");
            std::fs::write(partial, before).expect("the first half");
            let server = Server::start(vec![("/file", CONTENT.to_vec())], Manner::Good);
            let fetcher = Fetcher::new(directory.path().to_owned());
            let path = fetcher.fetch(&server.url("/file"), &pinned).expect("a good file");
            assert_eq!(std::fs::read(&path).expect("what was fetched"), CONTENT);
            assert_eq!(server.sent(), sent, "{before:?}");
            std::fs::remove_file(path).expect("what was fetched");
        };
        let whole = CONTENT.len() as u64;
        check(&CONTENT[..10], whole - 10);
        check(CONTENT, 0);
        check(b"something else", whole - 14 + whole);
    }
}
