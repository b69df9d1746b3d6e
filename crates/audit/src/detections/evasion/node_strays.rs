//! A node was refused something.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/node-strays",
    title: "A node was refused something",
    severity: Severity::Medium,
    because: "a kubelet asks for nothing that is not its own",
    attack: &["T1078"],
    needs: &[anyone(
        &[],
        Of::Resources(&[
            ("", "configmaps"),
            ("", "persistentvolumeclaims"),
            ("", "pods"),
            ("", "secrets"),
            ("", "serviceaccounts/token"),
        ]),
        Level::Metadata,
    )],
    doc: include_str!("node_strays.md"),
    judge: Judge::Burst(Burst {
        counts,
        many: 3,
        seconds: 600,
        what: "requests of a node were refused",
    }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    (event.response_status.code == 403 && is_node(&event.user)).then(|| {
        (number(&[&event.user.username]), number(&[event.time(), event.resource(), event.name()]))
    })
}
