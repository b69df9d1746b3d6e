//! A pod that says nothing of it is not told of Services, by every API server.

use ringfort_model::act::{Next, Transcript};

use crate::proof::Scene;
use crate::workload::filled::{Filling, filled};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let filling = Filling { unsay: |_| {}, at: "/spec/enableServiceLinks", value: false.into() };
    filled(scene, transcript, &filling, "a pod that says nothing of Services is not told of them")
}
