//! Rights of which one, had everywhere, is the whole cluster.

use crate::grants::{self, Grant, Named};
use crate::place::{Field, Place};
use crate::texts::Texts;
use crate::world::{Namespace, Objects};

/// Whether a role that is bound everywhere is enough to take the cluster over; nothing where that is not known.
pub(super) fn takes_over(objects: &Objects<'_>, role: &Place<'_>) -> Option<bool> {
    let place = role.at("name");
    let Field::Is(name) = place.word() else { return None };
    let Some((_, role)) = objects.find("ClusterRole", Namespace::Beside, name) else {
        let complete = objects.complete("ClusterRole", Namespace::Beside);
        return match KNOWN.contains(&name) {
            true => Some(true),
            false => complete.is_ok().then_some(false),
        };
    };
    let (rules, texts) = (&role.value["rules"], role.texts);
    let is_gathering = !role.value["aggregationRule"].is_null();
    match is_gathering && texts == Texts::Written {
        // What is written there is written over by what is gathered.
        true => KNOWN.contains(&name).then_some(true),
        false if texts.has_template(rules) => None,
        false => grants::gives(TAKEOVER, rules),
    }
}

/// Roles of every cluster that are enough: each gives pods and secrets of all namespaces.
const KNOWN: [&str; 3] = ["admin", "cluster-admin", "edit"];

const fn right(
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
) -> Grant {
    Grant { groups, resources, verbs, named: Named::Spared }
}

/// A right of which one object is enough, if it is the right one: the role `cluster-admin`, the group
/// `system:masters`, an account of the system.
const fn even_of_one(
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
) -> Grant {
    Grant { named: Named::Counts, ..right(groups, resources, verbs) }
}

const WRITING: &[&str] = &["create", "update", "patch"];
const RBAC: &[&str] = &["rbac.authorization.k8s.io"];

/// Rights of which one, had everywhere, is a way to all others.
const TAKEOVER: &[Grant] = &[
    grants::EVERYTHING,
    right(&[""], &["secrets"], &["get", "list", "watch"]),
    right(&[""], &["pods", "replicationcontrollers", "pods/ephemeralcontainers"], WRITING),
    right(&["apps"], &["daemonsets", "deployments", "replicasets", "statefulsets"], WRITING),
    right(&["batch"], &["cronjobs", "jobs"], WRITING),
    right(&[""], &["pods/exec", "pods/attach", "nodes/proxy"], &["create", "get"]),
    even_of_one(&[""], &["serviceaccounts/token"], &["create"]),
    even_of_one(&[""], &["users", "groups", "serviceaccounts"], &["impersonate"]),
    even_of_one(RBAC, &["roles", "clusterroles"], &["bind", "escalate"]),
    right(&["certificates.k8s.io"], &["certificatesigningrequests/approval"], &["update", "patch"]),
    right(
        &["admissionregistration.k8s.io"],
        &["mutatingwebhookconfigurations", "mutatingadmissionpolicies"],
        WRITING,
    ),
];
