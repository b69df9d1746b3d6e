//! What a `cluster.yaml` says about who is meant to do what, and what is waived.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::civil::Date;
use ringfort_check::benchmark::{Intent, Judged, Looked, judge, judge_beyond, waive};
use ringfort_check::waivers::{Scope, Waiver};
use ringfort_forge::addons;
use ringfort_model::addon::Addon;
use ringfort_model::api_object::ObjectKey;
use ringfort_model::version::Minor;
use ringfort_spec::{Encryption, POD_ENCRYPTION, Provider, Scope as Written, Spec};

use crate::cli::session::{beside, home};
use crate::cli::{Fault, specification};

/// What is declared of a cluster.
pub(super) struct Declared {
    pub(super) intent: Intent,
    waivers: Vec<Waiver>,
    pub(super) minor: Minor,
}

impl Declared {
    /// Reads it as it stands on a day.
    pub(super) fn read(file: &Path, day: Date) -> Result<Self, Fault> {
        let spec = specification::read_on(file, day)?;
        let addons = addons::read(&spec, &home()?, beside(file)).map_err(Fault::usage)?;
        let objects = addons.iter().flat_map(|addon| &addon.objects);
        let intent = Intent {
            machines: spec.nodes.keys().map(ToString::to_string).collect(),
            addons: objects
                .map(|object| (ObjectKey::of(object).to_string(), object.clone()))
                .collect(),
            users: users(&spec),
            is_encrypted: spec.network.provider == Provider::Ringfort
                && spec.network.encryption == Encryption::Wireguard
                && !spec.waives(POD_ENCRYPTION),
        };
        let all = spec.waivers.iter().chain(&spec.ended);
        let waivers = all.filter_map(|waiver| waiver_of(waiver, &addons)).collect();
        Ok(Self { intent, waivers, minor: spec.kubernetes.minor })
    }
}

/// Judges every row by what was looked at, with what ringfort's controls ask besides of clusters that it made, and
/// applies what is waived on a day.
pub(super) fn judged(
    looked: &Looked<'_>,
    declared: Option<&Declared>,
    day: Date,
) -> (Vec<Judged>, Vec<String>) {
    let mut judged = judge(looked);
    judged.extend(judge_beyond(looked));
    let waivers = declared.map(|declared| declared.waivers.as_slice()).unwrap_or_default();
    let unused = waive(&mut judged, looked, waivers, day);
    let idle = unused.into_iter().filter_map(|number| idle(&waivers[number], day)).collect();
    (judged, idle)
}

/// Says what is wrong with a waiver of a row or guideline that covers nothing. One of a control may be about
/// what no row asks for.
fn idle(waiver: &Waiver, day: Date) -> Option<String> {
    let Waiver { control, owner, expires, .. } = waiver;
    let is_ours = ringfort_controls::find(control).is_none();
    match (waiver.holds(day), is_ours) {
        (false, _) => Some(format!("the waiver of {control} by {owner} ended on {expires}")),
        (true, true) => {
            Some(format!("the waiver of {control} by {owner} covers nothing that fails"))
        }
        (true, false) => None,
    }
}

fn users(spec: &Spec) -> BTreeSet<String> {
    let user = |waiver: &ringfort_spec::Waiver| match &waiver.scope {
        Written::Namespaces { user, .. } => Some(user.clone()),
        _ => None,
    };
    spec.waivers.iter().filter_map(user).collect()
}

/// Gives a waiver as rows take it; none where nobody can say here what it is limited to.
fn waiver_of(waiver: &ringfort_spec::Waiver, addons: &[Addon]) -> Option<Waiver> {
    let scope = match &waiver.scope {
        Written::Cluster => None,
        Written::Named(names) => Some(names.iter().cloned().collect()),
        Written::Addon(name) => Some(namespaces(addons.iter().find(|it| it.name == *name)?)),
        Written::Nodes(nodes) => {
            let nodes = nodes.iter().map(ToString::to_string).collect();
            return Some(of(waiver, Some(Scope { nodes, ..Scope::default() })));
        }
        Written::Namespaces { .. } => return None,
    };
    Some(of(waiver, scope.map(|namespaces| Scope { namespaces, ..Scope::default() })))
}

fn of(waiver: &ringfort_spec::Waiver, scope: Option<Scope>) -> Waiver {
    Waiver {
        control: waiver.control.clone(),
        scope,
        reason: waiver.reason.clone(),
        owner: waiver.owner.clone(),
        expires: waiver.expires,
    }
}

fn namespaces(addon: &Addon) -> Vec<String> {
    let own = addon.objects.iter().filter(|object| object["kind"] == "Namespace");
    own.filter_map(|object| object["metadata"]["name"].as_str()).map(str::to_owned).collect()
}
