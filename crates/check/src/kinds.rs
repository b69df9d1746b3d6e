//! The kinds of objects that are judged, and those of Kubernetes that nothing is asked of.

pub use ringfort_model::api_object::group;

/// A kind of object that something is asked of.
#[derive(Debug)]
pub struct Kind {
    /// Its name, such as `Deployment`.
    pub name: &'static str,
    /// What `apiVersion` may say, the one that is served today first.
    pub(crate) versions: &'static [&'static str],
    /// The JSON pointer to its pod, or to the template of its pods, if it makes any.
    pub(crate) template: Option<&'static str>,
    /// Where objects of it live.
    pub(crate) scope: Scope,
    /// Where they are looked for.
    pub(crate) asked: Asked,
}

/// Where objects of a kind are looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    /// In what is written, and in clusters that run.
    Everywhere,
    /// In what is written, and in clusters whose objects are all judged: a cluster may not know the kind.
    WithAll,
    /// In what is written: a cluster makes such objects by itself, or has none.
    InWriting,
}

/// Where objects of a kind live.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// In a namespace.
    Namespace,
    /// Beside all namespaces.
    Cluster,
}

impl Kind {
    /// Whether a version is one of its group's versions: others have kinds of the same names.
    pub(crate) fn is_of(&self, version: &str) -> bool {
        self.versions.iter().any(|known| group(known) == group(version))
    }
}

/// Names every kind that a cluster which runs is asked for, with the version that is served today.
pub fn served() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().filter(|kind| kind.asked == Asked::Everywhere).filter_map(|kind| {
        let version = kind.versions.first()?;
        Some((*version, kind.name))
    })
}

/// Names every kind that a cluster is asked for where all of its objects are judged, with its versions, the one that
/// is served today first. What a cluster makes by itself is judged by what it makes it of.
pub fn of_clusters() -> impl Iterator<Item = (&'static [&'static str], &'static str)> {
    let is_asked = |kind: &&Kind| kind.asked != Asked::InWriting;
    KINDS.iter().filter(is_asked).map(|kind| (kind.versions, kind.name))
}

/// Whether objects of a kind that is judged are pods, or make some.
pub fn makes_pods(kind: &str) -> bool {
    KINDS.iter().any(|it| it.name == kind && it.template.is_some())
}

/// Kinds of network policies that others enforce, with their versions, of which a cluster serves one: each may close
/// what no policy of Kubernetes does. Of most it is not known here what they close.
pub const POLICIES: [(&[&str], &str); 11] = [
    (&["cilium.io/v2"], "CiliumClusterwideNetworkPolicy"),
    (&["cilium.io/v2"], "CiliumNetworkPolicy"),
    (ANTREA, "ClusterNetworkPolicy"),
    (ANTREA, "NetworkPolicy"),
    (&["crd.projectcalico.org/v1"], "GlobalNetworkPolicy"),
    (&["crd.projectcalico.org/v1"], "NetworkPolicy"),
    (&["policy.networking.k8s.io/v1alpha1"], "AdminNetworkPolicy"),
    (&["policy.networking.k8s.io/v1alpha1"], "BaselineAdminNetworkPolicy"),
    (&["policy.networking.k8s.io/v1alpha2"], "ClusterNetworkPolicy"),
    (&["projectcalico.org/v3"], "GlobalNetworkPolicy"),
    (&["projectcalico.org/v3"], "NetworkPolicy"),
];
const ANTREA: &[&str] = &["crd.antrea.io/v1beta1", "crd.antrea.io/v1alpha1"];

/// Whether a kind is one of Kubernetes' own that nothing is asked of.
pub(crate) fn is_plain(kind: &str, version: &str) -> bool {
    PLAIN.iter().any(|(of, kinds)| *of == group(version) && kinds.contains(&kind))
}

/// Whether a group is one of Kubernetes' own: no site makes kinds in it.
pub fn is_own_group(group: &str) -> bool {
    let is_plain = || PLAIN.iter().any(|(of, _)| *of == group);
    !group.contains('.') || ALL_JUDGED.contains(&group) || is_plain()
}

/// Groups of Kubernetes' own of which every kind is judged.
const ALL_JUDGED: [&str; 2] = ["discovery.k8s.io", "rbac.authorization.k8s.io"];

const OBJECT: Kind = Kind {
    name: "",
    versions: &[],
    template: None,
    scope: Scope::Namespace,
    asked: Asked::Everywhere,
};
const WORKLOAD: Kind = Kind { template: Some("/spec/template"), ..OBJECT };
const WITH_ALL: Kind = Kind { asked: Asked::WithAll, ..OBJECT };
const WRITTEN: Kind = Kind { asked: Asked::InWriting, ..OBJECT };
const SANDBOX: Kind = Kind { template: Some("/spec/podTemplate"), ..WITH_ALL };
const GATEWAY: &[&str] = &[
    "gateway.networking.k8s.io/v1",
    "gateway.networking.k8s.io/v1beta1",
    "gateway.networking.k8s.io/v1alpha3",
    "gateway.networking.k8s.io/v1alpha2",
];
const RBAC: &[&str] = &["rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io/v1beta1"];

/// Every kind that is judged.
pub(crate) const KINDS: [Kind; 40] = [
    Kind { name: "Pod", versions: &["v1"], template: Some(""), ..OBJECT },
    Kind { name: "PodTemplate", versions: &["v1"], template: Some("/template"), ..OBJECT },
    Kind { name: "ReplicationController", versions: &["v1"], ..WORKLOAD },
    Kind {
        name: "Deployment",
        versions: &["apps/v1", "apps/v1beta2", "apps/v1beta1", "extensions/v1beta1"],
        ..WORKLOAD
    },
    Kind {
        name: "ReplicaSet",
        versions: &["apps/v1", "apps/v1beta2", "extensions/v1beta1"],
        ..WORKLOAD
    },
    Kind {
        name: "DaemonSet",
        versions: &["apps/v1", "apps/v1beta2", "extensions/v1beta1"],
        ..WORKLOAD
    },
    Kind {
        name: "StatefulSet",
        versions: &["apps/v1", "apps/v1beta2", "apps/v1beta1"],
        ..WORKLOAD
    },
    Kind { name: "Job", versions: &["batch/v1"], ..WORKLOAD },
    Kind {
        name: "CronJob",
        versions: &["batch/v1", "batch/v1beta1", "batch/v2alpha1"],
        template: Some("/spec/jobTemplate/spec/template"),
        ..OBJECT
    },
    Kind { name: "ClusterRole", versions: RBAC, scope: Scope::Cluster, ..OBJECT },
    Kind { name: "ClusterRoleBinding", versions: RBAC, scope: Scope::Cluster, ..OBJECT },
    Kind { name: "Role", versions: RBAC, ..OBJECT },
    Kind { name: "RoleBinding", versions: RBAC, ..OBJECT },
    Kind { name: "ConfigMap", versions: &["v1"], ..OBJECT },
    Kind { name: "LimitRange", versions: &["v1"], ..OBJECT },
    Kind { name: "Namespace", versions: &["v1"], scope: Scope::Cluster, ..OBJECT },
    Kind { name: "ResourceQuota", versions: &["v1"], ..OBJECT },
    Kind { name: "Secret", versions: &["v1"], ..OBJECT },
    Kind { name: "Service", versions: &["v1"], ..OBJECT },
    Kind { name: "ServiceAccount", versions: &["v1"], ..OBJECT },
    Kind { name: "Ingress", versions: &["networking.k8s.io/v1"], ..OBJECT },
    Kind { name: "NetworkPolicy", versions: &["networking.k8s.io/v1"], ..OBJECT },
    Kind { name: "PodDisruptionBudget", versions: &["policy/v1"], ..OBJECT },
    Kind { name: "Endpoints", versions: &["v1"], ..WRITTEN },
    Kind { name: "Node", versions: &["v1"], scope: Scope::Cluster, ..WITH_ALL },
    Kind { name: "PersistentVolume", versions: &["v1"], scope: Scope::Cluster, ..WITH_ALL },
    Kind { name: "PersistentVolumeClaim", versions: &["v1"], ..WITH_ALL },
    Kind {
        name: "HorizontalPodAutoscaler",
        versions: &[
            "autoscaling/v2",
            "autoscaling/v1",
            "autoscaling/v2beta2",
            "autoscaling/v2beta1",
        ],
        ..WITH_ALL
    },
    Kind {
        name: "Lease",
        versions: &["coordination.k8s.io/v1", "coordination.k8s.io/v1beta1"],
        ..WRITTEN
    },
    Kind {
        name: "EndpointSlice",
        versions: &["discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"],
        ..WRITTEN
    },
    Kind {
        name: "StorageClass",
        versions: &["storage.k8s.io/v1", "storage.k8s.io/v1beta1"],
        scope: Scope::Cluster,
        ..WITH_ALL
    },
    Kind {
        name: "CSIStorageCapacity",
        versions: &["storage.k8s.io/v1", "storage.k8s.io/v1beta1", "storage.k8s.io/v1alpha1"],
        ..WRITTEN
    },
    Kind { name: "GRPCRoute", versions: GATEWAY, ..WITH_ALL },
    Kind { name: "HTTPRoute", versions: GATEWAY, ..WITH_ALL },
    Kind { name: "TCPRoute", versions: GATEWAY, ..WITH_ALL },
    Kind { name: "TLSRoute", versions: GATEWAY, ..WITH_ALL },
    Kind { name: "UDPRoute", versions: GATEWAY, ..WITH_ALL },
    Kind {
        name: "Sandbox",
        versions: &["agents.x-k8s.io/v1beta1", "agents.x-k8s.io/v1alpha1"],
        ..SANDBOX
    },
    Kind {
        name: "SandboxTemplate",
        versions: &["extensions.agents.x-k8s.io/v1beta1", "extensions.agents.x-k8s.io/v1alpha1"],
        ..SANDBOX
    },
    // What a site agreed on, for what is judged.
    Kind {
        name: "Conventions",
        versions: &["check.ringfort.dev/v1"],
        scope: Scope::Cluster,
        ..WRITTEN
    },
];

/// The names of all of them.
pub(crate) static NAMES: [&str; KINDS.len()] = {
    let mut names = [""; KINDS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = KINDS[at].name;
        at += 1;
    }
    names
};

/// Kinds by their group that make no pods and give no rights to pods, so that nothing is asked of them.
const PLAIN: [(&str, &[&str]); 17] = [
    ("", &["Binding", "ComponentStatus", "Event", "Status"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("apps", &["ControllerRevision"]),
    ("authentication.k8s.io", &["SelfSubjectReview", "TokenRequest", "TokenReview"]),
    (
        "authorization.k8s.io",
        &[
            "LocalSubjectAccessReview",
            "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
            "SubjectAccessReview",
        ],
    ),
    ("autoscaling", &["Scale"]),
    (
        "certificates.k8s.io",
        &["CertificateSigningRequest", "ClusterTrustBundle", "PodCertificateRequest"],
    ),
    ("coordination.k8s.io", &["LeaseCandidate"]),
    ("events.k8s.io", &["Event"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io", &["IPAddress", "IngressClass", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    (
        "resource.k8s.io",
        &[
            "DeviceClass",
            "DeviceTaintRule",
            "ResourceClaim",
            "ResourceClaimTemplate",
            "ResourceSlice",
        ],
    ),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "VolumeAttachment", "VolumeAttributesClass"]),
];
