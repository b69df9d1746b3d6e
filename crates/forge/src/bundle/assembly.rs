//! Puts a bundle together from finished programs: files, images, the list of contents, the lock.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ringfort_model::bundle::{API_VERSION, BundleLock, Entry, EntryKind, KIND, LOCK_FILE, Sbom};
use ringfort_model::digest::Digest;
use ringfort_model::mode::FileMode;

use super::adapt::OWN_MODULE;
use super::build::Order;
use super::contents::{Contents, Listed, document, reference as reference_in_list};
use super::files::{FileFault, make_directory, read, write};
use super::image::{Recipe, pack};
use super::pins::{
    ARCHIVE_MODE, Image, NEEDS_AUTHORITIES, PROGRAM_MODE, Program, Release, Ships, host_tools,
};
use super::shelf::{Finished, Maker};

/// A bundle that is being put together.
pub(super) struct Assembly<'a> {
    /// Where the programs come from.
    pub maker: &'a dyn Maker,
    /// What was asked for.
    pub order: &'a Order,
    /// The versions.
    pub release: &'a Release,
    /// The digest of all that the bundle is made from.
    pub recipe: Digest,
    /// Where it is put together.
    pub directory: PathBuf,
}

/// Says why a bundle could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// A file is another program than its name says.
    #[error(
        "{program} is not what its name says, its main package is {found}: throw the cache away and build again, and check pinned checksums"
    )]
    OtherProgram {
        /// The name.
        program: String,
        /// What it is.
        found: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileFault),
}

impl Assembly<'_> {
    /// Writes every file of the bundle, the lock last.
    ///
    /// # Errors
    /// A program cannot be read or is another, or the disk cannot hold the bundle.
    pub(super) fn write(&self, programs: &[(&Program, Finished)]) -> Result<(), AssemblyError> {
        self.lay_out()?;
        let mut all = Vec::new();
        for (program, finished) in programs {
            all.push(self.add(program, finished)?);
        }
        let lock = self.lock(all)?;
        Ok(self.put(LOCK_FILE, lock.render().as_bytes(), ARCHIVE_MODE)?)
    }

    /// Makes the directories that files are put in.
    ///
    /// # Errors
    /// The disk cannot hold them.
    pub(super) fn lay_out(&self) -> Result<(), FileFault> {
        make_directory(&self.directory.join("files"))?;
        make_directory(&self.directory.join("images"))
    }

    /// Puts a program in its place, as a file or in an image.
    ///
    /// # Errors
    /// It cannot be read or is another, or the disk cannot hold it.
    pub(super) fn add(
        &self,
        program: &Program,
        finished: &Finished,
    ) -> Result<Added, AssemblyError> {
        let bytes = read(&finished.path)?;
        let listed = self.look_inside(program, finished, &bytes)?;
        let entry = self.place(program, finished, bytes)?;
        Ok(Added { entry, listed })
    }

    /// Writes the list of contents, and gives the lock of a bundle of these programs.
    ///
    /// # Errors
    /// The disk cannot hold the list.
    pub(super) fn lock(&self, programs: Vec<Added>) -> Result<BundleLock, FileFault> {
        let (mut entries, listed): (Vec<Entry>, Vec<Listed>) =
            programs.into_iter().map(|added| (added.entry, added.listed)).unzip();
        let sbom = self.list(&listed)?;
        entries.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        Ok(BundleLock {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            kubernetes: self.release.kubernetes(),
            source: self.maker.source(),
            compiler: self.maker.compiler().map(str::to_owned),
            recipe: self.recipe.clone(),
            sbom,
            host_tools: host_tools(),
            entries,
        })
    }

    fn place(
        &self,
        program: &Program,
        finished: &Finished,
        bytes: Vec<u8>,
    ) -> Result<Entry, FileFault> {
        let origin = finished.origin.clone();
        let mut entry = Entry { origin, ..entry(self.release, program) };
        let bytes = match &program.ships {
            Ships::Image(image) => self.pack(program, image, &bytes, &mut entry),
            Ships::File | Ships::Apart | Ships::Suite => bytes,
        };
        entry.sha256 = Digest::of(&bytes);
        entry.size = bytes.len() as u64;
        self.put(&entry.path, &bytes, entry.mode)?;
        Ok(entry)
    }

    fn pack(&self, program: &Program, image: &Image, bytes: &[u8], entry: &mut Entry) -> Vec<u8> {
        let authorities = self.order.authorities.as_deref();
        let archive = pack(&Recipe {
            reference: &self.release.fill(program, image.reference),
            user: image.user,
            path: &self.release.fill(program, image.path),
            program: bytes,
            authorities: authorities.filter(|_| program.name == NEEDS_AUTHORITIES),
            labels: [
                ("org.opencontainers.image.version", &entry.version),
                ("org.opencontainers.image.licenses", &entry.licence),
                ("dev.ringfort.origin", &entry.origin),
            ],
        });
        entry.manifest = Some(archive.manifest);
        archive.bytes
    }

    fn look_inside(
        &self,
        program: &Program,
        finished: &Finished,
        bytes: &[u8],
    ) -> Result<Listed, AssemblyError> {
        let contents = Contents::of(bytes).unwrap_or_default();
        if !is_main_of(&contents.main, program) {
            let (program, found) = (program.name.to_owned(), contents.main);
            return Err(AssemblyError::OtherProgram { program, found });
        }
        Ok(Listed {
            name: program.name.to_owned(),
            version: self.release.version(program.project),
            licence: program.project.licence.to_owned(),
            origin: finished.origin.clone(),
            sha256: Digest::of(bytes),
            contents,
        })
    }

    fn list(&self, listed: &[Listed]) -> Result<Sbom, FileFault> {
        let text = document(&self.release.kubernetes().to_string(), listed);
        self.put(SBOM_FILE, text.as_bytes(), ARCHIVE_MODE)?;
        Ok(Sbom {
            path: SBOM_FILE.to_owned(),
            sha256: Digest::of(text.as_bytes()),
            size: text.len() as u64,
        })
    }

    fn put(&self, path: &str, bytes: &[u8], mode: FileMode) -> Result<(), FileFault> {
        let path = self.directory.join(path);
        write(&path, bytes)?;
        fs::set_permissions(&path, Permissions::from_mode(mode.0)).map_err(FileFault::of(&path))
    }
}

/// The name of the list of contents.
pub(super) const SBOM_FILE: &str = "sbom.cdx.json";

/// A program that is in its place.
#[derive(Debug)]
pub(super) struct Added {
    /// Its entry of the lock.
    pub entry: Entry,
    /// Its entry of the list of contents.
    pub listed: Listed,
}

/// Gives what a release's tables say of a program's entry. Where it comes from, its size and its digests are still
/// those of nothing.
pub(super) fn entry(release: &Release, program: &Program) -> Entry {
    let version = release.version(program.project);
    let (kind, path, mode, reference) = match &program.ships {
        Ships::Image(image) => {
            let reference = release.fill(program, image.reference);
            let path = format!("images/{}.tar", program.name);
            (EntryKind::Image, path, ARCHIVE_MODE, Some(reference))
        }
        Ships::File | Ships::Apart | Ships::Suite => {
            (EntryKind::File, format!("files/{}", program.name), PROGRAM_MODE, None)
        }
    };
    Entry {
        name: program.name.to_owned(),
        kind,
        path,
        origin: String::new(),
        sha256: Digest::of(&[]),
        size: 0,
        mode,
        licence: program.project.licence.to_owned(),
        sbom: reference_in_list(program.name, &version),
        version,
        manifest: reference.as_ref().map(|_| Digest::of(&[])),
        reference,
    }
}

/// Says whether a main package is a program's: upstream's, or ringfort's own where it has one. A
/// file that does not say is judged by its digest alone.
fn is_main_of(main: &str, program: &Program) -> bool {
    let upstream = program.project.module.map(|module| format!("{module}{}", program.package));
    let own = program.project.main.map(|_| OWN_MODULE);
    main.is_empty() || Some(main) == own || Some(main) == upstream.as_deref()
}

#[cfg(test)]
mod tests {
    use super::is_main_of;
    use crate::bundle::pins::PROGRAMS;

    #[test]
    fn a_program_is_told_by_its_main_package() {
        let check = |name: &str, main: &str, expected: bool| {
            let program = PROGRAMS.iter().find(|program| program.name == name).expect("a program");
            assert_eq!(is_main_of(main, program), expected, "{name} {main}");
        };
        check("kubelet", "k8s.io/kubernetes/cmd/kubelet", true);
        check("kubelet", "k8s.io/kubernetes/cmd/kubectl", false);
        check("kubelet", "ringfort.dev/bundle", false);
        check("coredns", "ringfort.dev/bundle", true);
        check("coredns", "github.com/coredns/coredns", true);
        check("pause", "ringfort.dev/bundle", true);
        check("etcd", "go.etcd.io/etcd/etcdctl/v3", false);
        check("etcd", "go.etcd.io/etcd/server/v3", true);
    }
}
