//! `ringfort integrity changes`: what changed, who did it and why.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::Args;
use jiff::SignedDuration;
use ringfort_integrity::change::{Change, VERSION};
use ringfort_integrity::history::Accepted;
use ringfort_integrity::journal::{Line, Told};
use ringfort_integrity::os::read_journals;
use ringfort_integrity::process::Who;
use ringfort_integrity::why::{Cause, Why};
use ringfort_model::integrity::CANARY;
use serde::{Deserialize, Serialize};

use super::execs::{self, Exec};
use super::machines::{Whose, ask, kept};
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
    /// What was told since so long ago, such as 24h or 90m
    #[arg(long, value_name = "TIME", default_value = "24h")]
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
        let unseen = read.broken.as_ref().map(ToString::to_string);
        let of = Of { node: String::new(), unseen, changes: since(&read.lines, from) };
        return told(All { version: VERSION, machines: vec![of] }, args);
    }
    let accepted = AcceptedSet::of(&kept(&args.whose.spec)?.accepted()?.1);
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

/// Takes the changes of a journal since a time, each with what explained it later.
fn since(lines: &[Line], from: u64) -> Vec<One> {
    let mut all: BTreeMap<&str, One> = BTreeMap::new();
    let mut order = Vec::new();
    for line in lines {
        if let Told::Change(change) = &line.told
            && let Why::Explained(Cause::Repair { change: Some(before), milliseconds }) =
                &change.why
            && let Some(one) = all.get_mut(before.as_str())
        {
            one.put_back = Some(*milliseconds);
        }
        match &line.told {
            Told::Change(change)
                if line.at >= from && change.finding.path.to_string() != CANARY =>
            {
                order.push(change.id.as_str());
                let (at, change_of) = (line.at, (**change).clone());
                let (accepted, put_back, left, execs) = Default::default();
                let one = One { at, accepted, put_back, left, execs, change: change_of };
                all.insert(&change.id, one);
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
    order.into_iter().filter_map(|id| all.remove(id)).collect()
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
        text.push_str(&format!("{}: not all is known: {why}\n", of.node));
    }
    for One { at, accepted, put_back, left, execs, change } in &of.changes {
        let finding = &change.finding;
        let (id, path, severity) = (&change.id, &finding.path, finding.severity);
        text.push_str(&format!("{} {}  {id}  {severity}  {path}\n", of.node, when(*at)));
        text.extend(change.drift.iter().map(|drift| format!("  {}\n", drift.text())));
        for each in &finding.differences {
            let (of, expected, found) = (each.of, &each.expected, &each.found);
            text.push_str(&format!("  {of}: {expected} -> {found}\n"));
        }
        if finding.differences.is_empty() {
            text.push_str("  it was written to, and is as it was\n");
        }
        text.push_str(&format!("  by {}\n  {}\n", who(&change.who), why(&change.why, *accepted)));
        text.extend(put_back.iter().map(|after| format!("  put back after {after} ms\n")));
        text.extend(left.iter().map(|why| format!("  not put back: {why}\n")));
        for exec in execs {
            let [user, from, command] =
                [&exec.user, &exec.from, &exec.command].map(|it| it.escape_default().to_string());
            text.push_str(&format!(
                "  while {user} from {from} had a command open in it: {command}\n"
            ));
        }
    }
    text
}

fn who(who: &Who) -> String {
    match who {
        Who::Unknown(why) => format!("nobody knows whom: {why}"),
        Who::Process(process) => {
            let mut text = format!("{} (process {}", process.exe, process.pid);
            if !process.parents.is_empty() {
                text.push_str(&format!(", begun by {}", process.parents.join(" < ")));
            }
            text.push(')');
            let place = &process.place;
            for (what, of) in
                [("pod", &place.pod), ("container", &place.container), ("unit", &place.unit)]
            {
                text.extend(of.iter().map(|it| format!(", {what} {it}")));
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
        Why::Explained(Cause::Transaction(it)) => format!("explained: {}", it.text()),
        Why::Explained(Cause::Package) => "explained: a package was changed".to_owned(),
        Why::Explained(Cause::Rotation) => "explained: a full log was begun anew".to_owned(),
        Why::Explained(Cause::Swap { pod }) => {
            format!("explained: a kubelet gave pod {pod} another content")
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
