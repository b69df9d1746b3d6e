//! Proves what it can of a cluster that ringfort did not make, through its API alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use ringfort_api::Cluster;
use ringfort_controls::proof::PodTraffic;
use ringfort_controls::{Phase, Proof, Scene, proved};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::judgement::{Gap, Judgement};
use ringfort_model::name::NodeName;
use ringfort_model::version::Minor;
use ringfort_prove::drive;

use super::Fault;
use super::canaries::{Nonce, clear, make_namespace};
use super::gate::{Made, tell};
use super::play::{Outcome, cut_by, play_alone};
use super::session::{How, now_s};
use super::ways::{Way, first, ways};
use crate::report::Voice;

/// How to look at a cluster that ringfort did not make.
#[derive(Args)]
pub struct ForeignArgs {
    /// Prove what shows through the API of a cluster that ringfort did not make, as an administrator
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "rehearse"])]
    pub kubeconfig: Option<PathBuf>,
    /// Where that cluster's machines find the probe, which runs in the canaries' pods
    #[arg(
        long,
        value_name = "REFERENCE",
        requires = "kubeconfig",
        default_value = "ringfort.dev/probe:1"
    )]
    probe_image: String,
}

/// Controls whose proofs compare with what ringfort wrote, which here it did not.
const OF_OUR_OWN: [(&str, &str); 7] = [
    ("access/admin-is-narrow", "no kubeconfig of ringfort's was handed over"),
    ("access/admission-objects", "what guards there should be is not known"),
    ("audit/findings-are-told", "who should be told is not known"),
    ("ha/nodes-are-ready", "which machines there should be is not known"),
    ("network/pod-encryption", "how pods' packets should travel is not known"),
    ("workload/addons", "which add-ons there should be is not known"),
    ("versions/pinned-by-digest", "no lock names the versions that should run"),
];
/// Controls whose proofs look at the control planes' own nodes.
const OF_NODES: [&str; 1] = ["node/minimum-hardware"];
/// The API as a whole, where its servers cannot be told apart.
const WHOLE: &str = "api";

/// Runs the command.
pub fn run(kubeconfig: &Path, args: &ForeignArgs, how: &How) -> Result<ExitCode, Fault> {
    let ways = ways(kubeconfig, "name another with --kubeconfig")?;
    play_alone("prove", how, async |voice, interrupts| {
        let words = "interrupted before anything was tried";
        let cluster = cut_by(interrupts, words, Foreign::look(&ways, args)).await?;
        cluster.prove(voice, interrupts).await?;
        Ok(Outcome::default())
    })
}

/// A cluster that ringfort did not make.
struct Foreign {
    scene: Scene,
    site: drive::Site,
    /// Whether the control planes show as nodes, and each server answers at its own.
    has_planes: bool,
}

impl Foreign {
    /// Looks at what there is before anything is tried.
    async fn look(ways: &[Way], args: &ForeignArgs) -> Result<Self, Fault> {
        let (way, cluster) = first(ways).await?;
        let minor = minor(&cluster).await?;
        let nodes = cluster.list("v1", "Node", None, None).await.map_err(Fault::blind)?;
        let api = ObjectKey {
            api_version: "v1".to_owned(),
            kind: "Service".to_owned(),
            namespace: Some("default".to_owned()),
            name: "kubernetes".to_owned(),
        };
        let service = cluster.get(&api).await.map_err(Fault::blind)?.unwrap_or_default();
        let api_address = service["spec"]["clusterIP"].as_str().and_then(|it| it.parse().ok());
        let api_address = api_address
            .ok_or_else(|| Fault::blind("the Service default/kubernetes is not there"))?;
        let addresses: BTreeMap<NodeName, IpAddr> =
            nodes.iter().map(address).collect::<Result<_, Fault>>()?;
        let is_plane = |name: &NodeName| {
            let of_it = nodes.iter().find(|node| node["metadata"]["name"] == name.as_str());
            of_it.is_some_and(|node| !node["metadata"]["labels"][PLANE].is_null())
        };
        let (planes, workers): (Vec<NodeName>, Vec<NodeName>) =
            addresses.keys().cloned().partition(is_plane);
        let own = each(ways, way, &planes, &addresses).await?;
        let whole = NodeName::new(WHOLE).map_err(Fault::blind)?;
        let has_planes = !own.is_empty();
        let places = if has_planes { own } else { [(whole, way.clone())].into() };
        let mut site = drive::Site::default();
        for (plane, way) in &places {
            let authority = &way.identity.authority_pem;
            let stranger = Cluster::open_unnamed(way.at, &way.name, authority);
            site.strangers.insert(plane.clone(), Arc::new(stranger.map_err(Fault::usage)?));
            site.servers.insert(plane.clone(), Arc::new(way.open()?));
        }
        let Nonce { word, namespace } = Nonce::draw()?;
        let scene = Scene {
            control_planes: places.into_keys().collect(),
            app_armor: workers.iter().cloned().collect(),
            workers,
            namespace,
            nonce: word,
            domain: "cluster.local".to_owned(),
            api_address,
            probe_image: args.probe_image.clone(),
            waived: BTreeMap::new(),
            guards: BTreeMap::new(),
            api_guards: Vec::new(),
            addons: Vec::new(),
            told: BTreeSet::new(),
            blind: Vec::new(),
            pod_traffic: PodTraffic::Open { why: "it is not known".to_owned() },
            addresses,
            authorities: BTreeMap::new(),
            minor,
            versions: BTreeMap::new(),
            names: BTreeMap::new(),
            programs: BTreeMap::new(),
            program_files: BTreeMap::new(),
            files: BTreeMap::new(),
            signed: BTreeMap::new(),
            now_s: now_s(),
        };
        Ok(Self { scene, site, has_planes })
    }

    /// Says why a control cannot be shown here at all.
    fn out_of_sight(&self, control: &str, proof: &Proof) -> Option<String> {
        if proof.phase.stops() {
            return Some("its proof stops machines, which is not done to this cluster".to_owned());
        }
        if !self.has_planes && OF_NODES.contains(&control) {
            return Some("its control planes do not show as nodes".to_owned());
        }
        let own = OF_OUR_OWN.iter().find(|(id, _)| *id == control);
        own.map(|(_, why)| (*why).to_owned())
    }

    async fn prove(&self, voice: &mut Voice, interrupts: &mut Receiver<()>) -> Result<(), Fault> {
        voice.stage("proofs");
        let mut rows = Vec::new();
        for (control, proof) in proved() {
            match self.out_of_sight(control.id, &proof) {
                Some(said) => {
                    let gap = Gap { said, closes: OWN.to_owned() };
                    tell(voice, control.id, &Err(gap), Made::Before);
                }
                None => rows.push((control.id, proof)),
            }
        }
        let servers = &self.site.servers;
        let words = "interrupted before anything was tried";
        cut_by(interrupts, words, make_namespace(servers, &self.scene.namespace)).await?;
        let mut ended = Ok(());
        for phase in [Phase::Ground, Phase::Gentle] {
            let rows: Vec<(&str, Proof)> =
                rows.iter().filter(|(_, proof)| proof.phase == phase).copied().collect();
            let made = drive::prove(&rows, &self.scene, &self.site, interrupts, |made| {
                tell(voice, made.control, &through_the_api(made.judgement), Made::Once);
            });
            ended = made.await.map_err(Fault::interrupted);
            if ended.is_err() {
                break;
            }
        }
        clear(servers).await;
        ended
    }
}

/// What closes the gaps of a cluster that ringfort did not make.
const OWN: &str = "only of clusters that ringfort made";

/// What could not be seen through the API is closed in no way that a proof knows of.
fn through_the_api(judgement: Judgement) -> Judgement {
    judgement.map_err(|Gap { said, .. }| Gap { said, closes: OWN.to_owned() })
}

/// The label of control planes' nodes.
const PLANE: &str = "node-role.kubernetes.io/control-plane";

async fn minor(cluster: &Cluster) -> Result<Minor, Fault> {
    let said = cluster.text("/version").await.map_err(Fault::blind)?;
    let said: Value = serde_json::from_str(&said).map_err(Fault::blind)?;
    let number = said["minor"].as_str().unwrap_or_default().trim_end_matches('+');
    let known = Minor::ALL.into_iter().find(|minor| minor.number().to_string() == number);
    known.ok_or_else(|| {
        let of_it = said["gitVersion"].as_str().unwrap_or("a version that it does not tell");
        Fault::blind(format!("the cluster runs {of_it}: proofs are known for 1.35, 1.36 and 1.37"))
    })
}

/// Reads where a node is. One that is passed over would be missing from what is said of all.
fn address(node: &Value) -> Result<(NodeName, IpAddr), Fault> {
    let name = node.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let all = node.pointer("/status/addresses").and_then(Value::as_array);
    let internal = all.into_iter().flatten().find(|one| one["type"] == "InternalIP");
    let address = internal.and_then(|it| it["address"].as_str()?.parse().ok());
    let address =
        address.ok_or_else(|| Fault::blind(format!("node {name} says no address of its own")))?;
    let name = NodeName::new(name).map_err(|error| {
        Fault::blind(format!("node {name:?}: {error}; machines with such names cannot be proved"))
    })?;
    Ok((name, address))
}

/// Finds each control plane's own server: where a way leads to it, or else behind the same port as the
/// first. None, unless all of them answer.
async fn each(
    ways: &[Way],
    first: &Way,
    planes: &[NodeName],
    addresses: &BTreeMap<NodeName, IpAddr>,
) -> Result<BTreeMap<NodeName, Way>, Fault> {
    let mut found = BTreeMap::new();
    for plane in planes {
        let named = ways.iter().find(|way| way.at.ip() == addresses[plane]).unwrap_or(first);
        let at = SocketAddr::new(addresses[plane], named.at.port());
        let way = Way { at, ..named.clone() };
        if way.open()?.text("/version").await.is_err() {
            return Ok(BTreeMap::new());
        }
        found.insert(plane.clone(), way);
    }
    Ok(found)
}
