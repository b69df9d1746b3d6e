//! The kinds of objects that are judged, and those of Kubernetes that nothing is asked of.

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

/// Names every kind that is judged, with the version that is served today.
pub fn served() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().filter_map(|kind| {
        let version = kind.versions.first()?;
        Some((*version, kind.name))
    })
}

/// Gives the group of what `apiVersion` says; that of the oldest objects is empty.
pub(crate) fn group(version: &str) -> &str {
    version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// Whether a kind is one of Kubernetes' own that nothing is asked of.
pub(crate) fn is_plain(kind: &str, version: &str) -> bool {
    PLAIN.iter().any(|(of, kinds)| *of == group(version) && kinds.contains(&kind))
}

const OBJECT: Kind = Kind { name: "", versions: &[], template: None, scope: Scope::Namespace };
const WORKLOAD: Kind = Kind { template: Some("/spec/template"), ..OBJECT };
const RBAC: &[&str] = &["rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io/v1beta1"];

/// Every kind that is judged.
pub(crate) const KINDS: [Kind; 23] = [
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
];

/// Kinds by their group that make no pods and give no rights to pods, so that nothing is asked of them.
const PLAIN: [(&str, &[&str]); 18] = [
    (
        "",
        &[
            "Binding",
            "ComponentStatus",
            "Endpoints",
            "Event",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Status",
        ],
    ),
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
    ("autoscaling", &["HorizontalPodAutoscaler", "Scale"]),
    (
        "certificates.k8s.io",
        &["CertificateSigningRequest", "ClusterTrustBundle", "PodCertificateRequest"],
    ),
    ("coordination.k8s.io", &["Lease", "LeaseCandidate"]),
    ("discovery.k8s.io", &["EndpointSlice"]),
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
    (
        "storage.k8s.io",
        &[
            "CSIDriver",
            "CSINode",
            "CSIStorageCapacity",
            "StorageClass",
            "VolumeAttachment",
            "VolumeAttributesClass",
        ],
    ),
];
