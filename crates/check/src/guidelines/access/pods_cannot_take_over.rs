//! Who takes over a pod does not get the cluster with it.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::subject::is_account;
use crate::fault::Remedy;
use crate::grants::{self, Grant, Named};
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::PodScene;
use crate::world::{Namespace, Objects};
use ringfort_model::judgement::Gap;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/pods-cannot-take-over",
    title: "The account of a pod has no right by which the cluster is taken over",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("pods_cannot_take_over.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let (place, account) = pod.account();
    let name = match account.or("default") {
        Field::Is("") => "default",
        Field::Is(name) => name,
        _ => return sheet.unread(&place),
    };
    if !may_have_token(pod, name, sheet) {
        return;
    }
    let (objects, namespace) = (pod.whole.objects, pod.whole.object.namespace);
    match objects.complete("ClusterRoleBinding", Namespace::Beside) {
        Ok(()) => sheet.pass(&place),
        Err(gap) => sheet.missing(&place, gap),
    }
    for (number, binding) in objects.within("ClusterRoleBinding", Namespace::Beside) {
        let root = binding.root();
        let subjects = root.at("subjects");
        match (is_account(&subjects, namespace, name), takes_over(objects, &root.at("roleRef"))) {
            (Some(true), Some(true)) => {
                return sheet.fail(&place, Remedy::Do("bind the account to what it needs alone"));
            }
            (Some(false), _) | (_, Some(false)) => {}
            (None, _) => sheet.unread_in(number, &subjects),
            (Some(true), None) => sheet.missing(
                &place,
                Gap {
                    said: format!("what {} gives its account is not known", binding.name()),
                    closes: "give every ClusterRole".to_owned(),
                },
            ),
        }
    }
}

/// Whether a pod may have a token of its account; where it has none, or that cannot be read, the sheet says so.
fn may_have_token(pod: &PodScene<'_>, account: &str, sheet: &mut Sheet) -> bool {
    let flag = pod.spec.at("automountServiceAccountToken");
    match flag.boolean() {
        Field::Is(true) => return true,
        Field::Is(false) => sheet.pass(&flag),
        Field::Unreadable => sheet.unread(&flag),
        Field::Absent => return may_mount(pod, account, &flag, sheet),
    }
    false
}

/// The same by what the account says, where the pod says nothing.
fn may_mount(pod: &PodScene<'_>, account: &str, flag: &Place<'_>, sheet: &mut Sheet) -> bool {
    let (objects, namespace) = (pod.whole.objects, pod.whole.object.namespace);
    let Some((number, account)) = objects.find("ServiceAccount", namespace, account) else {
        let complete = objects.complete("ServiceAccount", namespace);
        return complete.map_err(|gap| sheet.missing(flag, gap)).is_ok();
    };
    let root = account.root();
    let of_account = root.at("automountServiceAccountToken");
    match of_account.boolean() {
        Field::Is(true) | Field::Absent => return true,
        Field::Is(false) => sheet.pass(flag),
        Field::Unreadable => sheet.unread_in(number, &of_account),
    }
    false
}

/// Whether a role that is bound everywhere is enough to take the cluster over; nothing where that is not known.
fn takes_over(objects: &Objects<'_>, role: &Place<'_>) -> Option<bool> {
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
    let is_said = role.value["aggregationRule"].is_null() && !texts.has_template(rules);
    is_said.then(|| grants::gives(TAKEOVER, rules)).flatten()
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
