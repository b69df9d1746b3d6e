//! Only what says exactly what API servers make is upstream's own, whatever it is called.

use std::slice;

use serde_json::{Value, json};

use super::{Own, Standing, TABLE, UPSTREAM, Upstream, binds, spelled_out};

const GROUP: &str = "rbac.authorization.k8s.io";

fn object(kind: &str, name: &str, more: &Value) -> Value {
    let mut object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": {"name": name, "uid": "u"}});
    let fields = more.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(fields);
    object
}

fn labelled(mut role: Value, label: &str) -> Value {
    role["metadata"]["labels"] =
        json!({format!("{GROUP}/aggregate-to-{label}"): "true", "of": "us"});
    role
}

/// Gives how the first of some objects stands to upstream's.
pub(super) fn standing(objects: &[Value]) -> Option<Standing> {
    let mut upstream = Upstream::default();
    for (number, object) in objects.iter().enumerate() {
        upstream.add(&number.to_string(), object);
    }
    upstream.standings().remove("0")
}

/// Gives how it differs.
pub(super) fn changed(objects: &[Value]) -> String {
    match standing(objects) {
        Some(Standing::Changed(how)) => how,
        other => panic!("{other:?}"),
    }
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

#[test]
fn rights_are_the_same_in_any_order_and_form() {
    let check = |rules: &[Value], expected: bool| {
        let role = object("ClusterRole", "system:auth-delegator", &json!({"rules": rules}));
        assert_eq!(standing(&[role]) == Some(Standing::Own(Own::Right)), expected, "{rules:?}");
    };
    let tokens = rule(AUTHENTICATION, &["tokenreviews"], &["create"]);
    let access = rule(AUTHORIZATION, &["subjectaccessreviews"], &["create"]);
    check(&[tokens.clone(), access.clone()], true);
    check(&[access.clone(), tokens.clone(), tokens.clone()], true);
    check(slice::from_ref(&tokens), false);
    check(&[tokens.clone(), access.clone(), rule("", &["secrets"], &["get"])], false);
    let mut narrow = access.clone();
    narrow["resourceNames"] = json!(["a"]);
    check(&[tokens.clone(), narrow], false);
    let mut odd = access.clone();
    odd["scope"] = json!("all");
    check(&[tokens.clone(), odd], false);
    check(&[tokens, rule(AUTHORIZATION, &["subjectaccessreviews "], &["create"]), access], false);
}

#[test]
fn what_differs_is_said() {
    let rules = [
        rule(AUTHENTICATION, &["tokenreviews"], &["create"]),
        rule("", &["pods/exec", "secrets"], &["create", "get"]),
    ];
    let role = object("ClusterRole", "system:auth-delegator", &json!({"rules": rules}));
    let said = "this is not the ClusterRole that Kubernetes 1.37 makes: it adds \"may create core \
                pods/exec\", \"may create core secrets\", \"may get core pods/exec\" and 1 more; it lacks \
                \"may create authorization.k8s.io subjectaccessreviews\"";
    assert_eq!(changed(&[role]), said);
    let role = object("ClusterRole", "system:auth-delegator", &json!({"rules": {}}));
    assert_eq!(changed(&[role]), "this says what Kubernetes' own never does, in rules");
}

#[test]
fn what_upstream_does_not_call_so_stands_nowhere() {
    let everything = json!({"rules": [rule("*", &["*"], &["*"])]});
    assert_eq!(standing(&[object("ClusterRole", "everything", &everything)]), None);
    let mut role = object("Role", "cluster-admin", &everything);
    role["metadata"]["namespace"] = json!("shop");
    assert_eq!(standing(&[role]), None);
    let mut older = object("ClusterRole", "cluster-admin", &everything);
    older["apiVersion"] = json!("rbac.authorization.k8s.io/v1beta1");
    assert_eq!(standing(&[older]), None);
}

#[test]
fn a_form_of_an_earlier_minor_is_upstreams_as_well() {
    let forms = &UPSTREAM["ClusterRole system:controller:expand-controller"];
    let minors: Vec<&str> = forms.iter().map(|form| form.minor).collect();
    assert_eq!(minors, ["1.35", "1.37"]);
    let services = "may get core services".to_owned();
    assert!(forms[0].said.contains(&services) && !forms[1].said.contains(&services));
}

#[test]
fn a_binding_gives_one_role_to_the_same_subjects() {
    let masters = json!({"apiGroup": GROUP, "kind": "Group", "name": "system:masters"});
    let binding = |role: &str, subjects: &[&Value]| {
        let role = json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": role});
        object(
            "ClusterRoleBinding",
            "cluster-admin",
            &json!({"roleRef": role, "subjects": subjects}),
        )
    };
    let everything = json!({"rules": [rule("*", &["*"], &["*"]),
        {"nonResourceURLs": ["*"], "verbs": ["*"]}]});
    let role = object("ClusterRole", "cluster-admin", &everything);
    let own = binding("cluster-admin", &[&masters]);
    assert_eq!(standing(&[own.clone(), role]), Some(Standing::Own(Own::Right)));
    assert_eq!(changed(&[own]), "the role that it gives is not as Kubernetes makes it");
    let ann = json!({"apiGroup": GROUP, "kind": "User", "name": "ann"});
    let said = changed(&[binding("cluster-admin", &[&masters, &ann])]);
    assert!(said.ends_with("makes: it adds \"to User ann\""), "{said}");
    let account = json!({"kind": "ServiceAccount", "namespace": "shop", "name": "web"});
    let said = changed(&[binding("edit", &[&account])]);
    for part in ["\"gives ClusterRole edit\"", "\"to ServiceAccount shop web\"", "it lacks \"gives"]
    {
        assert!(said.contains(part), "{said}");
    }
    let odd = json!({"kind": "User", "name": "ann"});
    let said = changed(&[binding("cluster-admin", &[&masters, &odd])]);
    assert_eq!(said, "this says what Kubernetes' own never does, in subjects");
}

/// Whoever adds a right to a role leaves its binding as it is.
#[test]
fn a_binding_of_a_role_that_was_changed_is_changed_as_well() {
    let everybody = json!({"apiGroup": GROUP, "kind": "Group", "name": "system:authenticated"});
    let given = json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": "system:basic-user"});
    let said = json!({"roleRef": given, "subjects": [everybody]});
    let binding = object("ClusterRoleBinding", "system:basic-user", &said);
    let mut rules = vec![
        rule(AUTHENTICATION, &["selfsubjectreviews"], &["create"]),
        rule(AUTHORIZATION, &["selfsubjectaccessreviews", "selfsubjectrulesreviews"], &["create"]),
    ];
    let role =
        |rules: &[Value]| object("ClusterRole", "system:basic-user", &json!({"rules": rules}));
    assert_eq!(standing(&[binding.clone(), role(&rules)]), Some(Standing::Own(Own::Right)));
    rules.push(rule("", &["secrets"], &["get"]));
    let said = changed(&[binding, role(&rules)]);
    assert_eq!(said, "the role that it gives is not as Kubernetes makes it");
}

#[test]
fn a_role_is_bound_to_whom_the_table_says_alone() {
    let (everybody, cleaner) =
        ("to Group system:authenticated", "to ServiceAccount kube-system token-cleaner");
    assert!(binds("ClusterRole", "system:discovery", everybody));
    assert!(!binds("ClusterRole", "cluster-admin", everybody));
    assert!(binds("Role", "system:controller:token-cleaner", cleaner));
    assert!(!binds("ClusterRole", "system:controller:token-cleaner", cleaner));
}

#[test]
fn a_binding_of_a_namespace_gives_a_role_of_it() {
    let name = "system:controller:token-cleaner";
    let within = |mut object: Value, namespace: &str| {
        object["metadata"]["namespace"] = json!(namespace);
        object
    };
    let rules = json!({"rules": [rule("", &["secrets"], &["get", "list", "watch", "delete"]),
        rule("", &["events"], &["create", "patch", "update"]),
        rule("events.k8s.io", &["events"], &["create", "patch", "update"])]});
    let account =
        json!({"kind": "ServiceAccount", "namespace": "kube-system", "name": "token-cleaner"});
    let given = json!({"apiGroup": GROUP, "kind": "Role", "name": name});
    let binding = object("RoleBinding", name, &json!({"roleRef": given, "subjects": [account]}));
    let binding = within(binding, "kube-system");
    let role = |namespace: &str| within(object("Role", name, &rules), namespace);
    assert_eq!(standing(&[binding.clone(), role("kube-system")]), Some(Standing::Own(Own::Right)));
    assert!(matches!(standing(&[binding, role("shop")]), Some(Standing::Changed(_))));
}

/// The role that gathers those who are labelled so, with what was filled in.
fn gathering(rules: &[Value]) -> Value {
    let label = format!("{GROUP}/aggregate-to-view");
    let sum = json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]});
    let role = object("ClusterRole", "view", &json!({"aggregationRule": sum, "rules": rules}));
    labelled(role, "edit")
}

#[test]
fn a_role_that_gathers_others_holds_what_they_do_and_no_more() {
    let (logs, pods) = (rule("", &["pods/log"], &["get"]), rule("", &["pods"], &["get"]));
    let other = |rules: &[Value]| object("ClusterRole", "logs", &json!({"rules": rules}));
    let of_view = labelled(other(slice::from_ref(&logs)), "view");
    assert_eq!(standing(&[gathering(&[])]), Some(Standing::Own(Own::Right)));
    assert_eq!(
        standing(&[gathering(slice::from_ref(&logs)), of_view.clone()]),
        Some(Standing::Own(Own::Right))
    );
    let said = changed(&[gathering(&[logs.clone(), pods]), of_view]);
    assert!(said.ends_with("it adds \"may get core pods\""), "{said}");
    let mut of_namespace = labelled(other(slice::from_ref(&logs)), "view");
    of_namespace["kind"] = json!("Role");
    of_namespace["metadata"]["namespace"] = json!("shop");
    let said = changed(&[gathering(slice::from_ref(&logs)), of_namespace]);
    assert!(said.ends_with("it adds \"may get core pods/log\""), "{said}");
    let of_edit = labelled(other(slice::from_ref(&logs)), "edit");
    let said = changed(&[gathering(slice::from_ref(&logs)), of_edit]);
    assert!(said.ends_with("it adds \"may get core pods/log\""), "{said}");
    let mut wider = gathering(&[]);
    wider["aggregationRule"] = json!({"clusterRoleSelectors": [{}]});
    assert_eq!(changed(&[wider]), "this says what Kubernetes' own never does, in aggregationRule");
}

#[test]
fn a_label_by_which_others_gather_a_role_is_a_difference() {
    let everything = json!({"rules": [rule("*", &["*"], &["*"]),
        {"nonResourceURLs": ["*"], "verbs": ["*"]}]});
    let role = object("ClusterRole", "cluster-admin", &everything);
    assert_eq!(standing(slice::from_ref(&role)), Some(Standing::Own(Own::Right)));
    let said = changed(&[labelled(role, "view")]);
    assert!(
        said.contains("it adds \"labelled rbac.authorization.k8s.io/aggregate-to-view\""),
        "{said}"
    );
}

#[test]
fn a_line_of_the_table_is_spelled_out_and_all_of_them_can_be_read() {
    let expected = ["may get core a", "may get core b", "may list core a", "may list core b"];
    assert_eq!(spelled_out("may get,list core a,b"), expected);
    let lines = TABLE.lines().filter(|it| !it.starts_with([' ', '#'])).count();
    assert_eq!(UPSTREAM.values().map(Vec::len).sum::<usize>(), lines);
    for (key, forms) in UPSTREAM.iter() {
        let is_whole = forms.iter().all(|form| form.minor.starts_with("1.3"));
        assert!(is_whole && key.split(' ').count() == 2, "{key}");
    }
}
