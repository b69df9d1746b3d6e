//! `cargo xtask bench netpol`: what deciding about network policies costs, and what the kernel takes.

mod compare;
mod packets;

use std::process::Command;

use serde_json::Value;

use super::figures;
use super::lab::Asked;
use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench netpol [lab [OPTIONS]]

Measures in the release profile, in a network namespace of its own. Needs root and nft. With `lab` it measures on
machines: what a connection and its bytes cost with 10 and with 1,000 policies beside none, and how long a new
pod waits for its rules. It fails where 1,000 cost measurably more than 10.

  --rounds N          how often everything is measured (5)
  --kubernetes MINOR  the minor of Kubernetes
  --bundle DIR        the bundle, other than the newest of that minor in the cache
  --binary FILE       measure this program instead of the one that would be released";

/// How often everything is measured on machines.
const ROUNDS: usize = 5;

/// What was promised, in milliseconds and megabytes, for 1,000 policies over 5,000 pods.
const DECIDE_MS: f64 = 500.0;
const CHANGE_MS: f64 = 50.0;
const MEMORY_MB: f64 = 80.0;

/// Measures, and prints the table. Fails if a promise was missed.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let missed = match arguments.split_first() {
        None => here(workspace)?,
        Some((&"--help", [])) => {
            println!("{USAGE}");
            return Ok(());
        }
        Some((&"lab", options)) => {
            let (asked, rounds) = read(options)?;
            packets::measure(
                workspace,
                &asked,
                rounds,
                &figures::program(workspace, "ringfort-netpol")?,
            )?
        }
        Some(_) => return Err(Failure::usage(USAGE)),
    };
    match missed.as_slice() {
        [] => Ok(()),
        missed => Err(Failure::findings(format!("missed: {}", missed.join("; ")))),
    }
}

/// Reads what is asked of machines.
fn read(options: &[&str]) -> Result<(Asked, usize)> {
    let (mut asked, mut rounds) = (Asked::usual(), ROUNDS);
    let mut options = options.iter();
    while let Some(&option) = options.next() {
        let value = options.next().copied().ok_or_else(|| Failure::usage(USAGE))?;
        match option {
            option if asked.takes(option, value) => {}
            "--rounds" => {
                let number = value.parse().ok().filter(|number| *number > 0);
                rounds = number.ok_or_else(|| Failure::usage(USAGE))?;
            }
            _ => return Err(Failure::usage(format!("{option} is unknown\n{USAGE}"))),
        }
    }
    Ok((asked, rounds))
}

/// Measures on this host.
fn here(workspace: &Workspace) -> Result<Vec<String>> {
    let program = figures::program(workspace, "ringfort-netpol")?;
    let found = figures::found(Command::new("unshare").arg("--net").arg(program))?;
    Ok(report(&found))
}

/// Prints what was found, and gives what is worse than promised.
fn report(found: &Value) -> Vec<String> {
    let mut missed = Vec::new();
    let number = |value: &Value| value.as_f64().unwrap_or(f64::MAX);
    for one in found["measured"].as_array().into_iter().flatten() {
        println!(
            "{} policies over {} pods, {} of them on the node: {} sets with {} elements",
            one["policies"], one["pods"], one["own_pods"], one["sets"], one["elements"]
        );
        println!("  all given to the kernel at once   {:7.1} ms", number(&one["load_all_ms"]));
        for (what, key, limit) in [
            ("everything decided anew", "decide_ms", DECIDE_MS),
            ("a pod of the node changed", "own_pod_changed_ms", CHANGE_MS),
            ("a pod elsewhere changed", "other_pod_changed_ms", CHANGE_MS),
            ("a policy changed", "policy_changed_ms", CHANGE_MS),
        ] {
            let (median, most) = (number(&one[key]["median"]), number(&one[key]["most"]));
            println!("  {what:<33} {median:7.1} ms, {most:.1} at most (limit {limit})");
            if median > limit {
                missed.push(format!("{what}: {median:.1} ms"));
            }
        }
    }
    costs(found);
    let memory = number(&found["memory_mb"]);
    println!("  memory, with the objects of both   {memory:6.1} MB (limit {MEMORY_MB})");
    if memory > MEMORY_MB {
        missed.push(format!("memory: {memory:.1} MB"));
    }
    missed
}

/// Prints what packets cost, beside the same without any rules.
fn costs(found: &Value) {
    let of = |policies: &str, key: &str| {
        let all = found["packets"].as_array().into_iter().flatten();
        let one = all.filter(|one| one["policies"] == policies).find_map(|one| one[key].as_f64());
        one.unwrap_or(f64::NAN)
    };
    println!("between two pods of a node, each figure the median of five rounds");
    for (what, key, unit) in [
        ("a connection with a byte there and back", "connection_us", "µs"),
        ("bytes of one connection", "gbit_s", "Gbit/s"),
    ] {
        let none = of("none", key);
        let beside = |policies: &str| {
            let found = of(policies, key);
            format!("{found:.1} ({:+.1} %)", (found / none - 1.0) * 100.0)
        };
        println!(
            "  {what:<40} {none:.1} {unit} without rules, {} with 10 policies, {} with 1,000",
            beside("10"),
            beside("1000")
        );
    }
}
