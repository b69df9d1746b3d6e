//! `cargo xtask bench`: measures what CI has no time for.

mod audit;
mod check;
mod conformance;
mod create;
mod figures;
mod integrity;
mod kube_bench;
mod kubeadm;
mod lab;
mod load;
mod netpol;
mod outage;
mod prove;
mod report;
mod sabotage;
mod stock;
mod story;

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench create [ARGUMENTS, see bench create --help]
       cargo xtask bench prove [ARGUMENTS, see bench prove --help]
       cargo xtask bench sabotage [ARGUMENTS, see bench sabotage --help]
       cargo xtask bench netpol [lab, see bench netpol --help]
       cargo xtask bench check
       cargo xtask bench audit
       cargo xtask bench integrity [lab, see bench integrity lab --help]
       cargo xtask bench conformance [ARGUMENTS, see bench conformance --help]
       cargo xtask bench kube-bench [ARGUMENTS, see bench kube-bench --help]
       cargo xtask bench stock [ARGUMENTS, see bench stock --help]
       cargo xtask bench simulate [ARGUMENTS OF THE SIMULATION]";

/// Runs the benchmark that is named first.
pub(crate) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    match arguments.split_first() {
        Some((&"create", rest)) => create::task(workspace, rest),
        Some((&"prove", rest)) => prove::task(workspace, rest),
        Some((&"sabotage", rest)) => sabotage::task(workspace, rest),
        Some((&"netpol", rest)) => netpol::task(workspace, rest),
        Some((&"audit", rest)) => audit::task(workspace, rest),
        Some((&"integrity", rest)) => integrity::task(workspace, rest),
        Some((&"kube-bench", rest)) => kube_bench::task(workspace, rest),
        Some((&"check", rest)) => check::task(workspace, rest),
        Some((&"conformance", rest)) => conformance::task(workspace, rest),
        Some((&"stock", rest)) => stock::task(workspace, rest),
        Some((&"simulate", rest)) => simulate(workspace, rest),
        _ => Err(Failure::usage(USAGE)),
    }
}

/// Runs the engine's simulation at full speed: over 100,000 seeds, and every story of three seeds with somebody
/// killed at every step, unless something else is asked for. Fails if a law was broken, or if a seed took more
/// than two milliseconds in the mean.
fn simulate(workspace: &Workspace, rest: &[&str]) -> Result<()> {
    let whole = [
        &["--seeds", "0..100000", "--most-ms", "2"][..],
        &["--seeds", "0..3", "--kill-every-step"][..],
    ];
    let runs = if rest.is_empty() { &whole[..] } else { &[rest][..] };
    for asked in runs {
        let mut command = workspace.cargo(&["run", "--release", "--locked"]);
        command.args(["--package", "ringfort-engine", "--example", "simulate", "--"]);
        process::run(command.args(*asked))?;
    }
    Ok(())
}
