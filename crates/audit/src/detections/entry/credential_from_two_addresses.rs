//! One credential was used from two addresses.

use std::net::IpAddr;

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/credential-from-two-addresses",
    title: "One credential was used from two addresses",
    severity: Severity::Medium,
    because: "one of the two may have copied it",
    attack: &["T1528"],
    needs: &[others(&[], Of::Anything, Level::Metadata)],
    doc: include_str!("credential_from_two_addresses.md"),
    judge: Judge::Reuse(Reuse {
        of,
        what: "the same credential was used from another address before",
    }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    let credential = event.user.extra.credential()?;
    let is_of_cluster = |it: IpAddr| it.to_canonical().is_loopback() || scene.feeds.is_machine(it);
    let source = match is_of_a_run(event) && scene.address().is_some_and(is_of_cluster) {
        true => THROUGH_MACHINES,
        false => event.source(),
    };
    Some((number(&[credential]), number(&[source])))
}

/// ringfort itself speaks through the machines, and through their balancers: all of them are one place for it. No
/// address looks like this.
const THROUGH_MACHINES: &str = "the cluster's machines";
