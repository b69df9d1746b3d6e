//! What the identity of a waiver may do: nearly everything in its own namespaces, and outside them
//! only what is listed here.

use std::collections::BTreeSet;

use ringfort_spec::Spec;
use serde_json::{Value, json};

use crate::access::waived_namespaces::{Waived, control_planes, list};
use crate::admission::{Policy, constraints, quoted, refuse_unless, rule};

/// The role of all identities of waivers, and its binding.
pub const ROLE: &str = "ringfort:waived";

/// Writes role and binding.
pub(super) fn rights(users: &BTreeSet<&String>) -> [Value; 2] {
    let group = "rbac.authorization.k8s.io";
    let beside = json!({"nonResourceURLs": ["*"], "verbs": ["get"]});
    let rules: Vec<Value> = RULES.iter().map(Rule::write).chain([beside]).collect();
    let subject = |user: &&String| json!({"apiGroup": group, "kind": "User", "name": user});
    [
        json!({
            "apiVersion": format!("{group}/v1"),
            "kind": "ClusterRole",
            "metadata": {"name": ROLE},
            "rules": rules,
        }),
        json!({
            "apiVersion": format!("{group}/v1"),
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ROLE},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": ROLE},
            "subjects": users.iter().map(subject).collect::<Vec<_>>(),
        }),
    ]
}

/// Roles cannot tell one namespace from another by its label, so a guard does: it refuses every
/// write of the identity that is neither in a namespace of its own nor listed.
pub(super) fn wall(spec: &Spec, waived: &Waived) -> Policy {
    let users: BTreeSet<&String> = waived.values().flatten().collect();
    let own = waived.iter().map(|(label, users)| {
        format!(
            "(request.userInfo.username in {} && {} in variables.labels)",
            list(users),
            quoted(label)
        )
    });
    let own = own.collect::<Vec<_>>().join(" || ");
    Policy {
        name: "waived-identities",
        spec: json!({
            "matchConstraints": constraints(&json!([rule(&["*"], &["*"], &["*/*"])]), &[]),
            "matchConditions": [{
                "name": "identity-of-a-waiver",
                "expression": format!("request.userInfo.username in {}", list(users)),
            }],
            "variables": [
                {"name": "written", "expression": "oldObject != null ? oldObject : object"},
                {"name": "isNamespace", "expression": IS_NAMESPACE},
                {"name": "labels", "expression": LABELS},
                {"name": "outside", "expression": outside(spec)},
            ],
            "validations": [refuse_unless(
                format!("{own} ||\nvariables.outside"),
                "a waiver's identity writes in the namespaces that it made with its label",
            )],
        }),
    }
}

const IS_NAMESPACE: &str =
    "request.resource.group == '' && request.resource.resource == 'namespaces'";

/// The labels of the namespace in which something is written, or which is itself written.
const LABELS: &str = "\
variables.isNamespace ?
  (variables.written != null && has(variables.written.metadata.labels) ? variables.written.metadata.labels : {}) :
  (has(request.namespace) && request.namespace != '' && has(namespaceObject.metadata.labels) ?
    namespaceObject.metadata.labels : {})";

/// Writes what is not in any namespace and may be written all the same. Nodes are changed, never
/// made or deleted, and control planes not even that.
fn outside(spec: &Spec) -> String {
    let listed = OUTSIDE.iter().map(|(group, resources)| {
        let resources: Vec<String> = resources.iter().map(|one| format!("'{one}'")).collect();
        format!(
            "(request.resource.group == '{group}' && request.resource.resource in [{}])",
            resources.join(", ")
        )
    });
    let nodes = format!(
        "(request.resource.group == '' && request.resource.resource == 'nodes' && request.operation == 'UPDATE' &&\n  \
         !(request.name in {}))",
        control_planes(spec)
    );
    let definitions =
        "(request.resource.group == 'apiextensions.k8s.io' && variables.written != null && \
                       variables.written.metadata.name.endsWith('.example.com'))"
            .to_owned();
    listed.chain([nodes, definitions]).collect::<Vec<_>>().join(" ||\n")
}

/// Kinds without a namespace that tests make for themselves. Not here: what decides who may do what
/// (roles of the cluster, bindings, admission, API services, flow control, trust bundles).
const OUTSIDE: &[(&str, &[&str])] = &[
    ("", &["persistentvolumes"]),
    ("authentication.k8s.io", &["selfsubjectreviews", "tokenreviews"]),
    (
        "authorization.k8s.io",
        &[
            "localsubjectaccessreviews",
            "selfsubjectaccessreviews",
            "selfsubjectrulesreviews",
            "subjectaccessreviews",
        ],
    ),
    ("certificates.k8s.io", &["certificatesigningrequests"]),
    ("networking.k8s.io", &["ingressclasses", "ipaddresses", "servicecidrs"]),
    ("node.k8s.io", &["runtimeclasses"]),
    ("resource.k8s.io", &["deviceclasses", "devicetaintrules", "resourceslices"]),
    ("scheduling.k8s.io", &["priorityclasses"]),
    (
        "storage.k8s.io",
        &[
            "csidrivers",
            "csinodes",
            "storageclasses",
            "volumeattachments",
            "volumeattributesclasses",
        ],
    ),
];

/// What an identity may do with some resources, as far as roles can say it.
struct Rule {
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
}

impl Rule {
    fn write(&self) -> Value {
        json!({"apiGroups": self.groups, "resources": self.resources, "verbs": self.verbs})
    }
}

const ALL: &[&str] =
    &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
const CHANGE: &[&str] = &["get", "list", "watch", "update", "patch"];
const READ: &[&str] = &["get", "list", "watch"];

/// Not here: impersonate, escalate, bind, approve and sign; `nodes/proxy`, which kubelets answer
/// without asking admission; and custom resources, whose groups nobody knows beforehand.
const RULES: &[Rule] = &[
    Rule {
        groups: &[""],
        resources: &[
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "namespaces/finalize",
            "namespaces/status",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "persistentvolumes",
            "persistentvolumes/status",
            "pods",
            "pods/attach",
            "pods/binding",
            "pods/ephemeralcontainers",
            "pods/eviction",
            "pods/exec",
            "pods/log",
            "pods/portforward",
            "pods/proxy",
            "pods/resize",
            "pods/status",
            "podtemplates",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
            "secrets",
            "serviceaccounts",
            "serviceaccounts/token",
            "services",
            "services/proxy",
            "services/status",
        ],
        verbs: ALL,
    },
    Rule { groups: &[""], resources: &["nodes", "nodes/status"], verbs: CHANGE },
    Rule { groups: &[""], resources: &["nodes/metrics", "nodes/stats"], verbs: &["get"] },
    Rule {
        groups: &[
            "apiextensions.k8s.io",
            "apps",
            "autoscaling",
            "batch",
            "coordination.k8s.io",
            "discovery.k8s.io",
            "events.k8s.io",
            "networking.k8s.io",
            "node.k8s.io",
            "policy",
            "resource.k8s.io",
            "scheduling.k8s.io",
            "storage.k8s.io",
        ],
        resources: &["*"],
        verbs: ALL,
    },
    Rule {
        groups: &["certificates.k8s.io"],
        resources: &["certificatesigningrequests", "certificatesigningrequests/status"],
        verbs: ALL,
    },
    Rule {
        groups: &["rbac.authorization.k8s.io"],
        resources: &["rolebindings", "roles"],
        verbs: ALL,
    },
    Rule {
        groups: &["authentication.k8s.io", "authorization.k8s.io"],
        resources: &["*"],
        verbs: &["create"],
    },
    Rule {
        groups: &[
            "admissionregistration.k8s.io",
            "apiregistration.k8s.io",
            "certificates.k8s.io",
            "flowcontrol.apiserver.k8s.io",
            "metrics.k8s.io",
            "rbac.authorization.k8s.io",
            "storagemigration.k8s.io",
        ],
        resources: &["*"],
        verbs: READ,
    },
];

#[cfg(test)]
mod tests {
    use super::{OUTSIDE, READ, RULES};

    #[test]
    fn no_role_of_a_waiver_is_a_way_up() {
        for rule in RULES {
            for verb in ["*", "impersonate", "escalate", "bind", "approve", "sign"] {
                assert!(!rule.verbs.contains(&verb), "{verb} on {:?}", rule.resources);
            }
            assert!(!rule.groups.contains(&"*"), "{:?}", rule.resources);
            let everything = rule.groups.contains(&"") && rule.resources.contains(&"*");
            assert!(!everything && !rule.resources.contains(&"nodes/proxy"));
            let writes = rule.verbs.iter().any(|verb| !READ.contains(verb));
            let shut = [
                "admissionregistration.k8s.io",
                "apiregistration.k8s.io",
                "flowcontrol.apiserver.k8s.io",
                "storagemigration.k8s.io",
            ];
            assert!(!writes || !rule.groups.iter().any(|group| shut.contains(group)));
            let roles = rule
                .resources
                .iter()
                .any(|one| one.starts_with("cluster") && *one != "clustertrustbundles");
            assert!(!writes || !roles, "{:?}", rule.resources);
        }
    }

    #[test]
    fn what_decides_over_others_is_not_written_outside() {
        for (group, resources) in OUTSIDE {
            let shut = [
                "rbac.authorization.k8s.io",
                "admissionregistration.k8s.io",
                "apiregistration.k8s.io",
            ];
            assert!(!shut.contains(group));
            for resource in *resources {
                assert!(
                    !["namespaces", "nodes", "clustertrustbundles"].contains(resource),
                    "{resource}"
                );
            }
        }
    }
}
