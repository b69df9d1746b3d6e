//! Rows about the network of pods: who enforces policies, and what holds where there are none.

use ringfort_facts::component::Component;
use ringfort_facts::fact::{Seen, Source};
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Gap, Judgement};
use serde_json::Value;

use super::judge::of_guideline;
use super::{Looked, say};

/// Where the runtime finds how pods are connected.
const NETWORKS: &str = "/etc/cni/net.d";
const RUNTIME: &str = "containerd";
const RINGFORT: &str = "ringfort";
/// What ringfort's enforcer goes by.
const POLICY: &str = "/etc/kubernetes/network-policy.json";

/// Plugins that come with a program which enforces network policies, and that program.
const ENFORCERS: [(&str, &str); 5] = [
    ("antrea", "antrea-agent"),
    ("calico", "calico-node"),
    ("cilium-cni", "cilium-agent"),
    ("kube-router", "kube-router"),
    ("ringfort-policy", RINGFORT),
];

/// Plugins that connect pods and refuse nothing.
const OPEN: [&str; 12] = [
    "bandwidth",
    "bridge",
    "firewall",
    "flannel",
    "host-local",
    "ipvlan",
    "loopback",
    "macvlan",
    "portmap",
    "ptp",
    "sbr",
    "tuning",
];

/// Asks that on this machine a program enforces network policies, and that pods are connected through it.
pub(super) fn is_enforced(machine: &Machine<'_>) -> Judgement {
    if machine.running(Component::Kubelet)?.is_empty() {
        return say::not_here(machine, Component::Kubelet);
    }
    let plugins = plugins(machine)?;
    let names = plugins.value.join(", ");
    for (plugin, program) in ENFORCERS {
        if plugins.value.iter().any(|it| it == plugin) && runs(machine, program)? {
            let said =
                format!("pods are connected through {plugin}, and {program} enforces policies");
            return say::decide(&plugins, true, &said, "");
        }
    }
    for (_, program) in ENFORCERS {
        if runs(machine, program)? {
            return say::unknown(
                format!(
                    "{program} runs, and pods are connected through {names}: whether it enforces policies there is not known"
                ),
                "`ringfort prove`, which tries with pods of its own",
            );
        }
    }
    match plugins.value.iter().all(|it| OPEN.contains(&it.as_str())) {
        true => {
            let said =
                format!("pods are connected through {names}, and no program enforces policies");
            say::decide(&plugins, false, &said, "a network that enforces NetworkPolicies")
        }
        false => say::unknown(
            format!("whether {names} enforces policies is not known"),
            "`ringfort prove`, which tries with pods of its own",
        ),
    }
}

/// Names the plugins of the network that the runtime takes: the first by name.
fn plugins(machine: &Machine<'_>) -> Result<Seen<Vec<String>>, Gap> {
    let none = || Gap {
        said: format!("no network of pods is configured in {NETWORKS}"),
        closes: "facts of a machine with a network of pods".to_owned(),
    };
    let Some(listed) = machine.below(NETWORKS)? else { return Err(none()) };
    let is_one =
        |name: &&String| [".conf", ".conflist", ".json"].iter().any(|end| name.ends_with(end));
    let Some(first) = listed.value.iter().filter(is_one).min() else { return Err(none()) };
    let path = format!("{NETWORKS}/{first}");
    let Some(read) = machine.document(RUNTIME, &path)? else { return Err(none()) };
    let several = read.value["plugins"].as_array();
    let kinds =
        several.into_iter().flatten().chain([&read.value]).filter_map(|it| it["type"].as_str());
    let value: Vec<String> = kinds.map(str::to_owned).collect();
    match value.is_empty() {
        true => Err(none()),
        false => Ok(Seen { value, source: Source::File(path) }),
    }
}

/// Whether a machine has what ringfort enforces by, whatever runs there.
pub(super) fn is_configured(machine: &Machine<'_>) -> bool {
    machine.document(RINGFORT, POLICY).is_ok_and(|it| it.is_some())
}

fn runs(machine: &Machine<'_>, program: &str) -> Result<bool, Gap> {
    if program == RINGFORT {
        return machine.runs_part(["node", "policy"]);
    }
    let started = machine.started(program)?;
    Ok(started.iter().any(|words| match program {
        "kube-router" => !words.iter().any(|word| word == "--run-firewall=false"),
        _ => true,
    }))
}

/// Asks that pods are isolated: by policies that are objects, or on clusters that ringfort made by what
/// holds on every machine where there are none.
pub(super) fn is_isolated(looked: &Looked<'_>) -> Judgement {
    let Some(tally) = looked.objects else { return say::no_objects() };
    let by_objects = of_guideline(tally, "network/pods-are-isolated");
    if !matches!(by_objects, Ok(ringfort_model::judgement::Decided::Fail(_))) {
        return by_objects;
    }
    match looked.every_machine().is_ok() {
        true => match is_closed_everywhere(looked.machines) {
            Some(said) => said,
            None => by_objects,
        },
        false => by_objects,
    }
}

/// Says that every machine closes namespaces without policies, if it is seen of each.
fn is_closed_everywhere(machines: &[Machine<'_>]) -> Option<Judgement> {
    let mut seen = None;
    for machine in machines {
        let read = machine.document(RINGFORT, POLICY).ok()??;
        let is_closed = read.value["closed"] == Value::Bool(true);
        if !is_closed || !runs(machine, RINGFORT).ok()? {
            return None;
        }
        seen = Some(read);
    }
    let said = "namespaces without policies are closed: ringfort enforces it on every machine";
    seen.map(|seen| say::decide(&seen, true, said, ""))
}
