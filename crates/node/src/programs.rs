//! Reads the programs of this machine byte by byte: those that run, as they run, and those that lie
//! ready.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use ringfort_model::act::ProgramSeen;
use ringfort_model::digest::Digest;

use crate::files;
use crate::processes;
use crate::root::Root;

/// Reads what processes of these names run, and the files at these paths. What is not there is left out.
///
/// # Errors
/// A path is none, or a file could not be read.
pub fn look(root: &Root, names: &[String], paths: &[String]) -> io::Result<Vec<ProgramSeen>> {
    let mut reader = Reader::default();
    let mut seen: BTreeMap<(String, String, Digest), (u32, u32)> = BTreeMap::new();
    for process in processes::all(root) {
        let name = processes::program(&process).filter(|name| names.contains(name));
        let Some(name) = name else { continue };
        let Some((path, digest)) = reader.running(&process)? else { continue };
        let (outside, in_pods) = seen.entry((name, path, digest)).or_default();
        *(if processes::is_in_pod(&process) { in_pods } else { outside }) += 1;
    }
    for path in paths {
        let file = root.item(path).map_err(io::Error::other)?;
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(digest) = there(reader.digest(&file))? {
            seen.entry((name, path.clone(), digest)).or_default();
        }
    }
    let told = |((name, path, digest), (running, in_pods))| ProgramSeen {
        name,
        path,
        digest,
        running,
        in_pods,
    };
    Ok(seen.into_iter().map(told).collect())
}

/// Reads each file once, by whatever name.
#[derive(Default)]
struct Reader(BTreeMap<(u64, u64), Digest>);

impl Reader {
    /// Gives where a process's program is and the digest of it; none if the process has ended.
    fn running(&mut self, process: &Path) -> io::Result<Option<(String, Digest)>> {
        let link = process.join("exe");
        let Some(path) = there(std::fs::read_link(&link))? else { return Ok(None) };
        let digest = there(self.digest(&link))?;
        Ok(digest.map(|digest| (path.display().to_string(), digest)))
    }

    fn digest(&mut self, path: &PathBuf) -> io::Result<Digest> {
        let mut file = File::open(path)?;
        let about = file.metadata()?;
        let place = (about.dev(), about.ino());
        if let Some(digest) = self.0.get(&place) {
            return Ok(digest.clone());
        }
        // A running program is read through a link, which no other file may be.
        let digest = files::copy(&mut file, &mut io::sink())?;
        self.0.insert(place, digest.clone());
        Ok(digest)
    }
}

/// Takes what is not there, or a process that has ended, for nothing.
fn there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use ringfort_model::digest::Digest;

    use super::look;
    use crate::root::Root;

    fn process(room: &Path, number: u32, line: &str, program: &Path, group: &str) {
        let at = room.join(format!("proc/{number}"));
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("cmdline"), line.replace(' ', "\0")).unwrap();
        fs::write(at.join("cgroup"), group).unwrap();
        symlink(program, at.join("exe")).unwrap();
    }

    #[test]
    fn what_runs_is_read_and_not_what_lies_at_its_path() {
        let room = tempfile::tempdir().unwrap();
        let at = |name: &str| room.path().join(name);
        fs::create_dir_all(at("usr/local/bin")).unwrap();
        for (name, content) in [("kubelet", "kubelet"), ("runc", "runc"), ("old", "another")] {
            fs::write(at("usr/local/bin").join(name), content).unwrap();
        }
        let (kubelet, old) = (at("usr/local/bin/kubelet"), at("usr/local/bin/old"));
        process(room.path(), 7, "/usr/local/bin/kubelet --x", &kubelet, "0::/system.slice/a");
        process(
            room.path(),
            8,
            "kubelet --y",
            &old,
            "0::/kubepods/pod0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33/x",
        );
        process(room.path(), 9, "bash", &old, "0::/");
        process(room.path(), 10, "kubelet", &at("gone"), "0::/");
        let names = ["kubelet".to_owned()];
        let paths = ["/usr/local/bin/runc".to_owned(), "/usr/local/bin/none".to_owned()];
        let found = look(&Root::new(room.path()), &names, &paths).unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|it| (it.name.as_str(), it.digest.clone(), it.running, it.in_pods))
            .collect();
        let expected = [
            ("kubelet", Digest::of(b"kubelet"), 1, 0),
            ("kubelet", Digest::of(b"another"), 0, 1),
            ("runc", Digest::of(b"runc"), 0, 0),
        ];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        assert!(expected.iter().all(|it| told.contains(it)), "{told:?}");
        assert!(look(&Root::new(room.path()), &names, &["../x".to_owned()]).is_err());
    }
}
