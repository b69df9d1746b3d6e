//! Which program this is.

use std::fs;
use std::sync::OnceLock;

use ringfort_model::digest::Digest;

/// Names this program by its bytes: two builds of one version may judge differently. One that cannot read itself is named
/// by its process, and so is no other's equal.
pub fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| match fs::read("/proc/self/exe") {
        Ok(bytes) => Digest::of(&bytes).as_str().to_owned(),
        Err(_) => format!("process {}", std::process::id()),
    })
}
