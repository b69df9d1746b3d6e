//! A tool that asks nobody who he is was opened to the outside.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/tool-exposed",
    title: "A tool that is known to be taken over was opened to the outside",
    severity: Severity::High,
    because: "many of its kind ask nobody who he is, and are looked for all over the internet",
    attack: &["T1133"],
    needs: &[others(WRITES, Of::Resources(&[("", "services")]), Level::RequestResponse)],
    doc: include_str!("tool_exposed.md"),
    judge: Judge::Each(judge),
};

/// Parts of names, of Services and of what they choose pods by.
const TOOLS: [&str; 15] = [
    "argo-server",
    "argocd-server",
    "centraldashboard",
    "docker-registry",
    "elasticsearch",
    "jenkins",
    "jupyter",
    "kibana",
    "kubeflow",
    "kubernetes-dashboard",
    "minio",
    "mongodb",
    "redis",
    "spark-master",
    "weave-scope",
];

fn judge(scene: &Scene<'_>) -> Option<String> {
    let spec = scene.object()?.at("spec");
    let is_open = ["LoadBalancer", "NodePort"].contains(&spec.at("type").text())
        || !spec.at("externalIPs").items().is_empty();
    if !is_open {
        return None;
    }
    let chosen = spec.at("selector").fields().iter().map(|(_, value)| value.text());
    let names = std::iter::once(scene.event.name()).chain(chosen);
    let mut tools = names.filter_map(|name| {
        let name = name.to_ascii_lowercase();
        TOOLS.into_iter().find(|tool| name.contains(tool))
    });
    tools.next().map(|tool| format!("{tool} is reached from outside"))
}
