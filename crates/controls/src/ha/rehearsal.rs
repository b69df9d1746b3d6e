//! One part is stopped while writers write, and each writer is judged by itself: a machine whose way is
//! broken must not hide behind the others.

use ringfort_model::act::{Act, Counted, Load, Part, Seen, WRITE_LIMIT_MS, Writes};
use ringfort_model::name::NodeName;

use super::control_plane::etcd::ELECTION_TIMEOUT_MS;
use crate::proof::{Gaps, Scene, words};

/// The longest that members of etcd are without a leader, in milliseconds: each misses the last one after
/// its timeout at the soonest and twice that at the latest, and then asks for votes.
pub(super) const ELECTION_MS: u64 = 2 * ELECTION_TIMEOUT_MS;
/// The longest pause that passes where a leader may be lost, in milliseconds: an election, and a write that
/// was lost with the leader, until it is given up.
pub(super) const PAUSE_LIMIT_MS: u64 = ELECTION_MS + WRITE_LIMIT_MS;
/// What that limit is made of.
pub(super) const PAUSE_LIMIT: &str = "an election of etcd and a write that is given up";
/// For how long everybody writes on before a part is started again, in milliseconds.
pub(super) const WRITES_ON_MS: u64 = 2_000;

/// One part that is stopped.
pub(super) struct Rehearsal {
    pub(super) stop: NodeName,
    pub(super) part: Part,
    /// Through whose balancers is written.
    pub(super) through: Vec<NodeName>,
    /// In what a pod counts up meanwhile, if one does.
    pub(super) counter: Option<&'static str>,
    /// How long it stays stopped, in milliseconds: at most, where writes go on.
    pub(super) down_ms: u64,
    /// For how long everybody has to write on meanwhile; none where nobody can.
    pub(super) writes_on_ms: Option<u64>,
    /// The longest pause that passes, in milliseconds.
    pub(super) limit_ms: u64,
}

/// What all writers of a proof met together.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) acknowledged: u64,
    pub(super) longest_pause_ms: u64,
    /// How long each part was stopped at least; none before the first was.
    pub(super) shortest_down_ms: Option<u64>,
}

impl Rehearsal {
    pub(super) fn act(&self, scene: &Scene) -> Act {
        Act::Rehearse {
            stop: self.stop.clone(),
            part: self.part,
            through: self.through.clone(),
            namespace: scene.namespace.clone(),
            counter: self.counter.map(str::to_owned),
            down_ms: self.down_ms,
            writes_on_ms: self.writes_on_ms,
        }
    }

    /// Says what is wrong, if something is; what could not be seen is a gap.
    pub(super) fn judge(&self, seen: &Seen, gaps: &mut Gaps, sum: &mut Sum) -> Option<String> {
        let stop = &self.stop;
        let Seen::Load(load) = seen else {
            gaps.add(format!("{stop}: {}", words(seen)));
            return None;
        };
        for writer in &self.through {
            match load.writers.get(writer) {
                Some(writes) if writes.acknowledged > 0 => {
                    if let Some(wrong) = self.wrong(writes, load) {
                        return Some(format!("of {writer}: {wrong}"));
                    }
                    sum.acknowledged += writes.acknowledged;
                    sum.longest_pause_ms = sum.longest_pause_ms.max(writes.longest_pause_ms);
                }
                _ => gaps.add(format!(
                    "{stop} stopped: no write through {writer} was acknowledged at all"
                )),
            }
        }
        if self.counter.is_some()
            && let Some(wrong) = of_pod(load, stop, gaps)
        {
            return Some(wrong);
        }
        if self.through.is_empty() {
            gaps.add(format!("{stop} stopped: nobody wrote"));
        }
        let shortest_ms = sum.shortest_down_ms.unwrap_or(load.down_ms);
        sum.shortest_down_ms = Some(shortest_ms.min(load.down_ms));
        None
    }

    /// Judges what one writer met.
    fn wrong(&self, writes: &Writes, load: &Load) -> Option<String> {
        let (lost, acknowledged) = (writes.lost, writes.acknowledged);
        if lost > 0 {
            return Some(format!("{lost} of {acknowledged} acknowledged writes were lost"));
        }
        if self.writes_on_ms.is_some() && writes.while_down == 0 {
            let down = seconds(load.down_ms);
            return Some(format!("no write was acknowledged in the {down} until it was started"));
        }
        if writes.after == 0 {
            return Some("no write was acknowledged after it was back".to_owned());
        }
        (writes.longest_pause_ms > self.limit_ms).then(|| {
            let (pause, limit) = (seconds(writes.longest_pause_ms), seconds(self.limit_ms));
            format!("writes paused for {pause}, and {limit} is the most")
        })
    }
}

/// Judges what a pod met that counts up.
fn of_pod(load: &Load, stop: &NodeName, gaps: &mut Gaps) -> Option<String> {
    let down = seconds(load.down_ms);
    match load.counted {
        Some(Counted { while_down: Some(0), .. }) => Some(format!(
            "no write of a pod through the Service was acknowledged in the {down} until it was started"
        )),
        Some(Counted { after: Some(0), .. }) => Some(
            "no write of a pod through the Service was acknowledged after it was back".to_owned(),
        ),
        Some(Counted { while_down: Some(_), after: Some(_) }) => None,
        _ => {
            gaps.add(format!("{stop} stopped: how far a pod counted could not be looked at"));
            None
        }
    }
}

/// Writes a time for people.
pub(super) fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1e3)
}
