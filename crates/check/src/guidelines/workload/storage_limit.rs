//! A container has a limit of the node's disk.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::resources::{Wanted, is_set};
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/storage-limit",
    title: "A container has a limit of the node's disk",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/configuration/manage-resources-containers/")],
    doc: include_str!("storage_limit.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    is_set(Wanted::Limit("ephemeral-storage"), pod, container, sheet);
}
