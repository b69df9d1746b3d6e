//! `ringfort check --kubeconfig` and `--cluster`: judges a cluster that runs, by its objects and its machines.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ringfort_api::{ApiError, Cluster, Part};
use ringfort_check::admission::{self, Admitting};
use ringfort_check::benchmark::{Looked, Members, Tally, trials};
use ringfort_check::kinds;
use ringfort_check::texts::Texts;
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::machine::{Machine, Told};
use ringfort_model::judgement::Gap;
use ringfort_model::machine::MachineFacts;
use ringfort_model::version::{KubeVersion, Minor};
use serde_json::Value;

use super::declared::{Declared, judged};
use super::{How, benchmark, cluster, facts, trial};
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
    /// Judge the objects of the cluster by every guideline, as manifests are, and not by the benchmark
    ///
    /// All options of manifests hold but --world and --namespace. Each object stands for a file that is called by its
    /// path, such as shop/Deployment/web. What a controller made is judged by its template where that says all of it. Of
    /// secrets only names and labels are looked at.
    #[arg(long, requires = "kubeconfig", conflicts_with_all = ["cluster", "try_pods", "kubernetes"])]
    objects: bool,
}

impl LiveArgs {
    /// Says whether a cluster is asked for at all.
    pub(super) fn is_asked(&self) -> bool {
        self.kubeconfig.is_some() || self.cluster.is_some()
    }

    /// Gives the kubeconfig of the cluster whose objects are judged by every guideline, if any is.
    pub(super) fn of_objects(&self) -> Option<&Path> {
        self.kubeconfig.as_deref().filter(|_| self.objects)
    }

    /// Names what takes options of manifests, if anything does for the cluster that is asked for.
    pub(super) fn takes_options(&self) -> Option<&'static str> {
        let is_alone = self.kubeconfig.is_some() && self.cluster.is_none();
        is_alone.then_some("--objects")
    }
}

/// What was read of a cluster.
struct Read {
    objects: Vec<Value>,
    admitting: Admitting,
    /// Kinds that could not be listed, and why not.
    unlisted: Vec<(&'static str, Gap)>,
    members: Members,
    release: Released,
}

/// What a server says of its release.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Released {
    /// It is of this minor.
    Of(Minor),
    /// It is of this one, which is not known here.
    Foreign(String),
    /// It could not be asked.
    Untold,
}

/// Judges a cluster by what its API and its machines tell, and by facts that were taken before.
pub(super) fn run(args: &LiveArgs, paths: &[PathBuf], how: How<'_>) -> Result<ExitCode, Fault> {
    let file = args.cluster.as_deref().or(how.spec);
    let declared = file.map(|file| Declared::read(file, how.day)).transpose()?;
    let mut bundles: Vec<MachineFacts> = facts::read(paths)?;
    let ways = args.kubeconfig.as_deref().map(|file| ways(file, INSTEAD)).transpose()?;
    let runtime = tokio::runtime::Runtime::new().map_err(Fault::unable)?;
    let (read, cluster) = runtime.block_on(async {
        if let Some(file) = &args.cluster {
            bundles.extend(cluster::gather(file).await?);
        }
        let Some(ways) = &ways else { return Ok((None, None)) };
        let (_, cluster) = first(ways).await?;
        Ok::<_, Fault>((Some(Read::of(&cluster).await), Some(cluster)))
    })?;
    let release = read.as_ref().map(|read| read.release.clone());
    let minor = how.version.map(|version| version.minor);
    let told = told(release.as_ref(), minor, declared.as_ref().map(|it| it.minor)).among(&bundles);
    let tally = read.map(Read::tally);
    let machines: Vec<Machine<'_>> = bundles.iter().map(|it| Machine::of(it, told)).collect();
    let intent = declared.as_ref().map(|declared| &declared.intent);
    let mut looked =
        Looked { machines: &machines, objects: tally.as_ref(), intent, ..Looked::default() };
    let heard = cluster.filter(|_| args.try_pods).map(|cluster| {
        let trials = trials(&looked);
        runtime.block_on(trial::try_all(&trials, async |pod| trial::send(&cluster, pod).await))
    });
    looked.heard = heard.as_ref();
    benchmark::tell(&looked, judged(&looked, declared.as_ref(), how.day), how.format, how.day)
}

/// What to do where a kubeconfig says nothing.
pub(super) const INSTEAD: &str = "name another with --kubeconfig";

/// Gives by whose defaults machines are judged. A release that was seen and is not known here goes before what is
/// asked for. Where a server does not tell what it is, images may; what was declared says nothing of it.
fn told(seen: Option<&Released>, asked: Option<Minor>, declared: Option<Minor>) -> Told<'_> {
    match (seen, asked) {
        (Some(Released::Foreign(release)), _) => Told::Foreign(release),
        (_, Some(minor)) => Told::Minor(minor),
        (Some(Released::Of(minor)), None) => Told::Minor(*minor),
        (Some(Released::Untold), None) => Told::Nothing,
        (None, None) => declared.map_or(Told::Nothing, Told::Declared),
    }
}

impl Read {
    /// Lists every kind that is judged. One that cannot be listed is a gap, and one that is not served has no objects.
    async fn of(cluster: &Cluster) -> Self {
        let mut read = Self {
            objects: Vec::new(),
            admitting: Admitting::default(),
            unlisted: Vec::new(),
            members: members(cluster).await,
            release: release(cluster).await,
        };
        for (api_version, kind) in kinds::served() {
            // Of a secret nothing is needed but that it is there.
            let part = if kind == "Secret" { Part::Metadata } else { Part::Whole };
            let objects = &mut read.objects;
            let listed =
                cluster.each_of(api_version, kind, part, |it| objects.push(lean(it))).await;
            let gap = missing(api_version, kind, listed);
            read.unlisted.extend(gap.map(|gap| (kind, gap)));
        }
        for (api_version, kind) in admission::KINDS {
            let objects = &mut read.admitting.objects;
            let listed =
                cluster.each_of(api_version, kind, Part::Whole, |it| objects.push(it)).await;
            let gap = missing(api_version, kind, listed);
            read.admitting.unlisted.extend(gap.clone());
            read.unlisted.extend(gap.map(|gap| (kind, gap)));
        }
        // A template that a Deployment or a CronJob made is judged with that.
        read.objects.retain(|object| !is_made(object));
        read
    }

    /// Judges all objects as one world. What could not be listed leaves it open.
    fn tally(self) -> Tally {
        let mut objects = Objects::new(World::Closed, None).with_texts(Texts::Served);
        for (document, object) in self.objects.iter().enumerate() {
            objects.add(Origin { file: 0, document }, object);
        }
        for (kind, gap) in self.unlisted {
            objects.add_unlisted(kind, gap);
        }
        let mut tally = Tally::of(&objects, &self.admitting);
        tally.members = self.members;
        tally
    }
}

/// Says why not all objects of a kind were listed. Of one that a server does not serve there are none; the oldest
/// kinds are served by all that are any.
pub(super) fn missing(api_version: &str, kind: &str, listed: Result<(), ApiError>) -> Option<Gap> {
    let error = listed.err()?;
    let is_unserved = error.status() == Some(404) && api_version.contains('/');
    (!is_unserved).then(|| unlisted(api_version, kind, &error))
}

/// Asks for nodes, and for what API servers publish of themselves.
async fn members(cluster: &Cluster) -> Members {
    let mut nodes = Vec::new();
    let listed = cluster.each_of("v1", "Node", Part::Metadata, |it| nodes.push(it)).await;
    let nodes = listed.map(|()| nodes).map_err(|error| unlisted("v1", "Node", &error));
    let said = cluster.text(SERVERS).await;
    let slices = said.map_err(|error| unlisted("discovery.k8s.io/v1", "EndpointSlice", &error));
    let slices = slices.map(|text| {
        let list: Value = serde_json::from_str(&text).unwrap_or_default();
        list["items"].as_array().cloned().unwrap_or_default()
    });
    Members::of(nodes, slices)
}

/// Where the addresses of API servers stand.
const SERVERS: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices\
                       ?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes";

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

/// Says what could not be listed, and what would let it: the right, where that was missing, or the server's answer.
fn unlisted(api_version: &str, kind: &str, error: &ApiError) -> Gap {
    let resource = plural(kind);
    let closes = match error.status() {
        Some(403) => format!(
            "the verb list for {resource} of the API group {:?} in all namespaces",
            kinds::group(api_version)
        ),
        _ => "the answer of the API server: ask again when it gives one".to_owned(),
    };
    Gap { said: format!("{resource} could not be listed: {error}"), closes }
}

/// Names a kind as a right does.
fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    let is_hissed = ["ch", "s", "sh", "x"].into_iter().any(|end| lower.ends_with(end));
    match lower.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        // The one kind that is named as several.
        None if lower == "endpoints" => lower,
        None if is_hissed => format!("{lower}es"),
        None => format!("{lower}s"),
    }
}

async fn release(cluster: &Cluster) -> Released {
    match cluster.text("/version").await {
        Ok(text) => released(&text),
        Err(_) => Released::Untold,
    }
}

fn released(text: &str) -> Released {
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(text) = said["gitVersion"].as_str() else { return Released::Untold };
    match KubeVersion::of_release(text) {
        Ok(Some(version)) => Released::Of(version.minor),
        Ok(None) | Err(_) => Released::Foreign(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use ringfort_api::ApiError;
    use ringfort_facts::machine::Told;
    use ringfort_model::version::Minor;
    use serde_json::json;

    use super::{Released, is_made, missing, released, told, unlisted};

    #[test]
    fn a_release_that_is_not_known_here_is_not_taken_for_another() {
        let said = |release: &str| released(&json!({"gitVersion": release}).to_string());
        let (old, new) = (said("v1.33.1"), said("v1.36.2+k3s1"));
        assert_eq!(new, Released::Of(Minor::V1_36));
        assert_eq!(released("nothing"), Released::Untold);
        let spec = Some(Minor::V1_37);
        assert_eq!(told(Some(&new), None, spec), Told::Minor(Minor::V1_36));
        assert_eq!(told(None, None, spec), Told::Declared(Minor::V1_37));
        assert_eq!(told(None, Some(Minor::V1_35), spec), Told::Minor(Minor::V1_35));
        for asked in [None, Some(Minor::V1_35)] {
            assert_eq!(told(Some(&old), asked, spec), Told::Foreign("v1.33.1"));
        }
        assert_eq!(told(Some(&Released::Untold), None, spec), Told::Nothing);
        let asked = told(Some(&Released::Untold), spec, None);
        assert_eq!(asked, Told::Minor(Minor::V1_37));
    }

    #[test]
    fn what_is_not_served_is_not_there_and_what_is_refused_is_not_known() {
        let answer = |status: u16| {
            let (reason, message) = (String::new(), String::new());
            Err(ApiError::Refused { status, reason, message })
        };
        let check = |version: &str, status: u16, is_known: bool| {
            let gap = missing(version, "Job", answer(status));
            assert_eq!(gap.is_none(), is_known, "{version} {status}: {gap:?}");
        };
        check("batch/v1", 404, true);
        check("batch/v1", 403, false);
        check("batch/v1", 503, false);
        check("v1", 404, false);
        assert_eq!(missing("v1", "Pod", Ok(())), None);
    }

    #[test]
    fn a_refusal_names_the_right_that_was_missing() {
        let refused = |status: u16| ApiError::Refused {
            status,
            reason: String::new(),
            message: String::new(),
        };
        let check = |version: &str, kind: &str, resource: &str| {
            let gap = unlisted(version, kind, &refused(403));
            assert!(gap.said.starts_with(&format!("{resource} could")), "{}", gap.said);
            assert!(gap.closes.contains(resource), "{}", gap.closes);
        };
        check("v1", "Pod", "pods");
        check("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies");
        check("networking.k8s.io/v1", "Ingress", "ingresses");
        check("agents.x-k8s.io/v1beta1", "Sandbox", "sandboxes");
        check("v1", "Endpoints", "endpoints");
        let unreachable = ApiError::Unreachable { why: String::new() };
        for error in [refused(503), refused(410), unreachable] {
            let gap = unlisted("v1", "Pod", &error);
            assert!(!gap.closes.contains("the verb"), "{error}: {}", gap.closes);
        }
    }

    #[test]
    fn what_a_controller_made_is_judged_with_it() {
        let owned = json!({"ownerReferences": [{"kind": "Deployment", "controller": true}]});
        assert!(is_made(&json!({"kind": "ReplicaSet", "metadata": owned})));
        assert!(!is_made(&json!({"kind": "Pod", "metadata": owned})));
        assert!(!is_made(&json!({"kind": "ReplicaSet", "metadata": {}})));
    }
}
