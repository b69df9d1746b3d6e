//! `ringfort netpol show`: what a node enforces, and what it refused.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;
use ringfort_controls::paths::PROGRAMS;
use ringfort_forge::make::doors;
use ringfort_host::{Door, Host};
use ringfort_netpol::{InForce, Meddling, Shown, ShownPod, ShownWay, Waited};
use ringfort_spec::{Provider, Spec, nearest};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::super::session::{beside, home};
use super::super::specification::{self, SpecFile};
use super::super::{Fault, print};

/// Show what a node enforces: its pods, what closes their ways, and what was refused
///
/// Enters the machine over SSH, as cluster.yaml says, and asks the enforcer that runs there. Refused packets
/// are counted for each pod since its rules were made; refused connections are those of the last two
/// minutes. What others changed of the rules, who it was as far as the kernel told, and how soon it was put
/// back are findings, kept until the machine is started again. What keeps the enforcer from hearing of pods, namespaces or policies is told as trouble: rules
/// stay as they are meanwhile, and no new pod begins. Nothing is changed.
///
/// Exit codes: 0 shown, 2 usage or bad input, 3 the node or its enforcer could not be asked.
#[derive(Args)]
pub struct ShowArgs {
    /// The node
    node: String,
    #[command(flatten)]
    spec: SpecFile,
    /// Write JSON, as the enforcer says it
    #[arg(long)]
    json: bool,
}

/// How long the enforcer may take to answer, once the machine was entered.
const ANSWER: Duration = Duration::from_secs(30);

/// Runs the command.
pub fn run(args: &ShowArgs) -> Result<ExitCode, Fault> {
    let spec = specification::read(&args.spec.file)?;
    if spec.network.provider != Provider::Ringfort {
        return Err(Fault::usage(
            "network.provider is not ringfort: policies are whatever the cluster's own network makes of them",
        ));
    }
    let doors = doors(&spec, &home()?, beside(&args.spec.file));
    let door = doors.iter().find(|(name, _)| name.as_str() == args.node);
    let (_, door) = door.ok_or_else(|| Fault::usage(unknown(&spec, &args.node)))?;
    let runtime = Runtime::new().map_err(Fault::blind)?;
    let said = runtime.block_on(ask(door, &args.node))?;
    let shown: Shown = serde_json::from_str(&said).map_err(|error| {
        Fault::blind(format!("{} answers in another way ({error}): run ringfort up", args.node))
    })?;
    print(&if args.json { said } else { people(&shown) });
    Ok(ExitCode::SUCCESS)
}

fn unknown(spec: &Spec, node: &str) -> String {
    let names: Vec<&str> = spec.nodes.keys().map(|name| name.as_str()).collect();
    let way_out = match nearest(node, &names) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", names.join(", ")),
    };
    format!("the specification has no node {node:?}: {way_out}")
}

async fn ask(door: &Door, node: &str) -> Result<String, Fault> {
    let host = Host::enter(door).await.map_err(Fault::blind)?;
    let command = format!("{PROGRAMS}/ringfort node policy --show");
    let output = timeout(ANSWER, host.run(&command, &[])).await;
    let output = output
        .map_err(|_| Fault::blind(format!("{node}: no answer within {} s", ANSWER.as_secs())))?
        .map_err(Fault::blind)?;
    if !output.ok() {
        return Err(Fault::blind(format!(
            "{node}: {}; look at journalctl -u ringfort-policy there",
            output.complaint()
        )));
    }
    String::from_utf8(output.stdout).map_err(Fault::blind)
}

/// Writes what is in force, for people.
pub fn people(shown: &Shown) -> String {
    let mut text = pods(shown);
    text.push_str(&format!("\n{}, {}\n", in_force(shown.in_force), whole(shown.is_whole)));
    text.push_str(&refused(shown));
    let dropped = shown.dropped.iter();
    text.extend(dropped.map(|(what, packets)| {
        format!("\ndropped, whatever policies say: {packets} packets {what}\n")
    }));
    if let Some(Waited { pods, median_ms, most_ms }) = &shown.waited {
        text.push_str(&format!(
            "\nthe last {pods} pods to begin waited {median_ms} ms for their rules in the median, {most_ms} \
             ms at most\n"
        ));
    }
    text.extend(shown.behind.iter().map(|why| format!("\nno new pod begins now: {why}\n")));
    text.extend(shown.trouble.iter().map(|why| format!("\ntrouble: {why}\n")));
    text.push_str(&meddled(shown));
    text
}

/// How many findings are told to people.
const FINDINGS: usize = 10;

/// Writes what was found of others who changed what is enforced.
fn meddled(shown: &Shown) -> String {
    if shown.meddled == 0 {
        return String::new();
    }
    let mut text = format!(
        "\nfindings: somebody else changed what is enforced {} times since the machine was started\n",
        shown.meddled
    );
    for finding in shown.meddlings.iter().rev().take(FINDINGS) {
        text.push_str(&format!("  {}\n", line(finding)));
    }
    text
}

fn line(finding: &Meddling) -> String {
    let Meddling { at_ms, what, by, back_after_ms, .. } = finding;
    let at = i64::try_from(*at_ms).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    let at = at.map_or_else(|| "at no known time".to_owned(), |at| format!("{at:.0}"));
    let by = by.as_ref().map(|by| format!(", by {by}")).unwrap_or_default();
    let back = match back_after_ms {
        Some(ms) => format!("as it should be after {ms} ms"),
        None => "not put back at once".to_owned(),
    };
    format!("{at}  {what}{by}; {back}")
}

fn in_force(rules: InForce) -> &'static str {
    match rules {
        InForce::Unknown => "the enforcer does not say which rules are in force",
        InForce::Shown => "rules that say this are in force",
        InForce::Older => "older rules are in force, since changes could not be made yet",
        InForce::ProcessBefore => {
            "rules from before the enforcer began anew are in force, since the API was not heard yet"
        }
        InForce::Closed => {
            "all ways of all pods are closed, since there are no rules yet that were heard of and made"
        }
    }
}

fn whole(is_whole: Option<bool>) -> &'static str {
    match is_whole {
        Some(true) => "and the kernel holds all of them",
        Some(false) => "but the kernel holds something else",
        None => "and whether the kernel holds all of them is not known",
    }
}

fn pods(shown: &Shown) -> String {
    if shown.pods.is_empty() && matches!(shown.in_force, InForce::ProcessBefore | InForce::Closed) {
        return format!("which pods {} has is not known yet\n", shown.node);
    }
    if shown.pods.is_empty() {
        return format!("{} has no pods that policies are for\n", shown.node);
    }
    let one = |pod: &ShownPod| {
        let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
        let (pod, out, into) = (&pod.pod, way("out", &pod.egress), way("in ", &pod.ingress));
        format!("{pod}  {}\n{out}{into}", addresses.join(", "))
    };
    shown.pods.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// Writes a way of a pod: who closes it, and every rule that lets something through with the policy
/// that it comes from.
fn way(name: &str, way: &ShownWay) -> String {
    let mut text = match way.closed_by.is_empty() {
        true => format!("  {name}  open"),
        false => format!("  {name}  closed by {}", way.closed_by.join(", ")),
    };
    match way.refused_packets {
        0 => {}
        packets => text.push_str(&format!("; {packets} packets refused")),
    }
    text.push('\n');
    let refused = way.refused_by.iter();
    text.extend(
        refused.map(|(by, packets)| format!("         {packets} packets refused by {by}\n")),
    );
    text.extend(way.rulings.iter().map(|rule| format!("         {rule}\n")));
    text.extend(way.allows.iter().map(|rule| format!("         lets through {rule}\n")));
    text
}

fn refused(shown: &Shown) -> String {
    if shown.refused.is_empty() {
        return "\nnothing was refused in the last two minutes\n".to_owned();
    }
    let mut table = table(&["FROM", "TO", "PORT", "AT", "PACKETS"]);
    for (refusal, packets) in &shown.refused {
        let (own, peer) = (name(shown, refusal.own), name(shown, refusal.peer));
        let (from, to) = if refusal.way == "egress" { (own, peer) } else { (peer, own) };
        let port = format!("{} {}", refusal.protocol.to_uppercase(), refusal.port);
        table.add_row([from, to, port, refusal.way.clone(), packets.to_string()]);
    }
    format!("\nrefused in the last two minutes\n{table}\n")
}

/// Says whose an address is, as far as the node knows.
fn name(shown: &Shown, address: IpAddr) -> String {
    let of_it = shown.pods.iter().find(|pod| pod.addresses.contains(&address));
    of_it.map_or_else(|| address.to_string(), |pod| format!("{} ({address})", pod.pod))
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(header);
    table
}
