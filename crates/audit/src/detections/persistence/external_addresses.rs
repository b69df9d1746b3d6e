//! A Service takes addresses that are not its own.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/external-addresses",
    title: "A Service takes addresses that are not its own",
    severity: Severity::High,
    because: "traffic to these addresses is sent to its pods",
    attack: &["T1557"],
    needs: &[others(
        WRITES,
        Of::Resources(&[("", "services"), ("", "services/status")]),
        Level::RequestResponse,
    )],
    doc: include_str!("external_addresses.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let object = scene.object()?;
    let external = object.along(&["spec", "externalIPs"]).items();
    let taken = scene.event.subresource() == "status"
        && !object.along(&["status", "loadBalancer", "ingress"]).items().is_empty();
    (!external.is_empty() || taken).then(|| "addresses from outside are taken".to_owned())
}
