//! Reads from `/proc` who a process is.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use ringfort_model::digest::Hasher;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::cgroup;
use crate::process::{Process, stat};

/// How many parents are named.
const PARENTS: usize = 4;
/// How many digests of programs are held.
const MOST_DIGESTS: usize = 256;

/// A process, and the very file that it runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Found {
    pub process: Process,
    /// Device and inode.
    pub file: (u64, u64),
}

/// Gives the moment at which a process began, and its parent.
pub(super) fn begun(pid: i32) -> Option<crate::process::Stat> {
    stat(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Says whether anybody has a number.
pub(super) fn is_taken(pid: i32) -> bool {
    let asked = Pid::from_raw(pid).map(test_kill_process);
    asked.is_some_and(|asked| asked != Err(Errno::SRCH))
}

/// Reads a process as it is now.
pub(super) fn now(pid: i32) -> Option<Found> {
    let begun = begun(pid)?;
    let exe = exe(pid)?;
    let file = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    let place = place(pid);
    let (start, parent, parents) = (begun.start, begun.parent, parents(begun.parent));
    let process = Process { pid, start, exe, digest: None, parent, parents, ended: false, place };
    Some(Found { process, file: (file.dev(), file.ino()) })
}

/// Gives what a process runs.
pub(super) fn exe(pid: i32) -> Option<String> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    Some(path.to_string_lossy().into_owned())
}

/// Gives where a process runs.
pub(super) fn place(pid: i32) -> cgroup::Place {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    cgroup::read(&text)
}

/// Gives what the parents of a process run, from one of them on.
pub(super) fn parents(mut pid: i32) -> Vec<String> {
    let mut all = Vec::new();
    while pid > 0 && all.len() < PARENTS {
        let (Some(exe), Some(above)) = (exe(pid), begun(pid)) else { break };
        all.push(exe);
        pid = above.parent;
    }
    all
}

/// What programs hold, by what tells one file from another.
#[derive(Debug, Default)]
pub(super) struct Digests(BTreeMap<[i64; 5], String>);

impl Digests {
    /// Digests the file that a process runs, if it still lies at its path; in the form of `like`.
    pub(super) fn of(&mut self, found: &Found, like: Option<&str>) -> Option<String> {
        let path = &found.process.exe;
        let about = fs::metadata(path).ok()?;
        if (about.dev(), about.ino()) != found.file || !about.is_file() {
            return None;
        }
        let is_sha256 = like.is_some_and(|like| like.starts_with("sha256:"));
        let signed = |number: u64| number.cast_signed();
        let changed = about.ctime().wrapping_mul(1_000_000_000).wrapping_add(about.ctime_nsec());
        let key = [
            signed(about.dev()),
            signed(about.ino()),
            signed(about.size()),
            changed,
            i64::from(is_sha256),
        ];
        if let Some(known) = self.0.get(&key) {
            return Some(known.clone());
        }
        let digest = digest(path, is_sha256).ok()?;
        if self.0.len() >= MOST_DIGESTS {
            self.0.clear();
        }
        self.0.insert(key, digest.clone());
        Some(digest)
    }
}

fn digest(path: &str, is_sha256: bool) -> std::io::Result<String> {
    let (mut file, mut piece) = (fs::File::open(path)?, vec![0; 128 << 10]);
    let (mut sha256, mut blake3) = (Hasher::default(), blake3::Hasher::new());
    loop {
        let count = file.read(&mut piece)?;
        match count {
            0 if is_sha256 => return Ok(format!("sha256:{}", sha256.finish())),
            0 => return Ok(format!("blake3:{}", blake3.finalize().to_hex())),
            _ if is_sha256 => sha256.add(&piece[..count]),
            _ => drop(blake3.update(&piece[..count])),
        }
    }
}
