//! One run at a time, told by hand: what is asked for, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::api_object::{ApiObject, Presence};
use ringfort_model::blueprint::{Blueprint, Machine, Role};
use ringfort_model::certificate::{Authority, CertRequest, Subject};
use ringfort_model::content::Content;
use ringfort_model::digest::Digest;
use ringfort_model::etcd::Member;
use ringfort_model::item::{Item, ItemId, Probe, What};
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::name::{ClusterName, NodeName};
use ringfort_model::seen::{ContentSeen, ItemSeen, Seen};
use ringfort_model::step::{Act, Difference, Outcome, Step};

use crate::message::{Effect, Input, ObjectAct, ObjectSeen, Planned, Report};
use crate::mission::{Circumstances, Goal, Mission};

use super::Operator;

type Items = Vec<(ItemId, Item)>;

fn item(id: &str, needs: &[&str], what: What) -> (ItemId, Item) {
    let needs = needs.iter().map(|need| need.parse().unwrap()).collect();
    (id.parse().unwrap(), Item { by: "test/control".to_owned(), needs, what })
}

fn file(content: Content, rolling: Option<&str>) -> What {
    let rolling = rolling.map(str::to_owned);
    What::File { mode: FileMode(0o600), owner: Owner::ROOT, content, rolling }
}

fn text(path: &str, needs: &[&str]) -> (ItemId, Item) {
    item(path, needs, file(Content::Text("new".to_owned()), None))
}

/// A component with its manifest, in the group of that name.
fn component() -> Items {
    let probe = Probe::Http { at: "127.0.0.1:1".parse().unwrap(), path: "/".to_owned() };
    let process = "server".to_owned();
    let serving =
        What::Serving { probe, inputs: Digest::of(b"new"), process, reads: BTreeSet::new() };
    vec![
        item("file:/m", &[], file(Content::Text("new".to_owned()), Some("server"))),
        item("serving:server", &["file:/m"], serving),
    ]
}

fn holds(text: &str) -> ItemSeen {
    let content = ContentSeen::Bytes(Digest::of(text.as_bytes()));
    ItemSeen::File { mode: FileMode(0o600), owner: Owner::ROOT, content }
}

fn serves(with: &str) -> ItemSeen {
    ItemSeen::Serving { healthy: true, inputs: Some(Digest::of(with.as_bytes())) }
}

fn runs() -> ItemSeen {
    ItemSeen::Unit { enabled: true, active: true, inputs: Some(Digest::of(b"new")) }
}

fn silent() -> ItemSeen {
    ItemSeen::Serving { healthy: false, inputs: None }
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// A run that is told by hand.
struct Run {
    operator: Operator,
    now: u64,
    sent: BTreeMap<String, (NodeName, u64, Step)>,
    other: Vec<Effect>,
}

impl Run {
    fn new(goal: Goal, machines: &[(&str, Items)]) -> Self {
        Self::with(goal, machines, Vec::new())
    }

    fn with(goal: Goal, machines: &[(&str, Items)], objects: Vec<ApiObject>) -> Self {
        let address = "10.0.0.1".parse().unwrap();
        let machine = |(name, items): &(&str, Items)| {
            let items = items.iter().cloned().collect();
            (node(name), Machine { role: Role::Worker, address, items })
        };
        let blueprint = Blueprint {
            cluster: ClusterName::new("c").unwrap(),
            kubernetes: "v1.37.2".to_owned(),
            machines: machines.iter().map(machine).collect(),
            objects,
        };
        let circumstances = Circumstances { now_s: 1_000, ..Circumstances::default() };
        let mission = Mission { goal, blueprint, circumstances };
        let operator = Operator::new(mission);
        let mut run = Self { operator, now: 0, sent: BTreeMap::new(), other: Vec::new() };
        run.tell(Input::Start);
        run.other.clear();
        run
    }

    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.operator.on(self.now, input, &mut out);
        for effect in out {
            match effect {
                Effect::Apply { node, seq, step } => {
                    self.sent.insert(format!("{node} {}", step.item), (node, seq, step));
                }
                Effect::Wake { .. } => {}
                other => self.other.push(other),
            }
        }
    }

    fn see(&mut self, name: &str, items: &[(&str, ItemSeen)]) {
        let items = items.iter().map(|(id, seen)| (id.parse().unwrap(), seen.clone())).collect();
        self.tell(Input::Observed { node: node(name), seen: Seen { items, ..Seen::default() } });
    }

    fn sent(&self) -> Vec<&str> {
        self.sent.keys().map(String::as_str).collect()
    }

    fn answer(&mut self, what: &str, outcome: Outcome) {
        let (node, seq, _) = self.sent.remove(what).unwrap();
        self.tell(Input::Applied { node, seq, outcome });
    }

    fn done(&mut self, what: &str, seen: ItemSeen) {
        self.answer(what, Outcome::Done(seen));
    }

    fn fail(&mut self, what: &str) {
        self.answer(what, Outcome::Failed { why: "no space".to_owned() });
    }

    fn sleep(&mut self, ms: u64) {
        self.now += ms;
        self.tell(Input::Woke);
    }

    fn report(&self) -> &Report {
        match self.other.last() {
            Some(Effect::Finish(report)) => report,
            other => panic!("the run has not ended: {other:?}, {:?}", self.sent()),
        }
    }
}

fn changes(report: &Report) -> Vec<String> {
    let name = |planned: &Planned| match planned {
        Planned::Machine { node, step } => format!("{node} {}", step.item),
        Planned::Object { key, .. } => key.to_string(),
    };
    report.changes.iter().map(name).collect()
}

#[test]
fn what_is_independent_goes_at_once_and_needs_go_first() {
    let items = || vec![text("file:/a", &[]), text("file:/b", &[]), text("file:/c", &["file:/a"])];
    let mut run = Run::new(Goal::Converge, &[("a", items()), ("b", items())]);
    let absent = ["file:/a", "file:/b", "file:/c"].map(|id| (id, ItemSeen::Absent));
    run.see("a", &absent);
    assert!(run.sent().is_empty(), "before every machine was looked at");
    run.see("b", &absent);
    assert_eq!(run.sent(), ["a file:/a", "a file:/b", "b file:/a", "b file:/b"]);
    run.done("a file:/a", holds("new"));
    assert_eq!(run.sent(), ["a file:/b", "a file:/c", "b file:/a", "b file:/b"]);
}

#[test]
fn nothing_is_done_where_nothing_differs() {
    let mut run = Run::new(Goal::Converge, &[("a", vec![text("file:/a", &[])])]);
    run.see("a", &[("file:/a", holds("new"))]);
    assert_eq!(*run.report(), Report::default());
}

#[test]
fn servers_change_one_at_a_time() {
    let mut run = Run::new(Goal::Converge, &[("a", component()), ("b", component())]);
    let old = [("file:/m", holds("old")), ("serving:server", serves("old"))];
    run.see("a", &old);
    run.see("b", &old);
    assert_eq!(run.sent(), ["a file:/m"]);
    run.done("a file:/m", holds("new"));
    assert_eq!(run.sent(), ["a serving:server"]);
    run.done("a serving:server", serves("new"));
    assert_eq!(run.sent(), ["b file:/m"]);
    run.done("b file:/m", holds("new"));
    run.done("b serving:server", serves("new"));
    assert_eq!(changes(run.report()), ["a file:/m", "b file:/m"]);
}

#[test]
fn a_server_that_does_not_come_back_holds_up_the_others() {
    let mut run = Run::new(Goal::Converge, &[("a", component()), ("b", component())]);
    let old = [("file:/m", holds("old")), ("serving:server", serves("old"))];
    run.see("a", &old);
    run.see("b", &old);
    run.done("a file:/m", holds("new"));
    run.fail("a serving:server");
    let report = run.report();
    assert_eq!(report.failures[0].what, "serving:server");
    let waiting: Vec<&str> = report.waiting.iter().map(|remark| remark.what.as_str()).collect();
    assert_eq!(waiting, ["file:/m", "serving:server"]);
}

#[test]
fn servers_that_are_all_down_change_at_once() {
    let mut run = Run::new(Goal::Converge, &[("a", component()), ("b", component())]);
    let old = [("file:/m", holds("old")), ("serving:server", silent())];
    run.see("a", &old);
    run.see("b", &old);
    assert_eq!(run.sent(), ["a file:/m", "b file:/m"]);
}

/// A component that a unit starts.
fn started_by_unit() -> Items {
    let mut items = component();
    items.push(item(
        "unit:u",
        &[],
        What::Unit { inputs: Digest::of(b"u"), reads: BTreeSet::new() },
    ));
    items[1].1.needs.insert("unit:u".parse().unwrap());
    items
}

fn unit(active: bool) -> ItemSeen {
    ItemSeen::Unit { enabled: true, active, inputs: Some(Digest::of(b"u")) }
}

#[test]
fn a_stopped_unit_with_a_pending_file_waits_for_its_turn() {
    let machines = [("a", started_by_unit()), ("b", started_by_unit())];
    let mut run = Run::new(Goal::Converge, &machines);
    let seen = |manifest, with, active| {
        [("file:/m", holds(manifest)), ("serving:server", serves(with)), ("unit:u", unit(active))]
    };
    run.see("a", &seen("old", "old", true));
    run.see("b", &seen("older", "old", false));
    // Nothing looks at b's file, so that it may be written; the unit would restart the server.
    assert_eq!(run.sent(), ["a file:/m", "b file:/m"]);
    run.done("b file:/m", holds("new"));
    run.done("a file:/m", holds("new"));
    assert_eq!(run.sent(), ["a serving:server"]);
    run.done("a serving:server", serves("new"));
    assert_eq!(run.sent(), ["b unit:u"]);
    run.done("b unit:u", unit(true));
    run.done("b serving:server", serves("new"));
    assert_eq!(changes(run.report()), ["b file:/m", "a file:/m", "b unit:u"]);
}

#[test]
fn a_newcomer_waits_for_a_server_that_is_silent_and_runs_with_what_it_read() {
    let machines = [("a", component()), ("b", component())];
    let mut run = Run::new(Goal::Converge, &machines);
    let inputs = Some(Digest::of(b"old"));
    let waits = ItemSeen::Serving { healthy: false, inputs };
    run.see("a", &[("file:/m", holds("old")), ("serving:server", waits)]);
    run.see("b", &[("file:/m", ItemSeen::Absent), ("serving:server", silent())]);
    run.done("a file:/m", holds("new"));
    assert_eq!(run.sent(), ["a serving:server"]);
    run.done("a serving:server", serves("new"));
    assert_eq!(run.sent(), ["b file:/m"]);
}

#[test]
fn a_newcomer_waits_until_the_others_have_restarted() {
    let machines = [("a", component()), ("b", component()), ("c", component())];
    let mut run = Run::new(Goal::Converge, &machines);
    run.see("a", &[("file:/m", holds("old")), ("serving:server", serves("old"))]);
    run.see("b", &[("file:/m", holds("new")), ("serving:server", serves("new"))]);
    run.see("c", &[("file:/m", ItemSeen::Absent), ("serving:server", silent())]);
    assert_eq!(run.sent(), ["a file:/m"]);
    run.done("a file:/m", holds("new"));
    assert_eq!(run.sent(), ["a serving:server"]);
    run.done("a serving:server", serves("new"));
    assert_eq!(run.sent(), ["c file:/m"]);
}

#[test]
fn a_failing_step_is_tried_three_times() {
    let items = vec![text("file:/a", &[]), text("file:/b", &["file:/a"])];
    let mut run = Run::new(Goal::Converge, &[("a", items)]);
    run.see("a", &[("file:/a", ItemSeen::Absent), ("file:/b", ItemSeen::Absent)]);
    for _ in 0..2 {
        run.fail("a file:/a");
        run.sleep(20_000);
    }
    run.fail("a file:/a");
    let report = run.report();
    assert_eq!((report.failures.len(), report.waiting.len()), (1, 1));
    assert_eq!(report.failures[0].why, "no space");
    assert_eq!(report.waiting[0].why, "waits for file:/a");
}

#[test]
fn a_step_is_believed_only_if_its_end_is_what_was_wanted() {
    let mut run = Run::new(Goal::Converge, &[("a", vec![text("file:/a", &[])])]);
    run.see("a", &[("file:/a", ItemSeen::Absent)]);
    run.done("a file:/a", holds("something else"));
    run.sleep(20_000);
    assert_eq!(run.sent(), ["a file:/a"]);
}

fn key_and_certificate() -> Items {
    let request = CertRequest {
        authority: Authority::Cluster,
        subject: Subject::user("a"),
        usages: BTreeSet::new(),
        names: BTreeSet::new(),
        key: "/k".to_owned(),
    };
    vec![
        item("file:/k", &[], file(Content::PrivateKey, None)),
        item("file:/c", &["file:/k"], file(Content::Issued(request), None)),
    ]
}

fn key() -> ItemSeen {
    let content = ContentSeen::Key { id: Digest::of(b"k"), public_pem: String::new() };
    ItemSeen::File { mode: FileMode(0o600), owner: Owner::ROOT, content }
}

#[test]
fn a_certificate_is_requested_signed_and_written() {
    let mut run = Run::new(Goal::Converge, &[("a", key_and_certificate())]);
    run.see("a", &[("file:/k", ItemSeen::Absent), ("file:/c", ItemSeen::Absent)]);
    run.done("a file:/k", key());
    run.answer("a file:/c", Outcome::Signing { csr_pem: "request".to_owned() });
    let Some(Effect::Sign { node, seq, csr_pem, .. }) = run.other.pop() else {
        panic!("nothing is to be signed");
    };
    assert_eq!(csr_pem, "request");
    run.tell(Input::Signed { node, seq, result: Ok("certificate".to_owned()) });
    assert!(matches!(&run.sent["a file:/c"].2.act, Act::WriteFile { .. }));
    run.done("a file:/c", holds("certificate"));
    assert_eq!(changes(run.report()), ["a file:/k", "a file:/c"]);
}

#[test]
fn a_plan_foresees_that_a_new_key_needs_a_new_certificate() {
    let mut run = Run::new(Goal::Plan, &[("a", key_and_certificate())]);
    run.see("a", &[("file:/k", ItemSeen::Absent), ("file:/c", holds("certificate"))]);
    assert_eq!(changes(run.report()), ["a file:/k", "a file:/c"]);
    assert!(run.sent().is_empty(), "a plan does nothing");
}

#[test]
fn an_interrupted_run_finishes_what_is_under_way() {
    let items = vec![text("file:/a", &[]), text("file:/b", &["file:/a"])];
    let mut run = Run::new(Goal::Converge, &[("a", items)]);
    run.see("a", &[("file:/a", ItemSeen::Absent), ("file:/b", ItemSeen::Absent)]);
    run.tell(Input::Interrupted);
    assert!(run.other.is_empty(), "the step is still on its way");
    run.done("a file:/a", holds("new"));
    assert!(run.sent().is_empty());
    assert!(run.report().interrupted);
    assert_eq!(changes(run.report()), ["a file:/a"]);
}

#[test]
fn a_machine_that_is_lost_is_asked_again_and_given_up_at_last() {
    let mut run = Run::new(Goal::Converge, &[("a", vec![text("file:/a", &[])])]);
    run.see("a", &[("file:/a", ItemSeen::Absent)]);
    run.sent.clear();
    let lost = || Input::Unreachable { node: node("a"), why: "reset".to_owned() };
    run.tell(lost());
    run.sleep(20_000);
    assert!(matches!(run.other.last(), Some(Effect::Observe { .. })));
    run.see("a", &[("file:/a", ItemSeen::Absent)]);
    assert_eq!(run.sent(), ["a file:/a"]);
    for _ in 0..7 {
        run.tell(lost());
        run.sleep(20_000);
    }
    assert_eq!(run.report().unreachable[&node("a")], "reset");
}

#[test]
fn what_nobody_wants_any_more_goes_last() {
    let mut run = Run::new(Goal::Converge, &[("a", vec![text("file:/a", &[])])]);
    let owned = ["file:/a", "unit:old", "file:/old"].map(|id| id.parse().unwrap()).into();
    let items = [("file:/a".parse().unwrap(), ItemSeen::Absent)].into();
    run.tell(Input::Observed { node: node("a"), seen: Seen { items, owned, ..Seen::default() } });
    assert_eq!(run.sent(), ["a file:/a"]);
    run.done("a file:/a", holds("new"));
    assert_eq!(run.sent(), ["a unit:old"]);
    run.done("a unit:old", ItemSeen::Absent);
    run.done("a file:/old", ItemSeen::Absent);
    assert_eq!(changes(run.report()), ["a file:/a", "a unit:old", "a file:/old"]);
}

#[test]
fn what_could_not_be_looked_at_is_looked_at_when_it_may_be() {
    let items = vec![text("file:/a", &[]), text("file:/b", &["file:/a"])];
    let mut run = Run::new(Goal::Converge, &[("a", items)]);
    let blind = ItemSeen::Unreadable("not yet".to_owned());
    run.see("a", &[("file:/a", ItemSeen::Absent), ("file:/b", blind)]);
    run.done("a file:/a", holds("new"));
    let Some(Effect::Observe { looks, .. }) = run.other.last() else { panic!("it was not asked") };
    assert_eq!(looks.len(), 1);
    run.see("a", &[("file:/b", holds("new"))]);
    assert_eq!(changes(run.report()), ["a file:/a"]);
}

/// An object that the kubelet of machine `a` makes when it starts.
fn awaited() -> Presence {
    Presence::Awaited { node: node("a"), unit: "unit:kubelet".parse().unwrap() }
}

/// One API server that serves, a kubelet, and one object.
fn with_object(goal: Goal, presence: Presence) -> Run {
    with_kubelet(goal, presence, runs())
}

fn with_kubelet(goal: Goal, presence: Presence, kubelet_seen: ItemSeen) -> Run {
    let probe = Probe::Http { at: "127.0.0.1:1".parse().unwrap(), path: "/".to_owned() };
    let process = "kube-apiserver".to_owned();
    let server =
        What::Serving { probe, inputs: Digest::of(b"new"), process, reads: BTreeSet::new() };
    let object = serde_json::json!({"kind": "Node", "metadata": {"name": "a"}});
    let object = ApiObject { by: "test/control".to_owned(), object, presence };
    let kubelet = What::Unit { inputs: Digest::of(b"new"), reads: BTreeSet::new() };
    let items =
        vec![item("serving:kube-apiserver", &[], server), item("unit:kubelet", &[], kubelet)];
    let mut run = Run::with(goal, &[("a", items)], vec![object]);
    run.see("a", &[("serving:kube-apiserver", serves("new")), ("unit:kubelet", kubelet_seen)]);
    run.tell(Input::ObjectLooked { index: 0, seen: ObjectSeen::Absent });
    run
}

#[test]
fn what_somebody_else_makes_is_awaited_and_never_made() {
    let last = |run: &Run| run.other.last().cloned();
    let (look, apply) = (ObjectAct::Look { index: 0 }, ObjectAct::Apply { index: 0 });
    let made = with_object(Goal::Converge, Presence::Made);
    assert_eq!(last(&made), Some(Effect::Object(apply)));
    let mut run = with_object(Goal::Converge, awaited());
    assert_eq!(last(&run), Some(Effect::Object(look)));
    let before = run.other.len();
    run.sleep(500);
    assert_eq!((run.other.len(), last(&run)), (before + 1, Some(Effect::Object(look))));
    run.tell(Input::ObjectLooked { index: 0, seen: ObjectSeen::Differs });
    assert_eq!(last(&run), Some(Effect::Object(apply)));
    let plan = with_object(Goal::Plan, awaited());
    assert_eq!(changes(plan.report()), ["a unit:kubelet", "Node a"]);
}

/// Looks for the object in vain, every half second.
fn look_for(run: &mut Run, seconds: u64) {
    for _ in 0..2 * seconds {
        run.sleep(500);
        run.tell(Input::ObjectLooked { index: 0, seen: ObjectSeen::Absent });
    }
}

#[test]
fn a_maker_that_was_started_late_has_its_time() {
    let stopped = ItemSeen::Unit { enabled: true, active: false, inputs: None };
    let mut run = with_kubelet(Goal::Converge, awaited(), stopped);
    look_for(&mut run, 30);
    run.done("a unit:kubelet", runs());
    look_for(&mut run, 19);
    assert!(run.sent().is_empty(), "it runs for nineteen seconds");
    look_for(&mut run, 2);
    assert_eq!(run.sent(), ["a unit:kubelet"]);
}

#[test]
fn what_stays_away_is_made_by_starting_its_maker_anew_once() {
    let mut run = with_object(Goal::Converge, awaited());
    look_for(&mut run, 19);
    assert!(run.sent().is_empty(), "it has time to be made");
    look_for(&mut run, 2);
    assert_eq!(run.sent(), ["a unit:kubelet"]);
    let (_, _, step) = &run.sent["a unit:kubelet"];
    assert_eq!(step.because, Difference::Unmade);
    assert!(matches!(step.act, Act::RunUnit { anew: true, .. }), "{step:?}");
    run.done("a unit:kubelet", runs());
    look_for(&mut run, 60);
    assert!(run.sent().is_empty(), "once is enough");
    run.sleep(500);
    run.tell(Input::ObjectLooked { index: 0, seen: ObjectSeen::Differs });
    run.tell(Input::ObjectApplied { index: 0, result: Ok(()) });
    assert_eq!(changes(run.report()), ["a unit:kubelet", "Node a"]);
}

#[test]
fn what_read_a_file_that_is_put_right_starts_anew_one_at_a_time() {
    let reading = || {
        let mut items = component();
        items.push(text("file:/audit", &[]));
        items[0].1.needs.insert("file:/audit".parse().unwrap());
        if let What::Serving { reads, .. } = &mut items[1].1.what {
            reads.insert("/audit".to_owned());
        }
        items
    };
    let mut run = Run::new(Goal::Converge, &[("a", reading()), ("b", reading())]);
    let edited = [
        ("file:/audit", holds("edited")),
        ("file:/m", holds("new")),
        ("serving:server", serves("new")),
    ];
    run.see("a", &edited);
    run.see("b", &edited);
    assert_eq!(run.sent(), ["a file:/audit", "b file:/audit"]);
    let Act::WriteFile { readers, .. } = &run.sent["a file:/audit"].2.act else { panic!() };
    assert_eq!(*readers, ["serving:server".parse().unwrap()].into());
    run.done("a file:/audit", holds("new"));
    run.done("b file:/audit", holds("new"));
    assert_eq!(run.sent(), ["a serving:server"]);
    run.done("a serving:server", serves("new"));
    assert_eq!(run.sent(), ["b serving:server"]);
    run.done("b serving:server", serves("new"));
    assert_eq!(changes(run.report()), ["a file:/audit", "b file:/audit"]);
}

/// Begins with control planes of a known cluster that were not looked at yet.
fn control_planes(goal: Goal, names: &[&str]) -> Run {
    let mut run = Run::new(goal, &names.iter().map(|name| (*name, Vec::new())).collect::<Vec<_>>());
    let mission = &mut run.operator.mission;
    mission.circumstances.known = true;
    for (machine, last) in mission.blueprint.machines.values_mut().zip(1..) {
        machine.role = Role::ControlPlane;
        machine.address = [10, 0, 0, last].into();
    }
    run
}

/// Shows a control plane that holds etcd's data or none.
fn show(run: &mut Run, name: &str, etcd_data: bool) {
    let seen = Seen { etcd_data, cluster: etcd_data.then(|| "c".to_owned()), ..Seen::default() };
    run.tell(Input::Observed { node: node(name), seen });
}

/// Looks ahead at the membership of control planes, of which the first holds data or none does.
fn foreseen(names: &[&str], has_data: bool) -> Run {
    let mut run = control_planes(Goal::Foresee, names);
    names.iter().for_each(|name| show(&mut run, name, has_data && *name == names[0]));
    run
}

/// The member of a control plane, by its place among them.
fn member(place: u8, unheard: bool) -> Member {
    Member {
        id: place.to_string(),
        name: place.to_string(),
        peer_urls: vec![format!("https://10.0.0.{place}:2380")],
        learner: false,
        unheard,
    }
}

#[test]
fn the_beginning_of_a_cluster_is_foreseen_without_a_step() {
    let run = foreseen(&["a", "b"], false);
    assert!(run.sent().is_empty(), "looking ahead does nothing");
    let is_remembered = |effect: &&Effect| matches!(effect, Effect::Remember(_));
    assert_eq!(run.other.iter().filter(is_remembered).count(), 2);
    assert_eq!(*run.report(), Report::default());
}

#[test]
fn who_joins_is_foreseen_with_its_vote() {
    let mut run = foreseen(&["a", "b"], true);
    assert!(matches!(run.other.last(), Some(Effect::Members { .. })), "{:?}", run.other);
    run.tell(Input::Members { node: node("a"), members: Some(vec![member(1, false)]) });
    assert!(run.sent().is_empty(), "looking ahead does nothing");
    assert_eq!(changes(run.report()), ["a serving:etcd", "b serving:etcd"]);
}

#[test]
fn a_change_that_etcd_refuses_names_whom_nobody_hears() {
    let mut run = control_planes(Goal::Membership, &["a", "b", "c"]);
    for (name, etcd_data) in [("a", true), ("b", true), ("c", false)] {
        show(&mut run, name, etcd_data);
    }
    let members = vec![member(1, false), member(2, true)];
    while !matches!(run.other.last(), Some(Effect::Finish(_))) {
        let members = |node: &NodeName| (node.as_str() == "a").then(|| members.clone());
        match (run.other.pop(), run.sent.keys().next().cloned()) {
            (Some(Effect::Members { node }), _) => {
                run.tell(Input::Members { members: members(&node), node });
            }
            (Some(Effect::Remember(remember)), _) => run.tell(Input::Remembered(remember)),
            (_, Some(step)) => run.fail(&step),
            (_, None) => run.sleep(10_000),
        }
    }
    let failures = &run.report().failures;
    assert!(failures.iter().any(|it| it.why.contains("hears b;")), "{failures:?}");
}
