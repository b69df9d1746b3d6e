//! Tells which programs a bundle holds, by name and digest: its files, and those inside its images.
//!
//! An archive is read once, piece by piece, and its own digest is taken on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use sha2::Digest as _;

use ringfort_model::bundle::EntryKind;
use ringfort_model::digest::Digest;

use super::directory::{Bundle, DirectoryError, Flaw, Wrong};
use super::files::{FileFault, hash};

/// Programs by their names, each with the digests that it may have.
pub type Programs = BTreeMap<String, BTreeSet<Digest>>;

/// How far the mark of a tar archive reaches.
const HEAD_BYTES: usize = 262;
const TAR_MARK: &[u8] = b"ustar";
const GZIP_MARK: &[u8] = &[0x1f, 0x8b];

impl Bundle {
    /// Lists the programs.
    ///
    /// # Errors
    /// An archive cannot be read, or is not what the lock says.
    pub fn programs(&self) -> Result<Programs, DirectoryError> {
        let mut programs = Programs::new();
        for entry in &self.lock().entries {
            if entry.kind == EntryKind::File {
                programs.entry(entry.name.clone()).or_default().insert(entry.sha256.clone());
                continue;
            }
            let path = self.path(entry);
            let found = inside(&path, &mut programs).map_err(FileFault::of(&path))?;
            if found != entry.sha256 {
                let wrong = Wrong::Altered { locked: entry.sha256.clone(), found };
                return Err(DirectoryError::Altered(Flaw { path: entry.path.clone(), wrong }));
            }
        }
        Ok(programs)
    }
}

/// Adds the programs of an image's archive, and gives the digest of the archive.
fn inside(path: &Path, programs: &mut Programs) -> io::Result<Digest> {
    let mut archive = Hashed { inner: File::open(path)?, hash: sha2::Sha256::new() };
    for blob in tar::Archive::new(&mut archive).entries()? {
        let mut blob = blob?;
        let mut head = Vec::new();
        blob.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        let (is_tar, is_gzip) = (head.ends_with(TAR_MARK), head.starts_with(GZIP_MARK));
        let whole = Cursor::new(head).chain(blob);
        match (is_tar, is_gzip) {
            (true, _) => layer(whole, programs)?,
            (_, true) => layer(GzDecoder::new(whole), programs)?,
            _ => {}
        }
    }
    io::copy(&mut archive, &mut io::sink())?;
    Ok(Digest::from_array(archive.hash.finalize().into()))
}

/// Adds the programs of a layer: the files that may be run.
fn layer(reader: impl Read, programs: &mut Programs) -> io::Result<()> {
    for file in tar::Archive::new(reader).entries()? {
        let mut file = file?;
        let header = file.header();
        if !header.entry_type().is_file() || header.mode()? & 0o111 == 0 {
            continue;
        }
        let name = file.path()?.file_name().map(|name| name.to_string_lossy().into_owned());
        let (digest, _) = hash(&mut file)?;
        programs.entry(name.unwrap_or_default()).or_default().insert(digest);
    }
    Ok(())
}

/// Takes the digest of all that is read through it.
struct Hashed<R> {
    inner: R,
    hash: sha2::Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use ringfort_model::digest::Digest;

    use super::super::image::{Recipe, pack};
    use super::{Programs, inside};

    fn listed(archive: &[u8]) -> (Programs, Digest) {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(archive).expect("it is written");
        let mut programs = Programs::new();
        let digest = inside(file.path(), &mut programs).expect("an archive");
        (programs, digest)
    }

    #[test]
    fn an_image_is_opened_down_to_its_program() {
        let archive = pack(&Recipe {
            reference: "registry.k8s.io/pause:3.10.2",
            user: "65535:65535",
            path: "usr/local/bin/pause",
            program: b"program",
            authorities: Some(b"pem"),
            labels: [("a", "1"), ("b", "2"), ("c", "3")],
        });
        let (programs, digest) = listed(&archive.bytes);
        let expected = ("pause".to_owned(), [Digest::of(b"program")].into());
        assert_eq!(programs, [expected].into());
        assert_eq!(digest, Digest::of(&archive.bytes));
    }

    /// As upstream's images are: a layer that is packed, among blobs that are none.
    #[test]
    fn a_packed_layer_is_opened_as_well() {
        let mut layer = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        for (path, mode, content) in [("etc/passwd", 0o644, "text"), ("bin/etcd", 0o755, "etcd")] {
            header.set_size(content.len() as u64);
            header.set_mode(mode);
            header.set_cksum();
            layer.append_data(&mut header, path, content.as_bytes()).expect("a file");
        }
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&layer.into_inner().expect("a tar")).expect("it is packed");
        let packed = packed.finish().expect("it is packed");
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in [("blobs/sha256/a", &packed[..]), ("index.json", b"{}")] {
            header.set_size(content.len() as u64);
            header.set_cksum();
            archive.append_data(&mut header, path, content).expect("a blob");
        }
        let (programs, _) = listed(&archive.into_inner().expect("a tar"));
        assert_eq!(programs, [("etcd".to_owned(), [Digest::of(b"etcd")].into())].into());
    }
}
