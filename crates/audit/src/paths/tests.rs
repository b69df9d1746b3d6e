//! Ways that open, close and open again, and what they cost.

use serde_json::{Value, json};

use super::*;

fn write(paths: &mut Paths, kind: &str, place: &str, object: &Value) -> Option<String> {
    let (space, name) = place.split_once('/').unwrap_or(("", place));
    let is_binding = kind == "binding";
    let key = Key { is_binding, ..Key::role(space, name) };
    let text = object.to_string();
    let object: Node<'_> = serde_json::from_str(&text).unwrap();
    let object = Object::read(&object, is_binding, space, false).unwrap();
    paths.write(key, object, &mut 0)
}

fn bind(paths: &mut Paths, place: &str, role: &str, subject: &Value) -> Option<String> {
    let kind = if role.contains('/') { "Role" } else { "ClusterRole" };
    let name = role.rsplit('/').next();
    let binding = json!({"roleRef": {"kind": kind, "name": name}, "subjects": [subject]});
    write(paths, "binding", place, &binding)
}

fn account(space: &str, name: &str) -> Value {
    json!({"kind": "ServiceAccount", "namespace": space, "name": name})
}

fn dev() -> Value {
    json!({"kind": "User", "name": "dev"})
}

fn rule(group: &str, resource: &str, verb: &str) -> Value {
    json!({"rules": [{"apiGroups": [group], "resources": [resource], "verbs": [verb]}]})
}

fn acts_as(user: &str) -> Value {
    let mut role = rule("", "users", "impersonate");
    role["rules"][0]["resourceNames"] = json!([user]);
    role
}

#[test]
fn each_step_of_a_way_is_said() {
    let mut paths = Paths::new(None);
    assert_eq!(bind(&mut paths, "a/dev", "edit", &dev()), None);
    let mut takes = rule("", "serviceaccounts/token", "create");
    takes["rules"][0]["resourceNames"] = json!(["y"]);
    assert_eq!(write(&mut paths, "role", "b/takes", &takes), None);
    assert_eq!(bind(&mut paths, "b/takes", "b/takes", &account("a", "x")), None);
    // Another of that namespace is nobody that x becomes.
    assert_eq!(bind(&mut paths, "z", ALL, &account("b", "z")), None);
    let said = bind(&mut paths, "y", ALL, &account("b", "y")).unwrap();
    assert_eq!(
        said,
        "account a/x takes a token of account b/y, which holds every right; user dev runs pods as account a/x, which \
         takes a token of account b/y, which holds every right"
    );
}

#[test]
fn a_way_that_was_closed_is_told_when_it_opens_again() {
    let mut paths = Paths::new(None);
    assert_eq!(bind(&mut paths, "a/dev", "edit", &dev()), None);
    let opens = |paths: &mut Paths| bind(paths, "x", ALL, &account("a", "x"));
    assert!(opens(&mut paths).is_some());
    // The same once more opens nothing.
    assert_eq!(opens(&mut paths), None);
    paths.forget(&Key::binding("", "x"));
    assert!(opens(&mut paths).is_some());
    // A role that is exchanged closes it too.
    assert_eq!(bind(&mut paths, "x", "view", &account("a", "x")), None);
    assert!(opens(&mut paths).is_some());
}

/// A group, a resource and a verb.
type Right = (&'static str, &'static str, &'static str);

#[test]
fn rights_of_several_roles_are_every_right_together_and_not_alone() {
    let alone = |roles: &[Right]| {
        let mut paths = Paths::new(None);
        let said = roles.iter().enumerate().map(|(at, (group, resource, verb))| {
            let name = format!("r{at}");
            write(&mut paths, "role", &name, &rule(group, resource, verb));
            bind(&mut paths, &name, &name, &dev())
        });
        said.collect::<Vec<_>>()
    };
    const RBAC: &str = "rbac.authorization.k8s.io";
    const CERTIFICATES: &str = "certificates.k8s.io";
    let together: [(&[Right], &str); 5] = [
        (
            &[(RBAC, "clusterroles", "bind"), (RBAC, "clusterrolebindings", "create")],
            "user dev binds any role",
        ),
        (
            &[(RBAC, "clusterroles", "escalate"), (RBAC, "clusterroles", "patch")],
            "user dev writes any right into a role",
        ),
        (
            &[("", "groups", "impersonate"), ("", "serviceaccounts", "impersonate")],
            "user dev acts as anybody",
        ),
        (
            &[
                (CERTIFICATES, "certificatesigningrequests", "create"),
                (CERTIFICATES, "signers", "approve"),
                (CERTIFICATES, "certificatesigningrequests/approval", "update"),
            ],
            "user dev makes certificates of anybody",
        ),
        (
            &[("", "secrets", "list"), ("", "secrets", "create")],
            "user dev makes a Secret with a token of account \
             kube-system/clusterrole-aggregation-controller, which writes any right into a role",
        ),
    ];
    for (roles, wanted) in together {
        let said = alone(roles);
        let (last, before) = said.split_last().unwrap();
        assert_eq!(last.as_deref(), Some(wanted));
        assert!(before.iter().all(Option::is_none), "{said:?}");
    }
    // What is given of something else is not worth it: other roles, and machines from within a namespace.
    assert_eq!(
        alone(&[(RBAC, "roles", "escalate"), (RBAC, "clusterroles", "patch")]),
        [None, None]
    );
    let mut paths = Paths::new(None);
    write(&mut paths, "role", "proxies", &rule("", "nodes/proxy", "create"));
    write(&mut paths, "role", "acts", &acts_as("root"));
    bind(&mut paths, "root", ALL, &json!({"kind": "User", "name": "root"}));
    assert_eq!(bind(&mut paths, "kube-system/proxies", "proxies", &dev()), None);
    assert_eq!(bind(&mut paths, "web/acts", "acts", &dev()), None);
    let said = bind(&mut paths, "acts", "acts", &dev()).unwrap();
    assert_eq!(said, "user dev acts as user root, which holds every right");
    let other = json!({"kind": "User", "name": "other"});
    let said = bind(&mut paths, "proxies", "proxies", &other).unwrap();
    assert!(said.starts_with("user other enters pods of account kube-system/"), "{said}");
    // One that gives all of it by itself is what other detections look for.
    assert_eq!(alone(&[("*", "*", "*")]), [None]);
    assert_eq!(
        alone(&[(RBAC, "clusterroles", "bind"), (RBAC, "rolebindings", "get")]),
        [None, None]
    );
}

#[test]
fn what_there_is_no_room_for_is_the_oldest_and_is_counted() {
    let mut paths = Paths::new(None);
    let own = paths.objects.len();
    let mut forgotten = 0;
    for number in 0..MOST {
        let (key, role) = (Key::binding("s", &format!("b{number}")), Key::role("", "view"));
        let subjects = BTreeSet::from([Who::User("dev".to_owned())]);
        paths.write(key, Object::Binding { role, subjects }, &mut forgotten);
    }
    // Each counts for itself and for its subject.
    assert_eq!((paths.held, forgotten), (MOST, MOST as u64 / 2));
    assert_eq!(paths.objects.len(), own + paths.order.len());
    assert!(paths.objects.contains_key(&Key::role("", ALL)));
    assert!(!paths.objects.contains_key(&Key::binding("s", "b0")));
    // One object larger than all the room is not kept either.
    let subjects: Vec<Value> = (0..MOST).map(|at| account("s", &format!("a{at}"))).collect();
    let large = json!({"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": subjects});
    write(&mut paths, "binding", "large", &large);
    assert_eq!((paths.held, paths.objects.len()), (0, own));
}

fn user(number: usize) -> Who {
    Who::User(format!("u{number}"))
}

/// Each acts as the next one; nobody is told of it before the last of them holds every right.
#[test]
fn a_long_chain_takes_as_many_steps_as_it_has_links() {
    const LINKS: usize = 4_000;
    let (mut paths, mut forgotten) = (Paths::new(None), 0);
    for number in 0..LINKS {
        let key = Key::role("", &format!("r{number}"));
        let powers = BTreeSet::from([Power::User(Some(format!("u{}", number + 1)))]);
        let binding =
            Object::Binding { role: key.clone(), subjects: BTreeSet::from([user(number)]) };
        let role = Role { powers, ..Role::default() };
        paths.keep(key, Object::Role(role), &mut forgotten);
        paths.keep(Key::binding("", &format!("b{number}")), binding, &mut forgotten);
    }
    let last = json!({"kind": "User", "name": format!("u{LINKS}")});
    let said = bind(&mut paths, "last", ALL, &last).unwrap();
    assert_eq!(forgotten, 0);
    let first = said.split("; ").next().unwrap();
    assert!(first.starts_with("user u0 acts as user u1, which acts as user u2, which"), "{first}");
    assert!(first.ends_with("acts as user u16, and so on"), "{first}");
    assert!(said.ends_with("; and 3997 more"), "{said}");
    let looked = |most: usize| Ways::of(&paths.objects, most).is_whole();
    assert!(looked(6 * LINKS), "each link is looked at a few times");
    assert!(!looked(LINKS));
}

#[test]
fn what_hangs_together_in_too_many_ways_is_counted_and_takes_nothing_back() {
    let mut paths = Paths::new(None);
    let mut acts = acts_as("root");
    assert_eq!(write(&mut paths, "role", "acts", &acts), None);
    assert_eq!(bind(&mut paths, "a", "acts", &dev()), None);
    let root = json!({"kind": "User", "name": "root"});
    let opened = bind(&mut paths, "root", ALL, &root).unwrap();
    assert_eq!(opened, "user dev acts as user root, which holds every right");
    // A thousand powers of a thousand.
    let names: Vec<String> = (0..1_000).map(|number| format!("n{number}")).collect();
    acts["rules"][0]["resourceNames"] = json!(names);
    assert_eq!(write(&mut paths, "role", "many", &acts), None);
    let (role, subjects) = (Key::role("", "many"), (0..1_000).map(user).collect());
    let mut forgotten = 0;
    let many = Object::Binding { role, subjects };
    assert_eq!(paths.write(Key::binding("", "b"), many, &mut forgotten), None);
    assert_eq!(forgotten, 1);
    paths.forget(&Key::binding("", "b"));
    let other = json!({"kind": "User", "name": "other"});
    let said = bind(&mut paths, "z", "acts", &other).unwrap();
    assert_eq!(said, "user other acts as user root, which holds every right");
}

#[test]
fn long_names_take_more_room() {
    let long = Who::User("x".repeat(1 << 20));
    assert_eq!((user(1).weight(), long.weight()), (1, 1 + (1 << 12)));
    assert_eq!(Power::User(Some("x".repeat(512))).weight(), 3);
}
