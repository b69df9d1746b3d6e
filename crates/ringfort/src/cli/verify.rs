//! `ringfort verify`: judges evidence again, offline.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;
use serde_json::Value;

use jiff::{Timestamp, Zoned};
use ringfort_check::benchmark::is_beyond;
use ringfort_controls::audit::findings_are_told::{self, told};
use ringfort_controls::{Phase, Scene, find, phase_of, proved};
use ringfort_forge::keyring::StateDirectory;
use ringfort_model::digest::Digest;
use ringfort_model::judgement::{Decided, Judgement, Verdict};
use ringfort_model::machine::MachineFacts;
use ringfort_model::name::NodeName;
use ringfort_prove::archive::{self, Files};
use ringfort_prove::drive::replay;
use ringfort_spec::{Node, Spec};

use super::decision::counts_for_s;
use super::evidence::{LOCK, PUBLIC_KEY, SPEC, Shown, facts_file, proof_file, scene_file};
use super::gate::addresses;
use super::itself::program;
use super::machines::verdicts;
use super::session::now_s;
use super::specification::{self, SpecFile};
use super::{Fault, print};

/// Judge signed evidence again, offline
///
/// Sees that evidence.tar is as it was signed, to the byte, and judges each transcript in it anew: what
/// was asked must be what this ringfort asks for, and what was seen must come to the same verdict. Each has
/// to be about the machines of the cluster.yaml and about the lock that lie in the archive (of what stops control
/// planes: about those), that of
/// findings about all who are told them by that cluster.yaml, and none may be missing. The rows of the CIS
/// benchmark that are about machines, and what controls ask of facts of a machine besides, are judged anew as well, by
/// the facts of each machine that lie there.
/// No machine is spoken to. When each proof was made is told, and how many are older than they count for: that alone
/// is no fault of the evidence.
///
/// The public key is that of the cluster in cluster.yaml, or --key for somebody else who was given the
/// evidence. A key that came together with the evidence proves nothing.
///
/// Evidence that another build of ringfort made may rest on proofs that did other things: what does not come to the same
/// is told with that, and the ringfort that made it verifies it.
///
/// Exit codes: 0 as signed, and every proof and row comes to its verdict again, 1 changed, or another verdict,
/// 2 usage or bad input.
#[derive(Args)]
pub struct VerifyArgs {
    /// The evidence
    #[arg(value_name = "EVIDENCE.TAR")]
    archive: PathBuf,
    #[command(flatten)]
    spec: SpecFile,
    /// The public key of the operator (PEM) [default: evidence.pub in the cluster's state]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// One control, judged again.
#[derive(Serialize)]
struct Row {
    control: String,
    /// What was said of it then.
    verdict: Verdict,
    /// When, in seconds since 1970.
    at: i64,
    /// Whether that is longer ago than a proof of its kind counts for, or is still to come.
    old: bool,
    /// Acts that it rests on.
    acts: usize,
    /// Why it does not come to that again; absent if it does.
    differs: Option<String>,
}

/// One machine, judged again by its facts.
#[derive(Serialize)]
struct OfMachine {
    machine: String,
    /// Rows of the benchmark that are about it, by their verdicts.
    rows: BTreeMap<String, usize>,
    /// Why there are no facts of it, as it was said then; absent if there are.
    unknown: Option<String>,
    /// Why it does not come to that again; absent if it does.
    differs: Option<String>,
}

#[derive(Serialize)]
struct Verified {
    version: u32,
    statement: Value,
    controls: Vec<Row>,
    /// Controls that the evidence says nothing of.
    missing: Vec<&'static str>,
    machines: Vec<OfMachine>,
}

/// Runs the command.
pub fn run(args: &VerifyArgs) -> Result<ExitCode, Fault> {
    let key = read(&match &args.key {
        Some(file) => file.clone(),
        None => {
            let spec = specification::read(&args.spec.file)?;
            StateDirectory::beside(&args.spec.file, &spec.name).path().join(PUBLIC_KEY)
        }
    })?;
    let key = String::from_utf8(key).map_err(|_| Fault::usage("the key is no PEM text"))?;
    let (files, statement) = match archive::read(&read(&args.archive)?, &key) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("error: {}: {error}", args.archive.display());
            return Ok(ExitCode::from(1));
        }
    };
    let about = About::read(&files, Maker::of(&statement))?;
    let stated = statement["controls"].as_object().into_iter().flatten();
    let controls: Vec<Row> = stated
        .map(|(control, said)| judged(control, said, &files, &about))
        .collect::<Result<_, _>>()?;
    let missing = about.missing(&controls);
    let machines = of_machines(&statement, &files, &about.spec);
    let well = missing.is_empty()
        && controls.iter().all(|row| row.differs.is_none())
        && machines.iter().all(|row| row.differs.is_none());
    if args.json {
        let verified = Verified { version: 1, statement, controls, missing, machines };
        let text = serde_json::to_string_pretty(&verified).map_err(Fault::unable)?;
        print(&format!("{text}\n"));
    } else {
        print(&people(&statement, &controls, &missing));
        print(&machines_for_people(&machines));
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path)
        .map_err(|error| Fault::usage(format!("{} cannot be read: {error}", path.display())))
}

/// Which program made evidence, as its statement says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Maker {
    /// This one: it would make the same proofs today.
    This,
    /// Another build, whose proofs may do other things.
    Another,
}

impl Maker {
    fn of(statement: &Value) -> Self {
        if statement["program"] == program() { Self::This } else { Self::Another }
    }

    /// Says of evidence that it is not what this program would come to, and what else than a change of it may be why.
    fn explain(self, why: String) -> String {
        match self {
            Self::This => why,
            Self::Another => format!(
                "{why}: another ringfort made it, and its proof may do other things; verify it with the ringfort that made it"
            ),
        }
    }
}

/// What evidence has to be about: the specification and the lock that lie beside it.
struct About {
    maker: Maker,
    spec: Spec,
    control_planes: BTreeMap<NodeName, IpAddr>,
    machines: BTreeMap<NodeName, IpAddr>,
    lock: Digest,
    /// Today, in seconds since 1970.
    now_s: i64,
}

impl About {
    fn read(files: &Files, maker: Maker) -> Result<Self, Fault> {
        let file = |name: &str| {
            files.get(name).ok_or_else(|| Fault::usage(format!("the evidence holds no {name}")))
        };
        let spec = String::from_utf8_lossy(file(SPEC)?);
        let today = Zoned::now().date();
        let spec = ringfort_spec::read(&spec, SPEC, &specification::known(), today);
        let spec = spec.map_err(Fault::usage)?;
        let place = |node: &Node| (node.name.clone(), node.address);
        Ok(Self {
            maker,
            control_planes: spec.control_planes().map(place).collect(),
            machines: addresses(&spec),
            spec,
            lock: Digest::of(file(LOCK)?),
            now_s: now_s(),
        })
    }

    /// Names the controls that a kubeconfig waits for and that are not among these. One whose waiver has
    /// ended may have been waived when proofs were made.
    fn missing(&self, controls: &[Row]) -> Vec<&'static str> {
        let is_there = |id: &str| controls.iter().any(|row| row.control == id);
        let was_waived = |id: &str| {
            self.spec.waives(id) || self.spec.ended.iter().any(|waiver| waiver.control == id)
        };
        let required = proved().into_iter().filter(|(_, proof)| proof.phase != Phase::Asked);
        let required = required.map(|(control, _)| control.id);
        required.filter(|id| !is_there(id) && !was_waived(id)).collect()
    }

    /// Says what something shown of a control is about instead. What stops control planes is not made again because a
    /// worker came or went.
    fn strays(
        &self,
        control: &str,
        phase: Phase,
        bundle: &Digest,
        scene: &Scene,
    ) -> Option<&'static str> {
        let place = |name: &NodeName| Some((name.clone(), *scene.addresses.get(name)?));
        let planes: Option<BTreeMap<_, _>> = scene.control_planes.iter().map(place).collect();
        if planes.as_ref() != Some(&self.control_planes) {
            return Some("it is about other control planes than the cluster.yaml beside it");
        }
        let all = scene.control_planes.iter().chain(&scene.workers);
        let all: Option<BTreeMap<_, _>> = all.map(place).collect();
        let is_all = all.as_ref() == Some(&self.machines) && scene.addresses == self.machines;
        if phase != Phase::Disruptive && !is_all {
            return Some("it is about other machines than the cluster.yaml beside it");
        }
        if control == findings_are_told::CONTROL.id && scene.told != told(&self.spec.audit.tell) {
            return Some("it is about others who are told than the cluster.yaml beside it names");
        }
        (*bundle != self.lock).then_some("it is about another bundle than the lock beside it")
    }

    /// Says why something shown of a control does not come to what was stated.
    fn differs(
        &self,
        control: &str,
        stated: &Value,
        shown: &Shown,
        scene: &Scene,
    ) -> Option<String> {
        let verdict = Verdict::from(&shown.judgement);
        if *stated != verdict.to_string() {
            return Some(format!("the statement says {stated}"));
        }
        if shown.times_ms.len() != shown.transcript.len() {
            return Some(format!("it has times of {} acts", shown.times_ms.len()));
        }
        let Some(proof) = find(control).and_then(|control| control.prove) else {
            return Some("this ringfort has no such proof".to_owned());
        };
        match replay(&proof, scene, &shown.transcript) {
            Err(why) => Some(self.maker.explain(why)),
            Ok(again) if again != shown.judgement => {
                let why = format!("judged again it comes to: {}", words(&again));
                Some(self.maker.explain(why))
            }
            Ok(_) => self.strays(control, proof.phase, &shown.of.bundle, scene).map(str::to_owned),
        }
    }

    /// Says whether a proof that was made at this time counts no longer.
    fn is_old(&self, control: &str, at_s: i64) -> bool {
        let age_s = self.now_s - at_s;
        phase_of(control).is_some_and(|phase| !(0..=counts_for_s(phase)).contains(&age_s))
    }
}

fn judged(control: &str, stated: &Value, files: &Files, about: &About) -> Result<Row, Fault> {
    let parse = |name: &str| {
        let bytes = files.get(name).ok_or_else(|| Fault::usage(format!("{name} is missing")))?;
        Ok(bytes.as_slice())
    };
    let odd =
        |error: serde_json::Error| Fault::usage(about.maker.explain(format!("{control}: {error}")));
    let shown: Shown = serde_json::from_slice(parse(&proof_file(control))?).map_err(odd)?;
    let scene: Scene = serde_json::from_slice(parse(&scene_file(&shown.scene))?).map_err(odd)?;
    Ok(Row {
        control: control.to_owned(),
        verdict: Verdict::from(&shown.judgement),
        at: shown.at_s,
        old: about.is_old(control, shown.at_s),
        acts: shown.transcript.len(),
        differs: about.differs(control, stated, &shown, &scene),
    })
}

/// Judges every machine of the specification again by its facts.
fn of_machines(statement: &Value, files: &Files, spec: &Spec) -> Vec<OfMachine> {
    let one = |node: &NodeName| {
        let stated = &statement["machines"][node.as_str()];
        let unknown = stated["unknown"].as_str().map(str::to_owned);
        let mut rows = BTreeMap::new();
        let differs = match (&unknown, files.get(&facts_file(node.as_str()))) {
            (Some(_), None) => None,
            (Some(_), Some(_)) => {
                Some("there are facts that the statement does not know".to_owned())
            }
            (None, None) => Some("the evidence holds no facts of it".to_owned()),
            (None, Some(bytes)) => match MachineFacts::read(&String::from_utf8_lossy(bytes)) {
                Err(error) => Some(format!("its facts cannot be read: {error}")),
                Ok(facts) => {
                    let again = verdicts(&facts, spec.kubernetes.minor);
                    again.values().for_each(|it| *rows.entry(it.clone()).or_default() += 1);
                    other_rows(&stated["rows"], &again)
                }
            },
        };
        OfMachine { machine: node.to_string(), rows, unknown, differs }
    };
    spec.nodes.keys().map(one).collect()
}

/// Says which rows come to something else than was stated. Evidence of a ringfort that judged no row beyond the
/// benchmark names none: what is signed says nothing of them.
fn other_rows(stated: &Value, again: &BTreeMap<&str, String>) -> Option<String> {
    let Some(said) = stated.as_object() else {
        return Some("the statement says nothing of it".to_owned());
    };
    let of = |id: &str| said.get(id).and_then(Value::as_str);
    let names_beyond = said.keys().any(|id| is_beyond(id));
    let is_asked = |id: &str| names_beyond || !is_beyond(id);
    let mut asked = again.iter().filter(|(id, _)| is_asked(id));
    let other = asked.find(|(id, verdict)| of(id) != Some(verdict.as_str()));
    let gone = said.keys().find(|id| !again.contains_key(id.as_str()));
    let other = other.map(|(id, verdict)| {
        format!("row {id} is {verdict}; the statement says {}", of(id).unwrap_or("nothing"))
    });
    other.or_else(|| gone.map(|id| format!("this ringfort has no row {id}")))
}

fn machines_for_people(machines: &[OfMachine]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["MACHINE", "ROWS", "JUDGED AGAIN"]);
    for OfMachine { machine, rows, unknown, differs } in machines {
        let counts = rows.iter().map(|(verdict, count)| format!("{count} {verdict}"));
        let rows = match unknown {
            Some(why) => format!("unknown: {why}"),
            None => counts.collect::<Vec<_>>().join(", "),
        };
        table.add_row([machine.as_str(), rows.as_str(), differs.as_deref().unwrap_or("the same")]);
    }
    format!("\nRows by the facts of each machine\n{table}\n")
}

fn words(judgement: &Judgement) -> String {
    match judgement {
        Ok(Decided::Pass(evidence)) => evidence.to_string(),
        Ok(Decided::Fail(finding)) => finding.said.clone(),
        Ok(Decided::NotApplicable { reason }) => reason.clone(),
        Err(gap) => gap.said.clone(),
    }
}

fn people(statement: &Value, controls: &[Row], missing: &[&str]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["CONTROL", "VERDICT", "WHEN", "ACTS", "JUDGED AGAIN"]);
    for row in controls {
        let again = row.differs.as_deref().unwrap_or("the same");
        let (verdict, acts) = (row.verdict.to_string(), row.acts.to_string());
        table.add_row([&row.control, &verdict, &when(row.at), &acts, again]);
    }
    for control in missing {
        table.add_row([*control, "missing", "never", "0", "the evidence says nothing of it"]);
    }
    let text = |name: &str| statement[name].as_str().unwrap_or("unknown").to_owned();
    let same = controls.iter().filter(|row| row.differs.is_none()).count();
    let old = match controls.iter().filter(|row| row.old).count() {
        0 => String::new(),
        old => format!(
            "{old} of them were not made in the time that they count for: {} h until now, or {} days where something is stopped (ringfort prove makes them again)\n",
            counts_for_s(Phase::Gentle) / 3_600,
            counts_for_s(Phase::Disruptive) / (24 * 3_600),
        ),
    };
    format!(
        "evidence of cluster {} (Kubernetes {}), as it was signed\n{table}\n{same} of {} proofs come to the same verdict\n{old}",
        text("cluster"),
        text("kubernetes"),
        controls.len()
    )
}

/// Writes a time for people.
fn when(at_s: i64) -> String {
    Timestamp::from_second(at_s).map_or_else(|_| "no time".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests;
