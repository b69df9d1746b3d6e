//! What roles that are there hand out, whoever made them and however: judged as the guard judges those that are made.

use serde_json::Value;

use ringfort_model::act::{Ask, Next, Seen};

use crate::proof::{AGAIN, Course, Scene, fail, gap, words};

/// What those may be about who can be impersonated or hold roles, as the guard names them.
const PEOPLE: [&str; 6] = ["users", "groups", "uids", "serviceaccounts", "roles", "clusterroles"];
/// The groups of these.
const GROUPS: [&str; 4] = ["*", "", "authentication.k8s.io", "rbac.authorization.k8s.io"];
/// The roles of Kubernetes that have other names than `system:`.
const UPSTREAM: [&str; 4] = ["admin", "cluster-admin", "edit", "view"];

/// Judges every role that is there but those of Kubernetes and of ringfort, which `access/system-roles` keeps as they
/// were written, and gives how many were judged.
pub(super) fn none_escalates(course: &mut Course<'_>, scene: &Scene) -> Result<usize, Next> {
    let seen = course.step(vec![scene.ask(Ask::Roles)])?;
    let [(_, Seen::Objects(roles))] = seen else {
        let said = seen.first().map_or_else(String::new, |(_, seen)| words(seen));
        return Err(gap(format!("roles were not listed: {said}"), AGAIN));
    };
    // Every API server makes some at its start.
    if !roles.iter().any(is_of_the_system) {
        return Err(gap("no role of Kubernetes' own is listed at all", AGAIN));
    }
    let others = || roles.iter().filter(|role| !is_of_the_system(role));
    for role in others() {
        if let Some(given) = gives(role) {
            let (kind, name) = (text(role, "/kind"), text(role, "/metadata/name"));
            let (within, flag) = match text(role, "/metadata/namespace") {
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
    Ok(others().count())
}

fn is_of_the_system(role: &Value) -> bool {
    let name = text(role, "/metadata/name");
    name.starts_with("system:") || name.starts_with("ringfort:") || UPSTREAM.contains(&name)
}

/// Says what a role hands out that none may.
fn gives(role: &Value) -> Option<String> {
    if role["aggregationRule"].is_object() {
        return Some("adds up others, which may add up anything".to_owned());
    }
    let rules = role["rules"].as_array();
    rules.into_iter().flatten().find_map(|rule| {
        let all = |of: &str| list(rule, of).any(|one| one == "*");
        if all("apiGroups") && all("resources") && all("verbs") {
            return Some("does everything".to_owned());
        }
        let is_of_people = list(rule, "resources")
            .any(|one| one == "*" || one.starts_with("userextras") || PEOPLE.contains(&one))
            && list(rule, "apiGroups").any(|group| GROUPS.contains(&group));
        let escalates = |verb: &str| {
            verb.starts_with("impersonate")
                || ["escalate", "bind"].contains(&verb)
                || (verb == "*" && is_of_people)
        };
        list(rule, "verbs").find(|verb| escalates(verb)).map(|verb| match verb {
            "*" => "hands out impersonate, escalate or bind by every verb".to_owned(),
            verb => format!("hands out {verb}"),
        })
    })
}

fn list<'a>(rule: &'a Value, of: &str) -> impl Iterator<Item = &'a str> {
    rule[of].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{GROUPS, PEOPLE, gives, is_of_the_system};
    use crate::access::no_escalating_roles as guard;

    #[test]
    fn what_is_there_is_judged_by_what_the_guard_says() {
        let quoted: BTreeSet<&str> = guard::NO_ESCALATION.split('\'').skip(1).step_by(2).collect();
        let verbs = ["impersonate", "escalate", "bind", "*", "userextras"];
        let controller = "system:serviceaccount:kube-system:clusterrole-aggregation-controller";
        let known = PEOPLE.iter().chain(&GROUPS).copied().chain(verbs).chain([controller]);
        assert_eq!(quoted, known.collect::<BTreeSet<&str>>());
    }

    #[test]
    fn a_role_that_hands_out_more_is_named() {
        let check = |rule: Value, said: Option<&str>| {
            let role = json!({"kind": "ClusterRole", "metadata": {"name": "a"}, "rules": [rule]});
            assert_eq!(gives(&role).as_deref(), said, "{rule}");
        };
        let rule = |group: &str, resource: &str, verb: &str| json!({"apiGroups": [group], "resources": [resource], "verbs": ["get", verb]});
        let rbac = "rbac.authorization.k8s.io";
        check(rule("*", "*", "*"), Some("does everything"));
        check(rule("", "users", "impersonate"), Some("hands out impersonate"));
        let one = "impersonate-on:user-info:create";
        check(rule("", "users", one), Some(&format!("hands out {one}")));
        check(rule(rbac, "clusterroles", "bind"), Some("hands out bind"));
        check(rule(rbac, "roles", "escalate"), Some("hands out escalate"));
        let every = Some("hands out impersonate, escalate or bind by every verb");
        check(rule("", "serviceaccounts", "*"), every);
        check(rule(rbac, "*", "*"), every);
        check(rule("authentication.k8s.io", "userextras/scopes", "*"), every);
        check(rule("apps", "*", "*"), None);
        check(rule("", "pods", "*"), None);
        check(rule(rbac, "roles", "create"), None);
        check(json!({"nonResourceURLs": ["*"], "verbs": ["*"]}), None);
        let sum = json!({"kind": "ClusterRole", "metadata": {"name": "a"}, "aggregationRule": {}});
        assert!(gives(&sum).is_some_and(|said| said.contains("adds up others")));
    }

    #[test]
    fn roles_of_the_system_are_known_by_their_names() {
        let is = |name: &str| is_of_the_system(&json!({"metadata": {"name": name}}));
        assert!(is("system:node") && is("ringfort:admin") && is("edit"));
        assert!(!is("editor") && !is("my-system:node"));
    }
}
