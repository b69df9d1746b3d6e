//! What a control is: plain data, and one function that writes its part of the blueprint.

use ringfort_spec::{Limit, Spec};

use crate::draft::Draft;
use crate::proof::Proof;

/// One decision that a user can waive.
#[derive(Debug)]
pub struct Control {
    /// Names it by what it ensures, such as `access/pod-security`.
    pub id: &'static str,
    /// Says in one sentence what holds when it is kept.
    pub title: &'static str,
    /// How much is at stake.
    pub severity: Severity,
    /// Where others ask for it.
    pub refs: &'static [Ref],
    /// What a waiver of it may be limited to; nothing if others rest on it and it cannot be waived.
    pub limits: &'static [Limit],
    /// Why, when, how, and what managed clusters do, in Markdown.
    pub doc: &'static str,
    /// What it adds to the blueprint; absent for what is judged of the spec or of machines alone.
    pub make: Option<Make>,
    /// How it is shown by behaviour, before a kubeconfig is issued and after.
    pub prove: Option<Proof>,
}

/// Writes a control's part of the blueprint.
pub type Make = fn(&Spec, &mut Draft<'_>);

/// How much is at stake.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// One more wall.
    Low,
    /// A wall that another attack would have to go around.
    Medium,
    /// The cluster's promises depend on it.
    High,
    /// Without it the cluster belongs to whoever asks.
    Critical,
}

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
