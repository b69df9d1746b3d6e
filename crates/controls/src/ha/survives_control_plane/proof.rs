//! Each control plane is stopped in turn while writes go on: from machines, through every worker's balancer,
//! and from a pod, through the Service of the API.

use ringfort_model::act::{Next, Part, Transcript};

use crate::ha::pod_writer::{POD_PAUSE_LIMIT_MS, WRITER, Written, begin, written};
use crate::ha::rehearsal::{PAUSE_LIMIT, PAUSE_LIMIT_MS, Rehearsal, Sum, WRITES_ON_MS, seconds};
use crate::proof::{Gaps, Scene, course, fail, pass};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let (mut gaps, mut sum) = (Gaps::default(), Sum::default());
        let writes = begin(course, scene, &mut gaps)?;
        for stop in &scene.control_planes {
            let rehearsal = Rehearsal {
                stop: stop.clone(),
                part: Part::ControlPlane,
                through: scene.workers.clone(),
                // A pod that has not written yet shows nothing by not writing.
                counter: writes.then_some(WRITER),
                // Who may pause for longer has to be seen to write on, too.
                down_ms: POD_PAUSE_LIMIT_MS + WRITES_ON_MS,
                writes_on_ms: Some(WRITES_ON_MS),
                limit_ms: PAUSE_LIMIT_MS,
            };
            for (_, seen) in course.step(vec![rehearsal.act(scene)])? {
                if let Some(wrong) = rehearsal.judge(seen, &mut gaps, &mut sum) {
                    let fix =
                        "look at the balancers on the workers and at the other control planes";
                    return Ok(fail(format!("{stop} stopped: {wrong}"), fix));
                }
            }
        }
        let written = written(course, scene, &mut gaps)?;
        gaps.close()?;
        Ok(pass(said(scene, &sum, &written), course.so_far()))
    })
}

fn said(scene: &Scene, sum: &Sum, written: &Written) -> String {
    let names: Vec<_> = scene.control_planes.iter().map(|node| node.as_str()).collect();
    format!(
        "{} stopped in turn, for {} at least, and every worker and a pod wrote on meanwhile; 0 of {} acknowledged writes lost, longest pause {} ({} is the most: {PAUSE_LIMIT}); the pod's {} writes through the Service: 0 lost, longest pause {} ({} is the most: a lease of the Service and an election)",
        names.join(", "),
        seconds(sum.shortest_down_ms.unwrap_or_default()),
        sum.acknowledged,
        seconds(sum.longest_pause_ms),
        seconds(PAUSE_LIMIT_MS),
        written.acknowledged,
        written.pause(),
        seconds(POD_PAUSE_LIMIT_MS),
    )
}
