//! etcd's two ports let in who their own authority names, and nobody else: not even who another of the
//! cluster's authorities names.

use ringfort_model::act::{Next, Transcript};

use crate::proof::port::{ETCD_CLIENT, ETCD_PEER, shut};
use crate::proof::{Scene, course, pass};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let tries = shut(course, scene, &[ETCD_CLIENT, ETCD_PEER])?;
        let said = format!(
            "etcd's ports refuse requests without TLS, and every certificate but their own authority's ({tries} tries)"
        );
        Ok(pass(said, course.so_far()))
    })
}
