//! Every API server writes down who asked for what, without the bodies of secrets.

mod proof;
mod sabotage;

use ringfort_model::mode::Owner;
use ringfort_spec::Spec;
use serde_json::{Value, json};

use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, Component, Draft, Mount};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "audit/policy-is-set",
    title: "Every API server writes down who asked for what, without the bodies of secrets",
    severity: Severity::High,
    refs: &[
        Ref::Cis("1.2.17"),
        Ref::Cis("1.2.18"),
        Ref::Cis("1.2.19"),
        Ref::Cis("3.2.1"),
        Ref::Cis("3.2.2"),
        Ref::Docs("tasks/debug/debug-cluster/audit/"),
    ],
    limits: &[],
    doc: include_str!("policy_is_set.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let policy = format!("{}/policy.yaml", paths::AUDIT);
    draft.control_planes(|at| {
        at.directory(paths::AUDIT, CLOSED, Owner::ROOT);
        at.directory(paths::LOGS, CLOSED, Owner::ROOT);
        at.yaml(&policy, &written());
        let api = Component::ApiServer;
        at.mount(api, paths::AUDIT, Mount::Reads);
        at.mount(api, paths::LOGS, Mount::Writes);
        at.flag(api, "--audit-policy-file", &policy);
        at.flag(api, "--audit-log-path", format!("{}/audit.log", paths::LOGS));
        at.flag(api, "--audit-log-maxage", spec.audit.max_age_days);
        at.flag(api, "--audit-log-maxbackup", spec.audit.max_backups);
        at.flag(api, "--audit-log-maxsize", spec.audit.max_size_megabytes);
    });
}

fn written() -> Value {
    let rules: Vec<Value> = RULES.iter().map(Rule::write).collect();
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": true,
        "rules": rules,
    })
}

/// One rule of the policy: the first that fits a request decides.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Why it is so.
    pub why: &'static str,
    /// How much is written down.
    pub level: &'static str,
    users: &'static [&'static str],
    groups: &'static [&'static str],
    verbs: &'static [&'static str],
    resources: &'static [(&'static str, &'static [&'static str])],
    namespaces: &'static [&'static str],
    paths: &'static [&'static str],
}

impl Rule {
    fn write(&self) -> Value {
        let mut rule = json!({"level": self.level});
        let lists = [
            ("users", self.users),
            ("userGroups", self.groups),
            ("verbs", self.verbs),
            ("namespaces", self.namespaces),
            ("nonResourceURLs", self.paths),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            rule[name] = json!(list);
        }
        if !self.resources.is_empty() {
            let resource = |(group, names): &(&str, &[&str])| match names {
                [] => json!({"group": group}),
                names => json!({"group": group, "resources": names}),
            };
            rule["resources"] = self.resources.iter().map(resource).collect();
        }
        rule
    }
}

const ANY: Rule = Rule {
    why: "",
    level: "Metadata",
    users: &[],
    groups: &[],
    verbs: &[],
    resources: &[],
    namespaces: &[],
    paths: &[],
};

/// The rules. Each at level `None` is a blind spot: it names the one who asks and what for, so that
/// nobody else hides in it.
pub const RULES: &[Rule] = &[
    Rule {
        why: "kube-proxy follows Services all the time",
        level: "None",
        users: &["system:kube-proxy"],
        verbs: &["watch"],
        resources: &[("", &["endpoints", "services"]), ("discovery.k8s.io", &["endpointslices"])],
        ..ANY
    },
    Rule {
        why: "each kubelet reads its own node every few seconds",
        level: "None",
        groups: &["system:nodes"],
        verbs: &["get"],
        resources: &[("", &["nodes", "nodes/status"])],
        ..ANY
    },
    Rule {
        why: "each kubelet renews its lease every ten seconds",
        level: "None",
        groups: &["system:nodes"],
        verbs: &["get", "update"],
        resources: &[("coordination.k8s.io", &["leases"])],
        namespaces: &["kube-node-lease"],
        ..ANY
    },
    Rule {
        why: "servers, controllers and schedulers renew their leases every few seconds",
        level: "None",
        users: &["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"],
        verbs: &["get", "update"],
        resources: &[("coordination.k8s.io", &["leases"])],
        namespaces: &["kube-system"],
        ..ANY
    },
    Rule {
        why: "API servers read namespaces for themselves",
        level: "None",
        users: &["system:apiserver"],
        verbs: &["get"],
        resources: &[("", &["namespaces", "namespaces/status", "namespaces/finalize"])],
        ..ANY
    },
    Rule {
        why: "health is asked for every second, by anybody",
        level: "None",
        verbs: &["get"],
        paths: &["/healthz*", "/livez*", "/readyz*"],
        ..ANY
    },
    Rule {
        why: "events are many, and tell of what other requests did",
        level: "None",
        resources: &[("", &["events"]), ("events.k8s.io", &["events"])],
        ..ANY
    },
    Rule {
        why: "bodies hold secrets",
        level: "Metadata",
        resources: &[
            ("", &["secrets", "configmaps", "serviceaccounts/token"]),
            ("authentication.k8s.io", &["tokenreviews"]),
        ],
        ..ANY
    },
    Rule {
        why: "what was run in whose container is the first question after a break-in",
        level: "Request",
        resources: &[(
            "",
            &[
                "nodes/proxy",
                "pods/attach",
                "pods/exec",
                "pods/portforward",
                "pods/proxy",
                "services/proxy",
            ],
        )],
        ..ANY
    },
    Rule {
        why: "kubelets report on their pods all the time; answers repeat the whole object",
        level: "Request",
        groups: &["system:nodes"],
        verbs: &["update", "patch"],
        resources: &[("", &["nodes/status", "pods/status"])],
        ..ANY
    },
    Rule {
        why: "who read what is enough",
        level: "Metadata",
        verbs: &["get", "list", "watch"],
        ..ANY
    },
    Rule {
        why: "what was changed, and what came of it",
        level: "RequestResponse",
        resources: &[
            ("", &[]),
            ("admissionregistration.k8s.io", &[]),
            ("apiextensions.k8s.io", &[]),
            ("apiregistration.k8s.io", &[]),
            ("apps", &[]),
            ("authorization.k8s.io", &[]),
            ("autoscaling", &[]),
            ("batch", &[]),
            ("certificates.k8s.io", &[]),
            ("networking.k8s.io", &[]),
            ("node.k8s.io", &[]),
            ("policy", &[]),
            ("rbac.authorization.k8s.io", &[]),
            ("scheduling.k8s.io", &[]),
            ("storage.k8s.io", &[]),
        ],
        ..ANY
    },
    Rule { why: "objects of others may hold secrets", level: "Metadata", ..ANY },
];

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn every_blind_spot_is_narrow_and_every_rule_has_a_reason() {
        for rule in RULES {
            assert!(!rule.why.is_empty());
            let asks_for = !rule.resources.is_empty() || !rule.paths.is_empty();
            assert!(rule.level != "None" || asks_for, "{}", rule.why);
        }
    }

    #[test]
    fn bodies_of_secrets_are_never_written() {
        let place = |what: &str| {
            let names =
                |r: &&super::Rule| r.resources.iter().any(|(_, names)| names.contains(&what));
            RULES.iter().find(names).map(|rule| rule.level)
        };
        for secret in ["secrets", "configmaps", "serviceaccounts/token", "tokenreviews"] {
            assert_eq!(place(secret), Some("Metadata"), "{secret}");
        }
    }
}
