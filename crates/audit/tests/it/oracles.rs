//! What others published, where it lies beside the repository or where `RINGFORT_ORACLES` says.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Gives the directory of one of them; says loudly that a test is skipped without it.
pub(crate) fn oracles(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracles");
    let all = std::env::var_os("RINGFORT_ORACLES").map_or(beside, PathBuf::from);
    let directory = all.join(name);
    if directory.is_dir() {
        return Some(directory);
    }
    let said = format!("SKIPPED: {} is not there\n", directory.display());
    let _ = std::io::stderr().write_all(said.as_bytes());
    None
}
