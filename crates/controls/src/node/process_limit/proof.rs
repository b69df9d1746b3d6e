//! The kernel holds a pod that runs to its number of processes, on every worker.

use ringfort_model::act::{Act, Next, Seen, Transcript};

use super::LIMIT;
use crate::proof::inside::{Inside, inside};
use crate::proof::{Gaps, Scene, course, fail, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let pods = inside(course, scene)?;
        let look = |Inside { node, uid, .. }: &Inside| Act::PodLimits {
            node: node.clone(),
            uid: uid.clone(),
        };
        let seen = course.step(pods.iter().map(look).collect())?;
        let mut gaps = Gaps::default();
        for (Inside { node, .. }, (_, seen)) in pods.iter().zip(seen) {
            match seen {
                Seen::Values(values) => match values.get("pids.max") {
                    Some(limit) if *limit == LIMIT.to_string() => {}
                    Some(limit) => {
                        let said = format!("{node}: a pod may have {limit} processes, not {LIMIT}");
                        return Ok(fail(said, "check podPidsLimit of kubelet: ringfort up"));
                    }
                    None => gaps.add(format!("{node}: a pod's control group was not found")),
                },
                other => gaps.add(format!("{node}: {}", words(other))),
            }
        }
        gaps.close()?;
        let said = format!(
            "the kernel lets a pod on each of {} workers have {LIMIT} processes and threads",
            seen.len()
        );
        Ok(pass(said, course.so_far()))
    })
}
