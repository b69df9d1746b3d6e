//! Volumes that a kubelet swaps as a whole: ConfigMaps, Secrets, tokens. Pure.
//!
//! Such a volume holds a directory with a name of its own for each content, `..data` leads to the one
//! that counts, and each file is a link through `..data`. A new content is a new directory, a rename over
//! `..data`, and the end of the old directory: one change.

use crate::path::FilePath;

/// The kinds of volumes that are swapped, as their directories are named.
const KINDS: &[&str] = &[
    "kubernetes.io~projected",
    "kubernetes.io~configmap",
    "kubernetes.io~secret",
    "kubernetes.io~downward-api",
];

/// A swapped volume of a pod.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Volume {
    /// The pod's uid.
    pub pod: String,
    /// Its directory.
    pub path: FilePath,
}

/// Gives the volume that a path lies in, if it is one that is swapped.
pub fn volume_of(path: &FilePath) -> Option<Volume> {
    let parts: Vec<&[u8]> = path.parts().collect();
    let is_kind = |part: &&[u8]| KINDS.iter().any(|kind| kind.as_bytes() == *part);
    let at = parts.iter().position(is_kind)?;
    let (pods, volumes) = (parts.get(at.checked_sub(3)?)?, parts.get(at - 1)?);
    if *pods != b"pods" || *volumes != b"volumes" || parts.len() <= at + 1 {
        return None;
    }
    let directory = parts[..at + 2].join(&b'/');
    let path = FilePath::new([b"/".as_slice(), &directory].concat()).ok()?;
    Some(Volume { pod: String::from_utf8(parts[at - 2].to_vec()).ok()?, path })
}

/// What a change of a name in a volume is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// A content is made ready or taken away: nothing that counts.
    Staging,
    /// The volume's content is another from here on.
    Swap,
    /// A name that pods see: its file is a link through `..data`, or was replaced by something else.
    Visible,
    /// Something inside the content: nobody who swaps it does so.
    Inside,
}

/// Says what a change of a path below a volume's directory is.
pub fn step(volume: &FilePath, path: &FilePath) -> Option<Step> {
    let rest = path.as_bytes().strip_prefix(volume.as_bytes())?.strip_prefix(b"/")?;
    let mut parts = rest.split(|&byte| byte == b'/');
    let first = parts.next()?;
    let is_inside = parts.next().is_some();
    Some(match first {
        b"..data" if !is_inside => Step::Swap,
        b"..data_tmp" => Step::Staging,
        _ if first.starts_with(b"..") && !is_inside => Step::Staging,
        _ if first.starts_with(b"..") => Step::Inside,
        _ => Step::Visible,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "/var/lib/kubelet/pods/0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33/volumes";

    fn path(text: &str) -> FilePath {
        text.parse().unwrap()
    }

    #[test]
    fn a_volume_is_known_by_its_place() {
        let volume = format!("{POD}/kubernetes.io~projected/token");
        let found = volume_of(&path(&format!("{volume}/..data"))).unwrap();
        assert_eq!(found.path, path(&volume));
        assert_eq!(found.pod, "0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33");
        assert_eq!(volume_of(&path(&volume)).unwrap(), found);
        for other in ["/etc/kubernetes.io~secret/a", "/kubernetes.io~secret"] {
            assert_eq!(volume_of(&path(other)), None);
        }
        assert_eq!(volume_of(&path(&format!("{POD}/kubernetes.io~empty-dir/a"))), None);
    }

    #[test]
    fn a_swap_is_one_step_of_many() {
        let check = |rest: &str, expected| {
            assert_eq!(step(&path("/v"), &path(&format!("/v/{rest}"))), Some(expected), "{rest}");
        };
        check("..2026_01_01_00_00_00.123", Step::Staging);
        check("..data_tmp", Step::Staging);
        check("..data", Step::Swap);
        check("..2026_01_01_00_00_00.123/token", Step::Inside);
        check("token", Step::Visible);
        assert_eq!(step(&path("/v"), &path("/v")), None);
        assert_eq!(step(&path("/v"), &path("/vx/a")), None);
    }
}
