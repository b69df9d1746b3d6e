//! A Service was opened on every machine.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/node-port",
    title: "A Service was opened on every machine",
    severity: Severity::Low,
    because: "it is reached from wherever the machines are",
    attack: &["T1133"],
    needs: &[others(WRITES, Of::Resources(&[("", "services")]), Level::RequestResponse)],
    doc: include_str!("node_port.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    (scene.object()?.along(&["spec", "type"]).text() == "NodePort")
        .then(|| "a port of every machine was opened".to_owned())
}
