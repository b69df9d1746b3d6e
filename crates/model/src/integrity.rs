//! Where a machine keeps what its files are compared with.

/// What its files should be, signed.
pub const BASELINE: &str = "/etc/ringfort/integrity/baseline";
/// The public half of the key that signs baselines.
pub const KEY: &str = "/etc/ringfort/integrity/key.pub";
/// A file that nothing reads: whoever changes it shows that changes are seen.
pub const CANARY: &str = "/etc/ringfort/integrity/canary";
/// What the canary holds.
pub const CANARY_TEXT: &str =
    "Nothing reads this file. Proofs change it for a moment, to see that changes are seen.\n";
/// The agent's own directory.
pub const STATE: &str = "/var/lib/ringfort/integrity";
