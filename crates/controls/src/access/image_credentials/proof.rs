//! Every kubelet that runs says that it asks for the credentials of what it pulled.

use serde_json::Value;

use ringfort_model::act::{Act, Ask, Next, Seen, Transcript};
use ringfort_model::name::NodeName;

use super::POLICY;
use crate::proof::{Gaps, Scene, course, fail, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let machines: Vec<&NodeName> = scene.machines().collect();
        let read = |node: &&NodeName| -> Act {
            scene.ask(Ask::Read { path: format!("/api/v1/nodes/{node}/proxy/configz") })
        };
        let mut gaps = Gaps::default();
        let seen = course.step(machines.iter().map(read).collect())?;
        for (node, (_, seen)) in machines.iter().zip(seen) {
            let said = match seen {
                Seen::Text(text) => policy(text),
                other => {
                    gaps.add(format!("{node}: what kubelet runs with: {}", words(other)));
                    continue;
                }
            };
            match said.as_deref() {
                Some(POLICY) => {}
                Some(other) => {
                    let said = format!("{node}: kubelet verifies images by the policy {other}");
                    return Ok(fail(
                        said,
                        "is the file kubelet reads the blueprint's? ringfort up",
                    ));
                }
                None => gaps.add(format!("{node}: kubelet tells no policy of images")),
            }
        }
        gaps.close()?;
        let said = format!("{} kubelets say that they run with {POLICY}", machines.len());
        Ok(pass(said, course.so_far()))
    })
}

/// Reads the policy from what kubelet says of its configuration.
fn policy(text: &str) -> Option<String> {
    let said: Value = serde_json::from_str(text).ok()?;
    let policy = said.pointer("/kubeletconfig/imagePullCredentialsVerificationPolicy")?;
    policy.as_str().map(str::to_owned)
}
