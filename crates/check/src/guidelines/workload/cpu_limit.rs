//! A container has a limit of processor time.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::resources::{Wanted, is_set};
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/cpu-limit",
    title: "A container has a limit of processor time",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/configuration/manage-resources-containers/")],
    doc: include_str!("cpu_limit.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    is_set(Wanted::Limit("cpu"), pod, container, sheet);
}
