//! What is declared of a cluster: by its `cluster.yaml`, and by the profile that ringfort makes clusters by.
//!
//! Who is meant to have a right is no fact of a machine or an object: somebody has to say it. For clusters that
//! ringfort makes the profile says it, and what an operator adds stands in the add-ons and waivers of the spec.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::identity::{CANARIES, CANARY, WITNESS};
use serde_json::Value;

use super::rights::{Holder, role_of, rules_of, subjects_of};

/// The identity that is handed over to people.
pub const ADMIN: &str = "ringfort:admin";
/// The identity that ringfort works as: made for each run, for an hour at most, and never written down.
pub const KEEPER: &str = "ringfort:keeper";
/// The identity of what enforces network policies on machines.
const ENFORCER: &str = ringfort_model::network_policy::ENFORCER;
/// The user that API servers are to kubelets.
const TO_KUBELETS: &str = "kube-apiserver-kubelet-client";

/// What is declared of a cluster that ringfort made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Intent {
    /// Every machine of the cluster, by name.
    pub machines: BTreeSet<String>,
    /// The objects that its add-ons bring, each by `KIND NAMESPACE/NAME` or `KIND NAME`.
    pub addons: BTreeMap<String, Value>,
    /// Users to whom a waiver opens namespaces.
    pub users: BTreeSet<String>,
    /// Whether packets of pods are to be encrypted, and a kernel that cannot is refused.
    pub is_encrypted: bool,
}

/// Rights of the identities that the profile makes, by the guideline that looks for them.
const MEANT: [(&str, &str); 5] = [
    ("access/no-node-proxy", TO_KUBELETS),
    ("access/no-pod-writing", ADMIN),
    ("access/no-secret-reading", ADMIN),
    ("access/no-token-requests", ADMIN),
    ("access/no-volume-writing", ADMIN),
];

impl Intent {
    /// Whether a user is meant to have the right that a guideline looks for.
    pub(super) fn means(&self, guideline: &str, user: &str) -> bool {
        let is_waived = self.users.contains(user) && MEANT.contains(&(guideline, ADMIN));
        is_waived || MEANT.contains(&(guideline, user))
    }

    /// Whether an add-on brings the binding by which somebody holds a right, to the same subject and to the same role,
    /// and no role of its own has more rules than it brings: what was added since is nobody's intent.
    pub(super) fn brings(&self, holder: &Holder, rules: &Value) -> bool {
        let Some(binding) = self.addons.get(&holder.by) else { return false };
        let is_its = holder.role == role_of(binding)
            && subjects_of(binding).any(|it| it.as_ref() == Some(&holder.subject));
        is_its && self.addons.get(&holder.role).is_none_or(|role| self.gives(role, rules))
    }

    /// Whether a role that add-ons bring gives all of these rules. One that gathers others gives what those do.
    fn gives(&self, role: &Value, rules: &Value) -> bool {
        let gathered = self.addons.values().filter(|it| it["kind"] == "ClusterRole");
        let is_gathering = !role["aggregationRule"].is_null();
        let all: Vec<&Value> = match is_gathering {
            true => gathered.collect(),
            false => vec![role],
        };
        let brought: Vec<Value> = all.iter().flat_map(|it| rules_of(&it["rules"])).collect();
        rules_of(rules).all(|rule| brought.contains(&rule))
    }

    /// Whether somebody who signs in by a certificate is a part of the cluster, and nobody.
    pub(super) fn is_part(user: &str) -> bool {
        [ENFORCER, TO_KUBELETS].contains(&user) || user.starts_with(WITNESS)
    }

    /// Whether a user is one that ringfort's own proofs try.
    pub(super) fn is_tried(user: &str) -> bool {
        let account = user.strip_prefix("system:serviceaccount:");
        account.is_some_and(|account| account.starts_with(CANARIES))
    }
}

/// Those as whom people work on clusters of the profile: an operator, and who is handed the cluster.
pub(super) const PEOPLE: [&str; 3] = [ADMIN, KEEPER, CANARY];
