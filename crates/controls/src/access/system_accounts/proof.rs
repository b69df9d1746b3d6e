//! Nobody speaks as one of the controllers: no token of their accounts is given out, and no pod runs as
//! one of them.

use ringfort_model::act::{Act, Next, Seen, TokenWish, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::accounts::await_made;
use crate::proof::{Gaps, Scene, course, fail, pass, words};

/// Controllers whose accounts are worth the most.
const TRIED: [&str; 3] =
    ["clusterrole-aggregation-controller", "generic-garbage-collector", "namespace-controller"];

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        await_made(course, scene, &TRIED.map(|name| ("kube-system", name)))?;
        let wish = |account: &&str| TokenWish {
            namespace: "kube-system".to_owned(),
            account: (*account).to_owned(),
            audiences: Vec::new(),
            seconds: 3_600,
            aged_s: None,
            bound: None,
        };
        let ask = |server: &NodeName| {
            let server = server.clone();
            TRIED
                .iter()
                .map(move |account| Act::TryToken { server: server.clone(), wish: wish(account) })
        };
        let mut gaps = Gaps::default();
        for (act, seen) in course.step(scene.control_planes.iter().flat_map(ask).collect())? {
            let Act::TryToken { server, wish } = act else { continue };
            match seen {
                Seen::Refused { status: 403 | 422, message }
                    if message.contains("ValidatingAdmissionPolicy") => {}
                Seen::Token(_) => {
                    return Ok(fail(
                        format!("{server} gives a token of {} to somebody else", wish.account),
                        "check the admission configuration: ringfort up",
                    ));
                }
                other => gaps.add(format!("{server}: {}: {}", wish.account, words(other))),
            }
        }
        gaps.close()?;
        Ok(pass(
            format!(
                "tokens of {} controllers' accounts are refused by each of {} servers",
                TRIED.len(),
                scene.control_planes.len()
            ),
            course.so_far(),
        ))
    })
}
