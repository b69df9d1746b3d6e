//! Names what a bundle of a release holds without there being one, for work that brings nothing to machines.
//!
//! Never here: a digest of a file. What is named like this can be ordered and taken away, and never brought.

use std::path::PathBuf;

use ringfort_model::bundle::{API_VERSION, BundleLock, KIND, Sbom, Source};
use ringfort_model::digest::Digest;
use ringfort_model::version::KubeVersion;

use super::assembly::{SBOM_FILE, entry};
use super::build::shipped;
use super::directory::Bundle;
use super::pins::{Release, host_tools};

/// A place below which no file can be, so that nothing is ever read in the name of such a bundle.
const NOWHERE: &str = "/dev/null";

impl Bundle {
    /// Names what a bundle of a release holds, as this ringfort would make it.
    pub fn unseen(kubernetes: KubeVersion) -> Self {
        let asked = KubeVersion { minor: kubernetes.minor, patch: None };
        let release = Release::find(asked).expect("a test sees that every minor has a release");
        let nothing = Digest::of(&[]);
        let mut entries: Vec<_> = shipped().map(|program| entry(release, program)).collect();
        entries.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        let lock = BundleLock {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            kubernetes: release.kubernetes(),
            source: Source::Modules,
            compiler: None,
            recipe: nothing.clone(),
            sbom: Sbom { path: SBOM_FILE.to_owned(), sha256: nothing, size: 0 },
            host_tools: host_tools(),
            entries,
        };
        Self::imagined(PathBuf::from(NOWHERE), lock)
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::bundle::{BundleLock, EntryKind};
    use ringfort_model::version::{KubeVersion, Minor};

    use super::Bundle;
    use crate::bundle::build::{Order, Sourcing, build_with};
    use crate::bundle::namer::Namer;

    /// What decides which items of machines there are: kinds, names and the names of images.
    fn named(lock: &BundleLock) -> Vec<(EntryKind, &str, Option<&str>)> {
        lock.entries
            .iter()
            .map(|entry| (entry.kind, entry.name.as_str(), entry.reference.as_deref()))
            .collect()
    }

    #[test]
    fn it_names_what_a_bundle_of_its_minor_holds() {
        for minor in Minor::ALL {
            let cache = tempfile::tempdir().expect("a directory");
            let kubernetes = KubeVersion { minor, patch: None };
            let order = Order { kubernetes, sourcing: Sourcing::Modules, authorities: None };
            let built = build_with(&Namer::default(), &order, cache.path(), &mut |_| {});
            let built = Bundle::open(&built.expect("a bundle")).expect("a bundle");
            // Also for a patch that is not pinned any more.
            let unseen = Bundle::unseen(KubeVersion { minor, patch: Some(99) });
            assert_eq!(named(unseen.lock()), named(built.lock()), "{minor}");
            BundleLock::parse(&unseen.lock().render()).expect("its lock is one");
        }
    }

    #[test]
    fn no_file_of_it_can_be_read() {
        let unseen = Bundle::unseen(KubeVersion { minor: Minor::V1_37, patch: None });
        for entry in &unseen.lock().entries {
            std::fs::read(unseen.path(entry)).expect_err("there is no such file");
        }
        assert!(!unseen.verify().is_ok_and(|flaws| flaws.is_empty()));
    }
}
