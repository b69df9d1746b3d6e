//! A pod on each worker reaches a pod on every worker by its address.

use ringfort_model::act::{Next, Transcript};

use crate::proof::errand::errand;
use crate::proof::inside::{Inside, PORT, inside};
use crate::proof::{Scene, course, fail, pass};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let urls: Vec<String> = inside(course, scene)?
            .iter()
            .map(|Inside { address, .. }| format!("http://{address}:{PORT}/"))
            .collect();
        let asks: Vec<String> = ["get".to_owned()].into_iter().chain(urls.clone()).collect();
        for (worker, log) in errand(course, scene, "net", &asks, "a pod asks pods of all workers")?
        {
            let is_answered = |url: &&String| log.lines().any(|line| line == format!("{url} 200"));
            if let Some(silent) = urls.iter().find(|url| !is_answered(url)) {
                let said = format!("{worker}: a pod there gets no answer from {silent}");
                return Ok(fail(said, "look at the routes of both machines: ip route"));
            }
        }
        let said = format!(
            "pods on each of {0} workers have answers from pods on all {0}",
            scene.workers.len()
        );
        Ok(pass(said, course.so_far()))
    })
}
