//! Somebody deletes storage.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/storage-deleted",
    title: "Somebody deletes storage",
    severity: Severity::High,
    because: "data is lost, or its copies are",
    attack: &["T1490"],
    needs: &[others(
        &["delete", "deletecollection"],
        Of::Resources(&[
            ("", "persistentvolumes"),
            ("", "persistentvolumeclaims"),
            ("snapshot.storage.k8s.io", "volumesnapshots"),
            ("snapshot.storage.k8s.io", "volumesnapshotcontents"),
        ]),
        Level::Metadata,
    )],
    doc: include_str!("storage_deleted.md"),
    judge: Judge::Burst(Burst {
        counts,
        many: 5,
        seconds: 300,
        what: "volumes, claims or snapshots were deleted",
    }),
};

fn counts(scene: &Scene<'_>) -> Option<(u64, u64)> {
    let event = scene.event;
    (!event.failed())
        .then(|| (scene.actor(), number(&[event.resource(), event.namespace(), event.name()])))
}
