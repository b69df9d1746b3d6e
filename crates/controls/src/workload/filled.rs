//! What admission fills into a pod that leaves something unsaid.

use serde_json::Value;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::judgement::Decided;
use ringfort_model::name::NodeName;

use crate::proof::{Course, Gaps, Scene, course, done, fail, pass, pod, words};

/// What is filled in.
pub(crate) struct Filling<'a> {
    /// Leaves it unsaid in a pod.
    pub(crate) unsay: fn(&mut Value),
    /// Where it stands in a pod.
    pub(crate) at: &'a str,
    /// What it is.
    pub(crate) value: Value,
}

/// A proof that every API server fills something into a pod, and nothing else.
pub(crate) fn filled(
    scene: &Scene,
    transcript: &Transcript,
    filling: &Filling<'_>,
    said: &str,
) -> Next {
    course(transcript, |course| {
        fill(course, scene, filling)?;
        Ok(pass(said.to_owned(), course.so_far()))
    })
}

/// Shows that every API server fills something into a pod.
pub(crate) fn fill(
    course: &mut Course<'_>,
    scene: &Scene,
    filling: &Filling<'_>,
) -> Result<(), Next> {
    if !scene.minor.has_mutating_policies() {
        let reason = format!(
            "Kubernetes {} has no policies that fill in: pods say it themselves",
            scene.minor
        );
        return Err(done(Ok(Decided::NotApplicable { reason })));
    }
    let ask = |server: &NodeName| {
        let mut pod = pod::restricted(scene, "canary-filled");
        (filling.unsay)(&mut pod);
        Act::Ask { server: server.clone(), speaker: Speaker::Keeper, ask: Ask::WouldCreate(pod) }
    };
    let seen = course.step(scene.control_planes.iter().map(ask).collect())?;
    let mut gaps = Gaps::default();
    for (server, (_, seen)) in scene.control_planes.iter().zip(seen) {
        match seen {
            Seen::Object(pod) if pod.pointer(filling.at) == Some(&filling.value) => {}
            Seen::Object(pod) => {
                let found = pod.pointer(filling.at).map_or("nothing".to_owned(), Value::to_string);
                return Err(fail(
                    format!("{server}: a pod that leaves it unsaid gets {found} at {}", filling.at),
                    "check the admission configuration: ringfort up",
                ));
            }
            Seen::Refused { status: 403, message } if message.contains("violates PodSecurity") => {
                return Err(fail(
                    format!(
                        "{server}: a pod that leaves it unsaid is refused, since nobody fills it in"
                    ),
                    "check the admission configuration: ringfort up",
                ));
            }
            other => gaps.add(format!("{server}: a good pod was not admitted: {}", words(other))),
        }
    }
    gaps.close()
}
