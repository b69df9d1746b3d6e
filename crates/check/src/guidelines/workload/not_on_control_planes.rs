//! Workloads do not run beside the control plane.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/not-on-control-planes",
    title: "A workload does not run beside the control plane",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/scheduling-eviction/taint-and-toleration/")],
    doc: include_str!("not_on_control_planes.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let tolerations = pod.spec.at("tolerations");
    sheet.pass(&tolerations);
    for toleration in tolerations.items() {
        let key = toleration.at("key");
        match (key.word().or(""), toleration.at("operator").word().or("Equal")) {
            (Field::Is(key), _) if TAINTS.contains(&key) => {
                sheet.fail(&toleration, Remedy::LeaveOut);
            }
            (Field::Is(""), Field::Is("Exists")) => sheet.fail(&toleration, Remedy::LeaveOut),
            (Field::Is(key), _) if !key.is_empty() => {}
            (Field::Is(_), Field::Is(_)) => {}
            _ => sheet.unread(&toleration),
        }
    }
}

const TAINTS: [&str; 2] =
    ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
