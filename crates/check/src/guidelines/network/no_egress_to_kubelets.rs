//! No policy opens the way to kubelets.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::egress::{Reach, each_rule};
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Place;
use crate::scene::Scene;
use ringfort_model::judgement::Gap;
use ringfort_policy::{Port, Rule};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/no-egress-to-kubelets",
    title: "No policy lets pods reach kubelets",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/services-networking/network-policies/")],
    doc: include_str!("no_egress_to_kubelets.md"),
    judge: Judge::Object(&["NetworkPolicy"], judge),
};

fn judge(scene: &Scene<'_>, sheet: &mut Sheet) {
    each_rule(scene, sheet, judge_rule);
}

fn judge_rule(rule: &Rule, place: &Place<'_>, sheet: &mut Sheet) {
    let ports = place.at("ports");
    let mut is_open = rule.ports.is_empty();
    for (port, written) in rule.ports.iter().zip(ports.items()) {
        match port {
            Port::Numbers(_, 0, u16::MAX) => is_open = true,
            Port::Numbers(_, first, last)
                if KUBELET.iter().any(|it| (first..=last).contains(&it)) =>
            {
                sheet.fail(&written.at("port"), Remedy::LeaveOut);
            }
            _ => sheet.pass(&written),
        }
    }
    match (is_open, Reach::of(rule)) {
        (false, _) => {}
        (true, Reach::Everything) => sheet.fail(place, Remedy::Do("name peers and ports")),
        (true, Reach::Pods) => sheet.pass(place),
        (true, Reach::Addresses) => {
            let said = "whether nodes are among these addresses is not known".to_owned();
            sheet.missing(place, Gap { said, closes: "name the ports".to_owned() });
        }
    }
}

/// Where kubelets listen, with a certificate and without.
const KUBELET: [u16; 2] = [10250, 10255];
