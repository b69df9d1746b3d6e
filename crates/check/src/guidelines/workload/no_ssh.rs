//! Nobody logs into a container.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-ssh",
    title: "No Service and no container names a port of SSH",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/debug/debug-application/get-shell-running-container/")],
    doc: include_str!("no_ssh.md"),
    judge: Judge::Object(KINDS, judge),
};

const KINDS: &[&str] = &[
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Job",
    "Pod",
    "PodTemplate",
    "ReplicaSet",
    "ReplicationController",
    "Service",
    "StatefulSet",
];

fn judge(scene: &Scene<'_>, sheet: &mut Sheet) {
    let runs = scene.with_template(|template| {
        let spec = template.at("spec");
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for container in spec.at(list).items() {
                of_ports(&container.at("ports"), ["containerPort", "hostPort"], sheet);
            }
        }
    });
    if runs.is_none() {
        let spec = scene.root.at("spec");
        of_ports(&spec.at("ports"), ["port", "targetPort"], sheet);
    }
}

fn of_ports(ports: &Place<'_>, keys: [&str; 2], sheet: &mut Sheet) {
    sheet.pass(ports);
    for port in ports.items() {
        for key in keys {
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
