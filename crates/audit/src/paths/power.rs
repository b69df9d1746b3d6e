//! What of a role counts on a way: rights by which somebody becomes somebody else, or takes more rights.

use std::collections::BTreeSet;

use crate::node::Node;
use crate::pod;

/// How somebody comes by the rights of an account of a namespace.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Means {
    /// Pods, or what makes them, run as it.
    RunPods,
    /// A pod that runs as it is entered, or its image is exchanged.
    EnterPods,
    /// A token of it is asked for.
    AskTokens,
    /// A Secret is made that a token of it is written to, and read.
    MakeSecrets,
    /// Its name is taken.
    Impersonate,
}

/// A right that counts on a way. A name is the only one that it is given for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Power {
    /// Any verb of anything.
    Everything,
    /// Rights of a role that its giver does not hold.
    Bind(Option<String>),
    /// Rights in a role that its writer does not hold.
    EscalateCluster,
    Escalate,
    WriteClusterBindings,
    WriteBindings,
    WriteClusterRoles,
    WriteRoles,
    /// The rights of an account.
    Account(Means, Option<String>),
    CreateSecrets,
    ReadSecrets,
    /// What API servers ask of kubelets, such as to enter pods.
    AskKubelets,
    /// The name of a user, or of a group.
    User(Option<String>),
    Group(Option<String>),
    /// A certificate, from the request to its approval.
    RequestCertificates,
    ApproveCertificates,
    Sign,
}

/// What a text counts for beside what it stands in: names are short, unless somebody wants them long.
pub(super) fn long(text: &str) -> usize {
    text.len() / 256
}

impl Power {
    /// What it counts for.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Bind(name) | Self::Account(_, name) | Self::User(name) | Self::Group(name) => {
                1 + name.as_deref().map_or(0, long)
            }
            _ => 1,
        }
    }
}

/// The cluster role that gives every right.
pub(super) const ALL: &str = "cluster-admin";
/// The account, and the cluster role, of the controller that puts cluster roles together: it may write any right.
pub(super) const AGGREGATES: &str = "clusterrole-aggregation-controller";
pub(super) const AGGREGATES_ROLE: &str = "system:controller:clusterrole-aggregation-controller";

/// A cluster role that API servers write themselves and that counts.
pub(super) struct Own {
    pub(super) name: &'static str,
    /// Whether others become a part of it, by a label,
    pub(super) gathers: bool,
    /// and of which it is a part itself.
    pub(super) into: Option<&'static str>,
    pub(super) powers: &'static [Power],
}

/// Those of every cluster. `edit` gives as many accounts as there are in a namespace.
pub(super) fn of_every_cluster() -> [Own; 5] {
    const ALL_POWERS: &[Power] = &[Power::Everything];
    const ADMIN: &[Power] = &[Power::WriteBindings, Power::WriteRoles];
    const EDIT: &[Power] = &[
        Power::Account(Means::RunPods, None),
        Power::Account(Means::EnterPods, None),
        Power::Account(Means::AskTokens, None),
        Power::Account(Means::Impersonate, None),
    ];
    const AGGREGATE: &[Power] = &[Power::EscalateCluster, Power::WriteClusterRoles];
    let own = |name, gathers, into, powers| Own { name, gathers, into, powers };
    [
        own(ALL, false, None, ALL_POWERS),
        own("admin", true, None, ADMIN),
        own("edit", true, Some("admin"), EDIT),
        own("view", true, Some("edit"), &[]),
        own(AGGREGATES_ROLE, false, None, AGGREGATE),
    ]
}

/// Reads the rules of a role.
pub(super) fn read(rules: &Node<'_>) -> BTreeSet<Power> {
    let mut powers = BTreeSet::new();
    rules.items().iter().for_each(|rule| Rule(rule).give(&mut powers));
    powers
}

struct Rule<'r>(&'r Node<'r>);

const RBAC: &str = "rbac.authorization.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";
/// Who signs what API servers take for users.
const SIGNER: &str = "kubernetes.io/kube-apiserver-client";
const WRITE: &[&str] = &["create", "update", "patch"];
const CHANGE: &[&str] = &["update", "patch"];
const READ: &[&str] = &["get", "list", "watch"];

impl Rule<'_> {
    fn give(&self, powers: &mut BTreeSet<Power>) {
        let mut give = |is: bool, power: Power| {
            if is {
                powers.insert(power);
            }
        };
        let is_unnamed = self.names().is_empty();
        let has_all = |key| self.0.at(key).texts().any(|it| it == "*");
        give(
            ["verbs", "apiGroups", "resources"].iter().all(|key| has_all(key)) && is_unnamed,
            Power::Everything,
        );
        let may = |verbs: &[&str], group, resource| self.may(verbs, group, resource);
        let every = |verbs: &[&str], group, resource| is_unnamed && may(verbs, group, resource);
        give(every(&["escalate"], RBAC, "clusterroles"), Power::EscalateCluster);
        give(every(&["escalate"], RBAC, "roles"), Power::Escalate);
        give(every(WRITE, RBAC, "clusterrolebindings"), Power::WriteClusterBindings);
        give(every(WRITE, RBAC, "rolebindings"), Power::WriteBindings);
        give(every(CHANGE, RBAC, "clusterroles"), Power::WriteClusterRoles);
        give(every(CHANGE, RBAC, "roles"), Power::WriteRoles);
        // A template by itself makes none, and a part of a pod does not say as whom it runs.
        let mut makers = pod::RESOURCES.iter().filter(|(_, of)| !of.starts_with("pod"));
        let runs =
            every(&["create"], "", "pods") || makers.any(|(group, of)| every(WRITE, group, of));
        give(runs, Power::Account(Means::RunPods, None));
        let enters = every(&["create", "get"], "", "pods/exec")
            || every(&["create", "get"], "", "pods/attach")
            || every(CHANGE, "", "pods/ephemeralcontainers")
            || every(CHANGE, "", "pods");
        give(enters, Power::Account(Means::EnterPods, None));
        give(may(&["create", "get"], "", "nodes/proxy"), Power::AskKubelets);
        give(every(&["create"], "", "secrets"), Power::CreateSecrets);
        give(every(READ, "", "secrets"), Power::ReadSecrets);
        give(
            every(&["create"], CERTIFICATES, "certificatesigningrequests"),
            Power::RequestCertificates,
        );
        give(
            every(CHANGE, CERTIFICATES, "certificatesigningrequests/approval"),
            Power::ApproveCertificates,
        );
        let signs =
            is_unnamed || self.names().iter().any(|it| *it == SIGNER || *it == "kubernetes.io/*");
        give(signs && may(&["approve"], CERTIFICATES, "signers"), Power::Sign);
        for name in self.named() {
            let impersonates = |resource| may(&["impersonate"], "", resource);
            let account = |means| Power::Account(means, name.clone());
            give(may(&["create"], "", "serviceaccounts/token"), account(Means::AskTokens));
            give(impersonates("serviceaccounts"), account(Means::Impersonate));
            give(impersonates("users"), Power::User(name.clone()));
            give(impersonates("groups"), Power::Group(name.clone()));
            give(may(&["bind"], RBAC, "clusterroles"), Power::Bind(name.clone()));
        }
    }

    fn names(&self) -> Vec<&str> {
        self.0.at("resourceNames").texts().filter(|name| !name.is_empty()).collect()
    }

    /// Each of its names, or none for all.
    fn named(&self) -> Vec<Option<String>> {
        let names = self.names();
        match names.is_empty() {
            true => vec![None],
            false => names.into_iter().map(|name| Some(name.to_owned())).collect(),
        }
    }

    fn may(&self, verbs: &[&str], group: &str, resource: &str) -> bool {
        let has =
            |key, is: &dyn Fn(&str) -> bool| self.0.at(key).texts().any(|it| it == "*" || is(it));
        let part = resource.split_once('/').map(|(_, part)| format!("*/{part}"));
        has("verbs", &|verb| verbs.contains(&verb))
            && has("apiGroups", &|it| it == group)
            && has("resources", &|it| it == resource || part.as_deref() == Some(it))
    }
}
