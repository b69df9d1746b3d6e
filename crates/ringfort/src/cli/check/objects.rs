//! `ringfort check --kubeconfig FILE --objects`: judges the objects of a cluster that runs by every guideline. Each
//! stands for a file of its own, that is called by the object's path. Never here: what secrets hold.

mod leaving;
mod made;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;
use ringfort_api::{Cluster, Part};
use ringfort_check::benchmark::is_of_control_plane;
use ringfort_check::kinds::{POLICIES, group, is_own_group, makes_pods, of_clusters};
use ringfort_check::upstream::Upstream;
use ringfort_model::judgement::Gap;
use serde_json::{Map, Value, json};

use self::leaving::Leaving;
use self::made::{Makers, made_after};
use super::live::{INSTEAD, missing};
use super::manifests::{self, Beside, ManifestsArgs};
use super::tree::{Spared, Tree};
use crate::cli::Fault;
use crate::cli::ways::{first, ways};

/// Judges all objects of the cluster that a kubeconfig leads to.
pub(super) fn run(
    kubeconfig: &Path,
    args: &ManifestsArgs,
    spec: Option<&Path>,
) -> Result<ExitCode, Fault> {
    args.refuse_what_is_of_files()?;
    let beside = Beside::read(args, spec)?;
    let ways = ways(kubeconfig, INSTEAD)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Fault::unable)?;
    let read = runtime.block_on(async {
        let (_, cluster) = first(&ways).await?;
        Ok::<_, Fault>(Read::of(&cluster).await)
    })?;
    manifests::run_live(args, read.tree(), &beside)
}

/// What was read of a cluster.
#[derive(Default)]
struct Read {
    /// The name and the text of each object.
    objects: Vec<(String, String)>,
    /// Kinds that could not be listed, and why not.
    unlisted: Vec<(&'static str, Gap)>,
    /// What was listed that makes others.
    makers: Makers,
    /// What Kubernetes made by itself.
    upstream: Upstream,
    /// What is being deleted.
    leaving: Leaving,
    /// The names of what is about to be gone.
    deleted: BTreeSet<String>,
}

impl Read {
    /// Lists every kind that is judged, and policies of others. What makes objects comes before what it makes, since
    /// that is left out only where its maker is there to be judged, and namespaces before what leaves with them.
    async fn of(cluster: &Cluster) -> Self {
        let leaving = Leaving::new(Timestamp::now());
        let mut read = Self { leaving, ..Self::default() };
        let mut kinds: Vec<_> = of_clusters().collect();
        kinds.sort_by_key(|(_, kind)| (*kind != "Namespace", made_after(kind)));
        for (versions, kind) in kinds {
            let gap = read.list(cluster, versions, kind).await;
            read.unlisted.extend(gap.map(|gap| (kind, gap)));
        }
        for (versions, kind) in POLICIES {
            let gap = read.list(cluster, versions, kind).await;
            // It may close what policies leave open.
            read.unlisted.extend(gap.map(|gap| ("NetworkPolicy", gap)));
        }
        read
    }

    /// Lists a kind in the first of its versions that is served. Of one that is served in none there are no objects.
    async fn list(&mut self, cluster: &Cluster, versions: &[&str], kind: &str) -> Option<Gap> {
        // Of a secret nothing is needed but that it is there.
        let part = if kind == "Secret" { Part::Metadata } else { Part::Whole };
        for version in versions {
            let listed = cluster.each_of(version, kind, part, |it| self.add(it)).await;
            let is_whole = listed.is_ok();
            let gap = missing(version, kind, listed);
            if is_whole || gap.is_some() {
                return gap;
            }
        }
        None
    }

    fn add(&mut self, mut object: Value) {
        // Such a pod is a machine's program: the rows of the benchmark judge it there.
        if is_of_control_plane(&object) {
            return;
        }
        // What is about to be gone tells nothing of what it made.
        let is_leaving = self.leaving.takes(&object);
        if !is_leaving && self.makers.leave_out(&mut object) {
            return;
        }
        let name = name(&object);
        self.upstream.add(&name, &object);
        if is_leaving {
            self.deleted.insert(name.clone());
        }
        self.objects.push((name, format!("{:#}\n", written(object))));
    }

    /// Gives all objects as files.
    fn tree(mut self) -> Tree {
        if self.unlisted.iter().any(|(kind, _)| makes_pods(kind)) {
            self.upstream.leave_users_open();
        }
        let spared = Spared { standings: self.upstream.standings(), deleted: self.deleted };
        Tree::of_cluster(self.objects, self.unlisted, &spared)
    }
}

/// Names an object by its path: its namespace, its kind, with the group where that is none of Kubernetes' own, since
/// others have kinds of the same names, and its name.
fn name(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = match (group(text("/apiVersion")), text("/kind")) {
        (of, kind) if is_own_group(of) => kind.to_owned(),
        (of, kind) => format!("{kind}.{of}"),
    };
    let name = text("/metadata/name");
    match text("/metadata/namespace") {
        "" => format!("{kind}/{name}"),
        namespace => format!("{namespace}/{kind}/{name}"),
    }
}

/// Gives what is judged of an object.
fn written(object: Value) -> Value {
    match object {
        Value::Object(fields) => Value::Object(of_fields(fields)),
        other => other,
    }
}

/// Puts first what an object is, as people write it. Of a secret that is what it is called by, and no more: what its
/// annotations say may be what it holds.
fn of_fields(fields: Map<String, Value>) -> Map<String, Value> {
    let is = |kind: &str| fields.get("kind").is_some_and(|it| it == kind);
    let (is_secret, is_node) = (is("Secret"), is("Node"));
    let head = ["apiVersion", "kind", "metadata"].map(|key| (key.to_owned(), Value::Null));
    let mut written = Map::from_iter(head);
    for (key, value) in fields {
        let kept = match key.as_str() {
            "apiVersion" | "kind" => value,
            "metadata" if is_secret => only(value, |key| NAMES.contains(&key)),
            "metadata" => metadata(value),
            "status" if is_node => {
                json!({ "nodeInfo": { "kubeletVersion": value["nodeInfo"]["kubeletVersion"] } })
            }
            "status" => continue,
            _ if is_secret => continue,
            _ => value,
        };
        written.insert(key, kept);
    }
    written
}

/// What a secret is called by.
const NAMES: [&str; 3] = ["labels", "name", "namespace"];

/// What the server keeps in metadata for itself.
const KEPT: [&str; 5] = ["generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// Where `kubectl apply` keeps a copy of the whole object.
const COPY: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn metadata(value: Value) -> Value {
    let mut kept = only(value, |key| !KEPT.contains(&key));
    if let Some(annotations) = kept.get_mut("annotations") {
        *annotations = only(annotations.take(), |key| key != COPY);
    }
    kept
}

/// Gives some entries of a map.
fn only(value: Value, is_kept: impl Fn(&str) -> bool) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().filter(|(key, _)| is_kept(key)).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
