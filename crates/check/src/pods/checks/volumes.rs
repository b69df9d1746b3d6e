//! What volumes bring into a pod.

use super::{Fault, Subject};
use crate::fault::Remedy;
use crate::place::Field;

/// No volume may be a path of the node.
pub(crate) fn host_paths(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    for volume in subject.spec.at("volumes").items() {
        let path = volume.at("hostPath");
        if matches!(path.object(), Field::Is(_)) {
            faults.push(Fault::new(&path, OTHER_KIND));
        }
    }
}

/// Every volume must be of a kind that is allowed.
///
/// One without a kind that Kubernetes knows is allowed: it becomes an empty directory.
pub(crate) fn kinds(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    for volume in subject.spec.at("volumes").items() {
        let may_be = |kind: &&str| volume.at(kind).object() != Field::Absent;
        if ALLOWED.iter().any(may_be) {
            continue;
        }
        let other = OTHERS.iter().find(|kind| matches!(volume.at(kind).object(), Field::Is(_)));
        if let Some(kind) = other {
            faults.push(Fault::new(&volume.at(kind), OTHER_KIND));
        }
    }
}

const OTHER_KIND: Remedy = Remedy::UseVolume(&ALLOWED);

/// The kinds that bring nothing from the node but what the API or a driver puts there.
const ALLOWED: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// All other kinds.
const OTHERS: [&str; 21] = [
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "hostPath",
    "iscsi",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];
