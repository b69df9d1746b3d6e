//! What controls name when they write: components, documents, certificates, mounts, units.

use std::collections::BTreeSet;

use ringfort_model::certificate::{Authority, San, Subject, Usage};
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;

use crate::paths;

/// What programs in Go are told that units run: garbage is collected before a heap has doubled, which takes less memory
/// at rest for a little more of the processor under load.
pub const GO_ENVIRONMENT: &str = "GOGC=50";

/// A component of the control plane, run by kubelet as a static pod.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Component {
    /// The store.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controllers.
    ControllerManager,
    /// The scheduler.
    Scheduler,
}

impl Component {
    /// Every component.
    pub const ALL: [Self; 4] =
        [Self::Etcd, Self::ApiServer, Self::ControllerManager, Self::Scheduler];

    /// Those of Kubernetes' own, which share flags.
    pub const KUBERNETES: [Self; 3] = [Self::ApiServer, Self::ControllerManager, Self::Scheduler];

    /// Gives the name of its pod, program, image and process.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        }
    }

    /// Gives the path of its manifest.
    pub fn manifest(self) -> String {
        format!("{}/{}.yaml", paths::MANIFESTS, self.name())
    }
}

/// A configuration file that several controls write together.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Document {
    /// kubelet's.
    Kubelet,
    /// kube-proxy's.
    KubeProxy,
    /// The route keeper's.
    Routes,
    /// The policy enforcer's.
    NetworkPolicy,
}

impl Document {
    /// Gives its path.
    pub fn path(self) -> &'static str {
        match self {
            Self::Kubelet => paths::KUBELET_CONFIG,
            Self::KubeProxy => paths::PROXY_CONFIG,
            Self::Routes => paths::ROUTES,
            Self::NetworkPolicy => paths::NETWORK_POLICY,
        }
    }

    /// Gives version and kind of a file of Kubernetes; the others are ringfort's own, in JSON.
    pub(super) fn head(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Kubelet => Some(("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration")),
            Self::KubeProxy => Some(("kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration")),
            Self::Routes | Self::NetworkPolicy => None,
        }
    }
}

/// A certificate and its key: both are made on the machine, the key never leaves it.
#[derive(Clone, Debug)]
pub struct Leaf<'a> {
    /// Path of both without their endings.
    pub stem: &'a str,
    /// Who reads them.
    pub owner: Owner,
    /// Who signs.
    pub authority: Authority,
    /// Whom it speaks for.
    pub subject: Subject,
    /// What it may be used for.
    pub usages: &'a [Usage],
    /// The names it answers to.
    pub names: BTreeSet<San>,
}

/// What of a machine a static pod sees, under the same path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mount {
    /// A directory that is read.
    Reads,
    /// A directory that is read, and whose files take effect when they change.
    Reloads,
    /// A directory that is written.
    Writes,
    /// A single file, which never changes while the pod lives.
    File,
}

/// A unit of systemd.
#[derive(Clone, Debug)]
pub struct Unit<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its file.
    pub text: String,
    /// Paths of what it reads only at its start.
    pub reads: &'a [&'a str],
    /// What must be right before it starts, beside what it reads.
    pub needs: Vec<ItemId>,
}

#[derive(Clone, Debug)]
pub(super) struct UnitSketch {
    pub by: &'static str,
    pub reads: Vec<String>,
    pub needs: BTreeSet<ItemId>,
}
