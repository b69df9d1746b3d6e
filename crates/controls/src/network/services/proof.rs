//! A pod on each worker reaches the API at the address of its Service, which no machine has.

use ringfort_model::act::{Next, Transcript};

use crate::proof::errand::{Question, answered};
use crate::proof::{Scene, course, pass};

const LOOK: &str = "look at kube-proxy there: journalctl -u kube-proxy";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        answered(course, scene, Question::Service, LOOK)?;
        let said = format!(
            "a pod on each of {} workers reached the API at its Service's address",
            scene.workers.len()
        );
        Ok(pass(said, course.so_far()))
    })
}
