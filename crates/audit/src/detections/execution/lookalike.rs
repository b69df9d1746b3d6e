//! A workload looks like a part of the cluster.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/lookalike",
    title: "A workload looks like a part of the cluster",
    severity: Severity::High,
    because: "who looks at a list of pods passes over what belongs there",
    attack: &["T1036.005"],
    needs: &[others(WRITES, POD_RESOURCES, Level::Metadata)],
    doc: include_str!("lookalike.md"),
    judge: Judge::Each(judge),
};

/// Names of the parts of a cluster.
const PARTS: [&str; 8] = [
    "cloud-controller-manager",
    "coredns",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-dns",
    "kube-proxy",
    "kube-scheduler",
];

fn judge(scene: &Scene<'_>) -> Option<String> {
    let name = scene.event.name();
    let is_at_home = is_system(scene.event.namespace());
    let part = PARTS.iter().find(|part| {
        // Parts of pods' names are hung on with dashes, so a beginning counts.
        let begins = name
            .strip_prefix(**part)
            .is_some_and(|rest| rest.is_empty() || (rest.starts_with('-') && part.contains('-')));
        let of_length = name.get(..part.len()).unwrap_or(name);
        let is_slip = part.len() > 5 && of_length != **part && slips(of_length, part) == 1;
        (begins && !is_at_home) || is_slip
    })?;
    Some(format!("its name looks like {part}"))
}

/// In how many places two names of one length differ; many where the lengths do.
fn slips(one: &str, other: &str) -> usize {
    match one.len() == other.len() {
        true => one.bytes().zip(other.bytes()).filter(|(one, other)| one != other).count(),
        false => usize::MAX,
    }
}
