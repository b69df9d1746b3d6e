//! A pod that says nothing of system calls gets the runtime's filter from every API server; and the kernel
//! says inside a pod, on every worker, that it filters and that nothing is to be gained.

use serde_json::Value;

use ringfort_model::act::{Act, Next, Seen, Transcript};

use crate::proof::inside::{Inside, PROGRAM, inside};
use crate::proof::{Gaps, Scene, course, fail, pass, words};
use crate::workload::filled::{Filling, fill};

/// What the kernel says of a process that may gain nothing and holds nothing.
const EXPECTED: [(&str, &str); 2] = [("NoNewPrivs", "1"), ("CapEff", "0000000000000000")];
/// How the kernel writes that a filter of system calls is in force.
const FILTERED: u8 = 2;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let filling = Filling {
            unsay,
            at: "/spec/securityContext/seccompProfile/type",
            value: "RuntimeDefault".into(),
        };
        fill(course, scene, &filling)?;
        let mut gaps = Gaps::default();
        let pods = inside(course, scene)?;
        // A pod sees the filters of the machine around it as well; only the machine can tell them apart.
        let look = |pod: &Inside| Act::Processes {
            node: pod.node.clone(),
            names: vec![PROGRAM.to_owned()],
        };
        for (pod, (_, seen)) in pods.iter().zip(course.step(pods.iter().map(look).collect())?) {
            let node = &pod.node;
            match seen {
                Seen::Processes(all) if all.iter().any(|one| one.seccomp != FILTERED) => {
                    let said = format!("{node}: a pod's process may make every system call");
                    return Ok(fail(said, "look at the runtime of that worker: ringfort up"));
                }
                Seen::Processes(all) if !all.is_empty() => {}
                Seen::Processes(_) => gaps.add(format!("{node}: a pod's process was not found")),
                other => gaps.add(format!("{node}: {}", words(other))),
            }
        }
        for found in pods {
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
