//! A restricted pod on each worker finds the API's Service by name.

use ringfort_model::act::{Next, Transcript};

use crate::proof::errand::{Question, answered};
use crate::proof::{Scene, course, pass};

const LOOK: &str = "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        answered(course, scene, Question::Name, LOOK)?;
        let said = format!(
            "a restricted pod on each of {} workers ran and found the API's Service by name",
            scene.workers.len()
        );
        Ok(pass(said, course.so_far()))
    })
}
