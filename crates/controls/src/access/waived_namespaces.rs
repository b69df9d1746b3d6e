//! A waiver for namespaces opens them to its identity, which is walled in, and to nobody else.

mod proof;
mod sabotage;

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::identity::KEEPER;
use ringfort_spec::{Scope, Spec, Waiver};
use serde_json::{Value, json};

use crate::access::{pod_security, waived_identity};
use crate::admission::{
    Admission, Policy, addon_label, constraints, guard, quoted, refuse_unless, rule,
};
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/waived-namespaces",
    title: "A waiver opens its namespaces to its identity, and nothing else to anybody",
    severity: Severity::Critical,
    refs: &[
        Ref::Docs("concepts/security/pod-security-admission/"),
        Ref::Docs("reference/access-authn-authz/validating-admission-policy/"),
    ],
    limits: &[],
    doc: include_str!("waived_namespaces.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let waived = waived(spec);
    let mut policies = vec![pods(&waived), machines(spec, &waived)];
    if !waived.is_empty() {
        policies.push(labels(&waived));
    }
    // ringfort's own identity applies add-ons, and all the rest: it is not walled in.
    let persons = Waived::from_iter(waived.clone().into_iter().filter(|(_, users)| !is_own(users)));
    if !persons.is_empty() {
        policies.push(waived_identity::wall(spec, &persons));
    }
    let users = working(spec);
    if !users.is_empty() {
        waived_identity::rights(&users).into_iter().for_each(|object| draft.object(object));
    }
    guard(spec, draft, Admission::Validating, "47-waived-namespaces", &policies);
}

/// The labels of all waivers for namespaces, each with the identities that may give it.
pub type Waived = BTreeMap<String, BTreeSet<String>>;

/// Gathers the waivers for namespaces, of whatever control.
pub fn waived(spec: &Spec) -> Waived {
    let mut waived = Waived::new();
    for waiver in &spec.waivers {
        let (label, user) = match &waiver.scope {
            Scope::Namespaces { label, user } => (label.clone(), user.clone()),
            Scope::Addon(name) => (addon_label(name), KEEPER.to_owned()),
            Scope::Cluster | Scope::Named(_) | Scope::Nodes(_) => continue,
        };
        waived.entry(label).or_default().insert(user);
    }
    waived
}

/// Gathers the identities whose waiver is of Pod Security: they are given rights to work with. Others
/// only lift one guard of pods, for who has rights already.
fn working(spec: &Spec) -> BTreeSet<&String> {
    fn user(waiver: &Waiver) -> Option<&String> {
        match &waiver.scope {
            Scope::Namespaces { user, .. } => Some(user),
            Scope::Addon(_) | Scope::Cluster | Scope::Named(_) | Scope::Nodes(_) => None,
        }
    }
    spec.waivers_of(pod_security::CONTROL.id).filter_map(user).collect()
}

/// A label comes with the namespace, from its identity, and stays: neither does it open a namespace
/// that was there, nor does a namespace that was opened hide. Those of add-ons are given and taken
/// back by ringfort alone, as their manifests name namespaces.
fn labels(waived: &Waived) -> Policy {
    let come = waived.iter().map(|(label, users)| {
        // An add-on's namespaces are named in its manifests, whenever they were made.
        let at_birth = if is_own(users) { "" } else { "request.operation == 'CREATE' && " };
        let (key, users) = (quoted(label), list(users));
        let expression = format!(
            "!({key} in variables.labels) || {key} in variables.before ||\n\
             ({at_birth}request.userInfo.username in {users})"
        );
        refuse_unless(expression, &format!("{label} is given by {users}, to new namespaces"))
    });
    let stay = waived.iter().map(|(label, users)| {
        let key = quoted(label);
        // A namespace that left an add-on's manifests gives the label back.
        let by_us = match is_own(users) {
            true => format!(" ||\nrequest.userInfo.username == {}", quoted(KEEPER)),
            false => String::new(),
        };
        let expression =
            format!("!({key} in variables.before) || {key} in variables.labels{by_us}");
        refuse_unless(expression, &format!("{label} stays on its namespace"))
    });
    let resources = ["namespaces", "namespaces/status", "namespaces/finalize"];
    Policy {
        name: "waived-labels",
        spec: json!({
            "matchConstraints":
                constraints(&json!([rule(&[""], &["CREATE", "UPDATE"], &resources)]), &[]),
            "variables": [
                {"name": "labels", "expression": "has(object.metadata.labels) ? object.metadata.labels : {}"},
                {"name": "before", "expression":
                    "oldObject != null && has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}"},
            ],
            "validations": come.chain(stay).collect::<Vec<Value>>(),
        }),
    }
}

/// In an open namespace only its identity runs pods, or reaches into them. That holds as well where
/// a waiver has ended and the namespace is still there.
fn pods(waived: &Waived) -> Policy {
    let on_write = &["CREATE", "UPDATE"];
    let rules = json!([
        rule(&[""], &["CREATE"], &["pods"]),
        rule(&[""], &["UPDATE"], &["pods/ephemeralcontainers"]),
        rule(&[""], &["CONNECT"], &["pods/attach", "pods/exec", "pods/portforward", "pods/proxy"]),
        rule(&[""], on_write, &["podtemplates", "replicationcontrollers"]),
        rule(&["apps"], on_write, &["daemonsets", "deployments", "replicasets", "statefulsets"]),
        rule(&["batch"], on_write, &["cronjobs", "jobs"]),
    ]);
    let theirs = waived.iter().map(|(label, users)| {
        format!(
            " ||\n({} in variables.labels && (request.userInfo.username in {} || variables.controller))",
            quoted(label),
            list(users)
        )
    });
    let expression = format!("!variables.open{}", theirs.collect::<String>());
    let mut variables = open(waived);
    variables.push(json!({"name": "controller", "expression": format!("request.userInfo.username in {CONTROLLERS}")}));
    Policy {
        name: "waived-pods",
        spec: json!({
            "matchConstraints": constraints(&rules, &[]),
            "variables": variables,
            "validations": [refuse_unless(
                expression,
                "this namespace is below the standard: only the identity of its waiver works in it",
            )],
        }),
    }
}

/// Whoever may run privileged pods is root on their machines: control planes are none of them.
fn machines(spec: &Spec, waived: &Waived) -> Policy {
    let rules = json!([
        rule(&[""], &["CREATE"], &["pods"]),
        rule(&[""], &["CREATE"], &["bindings", "pods/binding"]),
    ]);
    let mut variables = open(waived);
    variables.push(json!({"name": "machine", "expression": MACHINE}));
    let names = control_planes(spec);
    let addons: String = of_addons(spec).iter().map(|label| or_labelled(label)).collect();
    Policy {
        name: "waived-machines",
        spec: json!({
            "matchConstraints": constraints(&rules, &[]),
            "variables": variables,
            "validations": [refuse_unless(
                format!("!variables.open || !(variables.machine in {names}){addons}"),
                "pods of a namespace below the standard run on workers only",
            )],
        }),
    }
}

/// Says whether a waiver's namespaces are those of an add-on.
fn is_own(users: &BTreeSet<String>) -> bool {
    users.iter().any(|user| user == KEEPER)
}

/// Lists the labels of add-ons whose namespaces are open.
pub(crate) fn of_addons(spec: &Spec) -> Vec<String> {
    waived(spec).into_iter().filter(|(_, users)| is_own(users)).map(|(label, _)| label).collect()
}

/// Writes that a namespace with a label is meant as well.
pub(crate) fn or_labelled(label: &str) -> String {
    format!(" ||\n{} in variables.labels", quoted(label))
}

/// The machine that a pod or a binding names, if any.
pub(crate) const MACHINE: &str = "\
object.kind == 'Binding' ? object.target.name :
(has(object.spec.nodeName) ? object.spec.nodeName : '')";

/// The labels of the namespace in which something is written.
pub(crate) const LABELS: &str =
    "has(namespaceObject.metadata.labels) ? namespaceObject.metadata.labels : {}";

/// Writes the variables that say whether a namespace is open: waived, or below the standard for
/// whatever reason.
fn open(waived: &Waived) -> Vec<Value> {
    let labels = waived.keys().map(|label| format!(" || {} in variables.labels", quoted(label)));
    let expression = format!("{LOWERED}{}", labels.collect::<String>());
    vec![
        json!({"name": "labels", "expression": LABELS}),
        json!({"name": "open", "expression": expression}),
    ]
}

const LOWERED: &str = "\
('pod-security.kubernetes.io/enforce' in variables.labels && variables.labels['pod-security.kubernetes.io/enforce'] != 'restricted') ||
('pod-security.kubernetes.io/enforce-version' in variables.labels && variables.labels['pod-security.kubernetes.io/enforce-version'] != 'latest')";

/// Who makes pods from what the identity wrote, and mends its owner references.
const CONTROLLERS: &str = "[\
'system:serviceaccount:kube-system:cronjob-controller', \
'system:serviceaccount:kube-system:daemon-set-controller', \
'system:serviceaccount:kube-system:deployment-controller', \
'system:serviceaccount:kube-system:generic-garbage-collector', \
'system:serviceaccount:kube-system:job-controller', \
'system:serviceaccount:kube-system:replicaset-controller', \
'system:serviceaccount:kube-system:replication-controller', \
'system:serviceaccount:kube-system:statefulset-controller']";

/// Writes a list of texts for CEL.
pub(crate) fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// Writes the names of all control planes for CEL.
pub(crate) fn control_planes(spec: &Spec) -> String {
    list(&spec.control_planes().map(|node| node.name.to_string()).collect::<Vec<_>>())
}
