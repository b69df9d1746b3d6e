//! Nobody logs in to pods by SSH.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-ssh",
    title: "No Service names a port of SSH",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/debug/debug-application/get-shell-running-container/")],
    doc: include_str!("no_ssh.md"),
    judge: Judge::Object(&["Service"], judge),
};

fn judge(service: &Scene<'_>, sheet: &mut Sheet) {
    let spec = service.root.at("spec");
    let ports = spec.at("ports");
    sheet.pass(&ports);
    for port in ports.items() {
        for key in ["port", "targetPort"] {
            let place = port.at(key);
            if let Field::Is(name) = place.word() {
                // Which number a port of that name has is said where the pods are.
                if name != "ssh" {
                    continue;
                }
                sheet.fail(&place, INSTEAD);
            } else {
                let is_other = |it: Option<i64>| it.is_none_or(|it| !PORTS.contains(&it));
                sheet.expect(&place, place.integer(), is_other, INSTEAD);
            }
        }
    }
}

/// The port of SSH, and the one that is taken where root is not at hand.
const PORTS: [i64; 2] = [22, 2222];

const INSTEAD: Remedy = Remedy::Do("look into containers by kubectl exec");
