//! `ringfort audit policy`: the policy that is compiled from the detections.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use ringfort_audit::detection::Detection;
use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::event::Level;
use ringfort_audit::own;
use ringfort_audit::policy::{Forecast, Policy, Rule, Sample, blind_spots, compile};
use ringfort_controls::yaml;

use super::{logs, written};
use crate::cli::{Fault, print};

/// Print the audit policy that feeds the detections
///
/// It is what `ringfort up` installs: the first rule that fits a request decides. With --explain it says of
/// each rule what it is for and which detections it feeds, what is not logged, and what no detection sees. A
/// sample of a cluster's log adds what a day would be.
///
/// Exit codes: 0 well, 2 usage, or a sample cannot be read, 3 something in a sample could not be judged.
#[derive(Args)]
pub struct PolicyArgs {
    /// Say what each rule is for
    #[arg(long)]
    explain: bool,
    /// Detections of your own, in a file, which are fed as well
    #[arg(long, value_name = "FILE")]
    own: Option<PathBuf>,
    /// A log of the cluster, to say what a day would be; may be given more than once
    #[arg(long, value_name = "LOG", requires = "explain")]
    sample: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: &PolicyArgs) -> Result<ExitCode, Fault> {
    let own = match &args.own {
        Some(file) => written::read(file, "detection", own::read)?,
        None => Vec::new(),
    };
    let detections = [DETECTIONS, own.as_slice()].concat();
    let policy = compile(&detections);
    if !args.explain {
        print(&yaml::document(&policy.value()));
        return Ok(ExitCode::SUCCESS);
    }
    let mut sample = Sample::default();
    let read = logs::read(&args.sample, &mut |_, _, event, bytes| {
        sample.add(&policy, event, bytes);
        None
    })?;
    let forecast = sample.forecast();
    let mut text = String::new();
    for (number, rule) in policy.rules.iter().enumerate() {
        text.push_str(&explained(number, rule));
        if let Some(forecast) = &forecast {
            let (events, bytes) = forecast.rules[number];
            let what = if rule.level == Level::None { "spared" } else { "a day" };
            text.push_str(&format!("   {what}: {events:.0} events, {}\n", size(bytes)));
        }
    }
    text.push_str(&rest(&policy, &detections, forecast.as_ref()));
    print(&text);
    if args.sample.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    read.tell();
    if forecast.is_none() {
        return Err(Fault::blind("the sample spans no time, so nothing can be said of a day"));
    }
    Ok(ExitCode::from(if read.is_blind() { 3 } else { 0 }))
}

fn explained(number: usize, rule: &Rule) -> String {
    let mut text = format!("{}. {}: {}\n", number + 1, rule.level, rule.why);
    let mut users: Vec<&str> = rule.users.iter().map(String::as_str).collect();
    if users.len() > FEW {
        users = vec!["the cluster's components and controllers"];
    }
    users.extend(&rule.groups);
    let of = |(group, names): &(&str, Vec<&str>)| {
        let dot = if group.is_empty() { "" } else { "." };
        names.iter().map(|name| format!("{name}{dot}{group}")).collect::<Vec<_>>()
    };
    let resources: Vec<String> = rule.resources.iter().flat_map(of).collect();
    let lines = [
        ("by", users.join(", ")),
        ("verbs", rule.verbs.join(", ")),
        ("of", resources.join(", ")),
        ("in", rule.namespaces.join(", ")),
        ("paths", rule.paths.join(", ")),
        ("feeds", rule.feeds.join(", ")),
    ];
    for (name, line) in lines.iter().filter(|(_, line)| !line.is_empty()) {
        text.push_str(&format!("   {name}: {line}\n"));
    }
    text
}

/// So many users are named one by one.
const FEW: usize = 5;

fn rest(policy: &Policy, detections: &[&'static Detection], forecast: Option<&Forecast>) -> String {
    let mut text = String::from("not logged\n");
    for rule in policy.rules.iter().filter(|rule| rule.level == Level::None) {
        text.push_str(&format!("   {}\n", rule.why));
    }
    let omitted: Vec<_> = policy.omitted.iter().map(|stage| format!("{stage:?}")).collect();
    if !omitted.is_empty() {
        text.push_str(&format!("   the stage {}: no detection asks for it\n", omitted.join(", ")));
    }
    text.push_str("blind spots\n");
    for blind in blind_spots(policy, detections) {
        text.push_str(&format!("   {} of {}: {}\n", blind.detection, blind.resource, blind.why));
    }
    if let Some(forecast) = forecast {
        let written = policy.rules.iter().zip(&forecast.rules);
        let written = written.filter(|(rule, _)| rule.level > Level::None).map(|(_, of)| of);
        let (events, bytes) = written.fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        let hours = forecast.seconds / 3_600.0;
        text.push_str(&format!(
            "a day, from a sample of {hours:.1} hours: {events:.0} events, {}\n",
            size(bytes)
        ));
        if forecast.bare > 0 {
            text.push_str(&format!(
                "   at least: {} events of the sample lack the bodies that would be written\n",
                forecast.bare
            ));
        }
    }
    text
}

fn size(bytes: f64) -> String {
    match bytes {
        bytes if bytes >= 1e9 => format!("{:.1} GB", bytes / 1e9),
        bytes if bytes >= 1e6 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.1} kB", bytes / 1e3),
    }
}
