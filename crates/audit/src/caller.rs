//! Who asks, as far as a name says it. Names are what the server found out, so they can be relied on; what
//! a program calls itself cannot.

use ringfort_model::controllers::CONTROLLERS;
use ringfort_model::identity::{CANARY, KEEPER};

use crate::event::{ANONYMOUS, Event, User};

/// Users that are parts of a cluster. Node names and everybody else's are no part of the list.
const COMPONENTS: [&str; 5] = [
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "system:kube-proxy",
    "system:cloud-controller-manager",
];

/// Accounts in `kube-system` that are controllers on clusters of providers. Their requests are logged like
/// everybody's where the policy is ringfort's, which keeps no such account from being made.
const PROVIDERS: [&str; 2] = ["cloud-provider", "kube-controller-manager"];

const IN_SYSTEM: &str = "system:serviceaccount:kube-system:";

/// Whether an account in `kube-system` is a controller.
pub(crate) fn is_controller(account: &str) -> bool {
    CONTROLLERS.contains(&account) || PROVIDERS.contains(&account)
}

/// Gives the names of all users that are parts of a cluster of ringfort's, but for nodes.
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

/// Whether ringfort itself asks, under its own name: its certificate is made for one run and stored nowhere. Who acts
/// as it is somebody else.
pub(crate) fn is_keeper(event: &Event<'_>) -> bool {
    &*event.user.username == KEEPER
}

/// Whether somebody of ringfort's asks whose certificate is made for one run and never leaves the operator's memory. What
/// it asks goes to servers through machines of the cluster.
pub(crate) fn is_of_a_run(event: &Event<'_>) -> bool {
    [KEEPER, CANARY].contains(&&*event.user.username)
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
