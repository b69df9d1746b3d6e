//! Workloads say what they are part of.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/common-labels",
    title: "A workload and its pods say which application they are of",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/overview/working-with-objects/common-labels/")],
    doc: include_str!("common_labels.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    judge_labels(pod.whole.metadata, sheet);
    judge_labels(pod.metadata, sheet);
}

fn judge_labels(metadata: &Place<'_>, sheet: &mut Sheet) {
    let labels = metadata.at("labels");
    let mut unread = None;
    for key in KEYS {
        let label = labels.entry(key);
        match label.word() {
            Field::Is(word) if !word.is_empty() => return sheet.pass(&label),
            Field::Unreadable => unread = Some(label.pointer()),
            _ => {}
        }
    }
    match unread {
        Some(pointer) => sheet.unread_at(pointer, "a label"),
        None => sheet.fail(&labels.at(KEYS[0]), Remedy::Do("name the application")),
    }
}

/// The labels that name an application: Kubernetes' own, and the one that came before it.
const KEYS: [&str; 3] = ["app.kubernetes.io/name", "app.kubernetes.io/part-of", "app"];
