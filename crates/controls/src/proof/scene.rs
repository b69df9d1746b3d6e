//! What proofs know of the cluster before they look.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, FileSeen, Speaker};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::certificate::{Authority, San};
use ringfort_model::digest::Digest;
use ringfort_model::name::NodeName;
use ringfort_model::net::Cidr;
use ringfort_model::receiver::Recipient;
use ringfort_model::version::Minor;

/// What proofs know of the cluster.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Scene {
    /// The control planes.
    pub control_planes: Vec<NodeName>,
    /// The workers.
    pub workers: Vec<NodeName>,
    /// A namespace of this run's own, which is deleted afterwards.
    pub namespace: String,
    /// A word that nobody could guess, for canaries.
    pub nonce: String,
    /// The DNS domain of the cluster.
    pub domain: String,
    /// The address of the API's Service.
    pub api_address: IpAddr,
    /// Reference of the probe image.
    pub probe_image: String,
    /// The labels that open namespaces by a waiver, each with the identities that may give it.
    pub waived: BTreeMap<String, BTreeSet<String>>,
    /// The digest of the guards in the blueprint's files, by admission plugin; none where guards are
    /// objects of the API.
    pub guards: BTreeMap<String, String>,
    /// The guards that are objects of the API, before 1.37.
    #[serde(default)]
    pub api_guards: Vec<Value>,
    /// The objects of add-ons, as their files say, with the labels of their waivers.
    #[serde(default)]
    pub addons: Vec<Value>,
    /// Who is told findings.
    pub told: BTreeSet<Recipient>,
    /// What is not written down of requests, by decision: what was known before this was is nothing.
    #[serde(default)]
    pub blind: Vec<String>,
    /// How packets of pods travel between machines.
    pub pod_traffic: PodTraffic,
    /// Each machine's address.
    pub addresses: BTreeMap<NodeName, IpAddr>,
    /// The names that certificates of each machine may carry.
    pub names: BTreeMap<NodeName, BTreeSet<San>>,
    /// What tells each authority from others.
    pub authorities: BTreeMap<Authority, AuthorityMark>,
    /// The machines that AppArmor guards.
    pub app_armor: BTreeSet<NodeName>,
    /// The minor release of Kubernetes.
    pub minor: Minor,
    /// The versions that the bundle's lock names, by component.
    pub versions: BTreeMap<String, String>,
    /// The programs of the bundle by their names, each with the digests that it may have.
    pub programs: BTreeMap<String, BTreeSet<Digest>>,
    /// Where programs of the bundle lie on each machine.
    pub program_files: BTreeMap<NodeName, BTreeSet<String>>,
    /// The files of the blueprint on each machine.
    pub files: BTreeMap<NodeName, BTreeMap<String, FileSeen>>,
    /// What was signed of each machine's files.
    #[serde(default)]
    pub signed: BTreeMap<NodeName, Signed>,
    /// The time, in seconds since 1970.
    pub now_s: i64,
}

/// By what a machine's agent is to go.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Signed {
    /// Digest of the public half of the key that signs baselines.
    pub key: Digest,
    /// The number of the machine's newest baseline.
    pub number: u64,
    /// Digest of what the machine's baseline says.
    pub says: Digest,
}

/// What tells an authority from others.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AuthorityMark {
    /// Its subject key id, in hexadecimal.
    pub key_id: String,
    /// Digest of its public key (`SubjectPublicKeyInfo`, DER).
    pub public_key: Digest,
}

/// How packets of pods travel between machines.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodTraffic {
    /// Encrypted.
    Encrypted {
        /// The range of all pods' addresses.
        pods: Cidr,
    },
    /// Not encrypted by ringfort.
    Open {
        /// Why, in one sentence.
        why: String,
    },
}

/// The programs that make a control plane.
pub(crate) const CONTROL_PLANE_PROGRAMS: [&str; 4] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// What was signed of each machine of the invented cluster.
fn signed() -> Signed {
    Signed { key: Digest::of(b"a key"), number: 4, says: Digest::of(b"a baseline") }
}

impl Scene {
    /// Invents a cluster of three and three, for tests.
    pub fn sample() -> Self {
        let named = |name: &str| NodeName::new(name).expect("the name is one");
        let (planes, workers) = (["cp1", "cp2", "cp3"].map(named), ["w1", "w2", "w3"].map(named));
        let addresses = planes.iter().zip(11..).chain(workers.iter().zip(21..));
        let mark = |authority: Authority| AuthorityMark {
            key_id: authority.common_name().to_owned(),
            public_key: Digest::of(authority.common_name().as_bytes()),
        };
        let secret = FileSeen { mode: "600".to_owned(), user: 0, group: 0 };
        let told = FileSeen { mode: "644".to_owned(), user: 0, group: 0 };
        let files = [
            ("/etc/kubernetes/network-policy.json".to_owned(), told),
            ("/etc/kubernetes/pki/sa.key".to_owned(), secret),
        ];
        Self {
            namespace: "canary".to_owned(),
            nonce: "nonce-4711".to_owned(),
            domain: "cluster.local".to_owned(),
            api_address: [10, 96, 0, 1].into(),
            probe_image: "ringfort.dev/probe:1".to_owned(),
            waived: [
                ("addon.ringfort.dev/net".to_owned(), [Speaker::Keeper.user()].into()),
                ("e2e-framework".to_owned(), ["e2e".to_owned()].into()),
            ]
            .into(),
            guards: [("ValidatingAdmissionPolicy".to_owned(), "sha256:4711".to_owned())].into(),
            api_guards: Vec::new(),
            addons: vec![
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "net"}}),
                json!({"apiVersion": "v1", "kind": "ConfigMap",
                       "metadata": {"name": "peers", "namespace": "net"}}),
            ],
            told: [
                Recipient::MachineLog,
                Recipient::Metrics,
                Recipient::Webhook,
                Recipient::Syslog,
            ]
            .into(),
            blind: vec!["paths of health".to_owned()],
            pod_traffic: PodTraffic::Open { why: "the sample is in one room".to_owned() },
            addresses: addresses
                .clone()
                .map(|(node, last)| (node.clone(), [10, 0, 0, last].into()))
                .collect(),
            names: addresses
                .clone()
                .map(|(node, last)| {
                    let own = San::Ip([10, 0, 0, last].into());
                    (node.clone(), [own, San::Ip([127, 0, 0, 1].into())].into())
                })
                .collect(),
            authorities: Authority::ALL.into_iter().map(|a| (a, mark(a))).collect(),
            app_armor: workers.iter().cloned().collect(),
            minor: Minor::V1_37,
            versions: [
                ("kubernetes", "v1.37.2"),
                ("containerd", "2.4.2"),
                ("coredns", "1.14.6"),
                ("etcd", "3.7.0"),
                ("runc", "1.5.2"),
            ]
            .map(|(component, version)| (component.to_owned(), version.to_owned()))
            .into(),
            programs: ["kubelet", "containerd", "kube-proxy", "runc", "coredns"]
                .into_iter()
                .chain(CONTROL_PLANE_PROGRAMS)
                .map(|name| (name.to_owned(), [Digest::of(name.as_bytes())].into()))
                .collect(),
            program_files: planes
                .iter()
                .chain(&workers)
                .map(|node| (node.clone(), ["/usr/local/bin/runc".to_owned()].into()))
                .collect(),
            files: planes.iter().map(|node| (node.clone(), files.clone().into())).collect(),
            signed: planes.iter().chain(&workers).map(|node| (node.clone(), signed())).collect(),
            now_s: 1_800_000_000,
            control_planes: planes.into(),
            workers: workers.into(),
        }
    }

    pub(crate) fn machines(&self) -> impl Iterator<Item = &NodeName> {
        self.control_planes.iter().chain(&self.workers)
    }

    pub(crate) fn server(&self) -> NodeName {
        self.control_planes[0].clone()
    }

    pub(crate) fn ask(&self, ask: Ask) -> Act {
        Act::Ask { server: self.server(), speaker: Speaker::Keeper, ask }
    }

    pub(crate) fn key(&self, api_version: &str, kind: &str, name: &str) -> ObjectKey {
        ObjectKey {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(self.namespace.clone()),
            name: name.to_owned(),
        }
    }
}
