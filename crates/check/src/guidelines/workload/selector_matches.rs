//! A workload finds the pods that it makes.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;
use ringfort_policy::{Labels, Selector};
use serde_json::{Value, json};

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::Scene;
use crate::texts::Texts;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/selector-matches",
    title: "A workload's selector selects the pods that it makes",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/overview/working-with-objects/labels/")],
    doc: include_str!("selector_matches.md"),
    judge: Judge::Object(
        &[
            "CronJob",
            "DaemonSet",
            "Deployment",
            "Job",
            "ReplicaSet",
            "ReplicationController",
            "StatefulSet",
        ],
        judge,
    ),
};

fn judge(workload: &Scene<'_>, sheet: &mut Sheet) {
    let spec = workload.root.at("spec");
    let job_template = spec.at("jobTemplate");
    let of_job = job_template.at("spec");
    let spec = if workload.object.kind.name == "CronJob" { &of_job } else { &spec };
    let (selector, template) = (spec.at("selector"), spec.at("template"));
    let metadata = template.at("metadata");
    let labels = metadata.at("labels");
    let read = match selector.value() {
        Field::Absent => return sheet.spare("it has no selector of its own"),
        Field::Unreadable => return sheet.unread(&selector),
        Field::Is(value) => read(workload.object.kind.name, value, selector.texts()),
    };
    let Some(read) = read else { return sheet.unread(&selector) };
    let Some(carried) = carried(&labels) else { return sheet.unread(&labels) };
    match read.selects(&carried) {
        true => {
            sheet.pass(&selector);
            sheet.pass(&labels);
        }
        false => sheet.fail(&selector, Remedy::Do("select by labels that its template has")),
    }
}

/// Reads a selector; that of a ReplicationController is labels alone.
fn read(kind: &str, selector: &Value, texts: Texts) -> Option<Selector> {
    if texts.has_template(selector) || !selector.is_object() {
        return None;
    }
    let whole = match kind {
        "ReplicationController" => json!({"matchLabels": selector}),
        _ => selector.clone(),
    };
    serde_json::from_value(whole).ok()
}

/// Gives the labels of the pods; nothing where one cannot be read.
fn carried(labels: &Place<'_>) -> Option<Labels> {
    match labels.value() {
        Field::Absent => Some(Labels::new()),
        Field::Is(value) if !labels.texts().has_template(value) => {
            serde_json::from_value(value.clone()).ok()
        }
        _ => None,
    }
}
