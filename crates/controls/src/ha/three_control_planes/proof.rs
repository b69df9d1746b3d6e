//! Each member of etcd is stopped in turn, and then each machine's balancer, while writes go on: what was
//! acknowledged is there, nobody stops writing for want of one member, and who loses the balancer waits for
//! it and no longer.

use ringfort_model::act::{Act, Next, Part, Seen, Transcript, WRITE_LIMIT_MS};
use ringfort_model::name::NodeName;

use crate::ha::pod_writer::{POD_PAUSE_LIMIT_MS, WRITER, begin, written};
use crate::ha::rehearsal::{PAUSE_LIMIT, PAUSE_LIMIT_MS, Rehearsal, Sum, WRITES_ON_MS, seconds};
use crate::proof::{Course, Gaps, Scene, course, fail, pass, words};

/// How long a balancer stays stopped, in milliseconds.
const BALANCER_DOWN_MS: u64 = 1_500;
/// How long its start and the first connection through it may take, in milliseconds.
const BALANCER_START_MS: u64 = 1_000;
/// The longest pause that passes where a balancer is gone, in milliseconds: that, and a write that is given
/// up.
const BALANCER_LIMIT_MS: u64 = BALANCER_DOWN_MS + BALANCER_START_MS + WRITE_LIMIT_MS;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let mut gaps = Gaps::default();
        if let Some(missing) = missing(scene, course, &mut gaps)? {
            let said = format!("etcd does not run on {missing}: no other member may be lost");
            return Ok(fail(said, "ringfort up"));
        }
        let counter = begin(course, scene, &mut gaps)?.then_some(WRITER);
        let members = stopped(scene, course, members(scene, counter), &mut gaps)?;
        let pod = written(course, scene, &mut gaps)?;
        let balancers = stopped(scene, course, balancers(scene), &mut gaps)?;
        gaps.close()?;
        let said = format!(
            "each of {} members of etcd stopped in turn, for {} at least, and every worker wrote on meanwhile, longest pause {} ({} is the most: {PAUSE_LIMIT}), and a pod through the Service, longest pause {} ({} is the most: a lease of the Service and an election); each of {} balancers stopped, on control planes and workers, longest pause {} ({} is the most: while it was gone, and a write that is given up); 0 of {} acknowledged writes lost",
            scene.control_planes.len(),
            seconds(members.shortest_down_ms.unwrap_or_default()),
            seconds(members.longest_pause_ms),
            seconds(PAUSE_LIMIT_MS),
            pod.pause(),
            seconds(POD_PAUSE_LIMIT_MS),
            scene.machines().count(),
            seconds(balancers.longest_pause_ms),
            seconds(BALANCER_LIMIT_MS),
            members.acknowledged + pod.acknowledged + balancers.acknowledged,
        );
        Ok(pass(said, course.so_far()))
    })
}

/// Stops parts, those of one list side by side.
fn stopped(
    scene: &Scene,
    course: &mut Course<'_>,
    rehearsals: Vec<Vec<Rehearsal>>,
    gaps: &mut Gaps,
) -> Result<Sum, Next> {
    let mut sum = Sum::default();
    for together in rehearsals {
        let acts = together.iter().map(|rehearsal| rehearsal.act(scene)).collect();
        for (rehearsal, (_, seen)) in together.iter().zip(course.step(acts)?) {
            if let Some(wrong) = rehearsal.judge(seen, gaps, &mut sum) {
                let (stop, part) = (&rehearsal.stop, rehearsal.part);
                let (what, fix) = match part {
                    Part::Balancer => ("the balancer", "journalctl -u ringfort-balance there"),
                    _ => ("etcd", "look at the members: etcdctl endpoint health"),
                };
                return Err(fail(format!("{what} of {stop} stopped: {wrong}"), fix));
            }
        }
    }
    Ok(sum)
}

fn members(scene: &Scene, counter: Option<&'static str>) -> Vec<Vec<Rehearsal>> {
    let member = |plane: &NodeName| {
        vec![Rehearsal {
            stop: plane.clone(),
            part: Part::Etcd,
            through: scene.workers.clone(),
            counter,
            // Had the others to wait for it, they would pause for too long; a pod may, for longer.
            down_ms: POD_PAUSE_LIMIT_MS + WRITES_ON_MS,
            writes_on_ms: Some(WRITES_ON_MS),
            limit_ms: PAUSE_LIMIT_MS,
        }]
    };
    scene.control_planes.iter().map(member).collect()
}

/// A machine has one way to the API: nobody writes there while its balancer is gone. Pods have another, by the
/// Service. Those of one control
/// plane and one worker do not hear of each other.
fn balancers(scene: &Scene) -> Vec<Vec<Rehearsal>> {
    let balancer = |node: &NodeName| Rehearsal {
        stop: node.clone(),
        part: Part::Balancer,
        through: vec![node.clone()],
        counter: None,
        down_ms: BALANCER_DOWN_MS,
        writes_on_ms: None,
        limit_ms: BALANCER_LIMIT_MS,
    };
    let (planes, workers) = (&scene.control_planes, &scene.workers);
    let pair = |at| planes.get(at).into_iter().chain(workers.get(at)).map(balancer).collect();
    (0..planes.len().max(workers.len())).map(pair).collect()
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
