//! `ringfort integrity changes`: what changed, who did it and why.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::Args;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use ringfort_integrity::change::{Change, VERSION};
use ringfort_integrity::history::Accepted;
use ringfort_integrity::journal::{Line, Told};
use ringfort_integrity::os::{read_journals, read_open};
use ringfort_integrity::process::Who;
use ringfort_integrity::watch::Open;
use ringfort_integrity::why::{Cause, Why};
use ringfort_model::integrity::CANARY;
use serde::{Deserialize, Serialize};

use super::execs::{self, Exec};
use super::machines::{Whose, ask, kept};
use super::plain;
use super::status::when;
use crate::cli::session::now_s;
use crate::cli::{Fault, print};

/// List what changed of protected files: what, who did it, and why it is explained or not
///
/// Enters the machines of cluster.yaml over SSH and reads what their agents told. What proofs do to a file of
/// their own is left out. Of what changed in containers it names who had a command running there by the API
/// (`kubectl exec`) at that moment, by the audit logs that control planes keep: that says who was there, and
/// explains nothing.
///
/// Exit codes: 0 everything is explained or accepted, 1 something is not, 2 usage or bad input, 3 a machine
/// could not be asked, or its journal is not whole.
#[derive(Args)]
pub struct ChangesArgs {
    #[command(flatten)]
    whose: Whose,
    /// What was told since so long ago, such as 7d, 24h or 90m; what nothing explains and nobody accepted is listed
    /// whenever it was told
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = ago)]
    since: SignedDuration,
    /// Leave out what is explained
    #[arg(long)]
    unexplained: bool,
    /// Write an object for programs
    #[arg(long)]
    json: bool,
}

/// What a machine's agent told.
#[derive(Default, Deserialize, Serialize)]
struct Of {
    node: String,
    /// Why not all of it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unseen: Option<String>,
    changes: Vec<One>,
}

#[derive(Deserialize, Serialize)]
struct One {
    at: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    accepted: bool,
    /// After how many milliseconds the agent put it back.
    #[serde(default, rename = "putBackMilliseconds", skip_serializing_if = "Option::is_none")]
    put_back: Option<u64>,
    /// Why the agent, which puts this file back, left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<String>,
    /// Who had a command running in the container then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    execs: Vec<Exec>,
    #[serde(flatten)]
    change: Change,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Reads how long ago, also in days and weeks.
fn ago(text: &str) -> Result<SignedDuration, String> {
    let span: Span = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours());
    length.map_err(|error| format!("months and years differ in length: {error}"))
}

#[derive(Deserialize, Serialize)]
struct All {
    version: u32,
    machines: Vec<Of>,
}

/// Lists them.
///
/// # Errors
/// The specification or the operator's state is wrong.
pub fn run(args: &ChangesArgs) -> Result<ExitCode, Fault> {
    if let Some(state) = &args.whose.here {
        let read = read_journals(state).map_err(Fault::blind)?;
        let from = u64::try_from(now_s() - args.since.as_secs()).unwrap_or_default();
        let broken = read.broken.as_ref().map(ToString::to_string);
        let (open, lost) = match read_open(state) {
            Ok(open) => (open, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let changes = since(&read.lines, &open, from);
        let of = Of { node: String::new(), unseen: broken.or(lost), changes };
        return told(All { version: VERSION, machines: vec![of] }, args);
    }
    let accepted = AcceptedSet::of(&kept(&args.whose.spec)?.accepted()?.1);
    let from = u64::try_from(now_s() - args.since.as_secs()).unwrap_or_default();
    let words = format!("integrity changes --here --json --since {}s", args.since.as_secs());
    let mut machines = Vec::new();
    for (node, said) in ask(&args.whose, &words)? {
        let read = said.and_then(|bytes| {
            serde_json::from_slice::<All>(&bytes).map_err(|error| error.to_string())
        });
        let mut of = match read {
            Ok(mut all) => all.machines.pop().unwrap_or_default(),
            Err(why) => Of { unseen: Some(why), ..Of::default() },
        };
        of.node = node;
        for one in &mut of.changes {
            one.accepted = accepted.has(&one.change.id, one.change.drift_key().as_ref());
        }
        // What is older is listed only as long as somebody has to answer for it.
        of.changes.retain(|one| one.at >= from || !one.accepted);
        machines.push(of);
    }
    name_execs(&mut machines, args)?;
    told(All { version: VERSION, machines }, args)
}

/// Names who had a command running by the API in a container that changed then. Control planes are asked only
/// where a container did.
fn name_execs(machines: &mut [Of], args: &ChangesArgs) -> Result<(), Fault> {
    let changes = || machines.iter().flat_map(|of| &of.changes);
    if !changes().any(|one| one.change.drift.is_some()) {
        return Ok(());
    }
    let (execs, missed) = execs::ask(&args.whose.spec, args.since.as_secs())?;
    missed
        .iter()
        .for_each(|why| eprintln!("who had commands open in containers is not known of {why}"));
    for one in machines.iter_mut().flat_map(|of| &mut of.changes) {
        let Some(drift) = &one.change.drift else { continue };
        one.execs = execs::open_in(&execs, &drift.container, one.at);
    }
    Ok(())
}

/// Takes the changes of a journal since a time, each with what explained it later, and before it those that nothing
/// explains, also where the journal was begun anew since.
fn since(lines: &[Line], open: &[Open], from: u64) -> Vec<One> {
    let mut all: BTreeMap<&str, One> = BTreeMap::new();
    let mut order = Vec::new();
    let one = |at, change: &Change| {
        let (accepted, put_back, left, execs) = Default::default();
        One { at, accepted, put_back, left, execs, change: change.clone() }
    };
    let is_canary = |change: &Change| change.finding.path.to_string() == CANARY;
    for Open { at, change } in open.iter().filter(|it| !is_canary(&it.change)) {
        order.push(change.id.as_str());
        all.insert(&change.id, one(*at, change));
    }
    for line in lines {
        if let Told::Change(change) = &line.told
            && let Why::Explained(Cause::Repair { change: Some(before), milliseconds }) =
                &change.why
            && let Some(one) = all.get_mut(before.as_str())
        {
            one.put_back = Some(*milliseconds);
        }
        match &line.told {
            Told::Change(change) if !is_canary(change) => {
                let was_new = all.insert(&change.id, one(line.at, change)).is_none();
                order.extend(was_new.then_some(change.id.as_str()));
            }
            Told::Left { change: Some(change), why, .. } => {
                if let Some(one) = all.get_mut(change.as_str()) {
                    one.left = Some(why.clone());
                }
            }
            Told::Settled { change, why } => {
                if let Some(one) = all.get_mut(change.as_str()) {
                    one.change.why = why.clone();
                }
            }
            _ => {}
        }
    }
    let is_asked = |one: &One| one.at >= from || one.change.why == Why::Unexplained;
    let mut asked: Vec<One> =
        order.into_iter().filter_map(|id| all.remove(id)).filter(is_asked).collect();
    asked.sort_by_key(|one| one.at);
    asked
}

fn told(mut all: All, args: &ChangesArgs) -> Result<ExitCode, Fault> {
    let is_open = |one: &One| one.change.why == Why::Unexplained && !one.accepted;
    let open = all.machines.iter().flat_map(|of| &of.changes).any(is_open);
    let unseen = all.machines.is_empty() || all.machines.iter().any(|of| of.unseen.is_some());
    if args.unexplained {
        all.machines.iter_mut().for_each(|of| of.changes.retain(is_open));
    }
    print(&if args.json {
        serde_json::to_string_pretty(&all).map_err(Fault::unable)? + "\n"
    } else {
        all.machines.iter().map(people).collect()
    });
    Ok(ExitCode::from(match (open, unseen) {
        (true, _) => 1,
        (false, true) => 3,
        (false, false) => 0,
    }))
}

fn people(of: &Of) -> String {
    let mut text = String::new();
    if let Some(why) = &of.unseen {
        text.push_str(&format!("{}: not all is known: {}\n", of.node, plain(why)));
    }
    for One { at, accepted, put_back, left, execs, change } in &of.changes {
        let finding = &change.finding;
        let (id, path, severity) = (&change.id, &finding.path, finding.severity);
        text.push_str(&format!("{} {}  {id}  {severity}  {path}\n", of.node, when(*at)));
        text.extend(change.drift.iter().map(|drift| format!("  {}\n", plain(&drift.text()))));
        for each in &finding.differences {
            let (of, expected, found) = (each.of, &each.expected, &each.found);
            text.push_str(&format!("  {of}: {} -> {}\n", plain(expected), plain(found)));
        }
        if finding.differences.is_empty() {
            text.push_str("  it was written to, and is as it was\n");
        }
        text.push_str(&format!("  by {}\n  {}\n", who(&change.who), why(&change.why, *accepted)));
        text.extend(put_back.iter().map(|after| format!("  put back after {after} ms\n")));
        text.extend(left.iter().map(|why| format!("  not put back: {}\n", plain(why))));
        for exec in execs {
            let [user, from, command] = [&exec.user, &exec.from, &exec.command].map(|it| plain(it));
            text.push_str(&format!(
                "  while {user} from {from} had a command open in it: {command}\n"
            ));
        }
    }
    text
}

fn who(who: &Who) -> String {
    match who {
        Who::Unknown(why) => format!("nobody knows whom: {}", plain(why)),
        Who::Process(process) => {
            let mut text = format!("{} (process {}", plain(&process.exe), process.pid);
            if !process.parents.is_empty() {
                let parents: Vec<String> = process.parents.iter().map(|it| plain(it)).collect();
                text.push_str(&format!(", begun by {}", parents.join(" < ")));
            }
            if process.ended {
                text.push_str(", which had ended by then");
            }
            text.push(')');
            let place = &process.place;
            text.extend(place.workload.iter().map(|it| format!(", {}", it.text())));
            let (pod, container) = (&place.pod, &place.container);
            for (what, of) in [("pod uid", pod), ("container id", container), ("unit", &place.unit)]
            {
                text.extend(of.iter().map(|it| format!(", {what} {}", plain(it))));
            }
            text
        }
    }
}

fn why(why: &Why, accepted: bool) -> String {
    match why {
        Why::Unexplained if accepted => "accepted".to_owned(),
        Why::Unexplained => "UNEXPLAINED".to_owned(),
        Why::Explained(Cause::Converge { step }) => {
            format!("explained: step {step} of ringfort up")
        }
        Why::Explained(Cause::Baseline { number }) => {
            format!("explained: it is what baseline {number} says")
        }
        Why::Explained(Cause::Repair { change, milliseconds }) => {
            let of = change.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
            format!("explained: the agent put it back, {milliseconds} ms after the change{of}")
        }
        Why::Explained(Cause::Transaction(it)) => format!("explained: {}", plain(&it.text())),
        Why::Explained(Cause::Package) => "explained: a package was changed".to_owned(),
        Why::Explained(Cause::Rotation) => "explained: a full log was begun anew".to_owned(),
        Why::Explained(Cause::Swap { pod }) => {
            format!("explained: a kubelet gave pod {} another content", plain(pod))
        }
    }
}

/// What was accepted: changes by their ids, and drift of images by its own.
#[derive(Default)]
pub struct AcceptedSet {
    changes: BTreeSet<String>,
    drifts: BTreeSet<String>,
}

impl AcceptedSet {
    /// Takes a history.
    pub fn of(history: &[Accepted]) -> Self {
        let changes = history.iter().map(|it| it.change.clone()).collect();
        let drifts = history.iter().filter_map(|it| it.drift.clone()).collect();
        Self { changes, drifts }
    }

    /// Says whether a change is among it, or is drift that is.
    pub fn has(&self, change: &str, drift: Option<&String>) -> bool {
        self.changes.contains(change) || drift.is_some_and(|drift| self.drifts.contains(drift))
    }
}

/// Says on which machine a change was told, by its id, and gives it.
///
/// # Errors
/// None knows it, or a machine that may could not be asked.
pub fn find(whose: &Whose, id: &str) -> Result<(String, Change), Fault> {
    let words = "integrity changes --here --json --since 1000000h";
    let mut unseen = Vec::new();
    for (node, said) in ask(whose, words)? {
        match said.map_err(|why| format!("{node}: {why}")).and_then(|bytes| {
            serde_json::from_slice::<All>(&bytes).map_err(|error| format!("{node}: {error}"))
        }) {
            Ok(all) => {
                let mut changes = all.machines.into_iter().flat_map(|of| of.changes);
                if let Some(one) = changes.find(|one| one.change.id == id) {
                    return Ok((node, one.change));
                }
            }
            Err(why) => unseen.push(why),
        }
    }
    if unseen.is_empty() {
        return Err(Fault::usage(format!(
            "no machine told a change {id}: ringfort integrity changes"
        )));
    }
    Err(Fault::blind(format!("{id} is on no machine that could be asked: {}", unseen.join("; "))))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn change(id: &str, who: &Value, why: &Value) -> Change {
        let change = json!({
            "id": id, "path": "/etc/passwd", "class": "exact", "severity": "critical", "differences": [],
            "isRight": false, "who": who, "why": why,
        });
        serde_json::from_value(change).unwrap()
    }

    fn line(at: u64, told: Told) -> Line {
        Line { version: 1, seq: at, previous: String::new(), at, told }
    }

    fn told(at: u64, id: &str, why: &Value) -> Line {
        line(at, Told::Change(Box::new(change(id, &json!({"unknown": "x"}), why))))
    }

    #[test]
    fn what_is_open_is_listed_whenever_it_was_told() {
        let (open, package) = (json!("unexplained"), json!({"explained": "package"}));
        let settled = |change: &str| {
            let why = Why::Explained(Cause::Package);
            line(50, Told::Settled { change: change.to_owned(), why })
        };
        let lines = [
            told(10, "old open", &open),
            told(11, "old settled", &open),
            told(12, "old explained", &package),
            told(40, "new explained", &package),
            told(41, "new open", &open),
            settled("old settled"),
            settled("settled since"),
        ];
        let kept = |at, id: &str| Open {
            at,
            change: change(id, &json!({"unknown": "x"}), &json!("unexplained")),
        };
        let open = [kept(1, "of before"), kept(2, "settled since"), kept(41, "new open")];
        let listed = since(&lines, &open, 40);
        let listed: Vec<(u64, &str)> =
            listed.iter().map(|one| (one.at, one.change.id.as_str())).collect();
        let expected =
            [(1, "of before"), (10, "old open"), (40, "new explained"), (41, "new open")];
        assert_eq!(listed, expected);
    }

    #[test]
    fn no_name_of_a_program_makes_a_line_of_its_own() {
        let evil = "/tmp/x\nw1 explained\u{1b}[2K\u{202e}";
        let process = |workload: Value| {
            json!({"process": {"pid": 1, "start": 1, "exe": evil, "parent": 1,
                "parents": [evil], "unit": evil, "workload": workload}})
        };
        let named = |account: Value| {
            let names =
                json!({"namespace": evil, "pod": evil, "container": evil, "account": account});
            process(json!({ "named": names }))
        };
        let all = [
            process(Value::Null),
            process(json!({"unknown": evil})),
            named(json!({"named": evil})),
            named(json!({"unknown": evil})),
            json!({"unknown": evil}),
        ];
        for who in all {
            let change = change("a", &who, &json!("unexplained"));
            let (accepted, put_back, execs) = Default::default();
            let left = Some(evil.to_owned());
            let one = One { at: 1, accepted, put_back, left, execs, change };
            let text = people(&Of { node: "w1".to_owned(), unseen: None, changes: vec![one] });
            assert_eq!(text.lines().count(), 5, "{text}");
            assert!(text.chars().all(|it| it == '\n' || (' '..='~').contains(&it)), "{text:?}");
        }
    }

    #[test]
    fn who_did_it_is_told_with_the_pod_by_its_names() {
        let process = |more: Value| {
            let mut process = json!({"pid": 7, "start": 1, "exe": "/bin/sh", "parent": 1});
            process.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            who(&change("a", &json!({ "process": process }), &json!("unexplained")).who)
        };
        let names = json!({"namespace": "shop", "pod": "web-7", "container": "app",
            "account": {"named": "shop:web"}});
        let told = process(json!({"pod": "u", "container": "c", "workload": {"named": names}}));
        let expected =
            "/bin/sh (process 7), pod shop/web-7, container app, account shop:web by its token";
        assert_eq!(told, format!("{expected}, pod uid u, container id c"));
        let unknown = json!({"unknown": "it is gone"});
        let told = process(json!({"pod": "u", "container": "c", "workload": unknown}));
        assert!(told.contains(", names unknown (it is gone), pod uid u"), "{told}");
        let older = process(json!({"pod": "u", "container": "c"}));
        assert_eq!(older, "/bin/sh (process 7), pod uid u, container id c");
    }

    #[test]
    fn days_are_a_time() {
        let check = |text: &str, hours| {
            assert_eq!(ago(text).unwrap(), SignedDuration::from_hours(hours), "{text}");
        };
        check("7d", 168);
        check("1w", 168);
        check("24h", 24);
        check("1000000h", 1_000_000);
        check("120m", 2);
        assert!(ago("soon").is_err());
    }
}
