//! The least rights that a log justifies.

use std::collections::BTreeSet;
use std::fs;

use ringfort_audit::envelope::{Found, each};
use ringfort_audit::rbac::{Access, Refused, Used, least};

use crate::oracles::oracles;

#[test]
fn roles_give_all_that_a_published_log_asks_for_and_nothing_else() {
    let Some(directory) = oracles("audit2rbac") else { return };
    let log = fs::read_to_string(directory.join("demo.log")).unwrap();
    let mut events = 0;
    for user in ["alice", "bob", "system:serviceaccount:ns1:sa1"] {
        let mut used = Used::default();
        let mut asked = Vec::new();
        for line in log.lines() {
            each(line.as_bytes(), &mut |found| {
                let Found::Event(event) = found else { panic!("{found:?}") };
                used.add(user, event);
                if &*event.actor().username == user {
                    events += 1;
                    asked.push(Access::of(event));
                }
            });
        }
        let roles = least(&used.wanted(Refused::Counts));
        assert!(asked.iter().all(|access| roles.allow(access)), "{user}");
        let asked: BTreeSet<_> = asked.into_iter().collect();
        let given = roles.given();
        let unused: Vec<_> = given.iter().filter(|it| !asked.contains(it)).collect();
        assert!(unused.is_empty() && !given.is_empty(), "{user}: {unused:?}");
        // Without one rule something is missing: nothing is given twice.
        assert_eq!(given.len(), given.iter().collect::<BTreeSet<_>>().len(), "{user}");
    }
    println!("{events} events of three users are allowed, and nothing else");
    assert_eq!(events, 37);
}

fn object(namespace: &str, resource: &str, name: &str, verb: &str) -> Access {
    let [namespace, resource, name, verb] = [namespace, resource, name, verb].map(str::to_owned);
    Access::Object { namespace, group: String::new(), resource, name, verb }
}

#[test]
fn what_was_not_asked_is_not_given() {
    let wanted = BTreeSet::from([
        object("web", "pods", "a", "get"),
        object("web", "pods", "b", "get"),
        object("web", "pods", "", "list"),
        object("web", "secrets", "s", "get"),
        object("shop", "pods/log", "p", "get"),
        object("", "nodes", "", "list"),
        Access::Path { path: "/version".to_owned(), verb: "get".to_owned() },
    ]);
    let roles = least(&wanted);
    assert!(wanted.iter().all(|it| roles.allow(it)));
    assert_eq!(roles.given().into_iter().collect::<BTreeSet<_>>(), wanted);
    for other in [
        object("web", "pods", "c", "get"),
        object("web", "pods", "", "watch"),
        object("web", "secrets", "a", "get"),
        object("shop", "pods", "p", "get"),
        object("web", "nodes", "n", "list"),
        Access::Path { path: "/metrics".to_owned(), verb: "get".to_owned() },
    ] {
        // Who may list nodes may do so whatever namespace is said.
        let is_node = other == object("web", "nodes", "n", "list");
        assert_eq!(roles.allow(&other), is_node, "{other:?}");
    }
}

#[test]
fn what_is_given_everywhere_is_not_given_again_for_one() {
    let wanted = BTreeSet::from([
        object("", "pods", "", "get"),
        object("web", "pods", "a", "get"),
        object("web", "pods", "", "get"),
    ]);
    assert_eq!(least(&wanted).given(), [object("", "pods", "", "get")]);
}

/// Who acted as others needs to be allowed to, by their names, and nothing of what they may do.
#[test]
fn acting_as_another_is_given_by_name_and_what_was_done_so_is_not() {
    let of = |user: &str, other: &str| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"list","user":{{"username":"{user}"}},"objectRef":{{"resource":"pods","namespace":"web"}},"responseStatus":{{"code":200}}{other}}}"#
        )
    };
    let mut used = Used::default();
    for line in [
        of(
            "eve",
            r#","impersonatedUser":{"username":"bob","groups":["dev","system:authenticated"]}"#,
        ),
        of(
            "eve",
            r#","impersonatedUser":{"username":"system:serviceaccount:shop:till","groups":["system:serviceaccounts","system:serviceaccounts:shop","system:authenticated"]}"#,
        ),
        of(
            "eve",
            r#","impersonatedUser":{"username":"ann"},"authenticationMetadata":{"impersonationConstraint":"impersonate:user-info"}"#,
        ),
        of("eve", "").replace("200", "403"),
        of("ann", r#","impersonatedUser":{"username":"carl"}"#),
    ] {
        each(line.as_bytes(), &mut |found| {
            let Found::Event(event) = found else { panic!("{found:?}") };
            used.add("eve", event);
        });
    }
    let act = |namespace: &str, resource: &str, name: &str| {
        object(namespace, resource, name, "impersonate")
    };
    let constrained = |group: &str, namespace: &str, resource: &str, name: &str, verb: &str| {
        let [namespace, group, resource, name, verb] =
            [namespace, group, resource, name, verb].map(str::to_owned);
        Access::Object { namespace, group, resource, name, verb }
    };
    let wanted = BTreeSet::from([
        act("", "users", "bob"),
        act("", "groups", "dev"),
        act("shop", "serviceaccounts", "till"),
        constrained("authentication.k8s.io", "", "users", "ann", "impersonate:user-info"),
        constrained("", "web", "pods", "", "impersonate-on:user-info:list"),
    ]);
    assert_eq!(used.wanted(Refused::Spared), wanted);
    let roles = least(&wanted);
    assert!(wanted.iter().all(|it| roles.allow(it)));
    for other in [
        act("", "users", "carl"),
        act("web", "serviceaccounts", "till"),
        act("", "groups", "system:masters"),
        object("web", "pods", "", "list"),
    ] {
        assert!(!roles.allow(&other), "{other:?}");
    }
}
