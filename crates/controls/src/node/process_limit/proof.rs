//! A pod that takes process numbers is stopped at its limit, on every worker.

use serde_json::{Value, json};

use ringfort_model::act::{Next, Transcript};
use ringfort_model::name::NodeName;

use super::LIMIT;
use crate::proof::each::{Ran, on_each_worker};
use crate::proof::{Gaps, Scene, course, fail, pass, pod};

/// Processes and threads that a pod may have beside those that it begins: its own, and its sandbox's.
const OTHERS: u32 = 64;
/// How the kernel refuses a process that would be one too many.
const TOO_MANY: &str = "resource temporarily unavailable";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let ended = |pod: &Value| pod["status"]["phase"] == "Succeeded";
        let ran = on_each_worker(course, scene, &|worker| bomb(scene, worker), ended, is_whole)?;
        let mut gaps = Gaps::default();
        let mut most = 0;
        for Ran { node, log, .. } in &ran {
            let told = |name: &str| log.lines().find_map(|line| line.strip_prefix(name));
            let Some(begun) = told("begun: ").and_then(|begun| begun.trim().parse::<u32>().ok())
            else {
                gaps.add(format!("{node}: a pod did not tell how many processes it began"));
                continue;
            };
            most = most.max(begun);
            match told("refused: ").map(str::trim) {
                Some(TOO_MANY) if (LIMIT - OTHERS..=LIMIT).contains(&begun) => {}
                Some(why) if begun <= LIMIT => gaps.add(format!(
                    "{node}: a pod was refused after {begun} processes, by something else than its limit: {why}"
                )),
                _ => {
                    let said = format!("{node}: a pod began {begun} processes, more than {LIMIT}");
                    return Ok(fail(said, "check podPidsLimit of kubelet: ringfort up"));
                }
            }
        }
        gaps.close()?;
        let said = format!(
            "a pod on each of {} workers began {most} processes at most, and the next was refused",
            ran.len()
        );
        Ok(pass(said, course.so_far()))
    })
}

/// The last line that the probe writes.
fn is_whole(log: &str) -> bool {
    log.lines().any(|line| line == "forked")
}

/// A pod that takes one number more than there are for it. What has ended and was not waited for takes
/// memory of the kernel, some kilobytes each, which counts as the pod's.
fn bomb(scene: &Scene, worker: &NodeName) -> Value {
    let mut pod = pod::restricted(scene, &format!("canary-bomb-{worker}"));
    pod["spec"]["nodeName"] = json!(worker);
    pod["spec"]["restartPolicy"] = "Never".into();
    let container = &mut pod["spec"]["containers"][0];
    container["args"] = json!(["fork", (LIMIT + 1).to_string()]);
    container["resources"]["limits"]["memory"] = "512Mi".into();
    pod
}
