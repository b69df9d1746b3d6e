//! Any text is a lock that leads nowhere outside of its bundle, or refused.

use std::path::{Component, Path};

use ringfort_model::bundle::BundleLock;

/// Reads bytes as `bundle.lock`.
pub fn holds(bytes: &[u8]) {
    let Ok(lock) = BundleLock::parse(&String::from_utf8_lossy(bytes)) else { return };
    let paths = lock.entries.iter().map(|entry| &entry.path).chain([&lock.sbom.path]);
    for path in paths {
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        assert!(!path.is_empty() && Path::new(path).components().all(inside), "{path:?}");
    }
    assert_eq!(BundleLock::parse(&lock.render()).ok(), Some(lock), "written and read again");
}
