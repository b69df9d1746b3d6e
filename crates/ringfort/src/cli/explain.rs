//! `ringfort explain`: what controls there are, and why each is kept. Output only; the words stand
//! with the controls.

use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;

use ringfort_controls::sabotage::Sabotage;
use ringfort_controls::{CATALOGUE, Control, Ref, Severity, find};
use ringfort_spec::{Limit, nearest};

use super::{Fault, print};

/// Explain a control: why it is kept, when, how, and what managed clusters do
///
/// Without a name it lists every control. A waiver in cluster.yaml names one of them.
#[derive(Args)]
pub struct ExplainArgs {
    /// The control, such as access/pod-security
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
        Some(id) => {
            let control = find(id).ok_or_else(|| Fault::usage(unknown(id)))?;
            if args.json { json(&Explained::of(control))? } else { page(control) }
        }
    };
    print(&text);
    Ok(ExitCode::SUCCESS)
}

fn unknown(id: &str) -> String {
    let ids: Vec<&str> = CATALOGUE.iter().map(|control| control.id).collect();
    let way_out = match nearest(id, &ids) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`ringfort explain` lists the controls".to_owned(),
    };
    format!("there is no control `{id}`: {way_out}")
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["CONTROL", "WHAT HOLDS", "PROVED"]);
    for control in CATALOGUE {
        let proved = if control.prove.is_some() { "yes" } else { "not yet" };
        table.add_row([control.id, control.title, proved]);
    }
    table
}

/// One control as a page of Markdown.
fn page(control: &Control) -> String {
    let Control { id, title, severity, refs, limits, doc, prove, .. } = control;
    let (severity, waived) = (word(*severity), waived(limits));
    let mut page = format!(
        "# {id}\n\n{title}.\n\nSeverity: {severity}. Waived: {waived}.\n\n{}\n",
        doc.trim()
    );
    match prove {
        None => page.push_str("\n## Proved\n\nNot yet: that it is so is made, and not shown.\n"),
        Some(proof) => {
            page.push_str("\n## Broken on purpose\n\n");
            let way = |way: &Sabotage| format!("- `{id}/{}`: {}\n", way.name, way.about);
            page.extend(proof.sabotage.iter().map(way));
        }
    }
    if !refs.is_empty() {
        page.push_str("\n## References\n\n");
        page.extend(refs.iter().map(|reference| format!("- {}\n", words(reference))));
    }
    page
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
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

fn words(reference: &Ref) -> String {
    match reference {
        Ref::Cis(number) => format!("CIS Kubernetes Benchmark {number}"),
        Ref::Kep(number) => format!("https://kep.k8s.io/{number}"),
        Ref::Docs(page) => format!("https://kubernetes.io/docs/{page}"),
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
    severity: &'static str,
    /// Whether it is shown by behaviour.
    proved: bool,
}

impl Catalogue {
    fn of_all() -> Self {
        let controls = CATALOGUE.iter().map(|control| Listed::of(control)).collect();
        Self { version: VERSION, controls }
    }
}

impl Listed {
    fn of(control: &Control) -> Self {
        let Control { id, title, severity, .. } = control;
        Self { id, title, severity: word(*severity), proved: control.prove.is_some() }
    }
}

/// One control, for programs.
#[derive(Serialize)]
struct Explained {
    version: u32,
    #[serde(flatten)]
    listed: Listed,
    /// What a waiver may be limited to.
    waived: String,
    references: Vec<String>,
    /// Markdown.
    doc: &'static str,
}

impl Explained {
    fn of(control: &Control) -> Self {
        let references = control.refs.iter().map(words).collect();
        let (listed, waived) = (Listed::of(control), waived(control.limits));
        Self { version: VERSION, listed, waived, references, doc: control.doc }
    }
}
