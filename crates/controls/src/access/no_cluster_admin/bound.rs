//! What bindings that are there give, whoever made them and however: judged as the guard judges those that are made.

use ringfort_model::act::{Ask, Next};
use serde_json::Value;

use crate::access::given::{none_gives, text};
use crate::proof::{Course, Scene};

/// Groups that are everybody, or everybody with a token, as the guard names them.
const WIDE: [&str; 4] =
    ["system:masters", "system:authenticated", "system:unauthenticated", "system:serviceaccounts"];
/// The user that is nobody.
const NOBODY: &str = "system:anonymous";

/// The bindings that API servers make at their start, each named after its role: roles, and the groups that they are
/// bound to.
const UPSTREAM: [(&[&str], &[&str]); 4] = [
    (&["cluster-admin"], &["system:masters"]),
    (&["system:basic-user", "system:discovery"], &["system:authenticated"]),
    (&["system:public-info-viewer"], &["system:authenticated", "system:unauthenticated"]),
    (
        &["system:service-account-issuer-discovery", "system:cluster-trust-bundle-discovery"],
        &["system:serviceaccounts"],
    ),
];

/// Judges every binding that is there, and gives how many there are.
pub(super) fn none_is_bound(course: &mut Course<'_>, scene: &Scene) -> Result<usize, Next> {
    none_gives(course, scene, (Ask::Bindings, "bindings"), gives)
}

/// Says what a binding gives that none may, and to whom.
fn gives(binding: &Value) -> Option<String> {
    let role = text(binding, "/roleRef/name");
    let binds = |who: &[&Value]| {
        let names: Vec<String> = who.iter().map(|it| named(it)).collect();
        let who = if names.is_empty() { "nobody yet".to_owned() } else { names.join(", ") };
        format!("binds {who} to {role}")
    };
    let all: Vec<&Value> = subjects(binding).collect();
    if let Some(groups) = upstream(binding) {
        let others: Vec<&Value> = all.into_iter().filter(|it| !is_group_of(groups, it)).collect();
        return (!others.is_empty()).then(|| binds(&others));
    }
    if role == "cluster-admin" {
        return Some(binds(&all));
    }
    let wide: Vec<&Value> = subjects(binding).filter(|it| is_everybody(it)).collect();
    (!wide.is_empty()).then(|| binds(&wide))
}

/// The groups that a binding of the API servers' own binds, if it is one by its name and its role.
fn upstream(binding: &Value) -> Option<&'static [&'static str]> {
    let role = text(binding, "/roleRef/name");
    let is_own =
        text(binding, "/kind") == "ClusterRoleBinding" && text(binding, "/metadata/name") == role;
    let found = UPSTREAM.iter().find(|(roles, _)| is_own && roles.contains(&role));
    found.map(|(_, groups)| *groups)
}

fn is_group_of(groups: &[&str], subject: &Value) -> bool {
    text(subject, "/kind") == "Group" && groups.contains(&text(subject, "/name"))
}

fn is_everybody(subject: &Value) -> bool {
    let is_nobody = text(subject, "/kind") == "User" && text(subject, "/name") == NOBODY;
    is_nobody || is_group_of(&WIDE, subject)
}

/// Names whom a binding binds.
fn named(subject: &Value) -> String {
    match (text(subject, "/namespace"), text(subject, "/name")) {
        ("", name) => name.to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    }
}

fn subjects(binding: &Value) -> impl Iterator<Item = &Value> {
    binding["subjects"].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{NOBODY, UPSTREAM, WIDE, gives};
    use crate::access::no_cluster_admin as guard;

    /// What stands between quotes in an expression, but for kinds.
    fn quoted(expression: &str) -> BTreeSet<&str> {
        let is_kind = |word: &&str| ["Group", "User", "ClusterRoleBinding"].contains(word);
        expression.split('\'').skip(1).step_by(2).filter(|word| !is_kind(word)).collect()
    }

    #[test]
    fn what_is_there_is_judged_by_what_the_guard_says() {
        let wide: BTreeSet<&str> = WIDE.into_iter().chain([NOBODY]).collect();
        assert_eq!(quoted(guard::WIDE), wide);
        let cases: Vec<BTreeSet<&str>> =
            guard::UPSTREAM.lines().map(quoted).filter(|words| !words.is_empty()).collect();
        let of = |(roles, groups): &(&[&'static str], &[&'static str])| {
            roles.iter().chain(*groups).copied().collect::<BTreeSet<&str>>()
        };
        assert_eq!(cases, UPSTREAM.iter().map(of).collect::<Vec<_>>());
    }

    fn binding(kind: &str, name: &str, role: &str, subjects: &[(&str, &str)]) -> Value {
        let subject = |(kind, name): &(&str, &str)| json!({"kind": kind, "name": name});
        json!({
            "kind": kind, "metadata": {"name": name},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": subjects.iter().map(subject).collect::<Vec<_>>(),
        })
    }

    #[test]
    fn who_is_bound_and_should_not_be_is_named() {
        let check =
            |(kind, name, role): (&str, &str, &str), who: &[(&str, &str)], said: Option<&str>| {
                let given = gives(&binding(kind, name, role, who));
                assert_eq!(given.as_deref(), said, "{kind} {name} {role} {who:?}");
            };
        let all = "ClusterRoleBinding";
        let masters = ("Group", "system:masters");
        let eve = ("User", "eve");
        check((all, "cluster-admin", "cluster-admin"), &[masters], None);
        let bound = Some("binds eve to cluster-admin");
        check((all, "cluster-admin", "cluster-admin"), &[eve], bound);
        check((all, "eve", "cluster-admin"), &[eve], bound);
        check(("RoleBinding", "eve", "cluster-admin"), &[eve], bound);
        check((all, "empty", "cluster-admin"), &[], Some("binds nobody yet to cluster-admin"));
        // The binding of the servers with one more beside its own group: that one is named.
        check((all, "cluster-admin", "cluster-admin"), &[masters, eve], bound);
        let wider = Some("binds system:masters, eve to cluster-admin");
        check((all, "other", "cluster-admin"), &[masters, eve], wider);
        let two = Some("binds eve, mallory to cluster-admin");
        check((all, "system:evil", "cluster-admin"), &[eve, ("User", "mallory")], two);
        let named = ("Group", "system:authenticated");
        check((all, "system:discovery", "system:discovery"), &[named], None);
        let beside = Some("binds eve to system:discovery");
        check((all, "system:discovery", "system:discovery"), &[named, eve], beside);
        check((all, "everybody", "view"), &[named], Some("binds system:authenticated to view"));
        let accounts = ("Group", "system:serviceaccounts");
        let given = Some("binds system:serviceaccounts to view");
        check(("RoleBinding", "a", "view"), &[accounts], given);
        let nobody = Some("binds system:anonymous to view");
        check(("RoleBinding", "a", "view"), &[("User", "system:anonymous")], nobody);
        // A binding in a namespace is none of the servers'.
        let given = Some("binds system:authenticated to system:discovery");
        check(("RoleBinding", "system:discovery", "system:discovery"), &[named], given);
        check((all, "team", "view"), &[eve, ("ServiceAccount", "system:masters")], None);
        check((all, "team", "view"), &[("Group", "system:serviceaccounts:team")], None);
    }
}
