//! `ringfort explain`: what controls there are, and why each is kept. Output only; the words stand
//! with the controls.

use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;

use ringfort_audit::attack::tactics;
use ringfort_audit::detection::{ATTACK, Detection, Need, Of, Who};
use ringfort_audit::detections;
use ringfort_check::benchmark::{self, ByFacts, Row, by_facts};
use ringfort_check::cis;
use ringfort_check::guideline::Guideline;
use ringfort_check::guidelines::{self, GUIDELINES};
use ringfort_check::nist;
use ringfort_check::stig;
use ringfort_controls::example::Example;
use ringfort_controls::sabotage::Sabotage;
use ringfort_controls::{CATALOGUE, Control, Phase, Ref, Severity, find};
use ringfort_spec::{Limit, nearest};

use super::{Fault, coverage, print};

/// Explain a control: why it is kept, when, how, and what managed clusters do
///
/// Some hold of clusters that ringfort makes: a waiver in cluster.yaml names one of them. Others are what
/// `ringfort check` asks of manifests, or what `ringfort audit test` looks for in logs. Without a name it
/// lists them all; by the names cis-2.0.1, cis-1.12, nsa, pss, owasp-2025, stig-v1r6 and nist-800-53 it shows what answers
/// for which recommendation of that benchmark, requirement of DISA's guide, or control of NIST's catalogue.
///
/// Exit codes: 0 explained, 2 usage, or there is no such control.
#[derive(Args)]
pub struct ExplainArgs {
    /// The control, such as access/pod-security or detect/exec
    control: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &ExplainArgs) -> Result<ExitCode, Fault> {
    let text = match &args.control {
        None if args.json => json(&Catalogue::of_all())?,
        None => format!("{}\n", table()),
        Some(id) if id == benchmark::NAME && !args.json => coverage::page(),
        Some(id) if id == cis::NAME && !args.json => coverage::earlier(),
        Some(id) if id == stig::NAME && !args.json => coverage::requirements(),
        Some(id) if id == nist::NAME && !args.json => coverage::controls(),
        Some(id) => match coverage::profile(id) {
            Some(benchmark) if !args.json => coverage::recommendations(benchmark),
            _ => {
                let known = Known::find(id).ok_or_else(|| Fault::usage(unknown(id)))?;
                if args.json { json(&known.explained())? } else { known.page() }
            }
        },
    };
    print(&text);
    Ok(ExitCode::SUCCESS)
}

/// What can be explained.
enum Known {
    Control(&'static Control),
    Guideline(&'static Guideline),
    Detection(&'static Detection),
}

impl Known {
    fn find(id: &str) -> Option<Self> {
        find(id)
            .map(Self::Control)
            .or_else(|| guidelines::find(id).map(Self::Guideline))
            .or_else(|| detections::find(id).map(Self::Detection))
    }

    fn page(&self) -> String {
        match self {
            Self::Control(control) => page(control),
            Self::Guideline(guideline) => guideline_page(guideline),
            Self::Detection(detection) => detection_page(detection),
        }
    }

    fn explained(&self) -> Explained {
        match self {
            Self::Control(control) => Explained::of(control),
            Self::Guideline(guideline) => Explained::of_guideline(guideline),
            Self::Detection(detection) => Explained::of_detection(detection),
        }
    }
}

fn unknown(id: &str) -> String {
    let guidelines = GUIDELINES.iter().map(|guideline| guideline.id);
    let found = detections::all().map(|detection| detection.id);
    let made = CATALOGUE.iter().map(|control| control.id);
    let ids: Vec<&str> = made.chain(guidelines).chain(found).collect();
    let way_out = match nearest(id, &ids) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`ringfort explain` lists what there is".to_owned(),
    };
    format!("there is no control `{id}`: {way_out}")
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["CONTROL", "WHAT HOLDS", "PROVED"]);
    for control in CATALOGUE {
        let proved = match control.prove.map(|proof| proof.phase) {
            None => "not yet",
            Some(Phase::Asked) => "when asked",
            Some(Phase::Ground | Phase::Gentle | Phase::Disruptive) => "yes",
        };
        table.add_row([control.id, control.title, proved]);
    }
    for guideline in GUIDELINES {
        table.add_row([guideline.id, guideline.title, "of manifests"]);
    }
    for detection in detections::all() {
        table.add_row([detection.id, detection.title, "in logs"]);
    }
    table
}

/// One control as a page of Markdown.
fn page(control: &Control) -> String {
    let Control { id, title, severity, refs, limits, prove, .. } = control;
    let (waived, prose) = (waived(limits), control.prose());
    let asked = match prove {
        Some(proof) if proof.phase == Phase::Asked => {
            " Proved when it is asked for: `ringfort prove --rehearse`."
        }
        _ => "",
    };
    let mut page = format!(
        "# {id}\n\n{title}.\n\nSeverity: {severity}. Waived: {waived}.{asked}\n\n{prose}\n{}{}",
        judged_by_facts(id),
        examples(control)
    );
    match prove {
        None => page.push_str("\n## Proved\n\nNot yet: that it is so is made, and not shown.\n"),
        Some(proof) => {
            page.push_str("\n## Broken on purpose\n\n");
            let way = |way: &Sabotage| format!("- `{id}/{}`: {}\n", way.name, way.about);
            page.extend(proof.sabotage.iter().map(way));
        }
    }
    page + &references(refs)
}

/// What `ringfort check` judges it by.
fn judged_by_facts(id: &str) -> String {
    let said = match by_facts(id) {
        Some(ByFacts::Rows(rows)) => rows.into_iter().map(asked).collect::<String>(),
        Some(ByFacts::Nothing(why)) => format!("Not: {why}.\n"),
        None => return String::new(),
    };
    format!("\n## Judged by facts\n\n{said}")
}

/// A row, as an item of a list.
fn asked(row: &Row) -> String {
    let from = row.needs();
    format!("- `{}`: {} (from {from})\n", benchmark::id(row), row.title)
}

/// What its examples tell, each in a sentence: what they are for tests stands in the JSON alone.
fn examples(control: &Control) -> String {
    let told =
        |example: Example| Some(format!("- {}: {}\n", example.kind.name(), example.said().ok()?));
    let told: String = control.examples().into_iter().filter_map(told).collect();
    if told.is_empty() { told } else { format!("\n## Examples\n\n{told}") }
}

/// One guideline as a page of Markdown.
fn guideline_page(guideline: &Guideline) -> String {
    let Guideline { id, title, severity, refs, doc, .. } = guideline;
    let judged = "Judged of manifests by `ringfort check`.";
    let page = format!("# {id}\n\n{title}.\n\nSeverity: {severity}. {judged}\n\n{}\n", doc.trim());
    page + &references(refs)
}

/// One detection as a page of Markdown.
fn detection_page(detection: &Detection) -> String {
    let Detection { id, title, severity, because, attack, needs, doc, .. } = detection;
    let techniques = attack.join(", ");
    let tactics: Vec<String> = tactics(detection).iter().map(ToString::to_string).collect();
    let needs: String = needs.iter().map(needed).collect();
    format!(
        "# {id}\n\n{title}.\n\nSeverity: {severity}, since {because}. ATT&CK {ATTACK}: {techniques} ({}).\n\n{}\n\n\
         ## Needs\n\n{needs}",
        tactics.join(", "),
        doc.trim()
    )
}

/// What a detection needs to be logged, as an item of a list.
fn needed(need: &Need) -> String {
    let who = match need.who {
        Who::Anyone => "anyone",
        Who::Others => "anyone but the cluster's components",
        Who::Anonymous => "those without a name",
    };
    let of = match need.of {
        Of::Anything => "anything but the paths of health".to_owned(),
        Of::AnyResource => "any resource".to_owned(),
        Of::Paths(paths) => paths.join(", "),
        Of::Resources(all) => {
            let name = |(group, resource): &(&str, &str)| match *group {
                "" => (*resource).to_owned(),
                group => format!("{resource}.{group}"),
            };
            all.iter().map(name).collect::<Vec<_>>().join(", ")
        }
    };
    let verbs = if need.verbs.is_empty() { "any verb".to_owned() } else { need.verbs.join(", ") };
    format!("- {} of {verbs} by {who}: {of}\n", need.level)
}

fn references(refs: &[Ref]) -> String {
    if refs.is_empty() {
        return String::new();
    }
    let lines = refs.iter().map(|reference| format!("- {reference}\n"));
    format!("\n## References\n\n{}", lines.collect::<String>())
}

/// Says what a waiver of a control may be limited to.
fn waived(limits: &[Limit]) -> String {
    let names = limits.iter().map(|limit| match limit {
        Limit::Cluster => "for the whole cluster",
        Limit::Namespaces => "for namespaces with a label",
        Limit::Named => "for namespaces by name",
        Limit::Nodes => "for some nodes",
    });
    match limits {
        [] => "never, others rest on it".to_owned(),
        _ => names.collect::<Vec<_>>().join(", "),
    }
}

fn json(value: &impl Serialize) -> Result<String, Fault> {
    let text = serde_json::to_string_pretty(value).map_err(Fault::unable)?;
    Ok(format!("{text}\n"))
}

const VERSION: u32 = 1;

/// The list of controls, for programs.
#[derive(Serialize)]
struct Catalogue {
    version: u32,
    controls: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    id: &'static str,
    title: &'static str,
    severity: Severity,
    /// What it holds of: `cluster`, `manifests` or `logs`.
    of: &'static str,
    /// Whether it is shown by behaviour.
    proved: bool,
    /// When it is shown: `ground` before all others, `gentle` beside them, `disruptive` where a control plane is stopped
    /// on the way, or `asked` where that is done only when somebody asks for it. Absent where it is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'static str>,
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Ground => "ground",
        Phase::Gentle => "gentle",
        Phase::Disruptive => "disruptive",
        Phase::Asked => "asked",
    }
}

impl Catalogue {
    fn of_all() -> Self {
        let made = CATALOGUE.iter().map(|control| Listed::of(control));
        let asked = GUIDELINES.iter().map(|guideline| Listed::of_guideline(guideline));
        let found = detections::all().map(Listed::of_detection);
        Self { version: VERSION, controls: made.chain(asked).chain(found).collect() }
    }
}

impl Listed {
    fn of(control: &Control) -> Self {
        let Control { id, title, severity, .. } = control;
        let proved = control.prove.is_some();
        let phase = control.prove.map(|proof| phase_name(proof.phase));
        Self { id, title, severity: *severity, of: "cluster", proved, phase }
    }

    fn of_guideline(guideline: &Guideline) -> Self {
        let Guideline { id, title, severity, .. } = guideline;
        Self { id, title, severity: *severity, of: "manifests", proved: false, phase: None }
    }

    fn of_detection(detection: &Detection) -> Self {
        let Detection { id, title, severity, .. } = detection;
        Self { id, title, severity: *severity, of: "logs", proved: false, phase: None }
    }
}

/// One control, for programs.
#[derive(Serialize)]
struct Explained {
    version: u32,
    #[serde(flatten)]
    listed: Listed,
    /// What a waiver may be limited to; nothing of what is asked of manifests.
    #[serde(skip_serializing_if = "Option::is_none")]
    waived: Option<String>,
    /// The rows by which `ringfort check` judges it of facts.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    facts: Vec<String>,
    /// Why facts decide nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    facts_not: Option<&'static str>,
    /// How it is broken on purpose, to see its proof fail.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    sabotage: Vec<Way>,
    references: Vec<String>,
    /// Markdown.
    doc: &'static str,
}

/// A way to break a control.
#[derive(Serialize)]
struct Way {
    /// The name, as `ringfort lab sabotage` takes it.
    name: String,
    about: &'static str,
    /// The other controls whose proofs fail with it.
    also: &'static [&'static str],
}

impl Explained {
    fn of(control: &Control) -> Self {
        let references = control.refs.iter().map(Ref::to_string).collect();
        let (listed, waived) = (Listed::of(control), Some(waived(control.limits)));
        let ways = control.prove.map_or(&[][..], |proof| proof.sabotage);
        let way = |way: &Sabotage| Way {
            name: format!("{}/{}", control.id, way.name),
            about: way.about,
            also: way.also,
        };
        let sabotage = ways.iter().map(way).collect();
        let (facts, facts_not) = match by_facts(control.id) {
            Some(ByFacts::Rows(rows)) => (rows.into_iter().map(benchmark::id).collect(), None),
            Some(ByFacts::Nothing(why)) => (Vec::new(), Some(why)),
            None => (Vec::new(), None),
        };
        let (version, doc) = (VERSION, control.doc);
        Self { version, listed, waived, facts, facts_not, sabotage, references, doc }
    }

    fn of_guideline(guideline: &Guideline) -> Self {
        let references = guideline.refs.iter().map(Ref::to_string).collect();
        let listed = Listed::of_guideline(guideline);
        Self::of_other(listed, references, guideline.doc)
    }

    fn of_detection(detection: &Detection) -> Self {
        let technique = |id: &&str| format!("MITRE ATT&CK {ATTACK} {id}");
        let references = detection.attack.iter().map(technique).collect();
        let listed = Listed::of_detection(detection);
        Self::of_other(listed, references, detection.doc)
    }

    /// What is no control of a cluster: nothing makes it, so nothing breaks it.
    fn of_other(listed: Listed, references: Vec<String>, doc: &'static str) -> Self {
        let (version, waived, facts_not) = (VERSION, None, None);
        let (facts, sabotage) = (Vec::new(), Vec::new());
        Self { version, listed, waived, facts, facts_not, sabotage, references, doc }
    }
}

#[cfg(test)]
mod tests {
    use super::{Explained, GUIDELINES, find, page, table};

    #[test]
    fn what_is_proved_only_when_it_is_asked_for_is_told_so() {
        let line = |id: &str| {
            let table = table().to_string();
            table.lines().find(|line| line.trim().starts_with(id)).unwrap().trim().to_owned()
        };
        assert!(line("ha/three-workers ").ends_with("when asked"));
        assert!(line("ha/survives-control-plane ").ends_with("yes"));
        let told = |id: &str| serde_json::to_value(Explained::of(find(id).unwrap())).unwrap();
        assert_eq!(told("ha/three-workers")["phase"], "asked");
        assert_eq!(told("ha/survives-control-plane")["phase"], "disruptive");
        let ways = &told("access/no-cluster-admin")["sabotage"];
        let is_way = |way: &serde_json::Value| way["name"] == "access/no-cluster-admin/masters";
        assert!(ways.as_array().unwrap().iter().any(is_way), "{ways}");
        assert!(page(find("ha/three-workers").unwrap()).contains("ringfort prove --rehearse"));
    }

    #[test]
    fn by_which_rows_facts_decide_is_told_or_why_they_do_not() {
        let page = |id: &str| page(find(id).unwrap());
        assert!(page("audit/policy-is-set").contains("- `cis-2.0.1/1.2.16`: API servers write"));
        assert!(page("node/kernel-settings").contains("- `node/kernel-settings`: The kernel"));
        assert!(page("workload/addons").contains("## Judged by facts\n\nNot: what an add-on is"));
        let told = |id: &str| serde_json::to_value(Explained::of(find(id).unwrap())).unwrap();
        assert_eq!(told("node/apparmor")["facts"], serde_json::json!(["node/apparmor"]));
        assert!(told("workload/addons")["facts_not"].is_string());
    }

    #[test]
    fn no_two_controls_have_one_name() {
        for guideline in GUIDELINES {
            assert!(find(guideline.id).is_none(), "{}", guideline.id);
        }
    }
}
