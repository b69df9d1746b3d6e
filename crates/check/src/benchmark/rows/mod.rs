//! The rows, a file for each section.

mod api_server;
mod audit;
pub(super) mod beyond;
mod controllers;
mod etcd;
mod files;
mod kubelet;
mod policies;
mod worker_files;

use super::{Ask, Assessed, Kept, Needs, Of, Row};
pub(super) use audit::policy as audit_policy;
pub(super) use policies::{ENFORCED, RESTRICTED};

/// A section of the benchmark.
pub(super) struct Section {
    /// Its number.
    pub(super) id: &'static str,
    /// What it is about, in our own words.
    pub(super) title: &'static str,
    /// Its rows.
    pub(super) rows: &'static [Row],
}

/// Every section, in its order.
pub(super) static SECTIONS: &[Section] = &[
    Section { id: "1.1", title: "files of the control plane", rows: files::ROWS },
    Section { id: "1.2", title: "API server", rows: api_server::ROWS },
    Section { id: "1.3", title: "controller manager", rows: controllers::MANAGER },
    Section { id: "1.4", title: "scheduler", rows: controllers::SCHEDULER },
    Section { id: "2", title: "etcd", rows: etcd::ROWS },
    Section { id: "3.1", title: "who signs in how", rows: audit::IDENTITIES },
    Section { id: "3.2", title: "audit log", rows: audit::LOGGING },
    Section { id: "4.1", title: "files of workers", rows: worker_files::ROWS },
    Section { id: "4.2", title: "kubelet", rows: kubelet::KUBELET },
    Section { id: "4.3", title: "kube-proxy", rows: kubelet::PROXY },
    Section { id: "5.1", title: "rights and service accounts", rows: policies::RIGHTS },
    Section { id: "5.2", title: "which pods are let in", rows: policies::PODS },
    Section { id: "5.3", title: "network policies", rows: policies::NETWORK },
    Section { id: "5.4", title: "secrets", rows: policies::SECRETS },
    Section { id: "5.5", title: "where images come from", rows: policies::IMAGES },
    Section { id: "5.6", title: "namespaces and contexts", rows: policies::CONTEXTS },
];

/// A row that the benchmark lets a program assess.
const fn automated(id: &'static str, title: &'static str, kept: Kept, ask: Ask) -> Row {
    Row { id, title, level: 1, assessed: Assessed::Automated, kept, ask }
}

/// A row that the benchmark leaves to a person.
const fn manual(id: &'static str, title: &'static str, kept: Kept, ask: Ask) -> Row {
    Row { id, title, level: 1, assessed: Assessed::Manual, kept, ask }
}

/// The same at level 2.
#[allow(clippy::needless_pass_by_value, reason = "a constant is made of a constant")]
const fn second(row: Row) -> Row {
    Row { level: 2, ..row }
}
