//! A name of the system came from a public address.

use std::net::IpAddr;

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/component-from-public-address",
    title: "A name of the system came from a public address",
    severity: Severity::High,
    because: "such names are used by machines of the cluster, and a stolen token from elsewhere",
    attack: &["T1078"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("component_from_public_address.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let name = &*scene.event.actor().username;
    let is_system =
        name.starts_with("system:") && !matches!(name, ANONYMOUS | "system:unauthenticated");
    let is_elsewhere = |it: &IpAddr| is_public(*it) && !scene.feeds.is_inside(*it);
    let address = is_system.then(|| scene.address())?.filter(is_elsewhere)?;
    Some(format!("a name of the system from the public address {address}"))
}
