//! What ringfort's controls ask of facts beyond the benchmark: rows that no benchmark has, each called by its control's
//! id; and why facts decide nothing of the others.

use std::collections::BTreeSet;

use ringfort_facts::component::Component;
use ringfort_facts::component::kubelet::Kubelet;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::fact::{Seen, Source};
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Gap, Judgement};
use ringfort_model::kernel::OF_KUBELETS;
use ringfort_model::version::Minor;

use super::api_server::on;
use super::kubelet::switch;
use super::{Ask, Kept, Needs, Of, Row, automated};
use crate::benchmark::Looked;
use crate::benchmark::guard::{Does, Guard};
use crate::benchmark::say::{all, decide, each, fail, no_objects, not_here, pass, spared, unknown};

/// The rows, by their ids.
#[rustfmt::skip]
pub(in crate::benchmark) static ROWS: &[Row] = &[
    guarded("access/admission-objects", "API servers load the guard of admission objects", Guard { since: Minor::V1_37, ..guard("20-admission-objects.yaml", &[]) }),
    guarded("access/closed-control-planes", "API servers load the guard that keeps pods off control planes", guard("44-control-planes.yaml", &["control-planes.ringfort.dev"])),
    guarded("access/no-cluster-admin", "API servers load the guard of bindings to full administrators", guard("30-cluster-admin.yaml", &["bindings.ringfort.dev"])),
    guarded("access/no-escalating-roles", "API servers load the guard of roles by which somebody takes more", guard("35-roles.yaml", &["roles.ringfort.dev"])),
    guarded("access/no-host-volumes", "API servers load the guard of volumes of the machine", guard("42-volumes.yaml", &["volumes.ringfort.dev"])),
    guarded("access/system-accounts", "API servers load the guard of the system's accounts", guard("37-system-accounts.yaml", &["system-pods.ringfort.dev", "system-tokens.ringfort.dev"])),
    guarded("access/system-namespaces", "API servers load the guard of the system's namespaces", guard("38-system-namespaces.yaml", &["system-namespaces.ringfort.dev"])),
    guarded("access/system-roles", "API servers load the guard of the system's roles", guard("36-system-roles.yaml", &["system-roles.ringfort.dev"])),
    guarded("access/waived-namespaces", "API servers load the guard of namespaces that a waiver opens", guard("47-waived-namespaces.yaml", &["waived-machines.ringfort.dev", "waived-pods.ringfort.dev"])),
    own("audit/events-are-kept", "What API servers log is collected where it is written, and other control planes see it", Ask::Machine(collects)),
    own("ha/survives-control-plane", "Machines and servers reach the others where one stops", Ask::Machine(survives)),
    own("ha/three-control-planes", "Three control planes at least run, and no even number", Ask::Whole(Needs::Machines, &[], Of::Nothing, three_control_planes)),
    own("ha/three-workers", "Three workers at least run", Ask::Whole(Needs::Machines, &[], Of::Nothing, three_workers)),
    own("integrity/files-are-watched", "What watches files runs on every machine, and what tells control planes of it", Ask::Machine(watches)),
    own("network/cluster-dns", "Two name servers are asked for", Ask::Whole(Needs::Objects, &[], Of::Kinds(&["Deployment"]), name_servers)),
    own("network/pod-encryption", "Every machine has a key for the tunnel that carries what pods say, or none has", Ask::Whole(Needs::Machines, &[], Of::Nothing, encrypts)),
    own("node/apparmor", "No pod switches AppArmor off", Ask::Guidelines(&["workload/app-armor"])),
    own("node/components-drop-rights", "The controller manager and the scheduler are not root", Ask::Machine(drops_rights)),
    own("node/kernel-settings", "The kernel is set as kubelets expect it, and they insist", Ask::Machine(kernel)),
    guarded("workload/default-account", "API servers load the guard of default accounts", guard("50-default-account.yaml", &["default-account.ringfort.dev"])),
    guarded("workload/no-service-links", "API servers load what leaves out service links", Guard { does: Does::FillIn, since: Minor::V1_36, ..guard("15-service-links.yaml", &["pod-service-links.ringfort.dev"]) }),
    guarded("workload/user-namespaces", "API servers load the guard of user namespaces", Guard { since: Minor::V1_36, ..guard("45-user-namespaces.yaml", &["user-namespaces.ringfort.dev"]) }),
];

/// Controls of which facts decide nothing, and why.
pub(in crate::benchmark) static BY_BEHAVIOUR: [(&str, &str); 4] = [
    (
        "audit/findings-are-told",
        "who is to be told, and by which machines, stands in cluster.yaml, and no fact of a machine names it: a process \
         that runs may reach nobody, and a finding that came shows that it does",
    ),
    (
        "node/minimum-hardware",
        "processors, memory and disk are measured on the machine before anything is written, and by the proof; what a \
         machine has is nothing that anybody sets",
    ),
    (
        "versions/pinned-by-digest",
        "facts tell names and releases, which anything may have: the proof takes the digest of what runs",
    ),
    (
        "workload/addons",
        "what an add-on is stands in its manifests: the API is asked whether it has each of their fields",
    ),
];

const fn own(id: &'static str, title: &'static str, ask: Ask) -> Row {
    automated(id, title, Kept::By(id), ask)
}

const fn guarded(id: &'static str, title: &'static str, guard: Guard) -> Row {
    own(id, title, Ask::Guard(guard))
}

const fn guard(file: &'static str, policies: &'static [&'static str]) -> Guard {
    Guard { does: Does::Refuse, file, policies, since: Minor::V1_35 }
}

const UP: &str = "ringfort up";

/// Asks that a part of ringfort runs on a machine.
fn part(machine: &Machine<'_>, words: [&str; 2]) -> Judgement {
    let runs = machine.runs_part(words)?;
    let (name, source) = (format!("ringfort {}", words.join(" ")), processes());
    match runs {
        true => pass(&Seen { value: runs, source }, format!("{name} runs")),
        false => Ok(fail(format!("{name} does not run"), UP)),
    }
}

fn processes() -> Source {
    Source::File("/proc".to_owned())
}

fn collects(machine: &Machine<'_>) -> Judgement {
    match machine.running(Component::ApiServer)?.is_empty() {
        true => not_here(machine, Component::ApiServer),
        false => all([["audit", "collect"], ["audit", "witness"]]
            .map(|it| part(machine, it))
            .into_iter()),
    }
}

/// What is found and told to nobody else is found by whoever looks there.
fn watches(machine: &Machine<'_>) -> Judgement {
    all([["integrity", "watch"], ["integrity", "report"]].map(|it| part(machine, it)).into_iter())
}

/// Whoever has one server, one store or one leader that nobody follows stops with it.
fn survives(machine: &Machine<'_>) -> Judgement {
    let api = Component::ApiServer;
    let leads = [Component::ControllerManager, Component::Scheduler];
    let reaches = [
        part(machine, ["node", "balance"]),
        each(machine, api, || machine.running(api), |server| several_stores(machine, server)),
    ];
    all(reaches.into_iter().chain(leads.map(|it| follows(machine, it))))
}

fn follows(machine: &Machine<'_>, component: Component) -> Judgement {
    let judge = |settings: &Settings| on(settings, "leader-elect");
    each(machine, component, || machine.running(component), judge)
}

/// A server whose store has no other member cannot know another: that there is one control plane is what another row
/// fails for.
fn several_stores(machine: &Machine<'_>, server: &Settings) -> Judgement {
    let seen = server.texts("etcd-servers").known()?.clone();
    let said = format!("--etcd-servers names {}", seen.value.len());
    if seen.value.len() == 1 && members(machine)? == 1 {
        return spared(format!("{said}, and the store has no other member"));
    }
    decide(&seen, seen.value.len() > 1, &said, "name every member with --etcd-servers")
}

/// Counts the members that the stores of a machine are told of.
fn members(machine: &Machine<'_>) -> Result<usize, Gap> {
    let mut most = 0;
    for store in machine.running(Component::Etcd)? {
        let told = store.text("initial-cluster").known()?.value.clone();
        most = most.max(told.split(',').filter(|it| !it.is_empty()).count());
    }
    Ok(most)
}

/// What no quorum survives with fewer, and no even number survives better.
const ENOUGH: usize = 3;

fn three_control_planes(looked: &Looked<'_>) -> Judgement {
    let (planes, _) = parts(looked)?;
    // One more would change what is odd.
    looked.every_machine()?;
    let said = format!("{planes} machines run an API server");
    match planes >= ENOUGH && planes % 2 == 1 {
        true => pass(&Seen { value: planes, source: processes() }, said),
        false => Ok(fail(said, "three control planes, or five, in cluster.yaml")),
    }
}

fn three_workers(looked: &Looked<'_>) -> Judgement {
    let (_, workers) = parts(looked)?;
    let said = format!("{workers} machines run a kubelet and no API server");
    if workers >= ENOUGH {
        return pass(&Seen { value: workers, source: processes() }, said);
    }
    looked.every_machine()?;
    Ok(fail(said, "three workers at least in cluster.yaml"))
}

/// Counts control planes and workers among the machines of the cluster that were looked at.
fn parts(looked: &Looked<'_>) -> Result<(usize, usize), Gap> {
    let (mut planes, mut workers) = (0, 0);
    let mut counted = BTreeSet::new();
    for machine in looked.members() {
        if !counted.insert(machine.name()) {
            return unknown(
                format!("{} was looked at twice", machine.name()),
                "one file of facts for each machine",
            );
        }
        let serves = !machine.running(Component::ApiServer)?.is_empty();
        let has_kubelet = !machine.running(Component::Kubelet)?.is_empty();
        planes += usize::from(serves);
        workers += usize::from(has_kubelet && !serves);
    }
    Ok((planes, workers))
}

/// How many name servers are asked for at least.
const NAME_SERVERS: u64 = 2;

fn name_servers(looked: &Looked<'_>) -> Judgement {
    let Some(tally) = looked.objects else { return no_objects() };
    let asked = tally.census.name_servers;
    let said = format!("the name servers of kube-system are to be {asked}");
    if asked >= NAME_SERVERS {
        let source = Source::Default("objects of the API".to_owned());
        return pass(&Seen { value: asked, source }, said);
    }
    // What was not listed may be the others.
    tally.sees(&["Deployment"])?;
    Ok(fail(said, UP))
}

/// Where ringfort keeps what is Kubernetes', the key of the tunnel in it, and what says who uses it.
const KEY: (&str, &str) = ("/etc/kubernetes", "wireguard.key");
const ROUTES: &str = "/etc/kubernetes/routes.json";

/// How packets of pods leave a machine for others.
enum Way {
    /// In the tunnel.
    Sealed,
    /// In the open, as it is where a kernel has no WireGuard, and where another network connects pods.
    Open,
    /// In the open, though something of a tunnel is there, for this reason.
    Broken(&'static str),
}

/// A machine without a tunnel among others that have one is spoken with in the open. Where none has one, facts do not
/// tell whether kernels could do it.
fn encrypts(looked: &Looked<'_>) -> Judgement {
    let (mut sealed, mut open, mut broken, mut unseen) = (0, Vec::new(), Vec::new(), None);
    for machine in looked.machines {
        match way(machine) {
            Ok(Way::Sealed) => sealed += 1,
            Ok(Way::Open) => open.push(format!("{} has no tunnel", machine.name())),
            Ok(Way::Broken(why)) => broken.push(format!("{} {why}", machine.name())),
            Err(gap) => unseen = unseen.or(Some(gap)),
        }
    }
    let is_asked = looked.intent.is_some_and(|it| it.is_encrypted);
    if is_asked || sealed > 0 || !broken.is_empty() {
        broken.append(&mut open);
    }
    if !broken.is_empty() {
        return Ok(fail(broken.join(", "), UP));
    }
    unseen.map_or(Ok(()), Err)?;
    looked.every_known_machine()?;
    match sealed {
        _ if looked.machines.is_empty() => {
            unknown("no machine was looked at", "facts of every machine, by `ringfort gather`")
        }
        0 => spared(
            "no machine has a tunnel: so it is where a kernel has no WireGuard, or another network connects pods",
        ),
        sealed => {
            let said =
                format!("{sealed} machines have the key of a tunnel between them, and use it");
            pass(&Seen { value: sealed, source: Source::File(ROUTES.to_owned()) }, said)
        }
    }
}

fn way(machine: &Machine<'_>) -> Result<Way, Gap> {
    let runs = machine.runs_part(["node", "routes"])?;
    let routes = machine.document("ringfort", ROUTES)?;
    let has_tunnel = routes.is_some_and(|it| it.value["tunnel"].is_object());
    if !runs && !has_tunnel {
        return Ok(Way::Open);
    }
    let (directory, name) = KEY;
    let listed = machine.below(directory)?;
    let has_key = listed.is_some_and(|it| it.value.iter().any(|found| found == name));
    Ok(match (runs, has_tunnel, has_key) {
        (true, true, true) => Way::Sealed,
        (_, false, false) => Way::Open,
        (_, false, true) => Way::Broken("has a key, and routes.json names no tunnel"),
        (_, true, false) => Way::Broken("has a tunnel in routes.json, and no key for it"),
        (false, true, true) => Way::Broken("does not run ringfort node routes"),
    })
}

fn drops_rights(machine: &Machine<'_>) -> Judgement {
    let judge = |component: Component| -> Judgement {
        let users = machine.users(component)?;
        if users.is_empty() {
            return not_here(machine, component);
        }
        let is_root = users.contains(&0);
        let said =
            format!("{component} runs as {}", if is_root { "root" } else { "another than root" });
        decide(&Seen { value: users, source: processes() }, !is_root, &said, UP)
    };
    all([Component::ControllerManager, Component::Scheduler].into_iter().map(judge))
}

fn kernel(machine: &Machine<'_>) -> Judgement {
    let settings = OF_KUBELETS.iter().map(|(name, wanted)| -> Judgement {
        let fix = format!("sysctl {name}={wanted}");
        let Some(seen) = machine.kernel(name)? else {
            return Ok(fail(format!("the kernel has no setting {name}"), &fix));
        };
        decide(&seen, seen.value == *wanted, &format!("{name} is {}", seen.value), &fix)
    });
    let insists = |kubelet: &Kubelet| switch(kubelet, "protectKernelDefaults", true);
    let insists = each(machine, Component::Kubelet, || machine.kubelets(), insists);
    all(settings.chain([insists]))
}
