//! What is seen in a running cluster, through its API.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ringfort_api::{ApiError, Cluster, FIELD_MANAGER, Part};
use ringfort_controls::network::default_deny::defaults;
use ringfort_forge::keyring::StateDirectory;
use ringfort_model::api_object::ObjectKey;
use ringfort_model::network_policy::{BROUGHT, Defaults, NOTICE, WIDER_GROUP, WiderKind, words_of};
use ringfort_policy::{Leads, Place, Policy, labels, place, pod, policy, with_name};
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use super::super::kubeconfig::FILE;
use super::super::ways::{first, ways};
use super::super::{Fault, specification};
use super::seen::Seen;

/// The specification whose cluster is asked where no kubeconfig is named.
const SPEC: &str = "cluster.yaml";

/// Reads a running cluster, with what a Service leads to where it is asked about and does not say it itself.
///
/// # Errors
/// It cannot be reached, or does not tell all that is needed.
pub fn read(kubeconfig: Option<&Path>, asked: Option<&Place>) -> Result<Seen, Fault> {
    let file = match kubeconfig {
        Some(file) => file.to_owned(),
        None => usual_kubeconfig()?,
    };
    let ways = ways(&file, "name a kubeconfig with --kubeconfig, or manifests with -f")?;
    let runtime = Runtime::new().map_err(Fault::unable)?;
    runtime.block_on(async {
        let (way, cluster) = first(&ways).await?;
        look(&cluster, asked).await.map_err(|not_seen| match not_seen {
            NotSeen::Api(error) => Fault::blind(format!("{}: {error}", way.at)),
            NotSeen::Odd(why) => Fault::blind(why),
        })
    })
}

/// The file of KUBECONFIG that is there, or that of the specification's cluster.
fn usual_kubeconfig() -> Result<PathBuf, Fault> {
    let named = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    if let Some(named) = named {
        let mut all = std::env::split_paths(&named);
        return all.find(|file| file.exists()).ok_or_else(|| {
            Fault::usage(format!("KUBECONFIG names no file that is there: {}", named.display()))
        });
    }
    let file = Path::new(SPEC);
    if !file.exists() {
        return Err(Fault::usage(
            "nothing says what to look at: name manifests with -f, or a kubeconfig with --kubeconfig",
        ));
    }
    let spec = specification::read(file)?;
    Ok(StateDirectory::beside(file, &spec.name).path().join(FILE))
}

/// Says why a cluster was not seen.
pub(super) enum NotSeen {
    /// What the server said, or that it said nothing.
    Api(ApiError),
    /// What is wrong with what was said.
    Odd(String),
}

impl From<ApiError> for NotSeen {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

async fn look(cluster: &Cluster, asked: Option<&Place>) -> Result<Seen, NotSeen> {
    let mut seen = notice(cluster).await?;
    judged(cluster, &mut seen).await?;
    let services = cluster.list("v1", "Service", None, None).await;
    for object in services.map_err(|error| unlisted("services in all namespaces", error))? {
        let Some(place) = place(&object) else { continue };
        seen.service(&place, &object);
    }
    if let Some(asked) = asked {
        slices(cluster, asked, &mut seen).await?;
    }
    Ok(seen)
}

/// Reads namespaces, pods and policies of all kinds, a page at a time: of pods little is kept.
pub(super) async fn judged(cluster: &Cluster, seen: &mut Seen) -> Result<(), NotSeen> {
    let namespace = |object: Value| {
        let Some(place) = place(&object) else { return };
        let labels = with_name(labels(&object), &place.name);
        seen.own_labels.insert(place.name.clone(), own_labels(&object));
        seen.world.namespaces.insert(place.name, labels);
    };
    cluster.each_of("v1", "Namespace", Part::Whole, namespace).await?;
    let pods = &mut seen.world.pods;
    let read = |object: Value| pods.extend(place(&object).map(|place| (place, pod(&object))));
    cluster.each_of("v1", "Pod", Part::Whole, read).await?;
    let of_namespace = |object: Value| {
        let Some(place) = place(&object) else { return };
        let policy = policy(&object).unwrap_or_else(|error| {
            seen.notes.push(format!("{error}: it closes its whole namespace"));
            Policy::closed()
        });
        seen.world.policies.insert(place, policy);
    };
    cluster.each_of("networking.k8s.io/v1", "NetworkPolicy", Part::Whole, of_namespace).await?;
    wider(cluster, seen).await?;
    seen.complete();
    Ok(())
}

/// Gives the keys of labels that ringfort set, and nobody besides.
pub(super) fn own_labels(namespace: &Value) -> BTreeSet<String> {
    let (mut own, mut of_others) = (BTreeSet::new(), BTreeSet::new());
    let managers = namespace["metadata"]["managedFields"].as_array();
    for manager in managers.into_iter().flatten() {
        let is_own = manager["manager"] == FIELD_MANAGER && manager["operation"] == "Apply";
        let labels = manager["fieldsV1"]["f:metadata"]["f:labels"].as_object();
        let keys = labels.into_iter().flat_map(Map::keys).filter_map(|key| key.strip_prefix("f:"));
        let of = if is_own { &mut own } else { &mut of_others };
        of.extend(keys.map(str::to_owned));
    }
    &own - &of_others
}

/// Reads what others say that a Service leads to, where its own selector does not say it.
async fn slices(cluster: &Cluster, asked: &Place, seen: &mut Seen) -> Result<(), NotSeen> {
    let service = seen.services.get(asked).and_then(|it| it.as_ref().ok());
    if !service.is_some_and(|it| it.leads == Leads::Others) {
        return Ok(());
    }
    let namespace = asked.namespace.as_str();
    let list = cluster.list("discovery.k8s.io/v1", "EndpointSlice", Some(namespace), None).await;
    let what = format!("endpointslices of the API group discovery.k8s.io in namespace {namespace}");
    for object in list.map_err(|error| unlisted(&what, error))? {
        seen.slice(namespace, &object);
    }
    match seen.slices.get(asked) {
        Some(Err(why)) => Err(NotSeen::Odd(why.to_string())),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// Names the right that is missing, where that is why there is no list.
fn unlisted(what: &str, error: ApiError) -> NotSeen {
    match error.status() {
        Some(403) => NotSeen::Odd(format!(
            "where Services lead is not seen without the right to list {what}: a role with the verb list gives \
             it ({error})"
        )),
        _ => NotSeen::Api(error),
    }
}

/// Begins with what the cluster says of namespaces without a policy.
async fn notice(cluster: &Cluster) -> Result<Seen, NotSeen> {
    let (namespace, name) = NOTICE;
    let Some(object) = cluster.get(&noticed()).await? else {
        let mut seen = Seen::new(defaults(false));
        seen.notes.push(format!(
            "the cluster has no ConfigMap {namespace}/{name}: namespaces are taken as open until a \
             policy closes them, as in every cluster that ringfort did not make"
        ));
        return Ok(seen);
    };
    said(&object["data"]).map_err(|why| {
        NotSeen::Odd(format!("ConfigMap {namespace}/{name} {why}: ringfort up puts it right"))
    })
}

/// Where the notice is.
pub(super) fn noticed() -> ObjectKey {
    let (namespace, name) = NOTICE;
    ObjectKey {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// Reads whether namespaces are closed, by whom, and which are open all the same, by name and by label.
pub fn said(data: &Value) -> Result<Seen, String> {
    let noticed = Defaults::noticed(data)?;
    let mut seen = Seen::new(Defaults { dns: defaults(noticed.closed).dns, ..noticed });
    for entry in words_of(data, "nodePods") {
        let range =
            entry.split_once(' ').and_then(|(node, range)| Some((node, range.parse().ok()?)));
        let Some((node, range)) = range else {
            return Err(format!("says nodePods: {entry:?}, not a node and its range"));
        };
        seen.world.ranges.entry(node.to_owned()).or_default().push(range);
    }
    if data["closedBy"] == BROUGHT {
        seen.notes.push(format!(
            "policies are enforced by a network that was brought to this cluster, and namespaces closed by \
             {BROUGHT}: policies of its own kinds are not read here"
        ));
    }
    Ok(seen)
}

/// Reads cluster-wide policies of every kind that the API serves, and names those of kinds and versions
/// that are not read.
async fn wider(cluster: &Cluster, seen: &mut Seen) -> Result<(), NotSeen> {
    let root = format!("/apis/{WIDER_GROUP}");
    for ((kind, name), versions) in kinds(cluster, &root).await? {
        let known = WiderKind::of(&kind);
        let best = known.and_then(|kind| Some((kind, kind.best(&versions)?)));
        let version = best.map_or(versions[0].as_str(), |(_, version)| version);
        let objects = read_json(&cluster.text(&format!("{root}/{version}/{name}")).await?)?;
        for object in listed(&objects, "items")? {
            match best.and_then(|(kind, _)| ringfort_policy::wider(kind, object)) {
                Some((name, policy)) => {
                    seen.world.wider.insert(name, policy);
                }
                None => {
                    let name = object.pointer("/metadata/name").and_then(Value::as_str);
                    let name = name.unwrap_or_default();
                    seen.wider.push(format!("{kind} {name} of {version}"));
                }
            }
        }
    }
    Ok(())
}

/// Finds the kinds of the group: each by its name and its name in addresses, with its versions.
async fn kinds(
    cluster: &Cluster,
    root: &str,
) -> Result<BTreeMap<(String, String), Vec<String>>, NotSeen> {
    let mut kinds: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let group = match cluster.text(root).await {
        Err(error) if error.status() == Some(404) => return Ok(kinds),
        group => read_json(&group?)?,
    };
    for version in listed(&group, "versions")? {
        let Some(version) = version["version"].as_str() else { continue };
        let list = read_json(&cluster.text(&format!("{root}/{version}")).await?)?;
        for resource in listed(&list, "resources")? {
            let (Some(name), Some(kind)) = (resource["name"].as_str(), resource["kind"].as_str())
            else {
                continue;
            };
            // What has a slash is a part of an object.
            if !name.contains('/') {
                let key = (kind.to_owned(), name.to_owned());
                kinds.entry(key).or_default().push(version.to_owned());
            }
        }
    }
    Ok(kinds)
}

/// Gives a list of an answer: an answer without it says nothing.
fn listed<'a>(answer: &'a Value, list: &str) -> Result<&'a Vec<Value>, NotSeen> {
    let missing = || NotSeen::Odd(format!("{WIDER_GROUP} answers without its {list}"));
    answer[list].as_array().ok_or_else(missing)
}

fn read_json(text: &str) -> Result<Value, NotSeen> {
    serde_json::from_str(text)
        .map_err(|error| NotSeen::Odd(format!("the API server answers no JSON: {error}")))
}
