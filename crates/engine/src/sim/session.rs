//! An invented operator: one run of `ringfort up` after the other, each in several passes.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::blueprint::{Blueprint, Role};
use ringfort_model::certificate::{CertSeen, ECDSA_P256};
use ringfort_model::digest::Digest;
use ringfort_model::etcd::FoundingState;
use ringfort_model::frame::Request;
use ringfort_model::name::NodeName;
use ringfort_model::seen::{ContentSeen, ItemSeen};

use super::Plant;
use super::draft::{self, NODE, SIGNING_KEY};
use super::world::{Event, World};
use crate::epoch;
use crate::message::{Effect, Input, ObjectAct, ObjectSeen, Planned, Remember, Report};
use crate::mission::{Goal, Mission, Signing};
use crate::node::Input as NodeInput;
use crate::operator::Operator;
use crate::rotation::Turn;
use crate::rounds::Rounds;

/// One run of `ringfort up`.
pub(super) struct Session {
    pub(super) run: u64,
    pub(super) name: String,
    pub(super) epoch: u64,
    /// The last epoch that the operator's state knew of.
    pub(super) remembered: Option<u64>,
    pub(super) phase: Phase,
    /// Counts up with every pass: what was begun in one is not heard in another.
    pub(super) phase_id: u64,
    operator: Operator,
    pub(super) links: BTreeMap<NodeName, u64>,
    /// Machines whose link was lost.
    pub(super) gone: BTreeSet<NodeName>,
    /// Kills the operator after so many effects.
    pub(super) doom: Option<u32>,
    /// Whether something broke since the plan was made.
    pub(super) disturbed: bool,
    /// How much had broken when the run began.
    faults: u64,
    rounds: Rounds,
    again: bool,
    changes: usize,
    incomplete: bool,
    planned: Option<BTreeSet<String>>,
    /// Public halves that servers have loaded once this pass is over.
    announces: BTreeSet<Digest>,
}

/// A pass of a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Keys,
    Membership,
    Plan,
    Full,
    Reset,
}

impl World {
    /// Somebody runs `ringfort up`, or `ringfort reset`.
    pub(super) fn up(&mut self) {
        let run = self.fresh_id();
        let remembered = self.store.known.then_some(self.store.epoch);
        let epoch = match epoch::next(self.trusted_epoch(remembered), &self.epochs()) {
            Ok(epoch) => epoch,
            Err(refusals) => {
                self.note(|| format!("operator: refuses: {refusals:?}"));
                return self.fetch_newer_state();
            }
        };
        self.store.epoch = epoch;
        if self.turn_of_keys(false) == Turn::Add {
            self.store.add_key();
        }
        let phase = if self.store.resets { Phase::Reset } else { Phase::Membership };
        let mission = self.mission(phase, epoch);
        let roles = self.store.spec.values();
        let planes = roles.filter(|(role, _)| *role == Role::ControlPlane).count();
        let session = Session {
            run,
            name: format!("run-{run}"),
            epoch,
            remembered,
            phase,
            phase_id: 0,
            operator: Operator::new(mission),
            links: BTreeMap::new(),
            gone: BTreeSet::new(),
            doom: self.next_doom.take(),
            disturbed: false,
            faults: self.faults_done,
            rounds: Rounds::new(planes),
            again: false,
            changes: 0,
            incomplete: false,
            planned: None,
            announces: BTreeSet::new(),
        };
        self.note(|| format!("operator: run {run} begins"));
        self.sessions.insert(run, session);
        self.begin_phase(run, phase);
    }

    fn mission(&mut self, phase: Phase, epoch: u64) -> Mission {
        let (goal, blueprint) = match phase {
            Phase::Keys => (Goal::Prepare, draft::keys(&self.store)),
            Phase::Membership => (Goal::Membership, draft::keys(&self.store)),
            Phase::Plan => (Goal::Plan, self.blueprint()),
            Phase::Full => (Goal::Converge, self.blueprint()),
            Phase::Reset if self.store.resets => (Goal::Reset, self.blueprint()),
            Phase::Reset => (Goal::Reset, draft::empty(&self.store.leaving)),
        };
        let now_signing = self.store.signing.iter().filter(|(_, key)| key.retired.is_none());
        let known = || now_signing.map(|(id, key)| (key.node.clone(), id.clone())).collect();
        let signing = matches!(phase, Phase::Full | Phase::Plan)
            .then(|| Signing { path: SIGNING_KEY.to_owned(), known: known() });
        let mut circumstances = self.store.circumstances(self.now_s(), epoch, signing);
        match self.plant {
            Some(Plant::UnannouncedKey) => circumstances.unannounced.clear(),
            Some(Plant::ForgottenStart) => circumstances.started.clear(),
            Some(Plant::UnnamedKeys) => {
                circumstances.encryption.named = circumstances.encryption.held.clone();
            }
            _ => {}
        }
        Mission { goal, blueprint, circumstances }
    }

    /// Renders, unless nothing changed that is rendered.
    fn blueprint(&mut self) -> Blueprint {
        let rolls = self.plant != Some(Plant::AllAtOnce);
        let of = self.store.rendered();
        match &self.drafted {
            Some((known, blueprint)) if *known == of => blueprint.clone(),
            _ => {
                let blueprint = draft::full(&self.store, rolls);
                self.drafted = Some((of, blueprint.clone()));
                blueprint
            }
        }
    }

    fn begin_phase(&mut self, run: u64, phase: Phase) {
        let phase_id = self.fresh_id();
        let Some(epoch) = self.sessions.get(&run).map(|session| session.epoch) else { return };
        let mission = self.mission(phase, epoch);
        let operator = Operator::new(mission);
        let announces = self.store.signing.keys().cloned().collect();
        let Some(session) = self.sessions.get_mut(&run) else { return };
        session.phase = phase;
        session.disturbed &= phase != Phase::Plan;
        session.phase_id = phase_id;
        session.operator = operator;
        session.announces = announces;
        self.turn_to(run);
        self.note(|| format!("operator: pass {phase:?}"));
        self.tell_operator(run, phase_id, None, Input::Start);
    }

    /// What one pass asked for and did not wait for is not heard in the next.
    fn turn_to(&mut self, run: u64) {
        let Some(session) = self.sessions.get(&run) else { return };
        let nodes: Vec<NodeName> = session.links.keys().cloned().collect();
        for node in nodes {
            let id = self.fresh_id();
            if let Some(agent) = self.machines.get_mut(&node).and_then(|m| m.agent.as_mut()) {
                agent.id = id;
            }
            if let Some(session) = self.sessions.get_mut(&run) {
                session.links.insert(node, id);
            }
        }
    }

    /// An operator hears something, and what it asks for is set in motion.
    pub(super) fn tell_operator(
        &mut self,
        run: u64,
        phase: u64,
        link: Option<(NodeName, u64)>,
        input: Input,
    ) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(&run).filter(|s| s.phase_id == phase) else {
            return;
        };
        if link.is_some_and(|(node, id)| session.links.get(&node) != Some(&id)) {
            return;
        }
        let mut out = Vec::new();
        session.operator.on(now, input, &mut out);
        for effect in out {
            let Some(session) = self.sessions.get_mut(&run).filter(|s| s.phase_id == phase) else {
                return;
            };
            if let Some(left) = &mut session.doom {
                if *left == 0 {
                    self.kill_operator(run);
                    return;
                }
                *left -= 1;
            }
            self.do_for_operator(run, phase, effect);
        }
    }

    fn do_for_operator(&mut self, run: u64, phase: u64, effect: Effect) {
        match effect {
            Effect::Observe { node, looks } => {
                self.request(run, phase, &node, Request::Observe { looks });
            }
            Effect::Apply { node, seq, step } => {
                self.request(run, phase, &node, Request::Apply { seq, step });
            }
            Effect::Members { node } => self.request(run, phase, &node, Request::Members),
            Effect::Sign { node, seq, request, csr_pem } => {
                let certificate = CertSeen {
                    authority_key_id: self.store.authority(request.authority).key_id,
                    subject: request.subject,
                    usages: request.usages,
                    names: request.names,
                    public_key: csr_pem.parse().unwrap_or_else(|_| Digest::of(b"")),
                    key_kind: ECDSA_P256.to_owned(),
                    not_before: self.now_s() - 300,
                    not_after: self.now_s() + 365 * 86_400,
                };
                let pem = serde_json::to_string(&certificate).map_err(|error| error.to_string());
                let input = Input::Signed { node, seq, result: pem };
                self.schedule(2, Event::Operator { run, phase, link: None, input });
            }
            Effect::Object(act) => {
                let input = self.object(act);
                self.schedule_between(2, 60, Event::Operator { run, phase, link: None, input });
            }
            Effect::Remember(remember) => {
                self.remember(&remember);
                let input = Input::Remembered(remember);
                self.schedule(2, Event::Operator { run, phase, link: None, input });
            }
            Effect::Wake { at } => {
                let after = at.saturating_sub(self.now);
                self.schedule(
                    after,
                    Event::Operator { run, phase, link: None, input: Input::Woke },
                );
            }
            Effect::Refuse { refusals } => {
                self.note(|| format!("operator: refuses: {refusals:?}"));
                self.refused += 1;
                self.end_session(run, Err(&format!("refused: {}", refusals[0])));
            }
            Effect::Finish(report) => self.finished(run, &report),
        }
    }

    fn remember(&mut self, remember: &Remember) {
        self.note(|| format!("operator: remembers {remember:?}"));
        self.store.remember(remember);
        if self.plant == Some(Plant::NewOnRejoin)
            && let Remember::Founding { node, .. } = remember
            && let Some(founding) = self.store.foundings.get_mut(node)
        {
            founding.state = FoundingState::New;
        }
    }

    fn request(&mut self, run: u64, phase: u64, node: &NodeName, request: Request) {
        let known = self.sessions.get(&run).and_then(|session| session.links.get(node).copied());
        let link = match known {
            Some(id) => Ok(id),
            None if self.may_connect(run, node, &request) => self.connect(run, node),
            // What was decided before a link was lost is not done over the next one.
            None => Err("the channel closed".to_owned()),
        };
        match link {
            Ok(id) => {
                if let Some(session) = self.sessions.get_mut(&run) {
                    session.links.insert(node.clone(), id);
                }
                let input = NodeInput::Heard(request);
                self.schedule_between(1, 40, Event::Agent { node: node.clone(), agent: id, input });
            }
            Err(why) => {
                self.note(|| format!("operator: {node} cannot be reached: {why}"));
                let input = Input::Unreachable { node: node.clone(), why };
                self.schedule_between(5, 300, Event::Operator { run, phase, link: None, input });
            }
        }
    }

    fn may_connect(&self, run: u64, node: &NodeName, request: &Request) -> bool {
        let was_lost = self.sessions.get(&run).is_some_and(|s| s.gone.contains(node));
        matches!(request, Request::Observe { .. }) && (self.links_come_back || !was_lost)
    }

    fn object(&mut self, act: ObjectAct) -> Input {
        let serves = self.store.foundings.keys().any(|node| {
            matches!(self.serving(node, "kube-apiserver"), ItemSeen::Serving { healthy: true, .. })
        });
        let (ObjectAct::Look { index } | ObjectAct::Apply { index }) = act;
        let is_right = match index {
            NODE => self.maker().and_then(|maker| maker.node),
            _ => self.objects.get(&index).copied(),
        };
        let is_look = matches!(act, ObjectAct::Look { .. });
        let seen = match is_right {
            _ if !serves => ObjectSeen::Unknown("no API server answers".to_owned()),
            None => ObjectSeen::Absent,
            Some(true) => ObjectSeen::Same,
            Some(false) => ObjectSeen::Differs,
        };
        let result = match (index, seen.clone()) {
            _ if is_look => return Input::ObjectLooked { index, seen },
            (_, ObjectSeen::Unknown(why)) => Err(why),
            (NODE, ObjectSeen::Absent) => Err("it is not there yet".to_owned()),
            (NODE, _) => {
                self.maker().into_iter().for_each(|maker| maker.node = Some(true));
                Ok(())
            }
            _ => {
                self.objects.insert(index, true);
                Ok(())
            }
        };
        Input::ObjectApplied { index, result }
    }

    fn finished(&mut self, run: u64, report: &Report) {
        self.note(|| format!("operator: pass ends: {}", summary(report)));
        let now = self.now;
        let Some(session) = self.sessions.get_mut(&run) else { return };
        let phase = session.phase;
        if phase != Phase::Plan {
            session.changes += report.changes.len();
            session.incomplete |= !report.is_complete();
            session.again |= report.again;
        }
        if report.interrupted {
            self.end_session(run, Err("interrupted"));
            return;
        }
        match phase {
            Phase::Membership => self.begin_phase(run, Phase::Keys),
            Phase::Keys => {
                self.note_keys(run, now);
                let plans = self.random.chance(25);
                self.begin_phase(run, if plans { Phase::Plan } else { Phase::Full });
            }
            Phase::Plan => {
                session.planned = report.unseen.is_empty().then(|| names(&report.changes));
                session.disturbed |= !report.unreachable.is_empty();
                self.begin_phase(run, Phase::Full);
            }
            Phase::Full => self.full_finished(run, report),
            Phase::Reset => {
                if report.is_complete() && self.store.resets {
                    self.store.forget_machines();
                } else if report.is_complete() {
                    self.store.leaving.clear();
                }
                self.end_session(run, Ok(()));
            }
        }
    }

    fn note_keys(&mut self, run: u64, now: u64) {
        let Some(session) = self.sessions.get(&run) else { return };
        let id = ringfort_model::item::ItemId::file(SIGNING_KEY);
        let mut found = Vec::new();
        for node in self.store.spec.keys() {
            if let Some(ItemSeen::File { content: ContentSeen::Key { id, .. }, .. }) =
                session.operator.seen(node).and_then(|seen| seen.items.get(&id))
            {
                found.push((node.clone(), id.clone()));
            }
        }
        for (node, id) in found {
            self.store.note_key(&node, &id, now);
        }
        let is_forgetful = self.plant == Some(Plant::ForgottenKey);
        self.store.forget_keys(if is_forgetful { u64::MAX } else { now });
        self.store.known = true;
    }

    fn full_finished(&mut self, run: u64, report: &Report) {
        let Some(session) = self.sessions.get_mut(&run) else { return };
        if let Some(planned) = session.planned.take()
            && !session.disturbed
            && report.is_complete()
        {
            let taken = names(&report.changes);
            if taken != planned {
                let differs: Vec<String> = taken.symmetric_difference(&planned).cloned().collect();
                self.breaks(|| format!("the plan and the run differ: {differs:?}"));
                return;
            }
        }
        if report.is_complete() {
            for id in session.announces.clone() {
                if let Some(key) = self.store.signing.get_mut(&id) {
                    key.announced = true;
                }
            }
        }
        let Some(session) = self.sessions.get_mut(&run) else { return };
        let passes = Report { again: session.again, ..Report::default() };
        let goes_on = session.rounds.go_on(&[&passes]);
        let (is_settled, incomplete) = (!session.again, session.incomplete);
        session.again &= !goes_on;
        if goes_on || (report.is_complete() && is_settled && self.turn_keys()) {
            self.begin_phase(run, Phase::Membership);
        } else if !self.store.leaving.is_empty() && !incomplete {
            self.begin_phase(run, Phase::Reset);
        } else {
            self.end_session(run, Ok(()));
        }
    }

    /// A run is over: its channels close, and somebody may begin another.
    fn end_session(&mut self, run: u64, result: Result<(), &str>) {
        let Some(session) = self.sessions.remove(&run) else { return };
        for (node, agent) in &session.links {
            self.cut(node, *agent, "the operator said goodbye");
        }
        let is_quiet = result.is_ok()
            && session.changes == 0
            && session.faults == self.faults_done
            && !session.incomplete
            && !session.again;
        self.note(|| format!("operator: run {run} ends: {result:?}, {} changes", session.changes));
        if !self.must_stand_still(result) {
            return;
        }
        if self.story.is_some() && result.is_ok() && !session.incomplete && !session.again {
            self.faults_left = 0;
            self.faults_done += 1;
            self.turn_story();
            return self.schedule(1_000, Event::Up);
        }
        self.next_session(is_quiet, result);
    }

    pub(super) fn kill_operator(&mut self, run: u64) {
        self.note(|| format!("operator: run {run} is killed"));
        self.faults_done += 1;
        self.is_killed = true;
        let Some(session) = self.sessions.remove(&run) else { return };
        for (node, agent) in session.links {
            self.schedule_between(0, 3_000, Event::Dead { node, agent });
        }
        self.next_session(false, Err("killed"));
    }

    pub(super) fn next_session(&mut self, is_quiet: bool, result: Result<(), &str>) {
        const MOST_SESSIONS: u32 = 12;
        if !self.sessions.is_empty() {
            return;
        }
        if self.faults_left > 0 {
            self.schedule_between(4_000, 50_000, Event::Up);
            return;
        }
        self.quiet_sessions += 1;
        let has_turned = self.store.encryption.len() == 1 && !self.store.wants_key;
        if is_quiet && self.store.leaving.is_empty() && has_turned {
            self.laws_of_the_end();
            self.begin_again();
        } else if self.quiet_sessions > MOST_SESSIONS {
            self.breaks(|| format!("does not converge: {result:?}"));
        } else {
            // A minute, so that what reloads by itself has done so.
            self.schedule(65_000, Event::Up);
        }
    }

    pub(super) fn now_s(&self) -> i64 {
        self.start_s + i64::try_from(self.now / 1000).unwrap_or(0)
    }
}

fn names(changes: &[Planned]) -> BTreeSet<String> {
    let name = |planned: &Planned| match planned {
        Planned::Machine { node, step } => format!("{node} {} {:?}", step.item, step.because),
        Planned::Object { index, because, .. } => format!("object {index} {because:?}"),
    };
    changes.iter().map(name).collect()
}

fn summary(report: &Report) -> String {
    let mut text = format!("{} changes", report.changes.len());
    for remark in report.failures.iter().chain(&report.waiting) {
        let node = remark.node.as_ref().map(ToString::to_string).unwrap_or_default();
        text += &format!("; {node} {} {}", remark.what, remark.why);
    }
    for (node, why) in &report.unreachable {
        text += &format!("; {node} unreachable: {why}");
    }
    if report.again { text + "; again" } else { text }
}
