//! A volume leads to a path of a machine.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/host-path-volume",
    title: "A volume leads to a path of a machine",
    severity: Severity::High,
    because: "a pod that claims it has the path, and says nothing of it",
    attack: &["T1611"],
    needs: &[others(WRITES, Of::Resources(&[("", "persistentvolumes")]), Level::RequestResponse)],
    doc: include_str!("host_path_volume.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let spec = scene.object()?.at("spec");
    let paths = [spec.along(&["hostPath", "path"]), spec.along(&["local", "path"])];
    paths
        .into_iter()
        .map(Node::text)
        .find(|path| is_sensitive(path))
        .map(|path| format!("{path} of a machine is given to whoever claims it"))
}
