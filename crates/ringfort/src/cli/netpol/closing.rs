//! Which pods that run `up` would close: told before it does, since whoever closes a namespace of a cluster at work
//! wants to write the policies first. What is judged is the API as it is, and the blueprint's own objects over it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ringfort_api::{ApiError, Cluster};
use ringfort_controls::network::default_deny::{self, defaults, waived};
use ringfort_controls::network::network_policy::{self, USER};
use ringfort_forge::drive::run::in_turn;
use ringfort_forge::make::{Preflight, Work};
use ringfort_model::api_object::{ApiObject, ObjectKey, group};
use ringfort_model::event::{ClosedPod, Event};
use ringfort_model::known::KnownObject;
use ringfort_model::network_policy::{Defaults, WIDER_GROUP};
use ringfort_policy::{
    Cut, Direction, Labels, NAME_LABEL, Place, Policy, WiderKind, WiderName, World, cut, labels,
    place, policy, wider, with_name,
};
use ringfort_spec::{Provider, Spec};
use serde_json::Value;
use tokio::time::timeout;

use super::super::Fault;
use super::live::{self, NotSeen};
use super::seen::Seen;
use crate::report::Voice;

/// Tells which pods that run are about to be closed. What could not be seen keeps nobody from repairing a cluster.
///
/// # Errors
/// Never: it is what may be cut by an interrupt.
pub(in crate::cli) async fn forewarn(
    work: &Work<'_>,
    preflight: &Preflight,
    voice: &mut Voice,
) -> Result<(), Fault> {
    let unseen = |why: &str, _: f64| {
        advice(format!(
            "which pods that run are about to be closed was not seen ({why}): {OTHERWISE}"
        ))
    };
    tell(work, preflight, voice, unseen).await;
    Ok(())
}

/// Tells which pods that run `up` would close.
///
/// # Errors
/// As above.
pub(in crate::cli) async fn foretell(
    work: &Work<'_>,
    preflight: &Preflight,
    voice: &mut Voice,
) -> Result<(), Fault> {
    tell(work, preflight, voice, unforeseen).await;
    Ok(())
}

fn unforeseen(why: &str, seconds: f64) -> Event {
    Event::Unseen {
        node: None,
        item: "pods that run and would be closed".to_owned(),
        by: default_deny::CONTROL.id.to_owned(),
        why: format!("{why}; run it again when an API server tells of them, or {OTHERWISE}"),
        seconds,
    }
}

async fn tell(
    work: &Work<'_>,
    preflight: &Preflight,
    voice: &mut Voice,
    unseen: impl FnOnce(&str, f64) -> Event,
) {
    let Some(wanted) = wanted(work.spec).filter(|_| preflight.exists) else { return };
    voice.stage("pods that policies close");
    match look(work, wanted).await {
        Ok(Closing { cuts, .. }) if cuts.is_empty() => {}
        Ok(Closing { cuts, notes }) => {
            let seconds = voice.seconds();
            voice.tell(&closes(&cuts, seconds));
            notes.into_iter().for_each(|note| voice.tell(&advice(note)));
        }
        Err(why) => {
            let seconds = voice.seconds();
            voice.tell(&unseen(&why, seconds));
        }
    }
}

/// Says that nobody looked at pods, where pods that run might be closed.
pub(in crate::cli) fn offline(spec: &Spec) -> Option<Event> {
    // Also where namespaces stay open, policies that lie there unused would close what they select.
    wanted(spec).map(|_| {
        advice(format!(
            "offline nobody looks which pods run: on a cluster that is there already, `ringfort plan` without \
             --offline names those that would be closed, or {OTHERWISE}"
        ))
    })
}

/// What else shows them.
const OTHERWISE: &str = "look for pods that no policy selects: kubectl get pods,networkpolicies -A";

/// How long a server may take to say what is enforced. One that hangs is left for the next: this may be the run that
/// repairs it.
const FIRST: Duration = Duration::from_secs(5);

/// How long one that answers may take to tell of all pods and policies.
const LISTS: Duration = Duration::from_secs(60);

fn advice(finding: String) -> Event {
    Event::Preflight { node: None, finding, fatal: false }
}

/// Gives what holds without a policy in the cluster as the spec wants it, if ringfort enforces policies there.
fn wanted(spec: &Spec) -> Option<Defaults> {
    let is_enforced =
        spec.network.provider == Provider::Ringfort && !spec.waives(network_policy::CONTROL.id);
    is_enforced.then(|| waived(spec))
}

/// Asks the servers, and compares.
async fn look(work: &Work<'_>, wanted: Defaults) -> Result<Closing, String> {
    let now = answer(in_turn(work.servers.values(), |server| Now::read(server), is_its_own).await)?;
    let blueprint = work.render().map_err(|error| error.to_string())?;
    Ok(now.closing(wanted, &blueprint.objects, &work.memory.trust.objects))
}

/// Gives what servers told that were asked in turn, or why none did.
fn answer<T>(told: Option<Result<T, NotSeen>>) -> Result<T, String> {
    match told {
        None => Err("there is no API server to ask".to_owned()),
        Some(Err(NotSeen::Api(error))) => Err(error.to_string()),
        Some(Err(NotSeen::Odd(why))) => Err(why),
        Some(Ok(told)) => Ok(told),
    }
}

/// Whether an error is of one server alone, as far as it shows: silence, a fault of its own, too much to do. What that
/// one cannot say, the next may.
fn is_its_own(error: &NotSeen) -> bool {
    match error {
        NotSeen::Api(ApiError::Unreachable { .. }) => true,
        NotSeen::Api(ApiError::Refused { status, .. }) => *status >= 500 || *status == 429,
        NotSeen::Api(ApiError::Shape { .. }) | NotSeen::Odd(_) => false,
    }
}

/// What is known of pods that a run closes.
struct Closing {
    /// These are closed, and were not; none where nothing changes.
    cuts: Vec<Cut>,
    /// What else has to be known of that.
    notes: Vec<String>,
}

/// A cluster before the run.
struct Now {
    seen: Seen,
    /// Whether ringfort enforces policies there, and it is known what holds without one.
    is_enforced: bool,
}

impl Now {
    async fn read(cluster: &Cluster) -> Result<Self, NotSeen> {
        let late = |limit: Duration| format!("no answer within {} s", limit.as_secs());
        let first = timeout(FIRST, Self::first(cluster)).await;
        let mut now =
            first.unwrap_or_else(|_| Err(ApiError::Unreachable { why: late(FIRST) }.into()))?;
        let lists = timeout(LISTS, live::judged(cluster, &mut now.seen)).await;
        lists
            .unwrap_or_else(|_| Err(NotSeen::Odd(format!("not all was told: {}", late(LISTS)))))?;
        Ok(now)
    }

    /// Reads what is enforced.
    async fn first(cluster: &Cluster) -> Result<Self, NotSeen> {
        let notice = cluster.get(&live::noticed()).await?;
        // The enforcer hears of nothing without its right. What a network of the user's own enforced goes with it.
        let bound = cluster.get(&binding()).await?;
        Ok(Self::of(notice.as_ref(), bound.as_ref()))
    }

    /// Takes a notice that cannot be read as if nothing were enforced: so every pod that will be closed is named.
    fn of(notice: Option<&Value>, bound: Option<&Value>) -> Self {
        let unsaid = || Ok(Seen::new(defaults(false)));
        let said = notice.map_or_else(unsaid, |it| {
            // Which nodes have which ranges is not what matters here.
            live::said(&it["data"]).or_else(|_| Defaults::noticed(&it["data"]).map(Seen::new))
        });
        let is_enforced = bound.is_some() && said.is_ok();
        Self { seen: said.unwrap_or_else(|_| Seen::new(defaults(false))), is_enforced }
    }

    /// Finds the pods that are closed when all of the blueprint is there, and nothing of what it no longer has.
    fn closing(
        &self,
        wanted: Defaults,
        objects: &[ApiObject],
        known: &BTreeSet<KnownObject>,
    ) -> Closing {
        let mut after = self.seen.clone();
        after.world = after.world.under(wanted);
        let keys: Vec<ObjectKey> = objects.iter().map(ApiObject::key).collect();
        let is_gone = |it: &&KnownObject| !keys.iter().any(|key| it.is(key));
        for gone in known.iter().filter(is_gone) {
            take_away(&mut after.world, gone, &self.seen.own_labels);
        }
        for object in objects {
            lay_over(&mut after.world, &object.object, &self.seen.own_labels);
        }
        if !self.is_enforced {
            // Nodes that enforced nothing did not find out yet which namespaces' policies are too much for them.
            let nodes = after.world.pods.values().filter_map(|pod| pod.node.clone()).collect();
            after.shut_outgrown_of(nodes);
        }
        let cuts = cut(self.is_enforced.then_some(&self.seen.world), &after.world);
        let unread = after.wider.iter().map(|it| {
            format!(
                "what {it} lets through is not known: pods that it opens may be named all the same"
            )
        });
        let notes = unread.chain(after.notes.iter().cloned()).collect();
        Closing { cuts, notes }
    }
}

fn binding() -> ObjectKey {
    ObjectKey {
        api_version: "rbac.authorization.k8s.io/v1".to_owned(),
        kind: "ClusterRoleBinding".to_owned(),
        namespace: None,
        name: USER.to_owned(),
    }
}

/// Takes away what goes with an object that the blueprint no longer has: one that was there before ringfort stays, and
/// of namespaces ringfort's own labels go.
fn take_away(world: &mut World, gone: &KnownObject, own: &BTreeMap<String, BTreeSet<String>>) {
    let ObjectKey { api_version, kind, namespace, name } = &gone.key;
    match (group(api_version), kind.as_str()) {
        ("", "Namespace") => without(world, name, own),
        ("networking.k8s.io", "NetworkPolicy") if gone.made => {
            let namespace = namespace.clone().unwrap_or_default();
            world.policies.remove(&Place::new(namespace, name.clone()));
        }
        (WIDER_GROUP, kind) if gone.made => {
            if let Some(kind) = WiderKind::of(kind) {
                world.wider.remove(&WiderName { kind, name: name.clone() });
            }
        }
        _ => {}
    }
}

/// Takes ringfort's own labels from a namespace.
fn without(world: &mut World, namespace: &str, own: &BTreeMap<String, BTreeSet<String>>) {
    if let (Some(labels), Some(own)) = (world.namespaces.get_mut(namespace), own.get(namespace)) {
        // The server gives the name to whoever makes the namespace, and never takes it.
        labels.retain(|key, _| key == NAME_LABEL || !own.contains(key));
    }
}

/// Adds an object that the run applies, where who may talk to whom depends on it: what ringfort set before and sets no
/// longer goes.
fn lay_over(world: &mut World, object: &Value, own: &BTreeMap<String, BTreeSet<String>>) {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let Some(place) = place(object) else { return };
    match (group(text("apiVersion")), text("kind")) {
        ("", "Namespace") => {
            without(world, &place.name, own);
            let named = || with_name(Labels::new(), &place.name);
            let known = world.namespaces.entry(place.name.clone()).or_insert_with(named);
            known.extend(labels(object));
        }
        ("networking.k8s.io", "NetworkPolicy") => {
            // As the enforcer takes what it cannot read.
            let policy = policy(object).unwrap_or_else(|_| Policy::closed());
            world.policies.insert(place, policy);
        }
        (WIDER_GROUP, kind) => {
            let policy = WiderKind::of(kind).and_then(|kind| wider(kind, object));
            world.wider.extend(policy);
        }
        _ => {}
    }
}

fn closes(cuts: &[Cut], seconds: f64) -> Event {
    let by = |cut: &Cut, way: Direction| {
        let of_way = cut.ways.iter().filter(|(direction, _)| *direction == way);
        of_way.flat_map(|(_, by)| by).map(ToString::to_string).collect()
    };
    let pods = cuts.iter().map(|it| ClosedPod {
        pod: it.pod.to_string(),
        ingress: by(it, Direction::Ingress),
        egress: by(it, Direction::Egress),
    });
    Event::Closes { pods: pods.collect(), seconds }
}

#[cfg(test)]
mod tests;
