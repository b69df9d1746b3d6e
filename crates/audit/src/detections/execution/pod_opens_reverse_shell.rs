//! A pod was made to open a shell to the outside.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/pod-opens-reverse-shell",
    title: "A pod was made to open a shell to the outside",
    severity: Severity::Critical,
    because: "somebody outside will have a shell in the cluster",
    attack: &["T1059"],
    needs: &[POD_WRITTEN],
    doc: include_str!("pod_opens_reverse_shell.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    pod.container(
        |container| {
            let words = ["command", "args"].into_iter().flat_map(|key| container.at(key).texts());
            is_reverse_shell(&words.collect::<Vec<_>>().join(" "))
        },
        "opens a shell to the outside",
    )
}
