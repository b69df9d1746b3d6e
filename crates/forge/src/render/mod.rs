//! Renders the blueprint: a pure function of the spec, the public half of the trust, and the lock of
//! the bundle. The same input gives the same bytes, and no secret is in them.
//!
//! Never here: what a cluster should be, which the controls say; and what machines are like.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ringfort_controls::access::service_account_tokens;
use ringfort_controls::audit::site::{NONE, SiteFiles};
use ringfort_controls::draft::{Draft, DraftFault, Given, Needs, Stamp};
use ringfort_controls::network::pod_encryption;
use ringfort_controls::sabotage::Sabotage;
use ringfort_controls::{CATALOGUE, Control, access, workload};
use ringfort_model::addon::Addon;
use ringfort_model::blueprint::Blueprint;
use ringfort_model::bundle::BundleLock;
use ringfort_model::digest::Digest;
use ringfort_model::trust::TrustFacts;
use ringfort_spec::Spec;

mod sample;
mod tree;

pub use sample::{sample_trust, sample_tunnel_key};
pub use tree::{Written, tree};

/// What machines are given.
#[derive(Clone, Debug)]
pub struct Materials<'a> {
    /// The lock of the bundle.
    pub bundle: &'a BundleLock,
    /// Digest of the ringfort binary that machines run.
    pub ringfort: Digest,
    /// The manifests of the spec's add-ons.
    pub addons: &'a [Addon],
    /// What the site adds to what is looked for in logs.
    pub site: &'a SiteFiles,
}

/// A blueprint, and who asked for each part of what several controls write together.
#[derive(Debug)]
pub struct Rendered {
    /// The blueprint.
    pub blueprint: Blueprint,
    /// Flags and settings, each with the control that asked for it.
    pub stamps: BTreeSet<Stamp>,
}

/// Says why there is no blueprint: everything that is wrong, at once.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct RenderError {
    /// What is wrong.
    pub faults: Vec<DraftFault>,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
        write!(f, "the blueprint cannot be drawn: {}", lines.join("; "))
    }
}

/// The path of the key with which an API server signs service accounts' tokens.
pub const SIGNING_KEY: &str = ringfort_controls::paths::SERVICE_ACCOUNT_KEY;

/// Renders only what must be on machines before the rest can be rendered: on control planes the keys
/// that sign service accounts' tokens, since every server must know every public half, and on all
/// machines their WireGuard keys, where packets of pods are encrypted.
pub fn keys(spec: &Spec, known: &TrustFacts) -> Blueprint {
    let (trust, bundle, ringfort) = sample::nothing(spec);
    let (site, addons) = (&NONE, &[]);
    let given = Given { trust: &trust, bundle: &bundle, ringfort: &ringfort, addons, site };
    let mut draft = Draft::new(spec, given);
    draft.sign(service_account_tokens::CONTROL.id);
    draft.control_planes(service_account_tokens::own_key);
    if pod_encryption::is_on(spec, known) {
        draft.sign(pod_encryption::CONTROL.id);
        draft.everywhere(pod_encryption::own_key);
    }
    let drafted = draft.finish(Needs::All).expect("a key and its directories need nothing else");
    Blueprint {
        cluster: spec.name.clone(),
        kubernetes: format!("v{}", spec.kubernetes),
        machines: drafted.machines,
        objects: drafted.objects,
    }
}

/// Renders the whole blueprint.
///
/// # Errors
/// The trust or the bundle lacks something, or controls contradict each other.
pub fn render(
    spec: &Spec,
    trust: &TrustFacts,
    materials: &Materials<'_>,
) -> Result<Blueprint, RenderError> {
    render_all(spec, trust, materials).map(|rendered| rendered.blueprint)
}

/// Renders the whole blueprint with its stamps.
///
/// # Errors
/// As [`render`].
pub fn render_all(
    spec: &Spec,
    trust: &TrustFacts,
    materials: &Materials<'_>,
) -> Result<Rendered, RenderError> {
    draw(spec, trust, materials, &kept(spec), (Needs::All, None))
}

/// A control that is broken on purpose, and how.
pub type Broken = (&'static Control, &'static Sabotage);

/// Renders the blueprint with a control broken on purpose, for throwaway machines.
///
/// # Errors
/// As [`render`]; also if there is nothing to break.
pub fn render_broken(
    broken: Broken,
    spec: &Spec,
    trust: &TrustFacts,
    materials: &Materials<'_>,
) -> Result<Blueprint, RenderError> {
    let how = (Needs::Present, Some(broken));
    draw(spec, trust, materials, &kept(spec), how).map(|rendered| rendered.blueprint)
}

fn kept(spec: &Spec) -> Vec<&'static Control> {
    CATALOGUE.iter().copied().filter(|control| !is_waived(spec, control)).collect()
}

/// Renders the blueprint as it would be without one control, to show what that control is for.
///
/// # Errors
/// As [`render`]; also if another control would be dangerous without this one.
pub fn render_without(
    control: &str,
    spec: &Spec,
    trust: &TrustFacts,
    materials: &Materials<'_>,
) -> Result<Blueprint, RenderError> {
    let rest: Vec<_> = CATALOGUE
        .iter()
        .copied()
        .filter(|one| one.id != control && !is_waived(spec, one))
        .collect();
    let how = (Needs::Present, None);
    draw(spec, trust, materials, &rest, how).map(|rendered| rendered.blueprint)
}

/// A waiver for the whole cluster takes a control out, unless the control reads it itself: these
/// make the cluster work, and a waiver only changes how.
fn is_waived(spec: &Spec, control: &Control) -> bool {
    spec.waives(control.id) && !KEPT.contains(&control.id)
}

/// Controls that stay whatever is waived. Without most of them there is no cluster: their waivers are about numbers or
/// about settings of the spec. Findings go on being told to all who take them: a waiver hands over without waiting for the
/// others.
const KEPT: [&str; 4] = [
    "ha/three-control-planes",
    "ha/nodes-are-ready",
    "access/no-privileged-containers",
    "audit/findings-are-told",
];

fn draw(
    spec: &Spec,
    trust: &TrustFacts,
    materials: &Materials<'_>,
    controls: &[&'static Control],
    (needs, broken): (Needs, Option<Broken>),
) -> Result<Rendered, RenderError> {
    let Materials { bundle, ringfort, addons, site } = materials;
    let given = Given { trust, bundle, ringfort, addons, site };
    let mut draft = Draft::new(spec, given);
    for control in controls {
        if let Some(make) = control.make {
            draft.sign(control.id);
            make(spec, &mut draft);
        }
    }
    guard_defaults(spec, controls, &mut draft);
    if let Some((control, sabotage)) = broken {
        draft.break_by(control, sabotage, &sabotage.machines(spec));
    }
    let drafted = draft.finish(needs).map_err(|faults| RenderError { faults })?;
    let blueprint = Blueprint {
        cluster: spec.name.clone(),
        kubernetes: release(materials),
        machines: drafted.machines,
        objects: drafted.objects,
    };
    Ok(Rendered { blueprint, stamps: drafted.stamps })
}

/// Pod Security accepts root in a user namespace. A default that puts pods there must not come
/// without the guard that refuses root all the same.
fn guard_defaults(spec: &Spec, controls: &[&'static Control], draft: &mut Draft<'_>) {
    let (loosening, guard) = (workload::user_namespaces::CONTROL.id, access::non_root::CONTROL.id);
    let is_there = |id: &str| controls.iter().any(|control| control.id == id);
    let fills_in = spec.kubernetes.minor.has_mutating_policies() && is_there(loosening);
    if fills_in && !is_there(guard) {
        draft.fault(DraftFault::Unguarded { loosening, guard });
    }
}

fn release(materials: &Materials<'_>) -> String {
    format!("v{}", materials.bundle.kubernetes)
}

/// Counts items by the control that asked for them.
pub fn by_control(blueprint: &Blueprint) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    let items = blueprint.machines.values().flat_map(|machine| machine.items.values());
    for by in items.map(|item| &item.by).chain(blueprint.objects.iter().map(|object| &object.by)) {
        *counts.entry(by.as_str()).or_default() += 1;
    }
    counts
}
