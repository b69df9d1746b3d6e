//! A flood of equal events is cut off by every API server, by its limit for the single object. The plugin
//! does not count what is only tried, so one event is stored; the others are refused for being there already,
//! after the plugin had its say.

use serde_json::json;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};

use super::BURST;
use crate::proof::{Gaps, Scene, course, fail, pass, words};

/// More than the limit lets through at once and while they are asked for.
const EVENTS: u16 = 3 * BURST;
/// What the plugin says; other parts of a server say otherwise that something is too much.
const WORDS: &str = "limit reached on type";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let event = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": scene.namespace, "name": "canary-flood"},
            "involvedObject": {"kind": "Pod", "namespace": scene.namespace, "name": "canary-flood"},
            "reason": "Canary",
            "message": "to see whether a flood of events is cut off",
            "type": "Normal",
            "source": {"component": "ringfort"},
        });
        let flood = |server: &_| Act::Ask {
            server: Clone::clone(server),
            speaker: Speaker::Keeper,
            ask: Ask::Flood { object: event.clone(), times: EVENTS },
        };
        let mut gaps = Gaps::default();
        for (act, seen) in course.step(scene.control_planes.iter().map(flood).collect())? {
            let server = act.node().map(ToString::to_string).unwrap_or_default();
            match seen {
                Seen::Refused { status: 429, message } if message.contains(WORDS) => {}
                Seen::Done => {
                    let said = format!("{server} took {EVENTS} equal events within moments");
                    return Ok(fail(
                        said,
                        "is every server's configuration the blueprint's? ringfort up",
                    ));
                }
                other => gaps.add(format!("{server}: a flood of events: {}", words(other))),
            }
        }
        gaps.close()?;
        let said = format!(
            "of {EVENTS} equal events each of {} servers refused some (one was stored)",
            scene.control_planes.len()
        );
        Ok(pass(said, course.so_far()))
    })
}
