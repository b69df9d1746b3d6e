//! Pods share no memory with their node.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/own-ipc-namespace",
    title: "A pod shares no memory with its node",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("own_ipc_namespace.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let flag = pod.spec.at("hostIPC");
    sheet.expect(&flag, flag.boolean(), |it| it != Some(true), Remedy::LeaveOut);
}
