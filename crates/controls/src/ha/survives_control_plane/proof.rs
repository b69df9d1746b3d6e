//! Each control plane is stopped in turn while writes go on: from machines, through every worker's balancer,
//! and from a pod, through the Service of the API.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::act::{Act, Next, Part, Seen, Transcript};
use ringfort_model::name::NodeName;

use crate::ha::pod_writer::{POD_PAUSE_LIMIT_MS, WRITER, Written, begin, written};
use crate::ha::rehearsal::{PAUSE_LIMIT, PAUSE_LIMIT_MS, Rehearsal, Sum, WRITES_ON_MS, seconds};
use crate::proof::{AGAIN, Course, Gaps, Scene, course, fail, gap, pass, words};

/// Looks at who leads before giving up, and the pause between two: an election may be under way.
const LOOKS: (usize, u64) = (4, 1_000);

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let (mut gaps, mut sum) = (Gaps::default(), Sum::default());
        // A pod that has not written yet shows nothing by not writing.
        let counter = begin(course, scene, &mut gaps)?.then_some(WRITER);
        let stopped = each_stopped(course, scene, counter, (&mut gaps, &mut sum))?;
        let written = written(course, scene, &mut gaps)?;
        gaps.close()?;
        if !stopped.iter().any(|one| one.led) {
            let said = "none of the control planes led etcd when it was stopped: the lead moved to one that was back already";
            return Ok(gap(said, AGAIN));
        }
        Ok(pass(said(&stopped, &sum, &written), course.so_far()))
    })
}

/// A control plane that was stopped.
struct Stopped {
    node: NodeName,
    /// Whether its member led etcd when it was.
    led: bool,
}

/// Stops each control plane once, the one whose member leads etcd behind the others: stopped before them it would make
/// one of those the leader, and everybody would wait for an election at every stop. Who leads is looked at before each.
fn each_stopped(
    course: &mut Course<'_>,
    scene: &Scene,
    counter: Option<&'static str>,
    (gaps, sum): (&mut Gaps, &mut Sum),
) -> Result<Vec<Stopped>, Next> {
    let (mut left, mut stopped) = (scene.control_planes.clone(), Vec::new());
    while !left.is_empty() {
        let leader = leader(course, scene)?;
        let follows = left.iter().position(|node| *node != leader);
        let stop = left.remove(follows.unwrap_or_default());
        let rehearsal = Rehearsal {
            stop: stop.clone(),
            part: Part::ControlPlane,
            through: scene.workers.clone(),
            counter,
            // Who may pause for longer has to be seen to write on, too.
            down_ms: POD_PAUSE_LIMIT_MS + WRITES_ON_MS,
            writes_on_ms: Some(WRITES_ON_MS),
            limit_ms: PAUSE_LIMIT_MS,
        };
        for (_, seen) in course.step(vec![rehearsal.act(scene)])? {
            if let Some(wrong) = rehearsal.judge(seen, gaps, sum) {
                let fix = "look at the balancers on the workers and at the other control planes";
                return Err(fail(format!("{stop} stopped: {wrong}"), fix));
            }
            if !matches!(seen, Seen::Load(_)) {
                let why = words(seen);
                return Err(gap(format!("{stop} stopped, and no other may be: {why}"), AGAIN));
            }
        }
        stopped.push(Stopped { led: stop == leader, node: stop });
    }
    Ok(stopped)
}

/// Finds the control plane whose member leads etcd, as every member says. Where one does not say it, no other may be
/// lost: with two of three gone nobody writes.
fn leader(course: &mut Course<'_>, scene: &Scene) -> Result<NodeName, Next> {
    let ask = |member: &NodeName| Act::Leads { member: member.clone() };
    let seen = course.until(
        LOOKS,
        || scene.control_planes.iter().map(ask).collect(),
        |seen| named_by_all(seen).is_ok(),
    )?;
    named_by_all(seen).map_err(|why| {
        let closes = "etcdctl endpoint health on each control plane, then ringfort up";
        gap(format!("no control plane may be stopped: {why}"), closes)
    })
}

fn named_by_all(seen: &[(Act, Seen)]) -> Result<NodeName, String> {
    let (mut members, mut leaders) = (BTreeMap::new(), BTreeSet::new());
    for (act, seen) in seen {
        let Some(node) = act.node() else { continue };
        let told = match seen {
            Seen::Values(it) => it.get("member").zip(it.get("leader")),
            _ => None,
        };
        let Some((member, leader)) = told else {
            let why = words(seen);
            return Err(format!("the member of etcd of {node} does not say who leads: {why}"));
        };
        members.insert(member, node);
        leaders.insert(leader);
    }
    let only = if leaders.len() == 1 { leaders.first() } else { None };
    let leader = only.and_then(|leader| members.get(*leader));
    leader.map(|node| (*node).clone()).ok_or_else(|| {
        "members of etcd do not name the same one of the control planes as their leader".to_owned()
    })
}

fn said(stopped: &[Stopped], sum: &Sum, written: &Written) -> String {
    let name = |one: &Stopped| match one.led {
        true => format!("{} (which led etcd)", one.node),
        false => one.node.to_string(),
    };
    let names: Vec<String> = stopped.iter().map(name).collect();
    format!(
        "{} stopped in turn, for {} at least, and every worker and a pod wrote on meanwhile; 0 of {} acknowledged writes lost, longest pause {} ({} is the most: {PAUSE_LIMIT}); the pod's {} writes through the Service: 0 lost, longest pause {} ({} is the most: a lease of the Service and an election)",
        names.join(", "),
        seconds(sum.shortest_down_ms.unwrap_or_default()),
        sum.acknowledged,
        seconds(sum.longest_pause_ms),
        seconds(PAUSE_LIMIT_MS),
        written.acknowledged,
        written.pause(),
        seconds(POD_PAUSE_LIMIT_MS),
    )
}
