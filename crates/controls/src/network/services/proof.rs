//! A pod on each worker reaches the API at the address of its Service, which no machine has.

use ringfort_model::act::{Next, Transcript};

use crate::proof::errand::errand;
use crate::proof::{Scene, course, fail, pass};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let service = format!("{}:443", scene.api_address);
        let asks = ["dial".to_owned(), service.clone()];
        let answer = format!("{service} open");
        for (worker, log) in errand(course, scene, "service", &asks, "a pod reaches for a Service")?
        {
            if !log.lines().any(|line| line == answer) {
                let said = format!("{worker}: a pod there does not reach {service}");
                return Ok(fail(said, "look at kube-proxy there: journalctl -u kube-proxy"));
            }
        }
        let said = format!(
            "a pod on each of {} workers reached the API at its Service's address",
            scene.workers.len()
        );
        Ok(pass(said, course.so_far()))
    })
}
