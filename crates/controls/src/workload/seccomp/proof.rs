//! A pod that says nothing of system calls gets the runtime's filter from every API server; and the kernel
//! says inside a pod, on every worker, that it filters and that nothing is to be gained.

use serde_json::Value;

use ringfort_model::act::{Next, Transcript};

use crate::proof::inside::inside;
use crate::proof::{Gaps, Scene, course, fail, pass};
use crate::workload::filled::{Filling, fill};

/// What the kernel says of a process that is filtered, may gain nothing, and holds nothing.
const EXPECTED: [(&str, &str); 3] =
    [("Seccomp", "2"), ("NoNewPrivs", "1"), ("CapEff", "0000000000000000")];

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let filling = Filling {
            unsay,
            at: "/spec/securityContext/seccompProfile/type",
            value: "RuntimeDefault".into(),
        };
        fill(course, scene, &filling)?;
        let mut gaps = Gaps::default();
        for found in inside(course, scene)? {
            for (name, expected) in EXPECTED {
                match found.told.get(name) {
                    Some(value) if value == expected => {}
                    Some(value) => {
                        let node = found.node;
                        let said =
                            format!("{node}: inside a pod, {name} is {value}, not {expected}");
                        return Ok(fail(said, "look at the runtime of that worker: ringfort up"));
                    }
                    None => gaps.add(format!("{}: a pod tells no {name}", found.node)),
                }
            }
        }
        gaps.close()?;
        let said = format!(
            "a pod that says nothing of system calls gets the runtime's filter; inside, on each of {} workers, the kernel filters, and no privilege is held or to be gained",
            scene.workers.len()
        );
        Ok(pass(said, course.so_far()))
    })
}

fn unsay(pod: &mut Value) {
    if let Some(context) = pod["spec"]["securityContext"].as_object_mut() {
        context.remove("seccompProfile");
    }
}
