//! Somebody reached a pod or Service through the API.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/service-proxy",
    title: "Somebody reached a pod or Service through the API",
    severity: Severity::Low,
    because: "it goes past every NetworkPolicy, with the API server as its source",
    attack: &["T1090"],
    needs: &[others(
        &[],
        Of::Resources(&[("", "services/proxy"), ("", "pods/proxy")]),
        Level::Metadata,
    )],
    doc: include_str!("service_proxy.md"),
    judge: Judge::First(First { of, said: "reached through the API server", known_seconds: 0 }),
};

fn of(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    Some((number(&[&event.actor().username, event.namespace(), event.name()]), 0))
}
