//! A restricted pod on each worker runs and finds the API's Service by name.

use ringfort_model::act::{Next, Transcript};

use crate::proof::errand::errand;
use crate::proof::{Scene, course, fail, pass};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let service = format!("kubernetes.default.svc.{}", scene.domain);
        let asks = ["resolve".to_owned(), service.clone()];
        let answer = format!("{service} {}", scene.api_address);
        for (worker, log) in errand(course, scene, "dns", &asks, "a pod asks for a name")? {
            if !log.lines().any(|line| line.trim() == answer) {
                let line = log.lines().last().unwrap_or("no output");
                return Ok(fail(
                    format!("{worker}: a pod that asks for {answer} is told: {line}"),
                    "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide",
                ));
            }
        }
        let said = format!(
            "a restricted pod on each of {} workers ran and found the API's Service by name",
            scene.workers.len()
        );
        Ok(pass(said, course.so_far()))
    })
}
