//! `ringfort check --kubeconfig` and `--cluster`: judges a cluster that runs, by its objects and its machines.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ringfort_api::{Cluster, Part};
use ringfort_check::admission::{self, Admitting};
use ringfort_check::benchmark::{Looked, Tally, trials};
use ringfort_check::kinds;
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::Gap;
use ringfort_model::machine::MachineFacts;
use ringfort_model::version::{KubeVersion, Minor};
use serde_json::Value;

use super::declared::{Declared, judged};
use super::{Format, benchmark, cluster, facts, trial};
use crate::cli::Fault;
use crate::cli::ways::{first, ways};

/// Which cluster is judged.
#[derive(Args)]
pub(super) struct LiveArgs {
    /// Judge the cluster that this kubeconfig leads to; paths are facts of its machines then
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Judge the machines that this cluster.yaml names, entered over SSH, by what it declares and waives
    #[arg(long, value_name = "FILE")]
    cluster: Option<PathBuf>,
    /// Ask the API server, by dry runs, whether it takes the pods that are expected to be let in: nothing is made,
    /// but the right to create pods is needed
    #[arg(long, requires = "kubeconfig")]
    try_pods: bool,
}

impl LiveArgs {
    /// Says whether a cluster is asked for at all.
    pub(super) fn is_asked(&self) -> bool {
        self.kubeconfig.is_some() || self.cluster.is_some()
    }
}

/// What was read of a cluster.
#[derive(Default)]
struct Read {
    objects: Vec<Value>,
    admitting: Admitting,
    blind: Vec<Gap>,
    minor: Option<Minor>,
}

/// Judges a cluster by what its API and its machines tell, and by facts that were taken before.
pub(super) fn run(
    args: &LiveArgs,
    paths: &[PathBuf],
    version: Option<KubeVersion>,
    spec: Option<&Path>,
    format: Format,
) -> Result<ExitCode, Fault> {
    let declared = args.cluster.as_deref().or(spec).map(Declared::read).transpose()?;
    let mut bundles: Vec<MachineFacts> = facts::read(paths)?;
    let instead = "name another with --kubeconfig";
    let ways = args.kubeconfig.as_deref().map(|file| ways(file, instead)).transpose()?;
    let runtime = tokio::runtime::Runtime::new().map_err(Fault::unable)?;
    let (read, cluster) = runtime.block_on(async {
        if let Some(file) = &args.cluster {
            bundles.extend(cluster::gather(file).await?);
        }
        let Some(ways) = &ways else { return Ok((None, None)) };
        let (_, cluster) = first(ways).await?;
        Ok::<_, Fault>((Some(Read::of(&cluster).await), Some(cluster)))
    })?;
    let minor = version.map(|version| version.minor);
    let minor = minor.or(read.as_ref().and_then(|read| read.minor));
    let minor = minor.or(declared.as_ref().map(|declared| declared.minor));
    let tally = read.map(Read::tally);
    let machines: Vec<Machine<'_>> = bundles.iter().map(|it| Machine::new(it, minor)).collect();
    let intent = declared.as_ref().map(|declared| &declared.intent);
    let mut looked =
        Looked { machines: &machines, objects: tally.as_ref(), intent, ..Looked::default() };
    let heard = cluster.filter(|_| args.try_pods).map(|cluster| {
        let trials = trials(&looked);
        runtime.block_on(trial::try_all(&trials, async |pod| trial::send(&cluster, pod).await))
    });
    looked.heard = heard.as_ref();
    benchmark::tell(&looked, judged(&looked, declared.as_ref()), format)
}

impl Read {
    /// Lists every kind that is judged. One that cannot be listed is a gap.
    async fn of(cluster: &Cluster) -> Self {
        let mut read = Self { minor: minor(cluster).await, ..Self::default() };
        for (api_version, kind) in kinds::served() {
            // Of a secret nothing is needed but that it is there.
            let part = if kind == "Secret" { Part::Metadata } else { Part::Whole };
            let objects = &mut read.objects;
            let listed =
                cluster.each_of(api_version, kind, part, |it| objects.push(lean(it))).await;
            read.blind.extend(listed.err().map(|error| unlisted(api_version, kind, &error)));
        }
        for (api_version, kind) in admission::KINDS {
            let objects = &mut read.admitting.objects;
            let listed =
                cluster.each_of(api_version, kind, Part::Whole, |it| objects.push(it)).await;
            let gap = listed.err().map(|error| unlisted(api_version, kind, &error));
            read.admitting.unlisted.extend(gap.clone());
            read.blind.extend(gap);
        }
        // A template that a Deployment or a CronJob made is judged with that.
        read.objects.retain(|object| !is_made(object));
        read
    }

    /// Judges all objects as one world. What could not be listed leaves it open.
    fn tally(self) -> Tally {
        let mut objects = Objects::new(World::Closed, None);
        for (document, object) in self.objects.iter().enumerate() {
            objects.add(Origin { file: 0, document }, object);
        }
        self.blind.iter().for_each(|gap| objects.add_unread(gap.said.clone()));
        Tally::of(&objects, &self.admitting, self.blind)
    }
}

/// Leaves out what no judge looks at.
fn lean(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

fn is_made(object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let is_owned = owners.is_some_and(|all| all.iter().any(|owner| owner["controller"] == true));
    is_owned && matches!(object["kind"].as_str(), Some("ReplicaSet" | "Job"))
}

/// Says what could not be listed, and the right that would let it.
fn unlisted(api_version: &str, kind: &str, error: &dyn std::error::Error) -> Gap {
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let lower = kind.to_lowercase();
    let resource = match lower.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if lower.ends_with('s') => format!("{lower}es"),
        None => format!("{lower}s"),
    };
    Gap {
        said: format!("{resource} could not be listed: {error}"),
        closes: format!(
            "the verb list for {resource} of the API group {group:?} in all namespaces"
        ),
    }
}

async fn minor(cluster: &Cluster) -> Option<Minor> {
    let said: Value = serde_json::from_str(&cluster.text("/version").await.ok()?).ok()?;
    said["gitVersion"].as_str()?.parse::<KubeVersion>().ok().map(|version| version.minor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{is_made, unlisted};

    #[test]
    fn a_refusal_names_the_right_that_was_missing() {
        let error = std::io::Error::other("403 Forbidden");
        let check = |version: &str, kind: &str, resource: &str| {
            let gap = unlisted(version, kind, &error);
            assert!(gap.said.starts_with(&format!("{resource} could")), "{}", gap.said);
            assert!(gap.closes.contains(resource), "{}", gap.closes);
        };
        check("v1", "Pod", "pods");
        check("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies");
        check("networking.k8s.io/v1", "Ingress", "ingresses");
    }

    #[test]
    fn what_a_controller_made_is_judged_with_it() {
        let owned = json!({"ownerReferences": [{"kind": "Deployment", "controller": true}]});
        assert!(is_made(&json!({"kind": "ReplicaSet", "metadata": owned})));
        assert!(!is_made(&json!({"kind": "Pod", "metadata": owned})));
        assert!(!is_made(&json!({"kind": "ReplicaSet", "metadata": {}})));
    }
}
