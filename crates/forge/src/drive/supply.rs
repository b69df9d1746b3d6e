//! Brings files of the bundle to the stores of machines: only what is lacking, piece by piece.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tokio::io::AsyncReadExt;

use ringfort_model::blueprint::Machine;
use ringfort_model::content::Content;
use ringfort_model::digest::Digest;
use ringfort_model::frame::{Answer, Request};
use ringfort_model::item::What;

use super::link::{Link, LinkError};

/// Bytes of one piece: small enough that answers to steps are not held up behind it.
const PIECE_BYTES: usize = 1 << 20;

/// Where the files are that machines may lack.
#[derive(Clone, Debug, Default)]
pub struct Supply {
    files: BTreeMap<Digest, PathBuf>,
}

/// Says why a file could not be brought.
#[derive(Debug, thiserror::Error)]
pub enum SupplyError {
    /// The conversation failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The file cannot be read here.
    #[error("{path} cannot be read: run ringfort bundle verify")]
    Unreadable {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bundle has no such file.
    #[error(
        "the bundle has no file with the digest {digest}: it is not the bundle that the blueprint was rendered with"
    )]
    NotInBundle {
        /// The digest.
        digest: Digest,
    },
}

impl Supply {
    /// Names a file by its digest.
    pub fn add(&mut self, digest: Digest, path: PathBuf) {
        self.files.insert(digest, path);
    }

    /// Brings one machine the files that it lacks, and gives how many bytes that were.
    ///
    /// # Errors
    /// A file is missing or changed here, or the conversation failed. What was brought stays.
    pub async fn bring(&self, link: &Link, wanted: &BTreeSet<Digest>) -> Result<u64, SupplyError> {
        let asked = Request::Lacks { digests: wanted.iter().cloned().collect() };
        let lacking = match link.ask(&asked, &[]).await? {
            Answer::Lacking(lacking) => lacking,
            other => return Err(link.astray("lacks", &other).into()),
        };
        let mut bytes = 0;
        for digest in lacking {
            bytes += self.send(link, &digest).await?;
        }
        Ok(bytes)
    }

    async fn send(&self, link: &Link, digest: &Digest) -> Result<u64, SupplyError> {
        let Some(path) = self.files.get(digest) else {
            return Err(SupplyError::NotInBundle { digest: digest.clone() });
        };
        let unreadable =
            |source| SupplyError::Unreadable { path: path.display().to_string(), source };
        let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
        let total = file.metadata().await.map_err(unreadable)?.len();
        let mut offset = 0;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let count = fill(&mut file, &mut piece).await.map_err(unreadable)?;
            let end = offset + count as u64;
            let last = count < PIECE_BYTES || end >= total;
            let request = Request::Store { digest: digest.clone(), offset, last, packed: false };
            if !last {
                link.tell(&request, &piece[..count]).await?;
                offset = end;
                continue;
            }
            return match link.ask(&request, &piece[..count]).await? {
                Answer::Stored(stored) if stored == *digest => Ok(end),
                other => Err(link.astray("store", &other).into()),
            };
        }
    }
}

/// Lists the digests of everything that a machine's items take from its store.
pub fn wanted(machine: &Machine) -> BTreeSet<Digest> {
    let digest = |what: &What| match what {
        What::File { content: Content::Bundled { digest, .. }, .. } => Some(digest.clone()),
        What::Image { archive, .. } => Some(archive.clone()),
        _ => None,
    };
    machine.items.values().filter_map(|item| digest(&item.what)).collect()
}

async fn fill(file: &mut tokio::fs::File, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut count = 0;
    while count < piece.len() {
        match file.read(&mut piece[count..]).await? {
            0 => break,
            more => count += more,
        }
    }
    Ok(count)
}
