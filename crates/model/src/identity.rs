//! The names of ringfort's identities in the API.

/// ringfort itself, while it makes the cluster. It lives for a run, in memory.
pub const KEEPER: &str = "ringfort:keeper";

/// Nobody who may do anything, in the proofs that such a one is refused. It lives for a run, in memory.
pub const CANARY: &str = "ringfort:canary";

/// A control plane, where it shows checkpoints of its log to another that witnesses them.
pub fn witness_of(machine: &str) -> String {
    format!("ringfort:witness:{machine}")
}

/// The integrity agent of a machine, where it delivers what it found; the machine's name stands behind it.
pub const AGENT: &str = "ringfort:agent:";

/// The administrator of workloads, whose kubeconfig is handed over.
pub const ADMIN: &str = "ringfort:admin";
