//! Takes steps: which ones may go now, and what follows from what came of them.

use std::collections::BTreeSet;

use ringfort_model::api_object::Presence;
use ringfort_model::digest::Digest;
use ringfort_model::item::{ItemId, What};
use ringfort_model::name::NodeName;
use ringfort_model::seen::{ContentSeen, ItemSeen, Seen};
use ringfort_model::step::{Act, Difference, Outcome, Source, Step};

use super::board::{Board, Flight, Kind, Link, Place, Standing, Subject, removal};
use super::rolling::group_of;
use super::{Operator, Stage};
use crate::message::{Effect, Planned, Tick};

/// Steps on their way to one machine at once, waiting aside.
const MOST_IN_FLIGHT: usize = 8;
/// How often a step is tried.
const MOST_TRIES: u32 = 3;
/// How often a machine is asked again in a row before it is given up, at first and later.
const MOST_LOSSES: (u32, u32) = (2, 6);
/// The first pause, in milliseconds; each further one is twice as long.
const FIRST_PAUSE: Tick = 1000;
/// The longest pause, in milliseconds.
const LONGEST_PAUSE: Tick = 15_000;

/// Gives how long to pause after a number of failures.
pub(super) fn pause(failures: u32) -> Tick {
    (FIRST_PAUSE << failures.saturating_sub(1).min(8)).min(LONGEST_PAUSE)
}

impl Operator {
    /// Sends every step that may go now.
    pub(super) fn act(&mut self, now: Tick, out: &mut Vec<Effect>) {
        if self.report.interrupted || !self.holds_majority() {
            return;
        }
        self.call_for_objects(now);
        let nodes: Vec<NodeName> = self.boards.keys().cloned().collect();
        loop {
            let mut moved = false;
            for node in &nodes {
                moved |= self.act_on(node, out);
            }
            if !moved {
                break;
            }
        }
        for node in &nodes {
            self.remove_leftover(node, out);
        }
        self.promote(out);
        self.act_on_objects(out);
    }

    /// Goes on with one machine; says whether anything became right or began.
    fn act_on(&mut self, node: &NodeName, out: &mut Vec<Effect>) -> bool {
        let board = &self.boards[node];
        if !board.is_up() {
            return false;
        }
        let mut moved = false;
        for place in board.candidates() {
            moved |= self.act_on_item(node, place, out);
        }
        moved
    }

    fn act_on_item(&mut self, node: &NodeName, place: Place, out: &mut Vec<Effect>) -> bool {
        let Some(board) = self.boards.get_mut(node) else { return false };
        let because = match board.items[place].standing {
            Standing::Wrong(because) => because,
            _ => match board.compare(place, &self.mission.circumstances) {
                Err(gap) => {
                    self.look_again(node, place, &gap.why, out);
                    return true;
                }
                Ok(None) => {
                    board.set(place, Standing::Right);
                    self.groups.note(&self.boards[node]);
                    return true;
                }
                Ok(Some(because)) => {
                    board.set(place, Standing::Wrong(because));
                    because
                }
            },
        };
        self.begin(node, place, because, out)
    }

    /// An item could not be looked at before its needs were right: now it may be.
    fn look_again(&mut self, node: &NodeName, place: Place, why: &str, out: &mut Vec<Effect>) {
        let Some(board) = self.boards.get_mut(node) else { return };
        board.items[place].tries += 1;
        if board.items[place].tries > MOST_TRIES {
            self.give_up(node, place, &format!("could not be looked at: {why}"));
            return;
        }
        board.set(place, Standing::Moving);
        let entry = &board.items[place];
        let looks = vec![(entry.id.clone(), crate::difference::look_at(&entry.item))];
        out.push(Effect::Observe { node: node.clone(), looks });
    }

    /// Takes an answer to [`Self::look_again`].
    pub(super) fn looked_again(&mut self, now: Tick, node: &NodeName, seen: Seen) {
        let Some(board) = self.boards.get_mut(node).filter(|board| board.is_up()) else { return };
        for (id, found) in seen.items {
            let Some(place) = board.place(&id) else { continue };
            if board.items[place].standing != Standing::Moving
                || board.flights.values().any(|flight| flight.subject == Subject::Wanted(place))
            {
                continue;
            }
            let tries = board.items[place].tries;
            let is_unreadable = matches!(found, ItemSeen::Unreadable(_));
            board.found(place, found);
            board.set(
                place,
                if is_unreadable { Standing::Pausing(now + pause(tries)) } else { Standing::Open },
            );
        }
    }

    fn begin(
        &mut self,
        node: &NodeName,
        place: Place,
        because: Difference,
        out: &mut Vec<Effect>,
    ) -> bool {
        if !self.groups.may_change(&self.boards, node, place, &self.mission.circumstances) {
            return false;
        }
        if let Some(why) = self.forbids(node, place) {
            self.give_up(node, place, &why);
            self.report.again = true;
            return true;
        }
        let seq = self.next_seq;
        let Some(board) = self.boards.get_mut(node) else { return false };
        let step = board.step(place, because);
        let kind = match &step.act {
            Act::Await { .. } => Kind::Await,
            _ if board.busy() >= MOST_IN_FLIGHT => return false,
            Act::RequestCertificate { request } => Kind::Request(step.clone(), request.clone()),
            _ => Kind::Change(step.clone()),
        };
        board.set(place, Standing::Moving);
        let wakes = matches!(board.items[place].id, ItemId::Unit(_)) && !board.runs(place);
        if wakes || group_of(&board.items[place]).is_some() {
            board.disturb_after(place);
        }
        if matches!(kind, Kind::Await) {
            board.disturb(place);
        }
        board.flights.insert(seq, Flight { subject: Subject::Wanted(place), kind });
        self.next_seq += 1;
        out.push(Effect::Apply { node: node.clone(), seq, step });
        true
    }

    /// Says why an item must not be changed in this pass, though it differs: what other machines
    /// have to know first changed since the pass was prepared.
    fn forbids(&self, node: &NodeName, place: Place) -> Option<String> {
        let board = &self.boards[node];
        let entry = &board.items[place];
        if group_of(entry) == Some(super::ETCD)
            && self.mission.circumstances.started.contains(node)
            && !board.seen.etcd_data
        {
            return Some(
                "its etcd lost its data meanwhile, and has to join anew: run again".into(),
            );
        }
        let signing = self.mission.circumstances.signing.as_ref()?;
        if entry.id != ItemId::file(&signing.path) {
            return None;
        }
        let known = signing.known.get(node);
        let is_known = matches!(
            board.seen.items.get(&entry.id),
            Some(ItemSeen::File { content: ContentSeen::Key { id, .. }, .. })
                if Some(id) == known
        );
        (!is_known)
            .then(|| "the other API servers know another signing key, or none: run again".into())
    }

    fn remove_leftover(&mut self, node: &NodeName, out: &mut Vec<Effect>) {
        let seq = self.next_seq;
        let Some(board) = self.boards.get_mut(node) else { return };
        if !board.is_up() || !board.flights.is_empty() || !board.is_settled() {
            return;
        }
        let Some(id) = board.leftovers.pop() else { return };
        let step = removal(id.clone(), "ha/converges".to_owned());
        let kind = Kind::Change(step.clone());
        board.flights.insert(seq, Flight { subject: Subject::Leftover(id), kind });
        self.next_seq += 1;
        out.push(Effect::Apply { node: node.clone(), seq, step });
    }

    /// Takes what came of a step.
    pub(super) fn applied(
        &mut self,
        now: Tick,
        node: &NodeName,
        seq: u64,
        outcome: Outcome,
        out: &mut Vec<Effect>,
    ) {
        let Some(board) = self.boards.get_mut(node) else { return };
        let Some(flight) = board.flights.remove(&seq) else { return };
        match (outcome, flight) {
            (Outcome::Failed { why }, flight) => self.failed(now, node, flight, &why),
            (
                Outcome::Signing { csr_pem },
                Flight { subject, kind: Kind::Request(step, request) },
            ) => {
                if self.report.interrupted {
                    self.reopen(node, &subject);
                    return;
                }
                let effect =
                    Effect::Sign { node: node.clone(), seq, request: request.clone(), csr_pem };
                board.flights.insert(seq, Flight { subject, kind: Kind::Request(step, request) });
                out.push(effect);
            }
            (Outcome::Signing { .. }, flight) => {
                self.failed(now, node, flight, "answered with a signing request nobody asked for");
            }
            (Outcome::Done(seen), flight) => self.done(now, node, flight, seen),
        }
    }

    /// Takes a signed certificate and has it written.
    pub(super) fn signed(
        &mut self,
        now: Tick,
        node: &NodeName,
        seq: u64,
        result: Result<String, String>,
        out: &mut Vec<Effect>,
    ) {
        let Some(board) = self.boards.get_mut(node) else { return };
        let Some(flight) = board.flights.remove(&seq) else { return };
        let Flight { subject, kind: Kind::Request(step, request) } = flight else {
            board.flights.insert(seq, flight);
            return;
        };
        match result {
            Err(why) => {
                self.failed(
                    now,
                    node,
                    Flight { subject, kind: Kind::Request(step, request) },
                    &why,
                );
            }
            Ok(_) if self.report.interrupted => self.reopen(node, &subject),
            Ok(pem) => self.issue(node, subject, step, pem, out),
        }
    }

    fn issue(
        &mut self,
        node: &NodeName,
        subject: Subject,
        request: Step,
        pem: String,
        out: &mut Vec<Effect>,
    ) {
        let seq = self.take_seq();
        let Some(board) = self.boards.get_mut(node) else { return };
        let Subject::Wanted(place) = subject else { return };
        let What::File { mode, owner, .. } = &board.items[place].item.what else { return };
        let (mode, owner) = (*mode, *owner);
        let digest = Digest::of(pem.as_bytes());
        let (source, readers) = (Source::Text(pem), BTreeSet::new());
        let act = Act::WriteFile { mode, owner, source, readers };
        let step = Step { act, ..request.clone() };
        board.flights.insert(seq, Flight { subject, kind: Kind::Issue(request, digest) });
        out.push(Effect::Apply { node: node.clone(), seq, step });
    }

    fn reopen(&mut self, node: &NodeName, subject: &Subject) {
        if let (Some(board), Subject::Wanted(place)) = (self.boards.get_mut(node), subject) {
            board.set(*place, Standing::Open);
        }
    }

    fn done(&mut self, now: Tick, node: &NodeName, flight: Flight, seen: ItemSeen) {
        let Some(board) = self.boards.get_mut(node) else { return };
        board.losses = 0;
        match (flight.subject, flight.kind) {
            (Subject::Leftover(id), Kind::Change(step)) => {
                board.seen.owned.remove(&id);
                self.report.changes.push(Planned::Machine { node: node.clone(), step });
            }
            (Subject::Learner(id), Kind::Change(step)) => {
                let node = self.promotions.done(&id).unwrap_or_else(|| node.clone());
                self.report.changes.push(Planned::Machine { node, step });
            }
            (Subject::Wanted(place), Kind::Await) => {
                board.found(place, seen);
                self.settle(now, node, place, None);
            }
            (Subject::Wanted(place), Kind::Issue(step, digest)) => {
                board.changed(place, seen);
                self.report.changes.push(Planned::Machine { node: node.clone(), step });
                self.settle(now, node, place, Some(&digest));
            }
            (Subject::Wanted(place), Kind::Change(step) | Kind::Request(step, _)) => {
                board.changed(place, seen);
                if matches!(&step.act, Act::WriteFile { readers, .. } if !readers.is_empty()) {
                    board.put_right(place);
                }
                self.report.changes.push(Planned::Machine { node: node.clone(), step });
                self.settle(now, node, place, None);
            }
            (Subject::Leftover(_) | Subject::Learner(_), _) => {}
        }
    }

    /// Believes a finished step only if what is there now is what was wanted.
    fn settle(&mut self, now: Tick, node: &NodeName, place: Place, issued: Option<&Digest>) {
        let Some(board) = self.boards.get_mut(node) else { return };
        let holds_issued = |seen: &ItemSeen| {
            let ItemSeen::File { content: ContentSeen::Bytes(found), .. } = seen else {
                return false;
            };
            issued == Some(found)
        };
        let id = board.items[place].id.clone();
        if board.seen.items.get(&id).is_some_and(holds_issued) {
            board.set(place, Standing::Right);
            return;
        }
        match board.compare(place, &self.mission.circumstances) {
            Ok(None) => board.set(place, Standing::Right),
            Ok(Some(still)) => {
                self.retry(now, node, place, &format!("was done, and yet: {still}"));
            }
            Err(gap) => self.retry(now, node, place, &format!("was done, but {gap}")),
        }
        self.groups.note(&self.boards[node]);
    }

    fn failed(&mut self, now: Tick, node: &NodeName, flight: Flight, why: &str) {
        match (flight.subject, flight.kind) {
            (Subject::Wanted(place), Kind::Await) => {
                if let Some(board) = self.boards.get_mut(node) {
                    let inputs = board.inputs(place);
                    board.found(place, ItemSeen::Serving { healthy: false, inputs });
                }
                self.give_up(node, place, why);
            }
            (Subject::Wanted(place), _) => self.retry(now, node, place, why),
            (Subject::Learner(id), _) => {
                if let Some(why) = self.promotions.failed(now, &id, why) {
                    let what = ItemId::Serving(super::ETCD.to_owned());
                    self.fail(node, &what, "ha/control-plane", &why);
                }
            }
            (Subject::Leftover(id), _) => self.fail(node, &id, "ha/converges", why),
        }
    }

    fn retry(&mut self, now: Tick, node: &NodeName, place: Place, why: &str) {
        let Some(board) = self.boards.get_mut(node) else { return };
        board.items[place].tries += 1;
        let tries = board.items[place].tries;
        if tries < MOST_TRIES {
            board.set(place, Standing::Pausing(now + pause(tries)));
        } else {
            self.give_up(node, place, why);
        }
    }

    fn give_up(&mut self, node: &NodeName, place: Place, why: &str) {
        let Some(board) = self.boards.get_mut(node) else { return };
        board.set(place, Standing::Failed);
        let (id, by) = (board.items[place].id.clone(), board.items[place].item.by.clone());
        self.fail(node, &id, &by, why);
    }

    /// Takes that a machine cannot be spoken with: it is asked again, and all it was asked is open.
    pub(super) fn unreachable(&mut self, now: Tick, node: &NodeName, why: String) {
        let stage = self.stage;
        self.enrolment.lost(now, node);
        self.promotions.unasked(now);
        let Some(board) = self.boards.get_mut(node) else { return };
        for flight in std::mem::take(&mut board.flights).into_values() {
            if let Subject::Learner(id) = &flight.subject {
                self.promotions.failed(now, id, "");
            }
        }
        if matches!(board.link, Link::Lost(_) | Link::Pausing(..)) {
            return;
        }
        board.losses += 1;
        let most = if stage == Stage::Looking { MOST_LOSSES.0 } else { MOST_LOSSES.1 };
        board.link = if board.losses > most {
            Link::Lost(why)
        } else {
            Link::Pausing(now + pause(board.losses), why)
        };
        board.forget_moves();
        if stage == Stage::Counting && self.counting.as_ref() == Some(node) {
            self.counted(&[]);
        }
    }

    /// Ends the pauses that are over.
    pub(super) fn rouse(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let interrupted = self.report.interrupted;
        let time = if interrupted { Tick::MAX } else { now };
        self.objects.rouse(time);
        self.promotions.rouse(time);
        for (node, board) in &mut self.boards {
            if interrupted {
                board.drop_pauses();
                continue;
            }
            if matches!(&board.link, Link::Pausing(until, _) if *until <= now) {
                board.link = Link::Asked;
                out.push(Effect::Observe { node: node.clone(), looks: board.looks() });
            }
            board.rouse(now);
        }
    }

    fn act_on_objects(&mut self, out: &mut Vec<Effect>) {
        let serves = |board: &Board| board.is_up() && board.serves(super::API_SERVER);
        if self.boards.values().any(serves) {
            for act in self.objects.next() {
                out.push(Effect::Object(act));
            }
        }
    }

    /// Has the units started anew that make objects which stay away: a unit that makes its object
    /// only when it starts runs on though somebody deleted it.
    fn call_for_objects(&mut self, now: Tick) {
        for index in self.objects.away() {
            let Some((node, place)) = self.maker(index) else { continue };
            let node = node.clone();
            let Some(board) = self.boards.get_mut(&node) else { continue };
            let runs = board.items[place].standing == Standing::Right;
            if self.objects.calls_for(now, index, runs) {
                board.set(place, Standing::Wrong(Difference::Unmade));
            }
        }
    }

    /// Gives the unit that makes an object when it starts, if its machine answers.
    pub(super) fn maker(&self, index: usize) -> Option<(&NodeName, Place)> {
        match &self.mission.blueprint.objects[index].presence {
            Presence::Awaited { node, unit } => {
                let board = self.boards.get(node).filter(|board| board.is_up())?;
                Some((node, board.place(unit)?))
            }
            Presence::Made => None,
        }
    }

    /// Looks at objects for a plan, if there is an API to look through.
    pub(super) fn plan_objects(&mut self, out: &mut Vec<Effect>) {
        let answers = |board: &Board| board.is_up() && board.answers(super::API_SERVER);
        if self.boards.values().any(answers) {
            out.extend(self.objects.looks().into_iter().map(Effect::Object));
            if self.objects.is_looking() {
                return;
            }
        }
        self.plan(out);
    }
}
