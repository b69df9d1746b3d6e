//! Where others ask for what a control does.

use std::fmt;

/// Where others ask for what a control does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ref {
    /// A recommendation of the CIS Kubernetes Benchmark, 1.12 unless its number says otherwise.
    Cis(&'static str),
    /// A Kubernetes Enhancement Proposal.
    Kep(u32),
    /// A page of the Kubernetes documentation, below `https://kubernetes.io/docs/`.
    Docs(&'static str),
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cis(number) => write!(f, "CIS Kubernetes Benchmark {number}"),
            Self::Kep(number) => write!(f, "https://kep.k8s.io/{number}"),
            Self::Docs(page) => write!(f, "https://kubernetes.io/docs/{page}"),
        }
    }
}
