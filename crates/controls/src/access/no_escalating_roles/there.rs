//! What roles that are there hand out, whoever made them and however: judged as the guard judges those that are made.

use ringfort_model::act::{Ask, Next};
use serde_json::{Value, json};

use crate::access::given::{none_gives, text};
use crate::proof::{Course, Scene};

/// What those may be about who can be impersonated or hold roles, as the guard names them.
const PEOPLE: [&str; 6] = ["users", "groups", "uids", "serviceaccounts", "roles", "clusterroles"];
/// The groups of these.
const GROUPS: [&str; 4] = ["*", "", "authentication.k8s.io", "rbac.authorization.k8s.io"];
/// What the roles of `bootstrappolicy` of 1.35, 1.36 and 1.37 hand out all the same: the role, the group, the resource
/// and the verb. `edit` and `admin` add it up.
const UPSTREAM: [(&str, &str, &str, &str); 4] = [
    ("system:aggregate-to-edit", "", "serviceaccounts", "impersonate"),
    ("edit", "", "serviceaccounts", "impersonate"),
    ("admin", "", "serviceaccounts", "impersonate"),
    (
        "system:controller:clusterrole-aggregation-controller",
        "rbac.authorization.k8s.io",
        "clusterroles",
        "escalate",
    ),
];
/// Those that add up others, each by a label of its own.
const SUMS: [&str; 3] = ["admin", "edit", "view"];

/// Judges every role that is there, whatever its name: none of ringfort's hands out more, and Kubernetes' own are let be
/// only in what they need. Gives how many there are.
pub(super) fn none_escalates(course: &mut Course<'_>, scene: &Scene) -> Result<usize, Next> {
    none_gives(course, scene, (Ask::Roles, "roles"), gives)
}

/// Says what a role hands out that none may.
fn gives(role: &Value) -> Option<String> {
    // Kubernetes' own are of the whole cluster: in a namespace anybody's may have such a name.
    let upstream = match text(role, "/kind") {
        "ClusterRole" => text(role, "/metadata/name"),
        _ => "",
    };
    if upstream == "cluster-admin" {
        return None;
    }
    let sum = &role["aggregationRule"];
    if sum.is_object() && !is_own_sum(upstream, sum) {
        return Some("adds up others, which may add up anything".to_owned());
    }
    role["rules"].as_array().into_iter().flatten().find_map(|rule| handed_out(upstream, rule))
}

fn is_own_sum(role: &str, sum: &Value) -> bool {
    let label = format!("rbac.authorization.k8s.io/aggregate-to-{role}");
    let own = json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]});
    SUMS.contains(&role) && *sum == own
}

/// Says what a rule of a role hands out that none may, and Kubernetes' own of this name need not.
fn handed_out(role: &str, rule: &Value) -> Option<String> {
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
    let is_needed = |verb: &str| {
        UPSTREAM.iter().any(|(of, group, resource, its)| {
            *of == role
                && *its == verb
                && list(rule, "apiGroups").all(|one| one == *group)
                && list(rule, "resources").all(|one| one == *resource)
        })
    };
    let given = list(rule, "verbs").find(|verb| escalates(verb) && !is_needed(verb))?;
    Some(match given {
        "*" => "hands out impersonate, escalate or bind by every verb".to_owned(),
        verb => format!("hands out {verb}"),
    })
}

fn list<'a>(rule: &'a Value, of: &str) -> impl Iterator<Item = &'a str> {
    rule[of].as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{GROUPS, PEOPLE, gives};
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
    fn what_kubernetes_own_roles_need_is_let_be_and_nothing_more_by_their_names() {
        let rbac = "rbac.authorization.k8s.io";
        let rule = |group: &str, resource: &str, verb: &str| json!({"apiGroups": [group], "resources": [resource], "verbs": ["get", verb]});
        let given = |kind: &str, name: &str, rule: &Value| {
            gives(&json!({"kind": kind, "metadata": {"name": name}, "rules": [rule]})).is_some()
        };
        let speaks = rule("", "serviceaccounts", "impersonate");
        let escalates = rule(rbac, "clusterroles", "escalate");
        let controller = "system:controller:clusterrole-aggregation-controller";
        let upstream = [
            ("cluster-admin", rule("*", "*", "*")),
            ("system:aggregate-to-edit", speaks.clone()),
            ("edit", speaks.clone()),
            ("admin", speaks.clone()),
            (controller, escalates.clone()),
        ];
        for (name, its) in &upstream {
            assert!(!given("ClusterRole", name, its), "{name}");
            // That of a namespace is none of theirs, whatever it is called.
            for (kind, other) in
                [("Role", *name), ("ClusterRole", "system:evil"), ("ClusterRole", "ringfort:evil")]
            {
                assert!(given(kind, other, its), "{kind} {other} {its}");
            }
        }
        for (name, more) in [
            ("system:aggregate-to-edit", rule("", "users", "impersonate")),
            (
                "system:aggregate-to-edit",
                json!({"apiGroups": [""], "resources": ["serviceaccounts", "users"], "verbs": ["impersonate"]}),
            ),
            ("edit", escalates),
            ("view", speaks),
            (controller, rule(rbac, "clusterroles", "bind")),
            ("system:node", rule("*", "*", "*")),
            ("ringfort:admin", rule("", "groups", "impersonate")),
        ] {
            assert!(given("ClusterRole", name, &more), "{name} {more}");
        }
    }

    #[test]
    fn kubernetes_own_sums_add_up_what_has_their_labels_alone() {
        let label = |of: &str| {
            let key = format!("rbac.authorization.k8s.io/aggregate-to-{of}");
            json!({"matchLabels": {key: "true"}})
        };
        let sum = |name: &str, selectors: &[Value]| {
            let rule = json!({"clusterRoleSelectors": selectors});
            gives(&json!({"kind": "ClusterRole", "metadata": {"name": name}, "aggregationRule": rule})).is_some()
        };
        for name in ["admin", "edit", "view"] {
            assert!(!sum(name, &[label(name)]), "{name}");
            assert!(sum(name, &[label(name), json!({"matchLabels": {}})]), "{name}");
            assert!(sum("system:evil", &[label(name)]), "{name}");
        }
        assert!(sum("view", &[label("admin")]));
    }
}
