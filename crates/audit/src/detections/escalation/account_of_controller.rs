//! A pod runs as an account of the system.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/account-of-controller",
    title: "A pod runs as an account of the system",
    severity: Severity::High,
    because: "it has what controllers of the cluster may do",
    attack: &["T1078"],
    needs: &[POD_WRITTEN],
    doc: include_str!("account_of_controller.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    let names = [pod.spec.at("serviceAccountName").text(), pod.spec.at("serviceAccount").text()];
    let account = names.into_iter().find(|name| caller::is_controller(name))?;
    is_system(scene.event.namespace()).then(|| format!("it runs as {account}"))
}
