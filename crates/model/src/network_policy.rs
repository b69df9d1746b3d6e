//! The file that tells a node's policy enforcer which pods are its own and what is closed by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::NodeName;
use crate::net::Cidr;

/// The bridge that pods of a machine are plugged into.
pub const BRIDGE: &str = "cni0";

/// What an enforcer of network policies is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Enforcement {
    /// The node that is told.
    pub node: NodeName,
    /// The ranges of its pods: what has an address in them and is not known gets no packet.
    pub pods: Vec<Cidr>,
    /// The ranges of all pods of the cluster.
    #[serde(default)]
    pub all_pods: Vec<Cidr>,
    /// The ranges of each node's pods. The first two addresses of each are its machine's own.
    #[serde(default)]
    pub node_pods: BTreeMap<NodeName, Vec<Cidr>>,
    /// What holds without any policy.
    #[serde(flatten)]
    pub defaults: Defaults,
}

/// What holds of pods that no policy selects.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Defaults {
    /// Whether a namespace is closed until a policy opens it.
    #[serde(default)]
    pub closed: bool,
    /// Namespaces that are open all the same, by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub open_namespaces: BTreeSet<String>,
    /// Namespaces that are open all the same, because they carry a label with one of these keys.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub open_labels: BTreeSet<String>,
    /// Where pods of closed namespaces may ask for names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Names>,
}

/// The namespace and name of the ConfigMap where people who know only kubectl read what holds of pods that no policy
/// selects.
pub const NOTICE: (&str, &str) = ("kube-public", "network-default");

/// The user as whom enforcers hear of the kinds that they need: without its right, which a ClusterRoleBinding of the
/// same name gives, nobody enforces.
pub const ENFORCER: &str = "ringfort:network-policy";

/// Who closes namespaces where the network is ringfort's, as the notice says it.
pub const OWN: &str = "ringfort on every machine, without any object";

/// Who closes namespaces where the network is the user's own, as the notice says it. A network has policies of its own
/// kinds, which nothing else reads.
pub const BROUGHT: &str =
    "the add-on that brings the network, by a policy for all pods of its own kind";

impl Defaults {
    /// Reads what the data of the notice says of namespaces: whether they are closed, and which are open all the same.
    /// Where names are asked for it does not say.
    ///
    /// # Errors
    /// It does not say whether they are closed.
    pub fn noticed(data: &Value) -> Result<Self, String> {
        let closed = match data["closed"].as_str() {
            Some("true") => true,
            Some("false") => false,
            other => return Err(format!("says closed: {other:?}, not true or false")),
        };
        Ok(Self {
            closed,
            open_namespaces: words_of(data, "openNamespaces"),
            open_labels: words_of(data, "openNamespaceLabels"),
            dns: None,
        })
    }
}

/// Gives the words of an entry of the notice that is a list.
pub fn words_of(data: &Value, key: &str) -> BTreeSet<String> {
    let words = data[key].as_str().unwrap_or_default().split(',').map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The pods that answer for names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Their namespace.
    pub namespace: String,
    /// Their labels.
    pub labels: BTreeMap<String, String>,
    /// The port that they listen on, over UDP and TCP.
    pub port: u16,
}

/// The group of cluster-wide policies: <https://network-policy-api.sigs.k8s.io/>.
pub const WIDER_GROUP: &str = "policy.networking.k8s.io";

/// A kind of cluster-wide policies.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum WiderKind {
    /// Of either tier.
    Cluster,
    /// Of the Admin tier; the kind before it.
    Admin,
    /// Of the Baseline tier; the kind before it.
    Baseline,
}

impl WiderKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cluster, Self::Admin, Self::Baseline];

    /// Gives the name of the kind.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cluster => "ClusterNetworkPolicy",
            Self::Admin => "AdminNetworkPolicy",
            Self::Baseline => "BaselineAdminNetworkPolicy",
        }
    }

    /// Gives its name in addresses.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Cluster => "clusternetworkpolicies",
            Self::Admin => "adminnetworkpolicies",
            Self::Baseline => "baselineadminnetworkpolicies",
        }
    }

    /// Finds the kind of a name.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Gives the best of the versions that it is read in, of those that are offered.
    pub fn best(self, offered: &[impl AsRef<str>]) -> Option<&'static str> {
        let is_offered = |version: &&str| offered.iter().any(|it| it.as_ref() == *version);
        self.versions().iter().copied().find(is_offered)
    }

    /// Gives the versions of it that are read, the best first.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Cluster => &["v1beta1", "v1alpha2"],
            Self::Admin | Self::Baseline => &["v1alpha1"],
        }
    }
}
