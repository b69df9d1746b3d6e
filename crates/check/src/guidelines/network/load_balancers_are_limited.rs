//! Load balancers say whom they let in.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::balancer::is_balancer;
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
    if !is_balancer(service, sheet) {
        return;
    }
    let spec = service.root.at("spec");
    let ranges = spec.at("loadBalancerSourceRanges");
    match ranges.list() {
        Field::Is(list) if !list.is_empty() => return sheet.pass(&ranges),
        Field::Unreadable => return sheet.unread(&ranges),
        _ => {}
    }
    let annotations = service.metadata.at("annotations");
    for (key, value) in INTERNAL {
        let said = annotations.entry(key);
        match said.word() {
            Field::Is(word) if word.eq_ignore_ascii_case(value) => return sheet.pass(&said),
            Field::Is(_) | Field::Absent => {}
            Field::Unreadable => return sheet.unread(&said),
        }
    }
    sheet.fail(&ranges, Remedy::Do("name the ranges that are let in"));
}

/// Annotations by which clouds give a balancer an address of their inner network alone
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#internal-load-balancer>).
const INTERNAL: [(&str, &str); 9] = [
    ("networking.gke.io/load-balancer-type", "Internal"),
    ("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type", "intranet"),
    ("service.beta.kubernetes.io/aws-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
    ("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/cce-load-balancer-internal-vpc", "true"),
    ("service.beta.kubernetes.io/oci-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/openstack-internal-load-balancer", "true"),
    ("service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type", "private"),
];
