//! A pod on each worker reaches a pod on every worker by its address.

use ringfort_model::act::{Next, Transcript};

use crate::proof::errand::{Question, answered};
use crate::proof::{Scene, course, pass};

const LOOK: &str = "look at the routes of both machines: ip route";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        answered(course, scene, Question::Pods, LOOK)?;
        let said = format!(
            "pods on each of {0} workers have answers from pods on all {0}",
            scene.workers.len()
        );
        Ok(pass(said, course.so_far()))
    })
}
