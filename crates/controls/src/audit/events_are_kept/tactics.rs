//! What is done on purpose for each tactic of attackers, and the detection that has to find it. Nothing of it runs,
//! lets anybody in or outlives the namespace of the proofs, and all of it is asked by ringfort's own identity of a run,
//! so that what is told of it is marked as a canary, and what is new to somebody else stays new.

use std::fmt;

use serde_json::{Value, json};

use ringfort_audit::attack::Tactic;
use ringfort_model::act::{Act, Ask, Speaker, TokenWish};
use ringfort_model::name::NodeName;

use crate::proof::{Scene, pod};

/// Something suspicious that is done on purpose.
pub(super) struct Canary {
    /// What somebody else who did it would be after.
    pub(super) tactic: Tactic,
    /// What it is, in words that follow "that somebody".
    pub(super) what: &'static str,
    /// How it is done.
    pub(super) act: fn(&Scene, &NodeName, String) -> Act,
    /// How the log calls what is done,
    pub(super) verb: &'static str,
    /// and to what.
    pub(super) resource: &'static str,
    /// The detection that is to find it,
    pub(super) detection: &'static str,
    /// and the field by which it does, where policies are known to change it on the way.
    pub(super) stays: Option<&'static str>,
    /// How a server answers that did it.
    pub(super) answer: Answer,
}

/// How a server answers what is done on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// It does it.
    Done,
    /// It refuses it, for want of a right: to have tried is what is suspicious.
    Forbidden,
}

/// One for each tactic that a harmless one is known of.
pub(super) static CANARIES: [Canary; 11] = [
    Canary {
        tactic: Tactic::InitialAccess,
        what: "opened a Service on every machine",
        act: |scene, server, name| by_keeper(server, Ask::Create(service(scene, &name))),
        verb: "create",
        resource: "services",
        detection: "detect/node-port",
        stays: Some("/spec/type"),
        answer: Answer::Done,
    },
    Canary {
        tactic: Tactic::Execution,
        what: "chose the machine on which a workload runs",
        act: |scene, server, name| {
            let mut deployment = workload(scene, &name, "Deployment");
            pod::set(&mut deployment, "spec/replicas", json!(0));
            pod::set(&mut deployment, "spec/template/spec/nodeName", json!(server));
            by_keeper(server, Ask::Create(deployment))
        },
        verb: "create",
        resource: "deployments",
        detection: "detect/pinned-to-node",
        stays: Some("/spec/template/spec/nodeName"),
        answer: Answer::Done,
    },
    Canary {
        tactic: Tactic::Persistence,
        what: "left a job for later",
        act: |scene, server, name| {
            let mut job = workload(scene, &name, "CronJob");
            pod::set(&mut job, "spec/suspend", true.into());
            by_keeper(server, Ask::Create(job))
        },
        verb: "create",
        resource: "cronjobs",
        detection: "detect/scheduled-job",
        stays: None,
        answer: Answer::Done,
    },
    Canary {
        tactic: Tactic::PrivilegeEscalation,
        what: "gave a role that reads Secrets",
        act: |scene, server, name| {
            let role = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": {"name": name, "namespace": scene.namespace},
                "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
            });
            by_keeper(server, Ask::Create(role))
        },
        verb: "create",
        resource: "roles",
        detection: "detect/secrets-role",
        stays: Some("/rules"),
        answer: Answer::Done,
    },
    Canary {
        tactic: Tactic::DefenseEvasion,
        what: "took away what limits disruption",
        act: |scene, server, name| {
            let key = scene.key("policy/v1", "PodDisruptionBudget", &name);
            by_keeper(server, Ask::Delete(key))
        },
        verb: "delete",
        resource: "poddisruptionbudgets",
        detection: "detect/limits-deleted",
        stays: None,
        answer: Answer::Done,
    },
    Canary {
        tactic: Tactic::CredentialAccess,
        what: "took a token of an account",
        act: |scene, server, account| {
            let namespace = scene.namespace.clone();
            let (audiences, seconds, bound) = (Vec::new(), 600, None);
            let wish = TokenWish { namespace, account, audiences, seconds, aged_s: None, bound };
            Act::TryToken { server: server.clone(), wish }
        },
        verb: "create",
        resource: "serviceaccounts/token",
        detection: "detect/token-requested",
        stays: None,
        answer: Answer::Done,
    },
    Canary {
        tactic: Tactic::Discovery,
        what: "asked for all that an account may do",
        act: |scene, server, name| {
            let review = json!({
                "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
                "spec": {"namespace": scene.namespace},
            });
            let speaker = Speaker::Account { namespace: scene.namespace.clone(), name };
            Act::Ask { server: server.clone(), speaker, ask: Ask::Create(review) }
        },
        verb: "create",
        resource: "selfsubjectrulesreviews",
        detection: "detect/own-rights-listed",
        stays: None,
        answer: Answer::Done,
    },
    Canary {
        tactic: Tactic::LateralMovement,
        what: "made a workload for every machine",
        act: |scene, server, name| {
            let mut set = workload(scene, &name, "DaemonSet");
            // No machine has this label.
            pod::set(&mut set, "spec/template/spec/nodeSelector", json!({"canary": name}));
            by_keeper(server, Ask::Create(set))
        },
        verb: "create",
        resource: "daemonsets",
        detection: "detect/daemon-set",
        stays: None,
        answer: Answer::Done,
    },
    Canary {
        tactic: Tactic::Collection,
        what: "wrote by hand where a Service leads",
        act: |scene, server, name| {
            let slice = json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": name, "namespace": scene.namespace},
                "addressType": "IPv4", "endpoints": [],
            });
            by_keeper(server, Ask::Create(slice))
        },
        verb: "create",
        resource: "endpointslices",
        detection: "detect/endpoints-by-hand",
        stays: None,
        answer: Answer::Done,
    },
    Canary {
        tactic: Tactic::CommandAndControl,
        what: "tried to reach a Service through the API",
        act: |scene, server, name| {
            let namespace = scene.namespace.clone();
            let path = format!("/api/v1/namespaces/{namespace}/services/{name}/proxy/");
            let speaker = Speaker::Account { namespace, name };
            Act::Ask { server: server.clone(), speaker, ask: Ask::Read { path } }
        },
        verb: "get",
        resource: "services/proxy",
        detection: "detect/service-proxy",
        stays: None,
        answer: Answer::Forbidden,
    },
    Canary {
        tactic: Tactic::Impact,
        what: "deleted a pod by force",
        act: |scene, server, name| {
            by_keeper(server, Ask::DeleteByForce(scene.key("v1", "Pod", &name)))
        },
        verb: "delete",
        resource: "pods",
        detection: "detect/deleted-by-force",
        stays: None,
        answer: Answer::Done,
    },
];

/// The tactics that detections are signs of and no canary tries, each with the reason why not.
pub(super) const UNTRIED: [(Tactic, &str); 1] =
    [(Tactic::Reconnaissance, "it needs somebody outside, with a tool of attackers")];

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (somebody {}, which {} finds)", self.tactic, self.what, self.detection)
    }
}

/// What has to be there for the canaries: an account without rights, a budget that no pod is under, and a pod that
/// waits for a scheduler that nobody runs.
pub(super) fn objects(scene: &Scene, name: &str) -> [Value; 3] {
    let metadata = json!({"name": name, "namespace": scene.namespace});
    let spec = json!({"minAvailable": 0, "selector": {"matchLabels": {"canary": name}}});
    let mut waiting = pod::restricted(scene, name);
    pod::set(&mut waiting, "spec/schedulerName", "ringfort-canary".into());
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": metadata, "spec": spec,
        }),
        waiting,
    ]
}

/// A Service that has a port on every machine, and nobody behind it.
fn service(scene: &Scene, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": scene.namespace},
        "spec": {"type": "NodePort", "ports": [{"port": 443, "protocol": "TCP"}]},
    })
}

/// What makes pods, of a kind, with a pod that meets every guard. Its name begins with the one that is given.
fn workload(scene: &Scene, name: &str, kind: &str) -> Value {
    let all = pod::workloads(scene, name, &pod::restricted(scene, name));
    all.into_iter().find(|object| object["kind"] == kind).unwrap_or_default()
}

pub(super) fn by_keeper(server: &NodeName, ask: Ask) -> Act {
    Act::Ask { server: server.clone(), speaker: Speaker::Keeper, ask }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ringfort_audit::attack::{Tactic, tactics};
    use ringfort_audit::detections::{self, DETECTIONS};
    use ringfort_model::act::{Act, Ask, Speaker};

    use super::{Answer, CANARIES, Scene, UNTRIED, objects, workload};
    use crate::audit::events_are_kept::CONTROL;

    /// A detection of a tactic that nothing tries is a wall that nobody leans against.
    #[test]
    fn every_tactic_of_a_detection_is_tried_or_has_a_reason() {
        let named: BTreeSet<Tactic> = detections::all().flat_map(tactics).collect();
        let tried = CANARIES.iter().map(|canary| canary.tactic);
        let told: Vec<Tactic> = tried.chain(UNTRIED.iter().map(|(tactic, _)| *tactic)).collect();
        let known: BTreeSet<Tactic> = told.iter().copied().collect();
        assert_eq!(named, known);
        assert_eq!(known.len(), told.len(), "a tactic stands there twice: {told:?}");
    }

    /// What has to be told something by a site finds nothing where nobody did.
    #[test]
    fn what_finds_a_canary_is_a_sign_of_its_tactic_on_every_cluster() {
        for canary in &CANARIES {
            let detection = DETECTIONS.iter().find(|it| it.id == canary.detection);
            let detection = detection.unwrap_or_else(|| panic!("{canary} is found by nobody"));
            assert!(tactics(detection).contains(&canary.tactic), "{canary}");
        }
    }

    #[test]
    fn the_page_tells_of_every_tactic() {
        let lines: BTreeMap<&str, &str> = CONTROL
            .doc
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
            .collect();
        for canary in &CANARIES {
            let line = lines[canary.tactic.to_string().as_str()];
            assert!(line.contains(&format!("`{}`", canary.detection)), "{canary}: {line}");
        }
        for (tactic, why) in UNTRIED {
            assert_eq!(lines[tactic.to_string().as_str()], format!("not tried: {why} |"));
        }
    }

    /// Who asks is known by it, and what is made goes with the namespace.
    #[test]
    fn canaries_stay_in_the_namespace_of_the_proofs_and_run_nothing() {
        let scene = Scene::sample();
        let server = scene.server();
        for canary in &CANARIES {
            match (canary.act)(&scene, &server, "canary-0".to_owned()) {
                Act::Ask { speaker: Speaker::Keeper, ask: Ask::Create(object), .. } => {
                    assert_eq!(object["metadata"]["namespace"], scene.namespace.as_str());
                }
                Act::Ask {
                    speaker: Speaker::Keeper,
                    ask: Ask::Delete(key) | Ask::DeleteByForce(key),
                    ..
                } => assert_eq!(key.namespace, Some(scene.namespace.clone())),
                Act::Ask { speaker: Speaker::Account { namespace, .. }, ask, .. } => {
                    assert_eq!(namespace, scene.namespace);
                    if let Ask::Read { path } = ask {
                        assert!(path.contains(&format!("/namespaces/{namespace}/")), "{path}");
                        assert_eq!(canary.answer, Answer::Forbidden, "{canary}");
                    }
                }
                Act::TryToken { wish, .. } => assert_eq!(wish.namespace, scene.namespace),
                other => panic!("{canary}: {other:?}"),
            }
        }
        let [_, _, pod] = objects(&scene, "canary-0");
        assert_eq!(pod["spec"]["schedulerName"], "ringfort-canary");
        for kind in ["Deployment", "CronJob", "DaemonSet"] {
            assert_eq!(workload(&scene, "canary-0", kind)["kind"], kind);
        }
    }
}
