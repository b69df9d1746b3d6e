//! Load balancers say whom they let in.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/load-balancers-are-limited",
    title: "A load balancer says whom it lets in",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/services-networking/service/")],
    doc: include_str!("load_balancers_are_limited.md"),
    judge: Judge::Object(&["Service"], judge),
};

fn judge(service: &Scene<'_>, sheet: &mut Sheet) {
    let spec = service.root.at("spec");
    let kind = spec.at("type");
    match kind.word() {
        Field::Is("LoadBalancer") => {}
        Field::Unreadable => return sheet.unread(&kind),
        _ => return sheet.spare("it is no load balancer"),
    }
    let ranges = spec.at("loadBalancerSourceRanges");
    let is_limited = |it: Option<&[_]>| it.is_some_and(|it| !it.is_empty());
    sheet.expect(&ranges, ranges.list(), is_limited, Remedy::Do("name the ranges that are let in"));
}
