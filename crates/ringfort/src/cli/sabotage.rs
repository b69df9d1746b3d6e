//! `ringfort lab sabotage`: breaks a control of a lab's cluster on purpose, to see its proof fail. The
//! ways are the controls' own.

use std::env;
use std::process::{Command, ExitCode};

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::json;

use ringfort_controls::sabotage::{find, sabotages};
use ringfort_forge::render::Broken;
use ringfort_lab::{Lab, LabName};
use ringfort_spec::{Spec, nearest};

use super::play::play;
use super::session::{How, Missing, Session, Where};
use super::up::{Wish, up};
use super::{Fault, print};

/// Break a control of a lab's cluster on purpose, and see that no kubeconfig is issued
///
/// Runs `ringfort up` with one thing wrong, as a hurried hand or an intruder would leave it, and makes
/// the proofs: the row of the broken control fails. Nothing but a lab's own machines is ever broken, and
/// the next `ringfort up` puts them right. Without a name it lists what can be broken.
///
/// Exit codes: 1 a proof failed, as it should, 0 none did, 2 usage or bad input, 3 a proof could not be
/// made, 4 something could not be done, 130 interrupted.
#[derive(Args)]
pub struct SabotageArgs {
    /// The lab, by its name
    #[arg(requires = "name")]
    pub lab: Option<LabName>,
    /// What is broken and how, such as audit/policy-is-set/level-none
    name: Option<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    how: How,
}

/// Lists what can be broken.
pub fn list(args: &SabotageArgs) -> Result<ExitCode, Fault> {
    let rows = sabotages().map(|(control, sabotage)| {
        (format!("{}/{}", control.id, sabotage.name), sabotage.about, sabotage.also)
    });
    if args.how.json {
        let rows: Vec<_> = rows
            .map(|(name, about, also)| json!({"name": name, "about": about, "also": also}))
            .collect();
        print(&format!("{:#}\n", json!(rows)));
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["SABOTAGE", "WHAT IS WRONG"]);
    rows.for_each(|(name, about, _)| {
        table.add_row([name.as_str(), about]);
    });
    print(&format!("{table}\n"));
    Ok(ExitCode::SUCCESS)
}

/// Breaks one thing in a lab, inside its network.
pub fn run(args: &SabotageArgs, lab: &Lab) -> Result<ExitCode, Fault> {
    let name = args.name.as_deref().unwrap_or_default();
    let broken = find(name).ok_or_else(|| Fault::usage(unknown(name)))?;
    if !lab.is_inside() {
        let mut again = Command::new(env::current_exe().map_err(Fault::unable)?);
        again.args(env::args_os().skip(1));
        return Err(super::lab::fault(lab.become_inside(again)));
    }
    play(
        "sabotage",
        &args.how,
        |voice| {
            let session =
                Session::open(voice, "sabotage", &args.place, &args.how, Missing::Refuse)?;
            only_of(lab, &session.spec)?;
            session.voice.note(&said(broken, &session.spec));
            Ok(session)
        },
        async |session, interrupts| {
            let rehearse = broken.0.prove.is_some_and(|proof| proof.phase.stops());
            let wish = Wish { rehearse, broken: Some(broken), ..Wish::default() };
            up(session, &wish, interrupts).await
        },
    )
}

fn said((control, sabotage): Broken, spec: &Spec) -> String {
    let machines: Vec<String> = sabotage.machines(spec).iter().map(ToString::to_string).collect();
    format!(
        "broken on purpose, on {}: {} ({}); the next `ringfort up` puts it right",
        machines.join(", "),
        sabotage.about,
        control.id
    )
}

/// Sees that a cluster is on a lab's machines alone.
fn only_of(lab: &Lab, spec: &Spec) -> Result<(), Fault> {
    let machines = lab.machines();
    let is_foreign = |address| !machines.iter().any(|machine| machine.address == address);
    match spec.nodes.values().find(|node| is_foreign(node.address)) {
        None => Ok(()),
        Some(node) => Err(Fault::usage(format!(
            "{} ({}) is no machine of the lab {}: only a lab's own machines are ever broken",
            node.name,
            node.address,
            lab.name()
        ))),
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<String> =
        sabotages().map(|(control, one)| format!("{}/{}", control.id, one.name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let way_out = match nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`ringfort lab sabotage` lists them".to_owned(),
    };
    format!("there is no sabotage `{name}`: {way_out}")
}
