//! Pods and containers say how they are confined.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Place;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/security-context",
    title: "Pods and containers say how they are confined",
    severity: Severity::Medium,
    refs: &[Ref::Docs("tasks/configure-pod-container/security-context/")],
    doc: include_str!("security_context.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    says_something(pod.security, sheet);
    pod.each_container(|container| says_something(container.security, sheet));
}

fn says_something(context: &Place<'_>, sheet: &mut Sheet) {
    let is_filled = |it: Option<&serde_json::Map<_, _>>| it.is_some_and(|it| !it.is_empty());
    sheet.expect(context, context.object(), is_filled, Remedy::Do("write a securityContext"));
}
