//! Rules about waivers: that each names a control that exists and a limit that means something; that
//! what loosens a default has one; and that none has ended whose end nobody can enforce.

use std::collections::BTreeMap;

use jiff::civil::Date;
use ringfort_model::name::NodeName;

use super::{
    APPARMOR, DEFAULT_DENY, Machine, NETWORK_POLICY, NO_PRIVILEGED_CONTAINERS, OWN, POD_ENCRYPTION,
    THREE_CONTROL_PLANES, THREE_WORKERS, hosts,
};
use crate::known::{Known, Limit};
use crate::parsed::Parsed;
use crate::report::Problem;
use crate::settings::{Encryption, Provider};
use crate::shape::meant;
use crate::spec;
use crate::written::{Scope, Waiver};

/// Says whether a control is waived for the whole cluster. A waiver of which a part could not be
/// read counts: what is wrong with it has been said.
pub(super) fn holds(parsed: &Parsed, control: &str) -> bool {
    let whole = |waiver: &&Waiver| waiver.scope.is_none();
    let named = |waiver: &Waiver| waiver.control.as_deref() == Some(control);
    parsed.written.waivers.iter().flatten().filter(whole).any(named)
}

/// Says whether a control is waived for a machine, alone or with the whole cluster.
fn holds_on(parsed: &Parsed, control: &str, machine: &NodeName) -> bool {
    let names = |scope: &Scope| scope.nodes.iter().flatten().any(|node| node == machine);
    let covers = |waiver: &Waiver| {
        waiver.control.as_deref() == Some(control) && waiver.scope.as_ref().is_some_and(names)
    };
    holds(parsed, control) || parsed.written.waivers.iter().flatten().any(covers)
}

/// Turns a written limit into what it means; `None` if it means nothing.
pub(crate) fn scope_of(written: Option<&Scope>) -> Option<spec::Scope> {
    let Some(written) = written else { return Some(spec::Scope::Cluster) };
    let Scope { namespace_label, user, addon, namespaces, nodes } = written;
    match (namespace_label, user, addon, namespaces.as_slice(), nodes.as_slice()) {
        (Some(label), Some(user), None, [], []) => {
            Some(spec::Scope::Namespaces { label: label.clone(), user: user.clone() })
        }
        (None, None, Some(addon), [], []) => Some(spec::Scope::Addon(addon.clone())),
        (None, None, None, names @ [_, ..], []) => {
            Some(spec::Scope::Named(names.iter().flatten().cloned().collect()))
        }
        (None, None, None, [], nodes @ [_, ..]) => {
            Some(spec::Scope::Nodes(nodes.iter().flatten().cloned().collect()))
        }
        _ => None,
    }
}

pub(super) fn look(
    parsed: &Parsed,
    machines: &[Machine<'_>],
    known_controls: &[Known],
    today: Date,
) -> Vec<Problem> {
    let mut problems = loosened(parsed, machines);
    for (index, waiver) in parsed.written.waivers.iter().enumerate() {
        let Some(waiver) = waiver else { continue };
        let path = format!("/waivers/{index}");
        problems.extend(unknown(parsed, waiver, &path, known_controls));
        problems.extend(expired(parsed, waiver, &path, today));
        problems.extend(limits(parsed, waiver, &path, machines));
        problems.extend(too_wide(parsed, waiver, &path, known_controls));
    }
    problems.extend(groundless(parsed));
    problems.extend(twice(parsed));
    problems
}

/// Finds settings that loosen a default without a waiver.
fn loosened(parsed: &Parsed, machines: &[Machine<'_>]) -> Vec<Problem> {
    let written = &parsed.written;
    let network = &written.network;
    let open = network.encryption == Encryption::None && network.provider == Provider::Ringfort;
    let settings = [
        (written.allow_privileged, "/allowPrivileged", NO_PRIVILEGED_CONTAINERS),
        (!written.runtime.app_armor, "/runtime/appArmor", APPARMOR),
        (open, "/network/encryption", POD_ENCRYPTION),
    ];
    let bare = settings.iter().filter(|(loose, _, control)| *loose && !holds(parsed, control));
    let mut problems: Vec<Problem> =
        bare.map(|(_, path, control)| needs_waiver(parsed, path, control, "")).collect();
    for machine in machines {
        let (Some(runtime), Some(name)) = (machine.runtime, &machine.name) else { continue };
        if runtime.app_armor == Some(false) && !holds_on(parsed, APPARMOR, name) {
            let path = format!("{}/runtime/appArmor", machine.path);
            let scope = format!("scope: {{ nodes: [{name}] }}, ");
            problems.push(needs_waiver(parsed, &path, APPARMOR, &scope));
        }
    }
    problems
}

/// Finds a waiver that takes away what another control rests on.
fn groundless(parsed: &Parsed) -> Option<Problem> {
    if parsed.written.network.provider != Provider::Ringfort
        || !holds(parsed, NETWORK_POLICY)
        || holds(parsed, DEFAULT_DENY)
    {
        return None;
    }
    let takes = |waiver: &&Option<Waiver>| {
        waiver.as_ref().is_some_and(|it| it.control.as_deref() == Some(NETWORK_POLICY))
    };
    let index = parsed.written.waivers.iter().position(|waiver| takes(&waiver))?;
    let at = parsed.value_at(&format!("/waivers/{index}/control"));
    let message = format!("without `{NETWORK_POLICY}` nothing enforces `{DEFAULT_DENY}`");
    let problem = Problem::new("needs-waiver", at, message);
    Some(problem.help(format!(
        "add `{{ control: {DEFAULT_DENY}, reason: …, owner: …, expires: … }}`, or remove this waiver"
    )))
}

fn needs_waiver(parsed: &Parsed, path: &str, control: &str, scope: &str) -> Problem {
    let message = format!("this loosens `{control}`, which is not waived");
    Problem::new("needs-waiver", parsed.value_at(path), message).help(format!(
        "add to waivers `{{ control: {control}, {scope}reason: …, owner: …, expires: … }}`"
    ))
}

fn unknown(parsed: &Parsed, waiver: &Waiver, path: &str, known: &[Known]) -> Option<Problem> {
    let control = waiver.control.as_deref()?;
    let all: Vec<&str> = known.iter().chain(&OWN).map(|known| known.id).collect();
    if all.contains(&control) {
        return None;
    }
    let at = parsed.value_at(&format!("{path}/control"));
    let problem = Problem::new("unknown-control", at, format!("there is no control `{control}`"));
    let list = || "`ringfort explain` lists the controls".to_owned();
    Some(problem.help(meant(control, &all).unwrap_or_else(list)))
}

/// What these allow is there or is not, and cannot be taken back with the waiver. Every other waiver
/// simply holds no more.
const NEVER_TAKEN_BACK: [&str; 3] = [APPARMOR, THREE_CONTROL_PLANES, THREE_WORKERS];

fn expired(parsed: &Parsed, waiver: &Waiver, path: &str, today: Date) -> Option<Problem> {
    waiver.control.as_deref().filter(|control| NEVER_TAKEN_BACK.contains(control))?;
    let expires = waiver.expires.filter(|expires| *expires < today)?;
    let at = parsed.value_at(&format!("{path}/expires"));
    let message = format!("the waiver ended on {expires}, and today is {today}");
    let problem = Problem::new("expired-waiver", at, message);
    Some(problem.help("remove it, or have its owner decide again and set a new date"))
}

fn limits(parsed: &Parsed, waiver: &Waiver, path: &str, machines: &[Machine<'_>]) -> Vec<Problem> {
    let path = format!("{path}/scope");
    let Some(scope) = waiver.scope.as_ref().filter(|_| parsed.sound(&path)) else {
        return Vec::new();
    };
    if scope_of(Some(scope)).is_none() {
        let message =
            "the limit is not one of a label with a user, an add-on, namespaces and nodes";
        let problem = Problem::new("bad-scope", parsed.key_at(&path), message);
        return vec![problem.help(
            "write `{ namespaceLabel: KEY, user: NAME }`, `{ addon: NAME }`, `{ namespaces: [NAME] }` or \
             `{ nodes: [NAME] }`, or leave it out",
        )];
    }
    if let Some(addon) = &scope.addon {
        return unknown_addon(parsed, addon, &path).into_iter().collect();
    }
    if !hosts::all_known(parsed, machines) {
        return Vec::new();
    }
    let is_machine = |name: &NodeName| machines.iter().any(|m| m.name.as_ref() == Some(name));
    let named = scope.nodes.iter().enumerate();
    let strangers = named.filter_map(|(index, name)| Some((index, name.as_ref()?)));
    let names: Vec<&str> =
        machines.iter().filter_map(|m| m.name.as_ref()).map(NodeName::as_str).collect();
    let say = |(index, name): (usize, &NodeName)| {
        let at = parsed.value_at(&format!("{path}/nodes/{index}"));
        let problem = Problem::new("unknown-node", at, format!("there is no node {name}"));
        let all = || format!("the nodes are {}", names.join(", "));
        problem.help(meant(name.as_str(), &names).unwrap_or_else(all))
    };
    strangers.filter(|(_, name)| !is_machine(name)).map(say).collect()
}

fn unknown_addon(parsed: &Parsed, addon: &str, path: &str) -> Option<Problem> {
    let addons = parsed.written.addons.iter().flatten();
    let names: Vec<&str> = addons.filter_map(|addon| addon.name.as_deref()).collect();
    if names.contains(&addon) || !parsed.sound("/addons") {
        return None;
    }
    let at = parsed.value_at(&format!("{path}/addon"));
    let problem = Problem::new("unknown-addon", at, format!("there is no add-on {addon}"));
    let add = || "add it to `addons`, with the files of its manifests".to_owned();
    Some(problem.help(meant(addon, &names).unwrap_or_else(add)))
}

/// A control that others rest on is not waived at all, and one about pods not for nodes.
fn too_wide(parsed: &Parsed, waiver: &Waiver, path: &str, known: &[Known]) -> Option<Problem> {
    let control = waiver.control.as_deref()?;
    let limit = match scope_of(waiver.scope.as_ref())? {
        spec::Scope::Cluster => Limit::Cluster,
        spec::Scope::Namespaces { .. } | spec::Scope::Addon(_) => Limit::Namespaces,
        spec::Scope::Named(_) => Limit::Named,
        spec::Scope::Nodes(_) => Limit::Nodes,
    };
    let limits = known.iter().chain(&OWN).find(|known| known.id == control)?.limits;
    if limits.contains(&limit) {
        return None;
    }
    let at = parsed.value_at(&format!("{path}/control"));
    let message = match limits {
        [] => format!("`{control}` cannot be waived: other controls rest on it"),
        _ => format!("`{control}` cannot be waived {}", limit.written()),
    };
    let ways: Vec<&str> = limits.iter().map(|limit| limit.written()).collect();
    Some(Problem::new("bad-waiver", at, message).help(match limits {
        [] => "remove the waiver".to_owned(),
        _ => format!("write it {}", ways.join(", or ")),
    }))
}

fn twice(parsed: &Parsed) -> Vec<Problem> {
    let mut seen = BTreeMap::new();
    let mut problems = Vec::new();
    for (index, waiver) in parsed.written.waivers.iter().enumerate() {
        let Some(waiver) = waiver else { continue };
        let scope = scope_of(waiver.scope.as_ref());
        let (Some(control), Some(scope)) = (waiver.control.as_deref(), scope) else { continue };
        let at = parsed.value_at(&format!("/waivers/{index}/control"));
        if let Some(first) = seen.insert((control, scope), at.clone()) {
            let message = format!("`{control}` is waived twice with the same limit");
            let problem = Problem::new("duplicate-waiver", at, message).label("again here");
            problems.push(problem.also(first, "first here").help("keep one of the two"));
        }
    }
    problems
}
