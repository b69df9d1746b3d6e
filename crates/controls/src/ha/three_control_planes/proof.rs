//! Each member of etcd is stopped in turn, and then each machine's balancer, while writes go on: what was
//! acknowledged is there, and the pause is no longer than an election, or than the balancer was gone.

use ringfort_model::act::{Act, Load, Next, Part, Seen, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{Course, Gaps, Scene, course, fail, pass, words};

/// How long a member of etcd stays stopped, in milliseconds: longer than an election.
const ETCD_DOWN_MS: u64 = 4_000;
/// How long a balancer does: clients wait that long and no longer.
const BALANCER_DOWN_MS: u64 = 1_500;
/// What a pause may be longer than that, in milliseconds: an election of etcd's leader (2.5 s), the
/// balancer's health check (2 s) and one retried request.
const MARGIN_MS: u64 = 6_000;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let mut gaps = Gaps::default();
        let (mut written, mut longest_ms) = (0, 0);
        if let Some(missing) = missing(scene, course, &mut gaps)? {
            let said = format!("etcd does not run on {missing}: no other member may be lost");
            return Ok(fail(said, "ringfort up"));
        }
        for (stop, part, through, down_ms) in rehearsals(scene) {
            let act = Act::Rehearse {
                stop: stop.clone(),
                part,
                through,
                namespace: scene.namespace.clone(),
                down_ms,
            };
            let what = match part {
                Part::Balancer => "the balancer",
                Part::ControlPlane | Part::Etcd => "etcd",
            };
            for (_, seen) in course.step(vec![act])? {
                match seen {
                    Seen::Load(load) if load.acknowledged == 0 => {
                        gaps.add(format!("{stop}: no write was acknowledged at all"));
                    }
                    Seen::Load(load) => {
                        if let Some(wrong) = wrong(load, down_ms) {
                            let said = format!("{what} of {stop} stopped: {wrong}");
                            return Ok(fail(said, "look at the members: etcdctl endpoint health"));
                        }
                        written += load.acknowledged;
                        longest_ms = longest_ms.max(load.longest_pause_ms);
                    }
                    other => gaps.add(format!("{stop}: {}", words(other))),
                }
            }
        }
        gaps.close()?;
        let said = format!(
            "each of {} members of etcd and {} balancers stopped in turn; 0 of {written} acknowledged writes lost; longest pause {:.1} s",
            scene.control_planes.len(),
            scene.workers.len(),
            longest_ms as f64 / 1e3,
        );
        Ok(pass(said, course.so_far()))
    })
}

/// Finds a machine whose member of etcd does not run.
fn missing(
    scene: &Scene,
    course: &mut Course<'_>,
    gaps: &mut Gaps,
) -> Result<Option<NodeName>, Next> {
    let look =
        |node: &NodeName| Act::Processes { node: node.clone(), names: vec!["etcd".to_owned()] };
    for (act, seen) in course.step(scene.control_planes.iter().map(look).collect())? {
        match (seen, act.node()) {
            (Seen::Processes(all), Some(node)) if all.is_empty() => return Ok(Some(node.clone())),
            (Seen::Processes(_), _) => {}
            (other, _) => gaps.add(words(other)),
        }
    }
    Ok(None)
}

/// What is stopped where, through whose balancers is written meanwhile, and for how long it stays stopped.
fn rehearsals(scene: &Scene) -> Vec<(NodeName, Part, Vec<NodeName>, u64)> {
    let members = scene
        .control_planes
        .iter()
        .map(|plane| (plane.clone(), Part::Etcd, scene.workers.clone(), ETCD_DOWN_MS));
    let balancers = scene
        .workers
        .iter()
        .map(|worker| (worker.clone(), Part::Balancer, vec![worker.clone()], BALANCER_DOWN_MS));
    members.chain(balancers).collect()
}

fn wrong(load: &Load, down_ms: u64) -> Option<String> {
    if load.lost > 0 {
        return Some(format!(
            "{} of {} acknowledged writes were lost",
            load.lost, load.acknowledged
        ));
    }
    let is_long = load.longest_pause_ms > down_ms + MARGIN_MS;
    is_long.then(|| format!("writes paused for {:.1} s", load.longest_pause_ms as f64 / 1e3))
}
