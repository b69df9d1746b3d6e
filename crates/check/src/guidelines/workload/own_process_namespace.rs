//! Pods see no processes but their own.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/own-process-namespace",
    title: "A pod sees no processes but its own",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("own_process_namespace.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let flag = pod.spec.at("hostPID");
    sheet.expect(&flag, flag.boolean(), |it| it != Some(true), Remedy::LeaveOut);
}
