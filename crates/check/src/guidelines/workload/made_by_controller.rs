//! Pods are made by controllers.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/made-by-controller",
    title: "A pod is made by a controller",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/workloads/controllers/")],
    doc: include_str!("made_by_controller.md"),
    judge: Judge::Object(&["Pod"], judge),
};

fn judge(scene: &Scene<'_>, sheet: &mut Sheet) {
    let owners = scene.metadata.at("ownerReferences");
    match owners.list() {
        Field::Is([_, ..]) => sheet.pass(&owners),
        Field::Unreadable => sheet.unread(&owners),
        _ => sheet.fail(&scene.root.at("kind"), Remedy::Do("write a Deployment that makes it")),
    }
}
