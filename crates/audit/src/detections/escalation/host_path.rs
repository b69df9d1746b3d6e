//! A pod asked for a sensitive path of its machine.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/host-path",
    title: "A pod asked for a sensitive path of its machine",
    severity: Severity::High,
    because: "with it the machine can be taken",
    attack: &["T1611"],
    needs: &[POD_WRITTEN],
    doc: include_str!("host_path.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    let path = |volume: &Node<'_>| volume.along(&["hostPath", "path"]).text().to_owned();
    pod.spec
        .at("volumes")
        .items()
        .iter()
        .map(path)
        .find(|path| is_sensitive(path))
        .map(|path| format!("{path} of the machine is mounted"))
}
