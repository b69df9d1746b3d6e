//! Who asks, as far as a name says it. Names are what the server found out, so they can be relied on; what
//! a program calls itself cannot.

use crate::event::{ANONYMOUS, Event, User};

/// Users that are parts of a cluster. Node names and everybody else's are no part of the list.
const COMPONENTS: [&str; 5] = [
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "system:kube-proxy",
    "system:cloud-controller-manager",
];

/// The accounts in `kube-system` that upstream's controllers use. An exact list: a name that somebody makes
/// up in `kube-system` is none of them.
const CONTROLLERS: [&str; 36] = [
    "attachdetach-controller",
    "certificate-controller",
    "cloud-provider",
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "device-taint-eviction-controller",
    "disruption-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "endpointslicemirroring-controller",
    "ephemeral-volume-controller",
    "expand-controller",
    "generic-garbage-collector",
    "horizontal-pod-autoscaler",
    "job-controller",
    "kube-controller-manager",
    "legacy-service-account-token-cleaner",
    "namespace-controller",
    "node-controller",
    "persistent-volume-binder",
    "pod-garbage-collector",
    "pv-protection-controller",
    "pvc-protection-controller",
    "replicaset-controller",
    "replication-controller",
    "resource-claim-controller",
    "resourcequota-controller",
    "root-ca-cert-publisher",
    "service-account-controller",
    "service-controller",
    "service-cidrs-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
    "validatingadmissionpolicy-status-controller",
];

const IN_SYSTEM: &str = "system:serviceaccount:kube-system:";

/// Whether an account in `kube-system` is one of upstream's controllers.
pub(crate) fn is_controller(account: &str) -> bool {
    CONTROLLERS.contains(&account)
}

/// Gives the names of all users that are parts of a cluster, but for nodes.
pub fn components() -> impl Iterator<Item = String> {
    let controllers = CONTROLLERS.iter().map(|name| format!("{IN_SYSTEM}{name}"));
    COMPONENTS.iter().map(|name| (*name).to_owned()).chain(controllers)
}

/// Whether a user is a part of the cluster itself: a component, a controller, a node.
pub fn is_component(user: &User<'_>) -> bool {
    is_component_named(&user.username) || is_node(user)
}

/// Whether a name is that of a component or a controller.
pub(crate) fn is_component_named(name: &str) -> bool {
    COMPONENTS.contains(&name) || name.strip_prefix(IN_SYSTEM).is_some_and(is_controller)
}

/// Whether a user is a node: both its name and its group have to say so, as the server asks for both.
pub fn is_node(user: &User<'_>) -> bool {
    user.username.starts_with("system:node:")
        && user.groups.iter().any(|group| &**group == "system:nodes")
}

/// Whether nobody said who asks.
pub(crate) fn is_anonymous(event: &Event<'_>) -> bool {
    &*event.actor().username == ANONYMOUS
}

/// Gives namespace and name of a service account.
pub(crate) fn account(username: &str) -> Option<(&str, &str)> {
    username.strip_prefix("system:serviceaccount:")?.split_once(':')
}

/// Whether a namespace belongs to the cluster itself.
pub(crate) fn is_system(namespace: &str) -> bool {
    matches!(namespace, "kube-system" | "kube-public" | "kube-node-lease")
}
