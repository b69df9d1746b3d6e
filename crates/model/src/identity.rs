//! The names of ringfort's identities in the API.

/// ringfort itself, while it makes the cluster. It lives for a run, in memory.
pub const KEEPER: &str = "ringfort:keeper";

/// The administrator of workloads, whose kubeconfig is handed over.
pub const ADMIN: &str = "ringfort:admin";
