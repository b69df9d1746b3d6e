//! The handed-over identity administers workloads, and cannot make itself more.

mod proof;
mod sabotage;

use ringfort_model::identity::ADMIN;
use ringfort_spec::Spec;
use serde_json::{Value, json};

use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/admin-is-narrow",
    title: "The handed-over identity administers workloads and cannot make itself more",
    severity: Severity::High,
    refs: &[
        Ref::Cis("5.1.1"),
        Ref::Cis("5.1.3"),
        Ref::Docs("concepts/security/rbac-good-practices/"),
    ],
    limits: &[],
    doc: include_str!("admin_is_narrow.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// Role and binding bear the identity's name.
fn make(_: &Spec, draft: &mut Draft<'_>) {
    let rules: Vec<Value> = RULES.iter().map(Rule::write).collect();
    draft.object(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ADMIN},
        "rules": rules,
    }));
    draft.object(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": ADMIN},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ADMIN},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": ADMIN}],
    }));
}

/// What the identity may do with some resources.
struct Rule {
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
}

impl Rule {
    fn write(&self) -> Value {
        json!({"apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs})
    }
}

const ALL: &[&str] =
    &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
const READ: &[&str] = &["get", "list", "watch"];
/// Kinds of admission objects.
const ADMISSION: [&str; 6] = [
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "mutatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
];

/// Roles and bindings are within reach, since the API lets nobody give what they do not hold.
/// Not here: impersonate, escalate, bind, writes to admission objects, certificate signing requests,
/// `nodes/proxy`, and deleting nodes.
const RULES: &[Rule] = &[
    Rule {
        group: "",
        resources: &[
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "persistentvolumeclaims",
            "persistentvolumes",
            "pods",
            "podtemplates",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "resourcequotas",
            "secrets",
            "serviceaccounts",
            "services",
        ],
        verbs: ALL,
    },
    Rule {
        group: "",
        resources: &["pods/attach", "pods/exec", "pods/portforward"],
        verbs: &["get", "create"],
    },
    Rule { group: "", resources: &["pods/ephemeralcontainers"], verbs: &["update", "patch"] },
    Rule { group: "", resources: &["pods/eviction", "serviceaccounts/token"], verbs: &["create"] },
    Rule {
        group: "",
        resources: &[
            "namespaces/status",
            "persistentvolumeclaims/status",
            "pods/log",
            "pods/status",
            "replicationcontrollers/status",
            "resourcequotas/status",
            "services/status",
        ],
        verbs: READ,
    },
    Rule { group: "", resources: &["nodes"], verbs: &["get", "list", "watch", "patch"] },
    Rule { group: "", resources: &["nodes/metrics", "nodes/stats"], verbs: &["get"] },
    Rule {
        group: "apps",
        resources: &[
            "controllerrevisions",
            "daemonsets",
            "deployments",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
        verbs: ALL,
    },
    Rule {
        group: "apps",
        resources: &[
            "daemonsets/status",
            "deployments/status",
            "replicasets/status",
            "statefulsets/status",
        ],
        verbs: READ,
    },
    Rule { group: "batch", resources: &["cronjobs", "jobs"], verbs: ALL },
    Rule { group: "batch", resources: &["cronjobs/status", "jobs/status"], verbs: READ },
    Rule { group: "autoscaling", resources: &["horizontalpodautoscalers"], verbs: ALL },
    Rule { group: "policy", resources: &["poddisruptionbudgets"], verbs: ALL },
    Rule {
        group: "networking.k8s.io",
        resources: &["ingressclasses", "ingresses", "networkpolicies"],
        verbs: ALL,
    },
    Rule { group: "discovery.k8s.io", resources: &["endpointslices"], verbs: ALL },
    Rule { group: "coordination.k8s.io", resources: &["leases"], verbs: ALL },
    Rule { group: "events.k8s.io", resources: &["events"], verbs: READ },
    Rule {
        group: "rbac.authorization.k8s.io",
        resources: &["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
        verbs: ALL,
    },
    Rule {
        group: "storage.k8s.io",
        resources: &["csidrivers", "storageclasses", "volumeattachments"],
        verbs: ALL,
    },
    Rule { group: "storage.k8s.io", resources: &["csinodes", "csistoragecapacities"], verbs: READ },
    Rule { group: "scheduling.k8s.io", resources: &["priorityclasses"], verbs: ALL },
    Rule { group: "node.k8s.io", resources: &["runtimeclasses"], verbs: READ },
    Rule { group: "apiextensions.k8s.io", resources: &["customresourcedefinitions"], verbs: ALL },
    Rule { group: "apiregistration.k8s.io", resources: &["apiservices"], verbs: READ },
    Rule { group: "admissionregistration.k8s.io", resources: &ADMISSION, verbs: READ },
    Rule { group: "certificates.k8s.io", resources: &["certificatesigningrequests"], verbs: READ },
    Rule {
        group: "flowcontrol.apiserver.k8s.io",
        resources: &["flowschemas", "prioritylevelconfigurations"],
        verbs: READ,
    },
    Rule { group: "metrics.k8s.io", resources: &["nodes", "pods"], verbs: READ },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::RULES;

    #[test]
    fn the_role_hands_out_no_way_up() {
        for rule in RULES {
            for verb in ["*", "impersonate", "escalate", "bind", "approve", "sign"] {
                assert!(!rule.verbs.contains(&verb), "{verb} on {:?}", rule.resources);
            }
            let writes = rule.verbs.iter().any(|verb| !super::READ.contains(verb));
            for resource in rule.resources {
                assert!(!resource.contains('*'), "{resource}");
                let proxies = resource.ends_with("/proxy");
                let shut = ["admissionregistration.k8s.io", "certificates.k8s.io"];
                assert!(!proxies, "{resource}");
                assert!(!writes || !shut.contains(&rule.group), "{resource}");
            }
        }
    }

    #[test]
    fn no_resource_is_listed_twice_with_one_verb() {
        let mut seen = BTreeSet::new();
        for rule in RULES {
            for (resource, verb) in
                rule.resources.iter().flat_map(|r| rule.verbs.iter().map(move |v| (r, v)))
            {
                assert!(seen.insert((rule.group, resource, verb)), "{resource} {verb}");
            }
        }
    }
}
