use serde_json::{Value, json};

use super::{Admitting, Doors, Outcome, Security};
use crate::world::{Objects, Origin, World};

/// What is in a cluster besides machines.
struct Cluster {
    namespaces: Vec<Value>,
    admitting: Admitting,
    security: Security,
}

impl Cluster {
    fn of(labels: &Value) -> Self {
        let metadata = json!({"name": "shop", "labels": labels});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        let (admitting, security) = (Admitting::default(), Security::of_policies());
        Self { namespaces: vec![namespace], admitting, security }
    }

    fn with(mut self, objects: &[Value]) -> Self {
        self.admitting.objects.extend(objects.iter().cloned());
        self
    }

    /// No machine was looked at but for whether policies are asked, so that only they can refuse.
    fn try_row(&self, row: &str) -> Outcome {
        let mut objects = Objects::new(World::Closed, None);
        for (document, object) in self.namespaces.iter().enumerate() {
            objects.add(Origin { file: 0, document }, object);
        }
        Doors::of(&objects, &self.admitting).try_row(row, &self.security)
    }

    /// What comes of a row in a word.
    fn word(&self, row: &str) -> &'static str {
        let outcome = self.try_row(row);
        match (outcome.open.is_empty(), outcome.gaps.is_empty()) {
            (false, _) => "let in",
            (true, false) => "unknown",
            (true, true) => "refused",
        }
    }
}

fn privileged() -> Value {
    json!({"pod-security.kubernetes.io/enforce": "privileged"})
}

/// A policy about new pods with a binding, and what is laid over its spec and that of the binding.
fn policy(expression: &str, spec: &Value, binding: &Value) -> [Value; 2] {
    let group = "admissionregistration.k8s.io/v1";
    let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
        "resources": ["pods"]});
    let mut all = [
        json!({"apiVersion": group, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"},
            "spec": {"matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": expression}]}}),
        json!({"apiVersion": group, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "b"},
            "spec": {"policyName": "p", "validationActions": ["Deny"]}}),
    ];
    for (object, more) in all.iter_mut().zip([spec, binding]) {
        object["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    all
}

const NO_HOST_PROCESSES: &str = "!has(object.spec.hostPID) || !object.spec.hostPID";

/// Whether somebody comes in past a policy.
#[track_caller]
fn check(expression: &str, spec: &Value, binding: &Value, row: &str, expected: &str) {
    let cluster = Cluster::of(&privileged()).with(&policy(expression, spec, binding));
    assert_eq!(cluster.word(row), expected, "{expression} {spec} {binding}");
}

#[test]
fn a_policy_refuses_what_it_is_about_and_nothing_else() {
    let none = json!({});
    check(NO_HOST_PROCESSES, &none, &none, "5.2.3", "refused");
    check(NO_HOST_PROCESSES, &none, &none, "5.2.4", "let in");
    check(
        NO_HOST_PROCESSES,
        &none,
        &json!({"validationActions": ["Warn", "Audit"]}),
        "5.2.3",
        "let in",
    );
    check(NO_HOST_PROCESSES, &none, &json!({"policyName": "q"}), "5.2.3", "let in");
    let variables = json!({"variables": [{"name": "spec", "expression": "object.spec"}]});
    check("!has(variables.spec.hostPID)", &variables, &none, "5.2.3", "refused");
    // What looks at one container alone lets another in, and what looks at none that runs first, those.
    let first = "!has(object.spec.containers[0].securityContext.privileged)";
    let running = "object.spec.containers.all(c, !has(c.securityContext.privileged))";
    let all = "(object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : []))\
               .all(c, !has(c.securityContext.privileged))";
    for (expression, expected) in [(first, "let in"), (running, "let in"), (all, "unknown")] {
        check(expression, &none, &none, "5.2.2", expected);
    }
}

/// Whoever may add a container to a pod that runs has to be refused as well.
#[test]
fn a_policy_closes_the_door_to_pods_that_run_only_if_it_is_asked_there_and_looks() {
    let none = json!({});
    let new = "(object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : []))\
               .all(c, !has(c.securityContext.privileged))";
    let added = "(!has(object.spec.ephemeralContainers) || \
                 object.spec.ephemeralContainers.all(c, !has(c.securityContext.privileged)))";
    let both = format!("{new} && {added}");
    let rules = |resources: &[&str], operations: &[&str]| {
        json!({"matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
            "operations": operations, "resources": resources}]}})
    };
    let asked = rules(&["pods", "pods/ephemeralcontainers"], &["CREATE", "UPDATE"]);
    check(&both, &asked, &none, "5.2.2", "refused");
    check(new, &asked, &none, "5.2.2", "unknown");
    check(&both, &rules(&["pods"], &["CREATE", "UPDATE"]), &none, "5.2.2", "unknown");
    check(
        &both,
        &rules(&["pods", "pods/ephemeralcontainers"], &["CREATE"]),
        &none,
        "5.2.2",
        "unknown",
    );
    // Nobody adds anything, or two policies do it together.
    let nothing = format!("{new} && !has(object.spec.ephemeralContainers)");
    check(&nothing, &asked, &none, "5.2.2", "refused");
    let mut second = policy(
        "request.subResource == 'ephemeralcontainers' && oldObject.metadata.name != '' ? false : true",
        &rules(&["pods/ephemeralcontainers"], &["UPDATE"]),
        &json!({"policyName": "q"}),
    );
    second[0]["metadata"]["name"] = "q".into();
    let cluster = Cluster::of(&privileged()).with(&policy(new, &none, &none)).with(&second);
    // It refuses every change, with the fault and without: of the fault it says nothing.
    assert_eq!(cluster.word("5.2.2"), "unknown");
    second[0]["spec"]["validations"] = json!([{"expression": added}]);
    let cluster = Cluster::of(&privileged()).with(&policy(new, &none, &none)).with(&second);
    assert_eq!(cluster.word("5.2.2"), "refused");
    // What is no container's cannot be added.
    let ports = "object.spec.containers.all(c, !has(c.ports)) && \
                 (!has(object.spec.initContainers) || object.spec.initContainers.all(c, !has(c.ports)))";
    check(ports, &none, &none, "5.2.12", "refused");
}

/// What is bound is asked by servers that run the plugin, and by no others.
#[test]
fn a_policy_refuses_nothing_where_nobody_knows_whether_servers_ask_it() {
    let none = json!({});
    let mut cluster = Cluster::of(&privileged()).with(&policy(NO_HOST_PROCESSES, &none, &none));
    assert_eq!(cluster.word("5.2.3"), "refused");
    cluster.security = Security::of(&[], None);
    assert_eq!(cluster.word("5.2.3"), "unknown");
    assert_eq!(cluster.word("5.2.4"), "let in");
}

#[test]
fn who_is_not_asked_refuses_nobody() {
    let none = json!({});
    let rules = |resources: &str, operation: &str| {
        json!({"matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
            "operations": [operation], "resources": [resources]}]}})
    };
    check(NO_HOST_PROCESSES, &rules("pods", "CREATE"), &none, "5.2.3", "refused");
    check(NO_HOST_PROCESSES, &rules("pods", "UPDATE"), &none, "5.2.3", "let in");
    check(NO_HOST_PROCESSES, &rules("deployments", "CREATE"), &none, "5.2.3", "let in");
    let only = |selector: &Value| json!({"matchResources": {"namespaceSelector": selector}});
    let named = json!({"matchLabels": {"kubernetes.io/metadata.name": "shop"}});
    check(NO_HOST_PROCESSES, &none, &only(&named), "5.2.3", "refused");
    let other = json!({"matchLabels": {"kubernetes.io/metadata.name": "bank"}});
    check(NO_HOST_PROCESSES, &none, &only(&other), "5.2.3", "let in");
    let condition = |text: &str| json!({"matchConditions": [{"name": "c", "expression": text}]});
    let of = |user: &str| condition(&format!("request.userInfo.username == '{user}'"));
    check(NO_HOST_PROCESSES, &of("ann"), &none, "5.2.3", "let in");
    check(NO_HOST_PROCESSES, &condition("request.namespace == 'shop'"), &none, "5.2.3", "refused");
    let labels = json!({"matchConstraints": {"objectSelector": {"matchExpressions": [
        {"key": "spared", "operator": "DoesNotExist"}]}, "resourceRules": [{"apiGroups": ["*"],
        "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]}});
    check(NO_HOST_PROCESSES, &labels, &none, "5.2.3", "unknown");
}

/// An error says neither that a pod is refused nor that it is let in.
#[test]
fn what_cannot_be_evaluated_is_unknown() {
    let none = json!({});
    for expression in [
        "object.spec.nothing == 1",
        "authorizer.group('').resource('pods').check('get').allowed()",
        "quantity('1').isGreaterThan(quantity('2'))",
        "object.spec.hostPID ==",
        "variables.nothing",
        "'a text'",
    ] {
        check(expression, &none, &none, "5.2.3", "unknown");
        check(expression, &json!({"failurePolicy": "Ignore"}), &none, "5.2.3", "unknown");
        let condition = json!({"matchConditions": [{"name": "c", "expression": expression}]});
        check(NO_HOST_PROCESSES, &condition, &none, "5.2.3", "unknown");
    }
    let kind = |kind: &str| json!({"paramKind": {"apiVersion": "v1", "kind": kind}});
    let given = json!({"paramRef": {"name": "n", "parameterNotFoundAction": "Deny"}});
    check("params.data.x == 'y'", &kind("Secret"), &given, "5.2.3", "unknown");
    check("params.data.x == 'y'", &kind("ConfigMap"), &given, "5.2.3", "unknown");
    let allowed = json!({"paramRef": {"name": "n", "parameterNotFoundAction": "Allow"}});
    check("params.data.x == 'y'", &kind("ConfigMap"), &allowed, "5.2.3", "let in");
}

/// A policy that refuses every sample says nothing of its fault.
#[test]
fn a_refusal_counts_only_where_the_fault_is_the_reason() {
    let labelled = "has(object.metadata.labels) && 'team' in object.metadata.labels";
    check(labelled, &json!({}), &json!({}), "5.2.3", "unknown");
    let both = policy(labelled, &json!({}), &json!({}));
    let mut own = policy(NO_HOST_PROCESSES, &json!({}), &json!({"policyName": "q"}));
    own[0]["metadata"]["name"] = "q".into();
    let cluster = Cluster::of(&privileged()).with(&both).with(&own);
    assert_eq!(cluster.word("5.2.3"), "refused");
}

/// Whoever makes a pod would choose what gets around the policy.
#[test]
fn a_refusal_by_what_a_pod_is_called_is_none() {
    let none = json!({});
    for expression in [
        "has(object.metadata.labels) && 'spared' in object.metadata.labels || !has(object.spec.hostPID)",
        "object.metadata.name.startsWith('agent-') || !has(object.spec.hostPID)",
        "request.name == 'agent' || !has(object.spec.hostPID)",
        "object.spec.containers.all(c, c.image.startsWith('trusted/')) || !has(object.spec.hostPID)",
    ] {
        check(expression, &none, &none, "5.2.3", "unknown");
    }
    let condition = json!({"matchConditions": [{"name": "c", "expression":
        "!(has(object.metadata.labels) && 'spared' in object.metadata.labels)"}]});
    check(NO_HOST_PROCESSES, &condition, &none, "5.2.3", "unknown");
    // What nobody but a machine may do is no way around.
    let mirror = json!({"matchConditions": [{"name": "c", "expression":
        "!(request.userInfo.username.startsWith('system:node:') && has(object.metadata.annotations))"}]});
    check(NO_HOST_PROCESSES, &mirror, &none, "5.2.3", "refused");
    let excluded = json!({"matchResources": {"excludeResourceRules": [{"apiGroups": [""],
        "apiVersions": ["v1"], "operations": ["*"], "resources": ["pods"], "resourceNames": ["a"]}]}});
    check(NO_HOST_PROCESSES, &none, &excluded, "5.2.3", "let in");
}

#[test]
fn a_webhook_that_may_be_asked_is_named() {
    let webhook = |more: &Value| {
        let mut webhook = json!({"name": "w", "rules": [{"apiGroups": [""], "apiVersions": ["v1"],
            "operations": ["CREATE"], "resources": ["pods"]}]});
        webhook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let hook = json!({"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "gate"},
            "webhooks": [webhook]});
        Cluster::of(&privileged()).with(&[hook])
    };
    let asked = webhook(&json!({})).try_row("5.2.3");
    assert!(asked.gaps[0].said.contains("ValidatingWebhookConfiguration gate"), "{asked:?}");
    let other = json!({"namespaceSelector": {"matchLabels": {"a": "b"}}});
    assert_eq!(webhook(&other).word("5.2.3"), "let in");
    let condition =
        json!({"matchConditions": [{"name": "c", "expression": "request.namespace != 'shop'"}]});
    assert_eq!(webhook(&condition).word("5.2.3"), "let in");
}

#[test]
fn what_is_not_listed_may_refuse() {
    let mut cluster = Cluster::of(&privileged());
    assert_eq!(cluster.word("5.2.3"), "let in");
    let gap =
        ringfort_model::judgement::Gap { said: "403".to_owned(), closes: "a right".to_owned() };
    cluster.admitting.unlisted.push(gap);
    assert_eq!(cluster.word("5.2.3"), "unknown");
}

/// Without the servers' configuration nobody knows whom they exempt, whatever a label says.
#[test]
fn a_label_alone_refuses_nothing() {
    let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    assert_eq!(Cluster::of(&restricted).word("5.2.3"), "unknown");
    assert_eq!(Cluster::of(&json!({})).word("5.2.3"), "unknown");
    let baseline = json!({"pod-security.kubernetes.io/enforce": "baseline"});
    assert_eq!(Cluster::of(&baseline).word("5.2.3"), "unknown");
    assert_eq!(Cluster::of(&baseline).word("5.2.6"), "let in");
}

#[test]
fn the_pod_that_is_let_in_is_shown() {
    let outcome = Cluster::of(&privileged()).try_row("5.2.3");
    let pod = &outcome.open[0].pod;
    assert_eq!(
        (&pod["metadata"]["namespace"], &pod["spec"]["hostPID"]),
        (&json!("shop"), &json!(true))
    );
    assert_eq!(pod["spec"].get("dnsPolicy"), None);
}

/// Whatever of a policy cannot be read any more: who was not refused is not refused by that.
#[test]
fn nothing_is_refused_by_what_cannot_be_read() {
    let running = "object.spec.containers.all(c, !has(c.securityContext.privileged))";
    let condition = json!({
        "matchConditions": [{"name": "c", "expression": "request.userInfo.username == 'ann'"}],
        "variables": [{"name": "v", "expression": "object.spec"}],
    });
    let elsewhere =
        json!({"matchResources": {"namespaceSelector": {"matchLabels": {"team": "bank"}}}});
    let clusters = [
        policy(NO_HOST_PROCESSES, &json!({}), &json!({})),
        policy(running, &json!({}), &json!({})),
        policy(NO_HOST_PROCESSES, &condition, &json!({})),
        policy("!has(variables.v.hostIPC)", &condition, &elsewhere),
        policy(NO_HOST_PROCESSES, &json!({}), &elsewhere),
    ];
    let mut tried = 0;
    for objects in clusters {
        let word = |objects: &[Value], row| Cluster::of(&privileged()).with(objects).word(row);
        for row in ["5.2.2", "5.2.3", "5.2.4"] {
            let before = word(&objects, row);
            for (number, object) in objects.iter().enumerate() {
                for pointer in texts(object, "") {
                    for unreadable in [json!("]"), json!(7), json!({"a": []})] {
                        let mut changed = objects.clone();
                        *changed[number].pointer_mut(&pointer).unwrap() = unreadable;
                        let after = word(&changed, row);
                        assert!(before == "refused" || after != "refused", "{row} {changed:?}");
                        tried += 1;
                    }
                }
            }
            let mut blind = Cluster::of(&privileged()).with(&objects);
            let gap =
                ringfort_model::judgement::Gap { said: "403".to_owned(), closes: "a".to_owned() };
            blind.admitting.unlisted.push(gap);
            let after = blind.word(row);
            assert!(after == if before == "refused" { "refused" } else { "unknown" }, "{row}");
        }
    }
    assert!(tried > 50, "{tried}");
}

/// Gives the pointers to expressions and to what selectors say.
fn texts(value: &Value, at: &str) -> Vec<String> {
    let below = |key: String, value: &Value| texts(value, &format!("{at}/{key}"));
    match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(key, value)| below(key.clone(), value)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(at, value)| below(at.to_string(), value)).collect()
        }
        Value::String(_) if at.ends_with("/expression") || at.contains("Selector") => {
            vec![at.to_owned()]
        }
        _ => Vec::new(),
    }
}
