//! Each control plane is stopped in turn while writes go on through every worker's balancer.

use ringfort_model::act::{Act, Next, Part, Seen, Transcript};

use crate::proof::{Scene, fail, gap, pass, words};

/// How long a control plane stays stopped, in milliseconds: longer than a leader election of etcd.
const DOWN_MS: u64 = 4_000;
/// The longest pause that passes, in milliseconds: one election of etcd's leader (2.5 s), the
/// balancer's health check (2 s) and one retried request.
const PAUSE_LIMIT_MS: u64 = 10_000;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    for (act, seen) in transcript {
        let Act::Rehearse { stop, .. } = act else { continue };
        match seen {
            Seen::Load(load) if load.acknowledged == 0 => {
                return gap(
                    format!("{stop}: no write was acknowledged at all"),
                    "are the balancers on the workers up? ringfort up",
                );
            }
            Seen::Load(load) if load.lost > 0 => {
                return fail(
                    format!(
                        "{stop} stopped: {} of {} acknowledged writes were lost",
                        load.lost, load.acknowledged
                    ),
                    "do not use this cluster: etcd's members must agree",
                );
            }
            Seen::Load(load) if load.longest_pause_ms > PAUSE_LIMIT_MS => {
                return fail(
                    format!(
                        "{stop} stopped: writes paused for {:.1} s",
                        load.longest_pause_ms as f64 / 1e3
                    ),
                    "look at the balancers on the workers and at the other control planes",
                );
            }
            Seen::Load(_) => {}
            other => return gap(format!("{stop}: {}", words(other)), "ringfort up"),
        }
    }
    if let Some(stop) = scene.control_planes.get(transcript.len()) {
        let through = scene.workers.clone();
        let namespace = scene.namespace.clone();
        return Next::Do(vec![Act::Rehearse {
            stop: stop.clone(),
            part: Part::ControlPlane,
            through,
            namespace,
            down_ms: DOWN_MS,
        }]);
    }
    let loads = transcript.iter().filter_map(|(_, seen)| match seen {
        Seen::Load(load) => Some(load),
        _ => None,
    });
    let (acknowledged, pause) = loads.fold((0, 0), |(sum, longest), load| {
        (sum + load.acknowledged, longest.max(load.longest_pause_ms))
    });
    let names: Vec<_> = scene.control_planes.iter().map(|node| node.as_str()).collect();
    pass(
        format!(
            "{} stopped in turn; 0 of {acknowledged} acknowledged writes lost; longest pause {:.1} s",
            names.join(", "),
            pause as f64 / 1e3
        ),
        transcript,
    )
}
