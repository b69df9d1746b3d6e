//! What admission fills into a pod that leaves something unsaid.

use serde_json::Value;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::judgement::Decided;
use ringfort_model::name::NodeName;

use crate::proof::{Scene, course, done, fail, gap, pass, pod, words};

/// Shows that every API server fills a value into a pod.
pub(crate) fn filled(
    scene: &Scene,
    transcript: &Transcript,
    unsay: impl Fn(&mut Value),
    at: &str,
    value: &Value,
    said: &str,
) -> Next {
    if !scene.minor.has_mutating_policies() {
        let reason = format!(
            "Kubernetes {} has no policies that fill in: pods say it themselves",
            scene.minor
        );
        return done(Ok(Decided::NotApplicable { reason }));
    }
    course(transcript, |course| {
        let ask = |server: &NodeName| {
            let mut pod = pod::restricted(scene, "canary-filled");
            unsay(&mut pod);
            Act::Ask {
                server: server.clone(),
                speaker: Speaker::Keeper,
                ask: Ask::WouldCreate(pod),
            }
        };
        let seen = course.step(scene.control_planes.iter().map(ask).collect())?;
        for (server, (_, seen)) in scene.control_planes.iter().zip(seen) {
            match seen {
                Seen::Object(pod) if pod.pointer(at) == Some(value) => {}
                Seen::Object(pod) => {
                    let found = pod.pointer(at).map_or("nothing".to_owned(), Value::to_string);
                    return Ok(fail(
                        format!("{server}: a pod that leaves it unsaid gets {found} at {at}"),
                        "check the admission configuration: ringfort up",
                    ));
                }
                other => {
                    let said = format!("{server}: a good pod was not admitted: {}", words(other));
                    return Ok(gap(said, "ringfort up"));
                }
            }
        }
        Ok(pass(said.to_owned(), course.so_far()))
    })
}
