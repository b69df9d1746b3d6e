//! Very many pods, or very much hardware, were asked for at once.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/surge",
    title: "Very many pods or accelerators were asked for at once",
    severity: Severity::Medium,
    because: "somebody else's work is done and paid for here, or there is no room for one's own",
    attack: &["T1496"],
    needs: &[
        POD_WRITTEN,
        others(
            WRITES,
            Of::Resources(&[
                ("", "replicationcontrollers/scale"),
                ("apps", "deployments/scale"),
                ("apps", "replicasets/scale"),
                ("apps", "statefulsets/scale"),
            ]),
            Level::RequestResponse,
        ),
    ],
    doc: include_str!("surge.md"),
    judge: Judge::Each(judge),
};

/// So many pods of one object,
const PODS: f64 = 200.0;
/// or so many accelerators of all of them.
const ACCELERATORS: f64 = 16.0;

fn judge(scene: &Scene<'_>) -> Option<String> {
    let spec = scene.object()?.at("spec");
    let job = spec.along(&["jobTemplate", "spec"]);
    let counts = [spec.at("replicas"), spec.at("parallelism"), job.at("parallelism")];
    let pods = counts.into_iter().filter_map(Node::number).fold(1.0, f64::max);
    let each: f64 = scene.pod().map_or(0.0, |pod| {
        pod.containers().map(|container| accelerators(container.at("resources"))).sum()
    });
    if pods >= PODS {
        return Some(format!("{pods} pods are asked for"));
    }
    let all = pods * each;
    (all >= ACCELERATORS).then(|| format!("{all} accelerators are asked for"))
}

/// How many a container asks for: of what has a vendor's name, by the larger of request and limit.
fn accelerators(resources: &Node<'_>) -> f64 {
    let of = |part: &str| -> f64 {
        let named = resources.at(part).fields().iter().filter(|(name, _)| {
            ["nvidia.com/", "amd.com/", "gpu.intel.com/", "google.com/tpu", "habana.ai/"]
                .iter()
                .any(|vendor| name.starts_with(vendor))
        });
        named.filter_map(|(_, count)| count.number().or_else(|| count.text().parse().ok())).sum()
    };
    of("limits").max(of("requests"))
}
