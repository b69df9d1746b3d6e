//! Takes programs from upstream's release files, each by a checksum that the user pinned.
//!
//! Upstream releases no file of pause and none of ringfort's own probe: those two are compiled here
//! from Go's standard library, which fetches nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use ringfort_model::bundle::Source;
use ringfort_model::digest::Digest;

use super::checksums::Checksums;
use super::compiler::{Compiler, CompilerError};
use super::fetch::{FetchError, Fetcher};
use super::files::FileFault;
use super::pins::{PROGRAMS, Program, Release};
use super::shelf::{MakeError, Maker};

/// Upstream's release files.
#[derive(Debug)]
pub(super) struct Upstream {
    checksums: Checksums,
    mirror: Option<String>,
    fetcher: Fetcher,
}

/// Says why a program could not be taken from a release.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Some files have no checksum.
    #[error("no checksum is pinned for\n  {}\nadd a line for each to the file of checksums: `ringfort bundle pins` asks upstream for them", addresses.join("\n  "))]
    Unpinned {
        /// The addresses.
        addresses: Vec<String>,
    },
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The archive is broken or of another shape.
    #[error("{url} has no file {inside}: is the checksum that of another release?")]
    Lacks {
        /// The archive.
        url: String,
        /// The path in it.
        inside: String,
    },
    /// A program of ringfort's own could not be compiled.
    #[error(transparent)]
    Compiler(#[from] CompilerError),
    /// It could not be written.
    #[error(transparent)]
    File(#[from] FileFault),
}

impl Upstream {
    /// Prepares to fetch, once every file that will be needed is pinned.
    ///
    /// # Errors
    /// Names all files that have no checksum.
    pub(super) fn new(
        release: &Release,
        checksums: Checksums,
        mirror: Option<String>,
        downloads: PathBuf,
    ) -> Result<Self, UpstreamError> {
        let addresses = published(release).into_keys();
        let unpinned: Vec<String> = addresses.filter(|url| checksums.of(url).is_none()).collect();
        if !unpinned.is_empty() {
            return Err(UpstreamError::Unpinned { addresses: unpinned });
        }
        Ok(Self { checksums, mirror, fetcher: Fetcher::new(downloads) })
    }

    fn pinned(&self, url: &str) -> Result<&Digest, UpstreamError> {
        let unpinned = || UpstreamError::Unpinned { addresses: vec![url.to_owned()] };
        self.checksums.of(url).ok_or_else(unpinned)
    }

    fn take(
        &self,
        release: &Release,
        program: &Program,
        out: &Path,
    ) -> Result<String, UpstreamError> {
        let Some(url) = address(release, program) else {
            return Ok(Compiler::find()?.build(release, program, out)?);
        };
        let pinned = self.pinned(&url)?;
        let fetched = self.fetcher.fetch(&mirrored(self.mirror.as_deref(), &url), pinned)?;
        match program.project.release.and_then(|file| file.inside) {
            Some(inside) => {
                let inside = release.fill(program, inside);
                let lacks = || UpstreamError::Lacks { url: url.clone(), inside: inside.clone() };
                extract(&fetched, &inside, out).map_err(FileFault::of(out))?.ok_or_else(lacks)?;
            }
            None => _ = std::fs::copy(&fetched, out).map_err(FileFault::of(out))?,
        }
        Ok(format!("release {url} sha256:{pinned}"))
    }
}

/// A mirror has every host as a directory.
pub(super) fn mirrored(mirror: Option<&str>, url: &str) -> String {
    let Some(mirror) = mirror else { return url.to_owned() };
    let address = url.split_once("://").map_or(url, |(_, address)| address);
    format!("{}/{address}", mirror.trim_end_matches('/'))
}

impl Maker for Upstream {
    fn source(&self) -> Source {
        Source::Upstream
    }

    fn compiler(&self) -> Option<&str> {
        None
    }

    fn recipe(&self, release: &Release, program: &Program) -> Result<String, MakeError> {
        let Some(url) = address(release, program) else {
            let compiler = Compiler::find().map_err(UpstreamError::from)?;
            return Ok(compiler.recipe(release, program).map_err(UpstreamError::from)?);
        };
        Ok(format!("{url}\n{}\n{}", self.pinned(&url)?, program.name))
    }

    fn make(&self, release: &Release, program: &Program, out: &Path) -> Result<String, MakeError> {
        Ok(self.take(release, program, out)?)
    }
}

/// The addresses of a release's files, each with the one at which upstream publishes its digest.
pub(super) fn published(release: &Release) -> BTreeMap<String, String> {
    let shipped = PROGRAMS.iter().filter(|program| program.ships());
    let both = |program: &Program| {
        let file = program.project.release?;
        Some((release.fill(program, file.url), release.fill(program, file.sums)))
    };
    shipped.filter_map(both).collect()
}

fn address(release: &Release, program: &Program) -> Option<String> {
    program.project.release.map(|file| release.fill(program, file.url))
}

/// Unpacks one file of a packed archive; nothing if it is not in there.
fn extract(archive: &Path, inside: &str, out: &Path) -> std::io::Result<Option<()>> {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(archive)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let is_it = entry.path()?.strip_prefix("./").unwrap_or(&entry.path()?) == Path::new(inside);
        if is_it && entry.header().entry_type().is_file() {
            let mut file = File::create(out)?;
            let mut piece = Vec::new();
            entry.read_to_end(&mut piece)?;
            file.write_all(&piece)?;
            return Ok(Some(()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use ringfort_model::digest::Digest;

    use super::Upstream;
    use crate::bundle::checksums::Checksums;
    use crate::bundle::pins::{PROGRAMS, Program, RELEASES};
    use crate::bundle::server::{Manner, Server};
    use crate::bundle::shelf::Maker;

    const KUBELET: &str = "/dl.k8s.io/release/v1.37.2/bin/linux/amd64/kubelet";
    const ETCD: &str =
        "/github.com/etcd-io/etcd/releases/download/v3.7.0/etcd-v3.7.0-linux-amd64.tar.gz";

    fn program(name: &str) -> &'static Program {
        PROGRAMS.iter().find(|program| program.name == name).expect("a program")
    }

    fn archive(path: &str) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        header.set_mode(0o755);
        tar.append_data(&mut header, path, b"etcd".as_slice()).expect("a tar in memory");
        let bytes = tar.into_inner().expect("a tar in memory");
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&bytes).expect("memory");
        packer.finish().expect("memory")
    }

    /// Pins every file of the release, those that are served truly and the others to nothing.
    fn pins(served: &[(&'static str, Vec<u8>)]) -> Checksums {
        let addresses = super::published(&RELEASES[0]).into_keys();
        let line = |url: String| {
            let is_it = |(path, _): &&(&str, Vec<u8>)| url.ends_with(path);
            let bytes = served.iter().find(is_it).map_or(&[][..], |(_, bytes)| bytes);
            format!("{}  {url}\n", Digest::of(bytes))
        };
        Checksums::parse(&addresses.map(line).collect::<String>()).expect("pins")
    }

    fn take(name: &str, etcd: &str, manner: Manner) -> Result<(Vec<u8>, String), String> {
        let directory = tempfile::tempdir().expect("a directory");
        let served = vec![(KUBELET, b"kubelet".to_vec()), (ETCD, archive(etcd))];
        let pins = pins(&served);
        let server = Server::start(served, manner);
        let downloads = directory.path().join("downloads");
        let mirror = Some(server.url("/"));
        let upstream = Upstream::new(&RELEASES[0], pins, mirror, downloads).expect("all is pinned");
        let out = directory.path().join("program");
        match upstream.make(&RELEASES[0], program(name), &out) {
            Ok(origin) => Ok((std::fs::read(out).expect("a program"), origin)),
            Err(error) if out.exists() => panic!("{error}, and the program is there"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn good_files_become_programs_with_upstreams_address_as_origin() {
        let (kubelet, origin) = take("kubelet", "x", Manner::Good).expect("a good file");
        assert_eq!(kubelet, b"kubelet");
        let pinned = Digest::of(b"kubelet");
        assert_eq!(origin, format!("release https:/{KUBELET} sha256:{pinned}"));
        for inside in ["etcd-v3.7.0-linux-amd64/etcd", "./etcd-v3.7.0-linux-amd64/etcd"] {
            assert_eq!(take("etcd", inside, Manner::Good).expect("a good archive").0, b"etcd");
        }
    }

    #[test]
    fn bad_files_become_no_programs() {
        let check = |name, manner, expected: &str| {
            let error = take(name, "etcd-v3.7.0-linux-amd64/etcdctl", manner).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        check("kubelet", Manner::Alters, "the file was altered");
        check("kubelet", Manner::Truncates { to: 3 }, "the file was altered");
        let endless = Manner::BreaksOff { after: 3, times: 9, ranges: false };
        check("kubelet", endless, "broke off after 3 bytes");
        check("kubelet", Manner::Lacks, "answered with 404");
        check("etcd", Manner::Good, "has no file etcd-v3.7.0-linux-amd64/etcd:");
    }

    #[test]
    fn every_file_without_a_checksum_is_named_at_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let none = Checksums::default();
        let error = Upstream::new(&RELEASES[0], none, None, directory.path().to_owned());
        let text = error.expect_err("nothing is pinned").to_string();
        assert_eq!(text.matches("\n  https://").count(), 11, "{text}");
        assert!(text.contains(&format!("\n  https:/{KUBELET}\n")), "{text}");
    }
}
