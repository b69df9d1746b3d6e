//! What a control is: plain data, and one function that writes its part of the blueprint.

pub use ringfort_model::reference::Ref;
pub use ringfort_model::severity::Severity;
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
    /// Why, when, how, what managed clusters do, and examples, in Markdown.
    pub doc: &'static str,
    /// What it adds to the blueprint; absent for what is judged of the spec or of machines alone.
    pub make: Option<Make>,
    /// How it is shown by behaviour, before a kubeconfig is issued and after.
    pub prove: Option<Proof>,
}

/// Writes a control's part of the blueprint.
pub type Make = fn(&Spec, &mut Draft<'_>);
