//! etcd's two ports let in who their own authority names, and nobody else: not even who another of the
//! cluster's authorities names.

use ringfort_model::act::{Next, Transcript};

use crate::proof::Scene;
use crate::proof::port::{ETCD_CLIENT, ETCD_PEER, shut};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let said =
        "etcd's ports refuse requests without TLS, and every certificate but their own authority's";
    shut(scene, transcript, &[ETCD_CLIENT, ETCD_PEER], said)
}
