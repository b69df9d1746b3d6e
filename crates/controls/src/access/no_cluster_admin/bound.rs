//! What bindings that are there give, whoever made them and however: judged as the guard judges those that are made.

use serde_json::Value;

use ringfort_model::act::{Ask, Next, Seen};

use crate::proof::{AGAIN, Course, Scene, fail, gap, words};

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
    let seen = course.step(vec![scene.ask(Ask::Bindings)])?;
    let [(_, Seen::Objects(bindings))] = seen else {
        let said = seen.first().map_or_else(String::new, |(_, seen)| words(seen));
        return Err(gap(format!("bindings were not listed: {said}"), AGAIN));
    };
    // Every API server makes some at its start.
    if !bindings.iter().any(|binding| text(binding, "/kind") == CLUSTER_WIDE) {
        return Err(gap("no binding of the whole cluster is listed at all", AGAIN));
    }
    for binding in bindings {
        if let Some(given) = gives(binding) {
            let (kind, name) = (text(binding, "/kind"), text(binding, "/metadata/name"));
            let (within, flag) = match text(binding, "/metadata/namespace") {
                "" => (String::new(), String::new()),
                namespace => (format!(" in {namespace}"), format!(" -n {namespace}")),
            };
            let fix = format!(
                "kubectl delete {} {name}{flag}, and find out who made it (ringfort audit search)",
                kind.to_lowercase()
            );
            return Err(fail(format!("{kind} {name}{within} {given}"), fix));
        }
    }
    Ok(bindings.len())
}

const CLUSTER_WIDE: &str = "ClusterRoleBinding";

/// Says what a binding gives that none may.
fn gives(binding: &Value) -> Option<String> {
    if is_upstream(binding) {
        return None;
    }
    let role = text(binding, "/roleRef/name");
    let everybody = subjects(binding).find(|subject| match text(subject, "/kind") {
        "Group" => WIDE.contains(&text(subject, "/name")),
        "User" => text(subject, "/name") == NOBODY,
        _ => false,
    });
    if let Some(everybody) = everybody {
        return Some(format!("binds {} to {role}", text(everybody, "/name")));
    }
    (role == "cluster-admin").then(|| {
        let who = subjects(binding).next().map_or("", |subject| text(subject, "/name"));
        let who = if who.is_empty() { "nobody yet" } else { who };
        format!("binds {who} to cluster-admin")
    })
}

fn is_upstream(binding: &Value) -> bool {
    let role = text(binding, "/roleRef/name");
    let is_group_of = |groups: &[&str], subject: &Value| {
        text(subject, "/kind") == "Group" && groups.contains(&text(subject, "/name"))
    };
    text(binding, "/kind") == CLUSTER_WIDE
        && text(binding, "/metadata/name") == role
        && UPSTREAM.iter().any(|(roles, groups)| {
            roles.contains(&role) && subjects(binding).all(|it| is_group_of(groups, it))
        })
}

fn subjects(binding: &Value) -> impl Iterator<Item = &Value> {
    binding["subjects"].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default()
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
        // The binding of the servers with one more beside its own group.
        let wider = Some("binds system:masters to cluster-admin");
        check((all, "cluster-admin", "cluster-admin"), &[masters, eve], wider);
        check((all, "other", "cluster-admin"), &[masters], wider);
        let named = ("Group", "system:authenticated");
        check((all, "system:discovery", "system:discovery"), &[named], None);
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
