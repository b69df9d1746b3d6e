//! The names of ringfort's identities in the API.

/// ringfort itself, while it makes the cluster. It lives for a run, in memory.
pub const KEEPER: &str = "ringfort:keeper";

/// Nobody who may do anything, in the proofs that such a one is refused. It lives for a run, in memory.
pub const CANARY: &str = "ringfort:canary";

/// The namespace of a run of proofs, with what only that run has behind it: eight digits in hexadecimal.
pub const CANARIES: &str = "ringfort-canary-";

/// What is done there to see who is told of it has this in its name, behind the namespace's.
pub const TO_BE_TOLD: &str = "-told-";

/// Whether a namespace is named as one of a run of proofs.
pub fn is_of_canaries(namespace: &str) -> bool {
    let is_digit = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
    let word = namespace.strip_prefix(CANARIES);
    word.is_some_and(|word| word.len() == 8 && word.bytes().all(is_digit))
}

/// A control plane, where it shows checkpoints of its log to another that witnesses them, and where it asks its own API
/// server how much it logged; the machine's name stands behind it.
pub const WITNESS: &str = "ringfort:witness:";

/// Names a control plane's witness.
pub fn witness_of(machine: &str) -> String {
    format!("{WITNESS}{machine}")
}

/// The integrity agent of a machine, where it delivers what it found; the machine's name stands behind it.
pub const AGENT: &str = "ringfort:agent:";

/// The administrator of workloads, whose kubeconfig is handed over.
pub const ADMIN: &str = "ringfort:admin";
