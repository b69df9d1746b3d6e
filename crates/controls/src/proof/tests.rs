//! The gate against invented clusters: a good one passes, each sabotage fails, silence is unknown.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Heard, Load, Next, Seen, Speaker};
use ringfort_model::identity::KEEPER;
use ringfort_model::judgement::{Decided, Judgement};
use ringfort_model::name::NodeName;

use super::{GATE, PodTraffic, Proof, Scene};

fn scene() -> Scene {
    let nodes = |names: &[&str]| names.iter().map(|name| NodeName::new(*name).unwrap()).collect();
    Scene {
        control_planes: nodes(&["cp1", "cp2", "cp3"]),
        workers: nodes(&["w1", "w2", "w3"]),
        namespace: "canary".to_owned(),
        nonce: "nonce-4711".to_owned(),
        domain: "cluster.local".to_owned(),
        api_address: [10, 96, 0, 1].into(),
        probe_image: "ringfort.dev/probe:1".to_owned(),
        waived: [
            ("addon.ringfort.dev/net".to_owned(), [KEEPER.to_owned()].into()),
            ("e2e-framework".to_owned(), ["e2e".to_owned()].into()),
        ]
        .into(),
        guards: [("ValidatingAdmissionPolicy".to_owned(), "sha256:4711".to_owned())].into(),
        pod_traffic: PodTraffic::Encrypted { pods: "10.244.0.0/16".parse().unwrap() },
    }
}

fn judge(proof: &Proof, mut world: impl FnMut(&Act) -> Seen) -> Judgement {
    let mut transcript = Vec::new();
    for _ in 0..1_000 {
        match (proof.next)(&scene(), &transcript) {
            Next::Done(judgement) => return judgement,
            Next::Do(acts) => {
                assert!(!acts.is_empty(), "{} does nothing and is not done", proof.control);
                for act in acts {
                    let seen = world(&act);
                    transcript.push((act, seen));
                }
            }
        }
    }
    panic!("{} never ends", proof.control);
}

fn good(act: &Act) -> Seen {
    match act {
        Act::Wait { .. } | Act::Listen { .. } => Seen::Done,
        Act::Hear { .. } => Seen::Heard(Heard { sealed: 60, open: 0 }),
        Act::ReadSealed { .. } => {
            Seen::Opened { key: "k1".to_owned(), plain: "canary nonce-4711".to_owned() }
        }
        Act::ReadAudit { holding, .. } => Seen::Lines(vec![event(holding, "Metadata").to_string()]),
        Act::Rehearse { .. } => Seen::Load(Load {
            tried: 40,
            acknowledged: 39,
            lost: 0,
            longest_pause_ms: 900,
            recovery_ms: 7_000,
        }),
        Act::Ask { ask, .. } => match ask {
            Ask::Create(object) if object["spec"]["hostNetwork"] == true => Seen::Refused {
                status: 403,
                message: "pods is forbidden: violates PodSecurity \"restricted:latest\"".to_owned(),
            },
            Ask::Create(object) if object["spec"]["hostPID"] == true => Seen::Refused {
                status: 403,
                message: "pods is forbidden: violates PodSecurity \"restricted:latest\"".to_owned(),
            },
            Ask::Create(object) if object["kind"] == "Namespace" => Seen::Refused {
                status: 403,
                message: "namespaces is forbidden: ValidatingAdmissionPolicy denied".to_owned(),
            },
            Ask::Create(object) => Seen::Object(object.clone()),
            Ask::Get(key) => Seen::Object(json!({
                "kind": key.kind, "metadata": {"name": key.name},
                "status": {"phase": "Succeeded", "podIP": "10.244.3.7"},
            })),
            Ask::List { .. } => Seen::Objects(
                ["cp1", "cp2", "cp3", "w1", "w2", "w3"].map(|n| node(n, "True")).into(),
            ),
            Ask::Logs { .. } => {
                Seen::Text("kubernetes.default.svc.cluster.local 10.96.0.1".to_owned())
            }
            Ask::Metrics { .. } => Seen::Lines(vec![loaded("sha256:4711")]),
            Ask::Delete(_) | Ask::Read { .. } => Seen::Done,
        },
    }
}

/// What a server says of the guards that it has loaded.
fn loaded(hash: &str) -> String {
    format!(
        "apiserver_manifest_admission_config_controller_last_config_info{{apiserver_id_hash=\"sha256:a\",\
         hash=\"{hash}\",plugin=\"ValidatingAdmissionPolicy\"}} 1"
    )
}

/// The line about a canary whose address in the API is looked for.
fn event(holding: &str, level: &str) -> Value {
    let parts: Vec<&str> = holding.split('/').collect();
    let object = json!({"resource": "secrets", "namespace": parts[2], "name": parts[4]});
    json!({"level": level, "verb": "get", "objectRef": object})
}

fn node(name: &str, ready: &str) -> Value {
    json!({"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}})
}

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

fn namespace(name: &str, labels: &Value) -> Value {
    json!({"metadata": {"name": name, "labels": labels}})
}

/// A refusal by somebody else says nothing of Pod Security.
#[test]
fn the_refusal_of_a_guard_is_not_that_of_pod_security() {
    let proof = GATE.iter().find(|proof| proof.control == "access/pod-security").unwrap();
    let judgement = judge(proof, |act| match act {
        Act::Ask { ask: Ask::Create(_), .. } => Seen::Refused {
            status: 403,
            message: "pods is forbidden: ValidatingAdmissionPolicy denied".to_owned(),
        },
        other => good(other),
    });
    assert!(judgement.is_err(), "{judgement:?}");
}

/// ringfort's own identity gives the labels of add-ons, so that another one has to try.
#[test]
fn labels_of_addons_are_tried_by_the_handed_over_identity() {
    let proof = GATE.iter().find(|proof| proof.control == "access/waived-namespaces").unwrap();
    let mut tries = 0;
    let judgement = judge(proof, |act| match act {
        Act::Ask { speaker, ask: Ask::Create(object), .. } => {
            let is_addon = !object["metadata"]["labels"]["addon.ringfort.dev/net"].is_null();
            assert_eq!(*speaker, if is_addon { Speaker::Admin } else { Speaker::Keeper });
            tries += usize::from(is_addon);
            good(act)
        }
        other => good(other),
    });
    assert!(matches!(judgement, Ok(Decided::Pass(_))), "{judgement:?}");
    assert_eq!(tries, 3, "each server is asked");
}

/// An open namespace of a waiver that holds is no finding, and is told.
#[test]
fn what_a_waiver_opens_passes() {
    let proof = GATE.iter().find(|proof| proof.control == "access/waived-namespaces").unwrap();
    let judgement = judge(proof, |act| match act {
        Act::Ask { ask: Ask::List { .. }, .. } => Seen::Objects(vec![
            namespace("default", &json!({})),
            namespace("pods-1", &json!({ENFORCE: "privileged", "e2e-framework": "pods"})),
        ]),
        other => good(other),
    });
    let Ok(Decided::Pass(evidence)) = judgement else { panic!("{judgement:?}") };
    assert!(evidence.to_string().contains("1 is, by a waiver"), "{evidence}");
}

#[test]
fn a_good_cluster_passes() {
    for proof in GATE {
        let judgement = judge(proof, good);
        assert!(matches!(judgement, Ok(Decided::Pass(_))), "{}: {judgement:?}", proof.control);
    }
}

#[test]
fn silence_is_unknown() {
    for proof in GATE {
        let judgement = judge(proof, |_| Seen::Failed { why: "no answer".to_owned() });
        assert!(judgement.is_err(), "{}: {judgement:?}", proof.control);
    }
}

#[test]
fn one_silent_machine_is_no_pass() {
    for proof in GATE {
        let silent = |act: &Act| match act {
            Act::Ask { server, .. } | Act::ReadAudit { server, .. } if server.as_str() == "cp2" => {
                None
            }
            Act::ReadSealed { member, .. } if member.as_str() == "cp2" => None,
            Act::Rehearse { stop, .. } if stop.as_str() == "cp2" => None,
            other => Some(good(other)),
        };
        let judgement =
            judge(proof, |act| silent(act).unwrap_or(Seen::Failed { why: "no answer".to_owned() }));
        // What is asked of one server only does not see the silent one.
        let asks_one = ["ha/nodes-are-ready", "network/cluster-dns", "network/pod-encryption"]
            .contains(&proof.control);
        assert_eq!(judgement.is_err(), !asks_one, "{}: {judgement:?}", proof.control);
    }
}

#[test]
fn each_sabotage_fails_its_proof_and_no_other() {
    let check = |control: &str, sabotage: fn(&Act) -> Option<Seen>| {
        for proof in GATE {
            let judgement = judge(proof, |act| sabotage(act).unwrap_or_else(|| good(act)));
            let failed = matches!(judgement, Ok(Decided::Fail(_)));
            assert_eq!(failed, proof.control == control, "{}: {judgement:?}", proof.control);
        }
    };
    check("ha/nodes-are-ready", |act| match act {
        Act::Ask { ask: Ask::List { .. }, .. } => {
            Some(Seen::Objects(["cp1", "cp2", "cp3", "w1", "w2"].map(|n| node(n, "True")).into()))
        }
        _ => None,
    });
    check("ha/nodes-are-ready", |act| match act {
        Act::Ask { ask: Ask::List { .. }, .. } => {
            let ready = |n: &str| node(n, if n == "w3" { "False" } else { "True" });
            Some(Seen::Objects(["cp1", "cp2", "cp3", "w1", "w2", "w3"].map(ready).into()))
        }
        _ => None,
    });
    check("ha/nodes-are-ready", |act| match act {
        Act::Ask { ask: Ask::List { .. }, .. } => Some(Seen::Objects(
            ["cp1", "cp2", "cp3", "w1", "w2", "w3", "stranger"].map(|n| node(n, "True")).into(),
        )),
        _ => None,
    });
    check("access/admission-objects", |act| match act {
        Act::Ask { server, ask: Ask::Metrics { .. }, .. } if server.as_str() == "cp2" => {
            Some(Seen::Lines(vec![loaded("")]))
        }
        _ => None,
    });
    check("data/encryption-at-rest", |act| match act {
        Act::ReadSealed { member, .. } if member.as_str() == "cp3" => {
            Some(Seen::NotSealed { how: "open".to_owned() })
        }
        _ => None,
    });
    check("data/encryption-at-rest", |act| match act {
        Act::ReadSealed { .. } => Some(Seen::NotOpened { why: "another key".to_owned() }),
        _ => None,
    });
    check("data/encryption-at-rest", |act| match act {
        Act::ReadSealed { .. } => {
            Some(Seen::Opened { key: "k1".to_owned(), plain: "something else".to_owned() })
        }
        _ => None,
    });
    check("access/pod-security", |act| match act {
        Act::Ask { server, ask: Ask::Create(object), .. }
            if object["spec"]["hostPID"] == true && server.as_str() == "cp2" =>
        {
            Some(Seen::Object(object.clone()))
        }
        _ => None,
    });
    check("access/pod-security", |act| match act {
        Act::Ask { ask: Ask::Create(object), .. } if object["spec"]["hostNetwork"] == true => {
            Some(Seen::Object(object.clone()))
        }
        _ => None,
    });
    check("access/waived-namespaces", |act| match act {
        Act::Ask { server, ask: Ask::Create(object), .. }
            if object["metadata"]["labels"]["e2e-framework"] == "canary"
                && server.as_str() == "cp3" =>
        {
            Some(Seen::Object(object.clone()))
        }
        _ => None,
    });
    check("access/waived-namespaces", |act| match act {
        Act::Ask { ask: Ask::List { kind, .. }, .. } if kind == "Namespace" => {
            Some(Seen::Objects(vec![namespace("left", &json!({ENFORCE: "privileged"}))]))
        }
        _ => None,
    });
    check("audit/policy-is-set", |act| match act {
        Act::ReadAudit { .. } => Some(Seen::Lines(vec![])),
        _ => None,
    });
    check("audit/policy-is-set", |act| match act {
        Act::ReadAudit { holding, .. } => {
            Some(Seen::Lines(vec![event(holding, "RequestResponse").to_string()]))
        }
        _ => None,
    });
    check("audit/policy-is-set", |act| match act {
        Act::ReadAudit { holding, .. } => {
            let mut event = event(holding, "Metadata");
            event["annotations"] = json!({"leak": "nonce-4711"});
            Some(Seen::Lines(vec![event.to_string()]))
        }
        _ => None,
    });
    check("audit/policy-is-set", |act| match act {
        Act::ReadAudit { holding, .. } => {
            let mut event = event(holding, "Metadata");
            event["objectRef"]["namespace"] = "an-earlier-run".into();
            Some(Seen::Lines(vec![event.to_string()]))
        }
        _ => None,
    });
    for said in ["no such host", "kubernetes.default.svc.cluster.local 10.96.0.2"] {
        let proof = GATE.iter().find(|proof| proof.control == "network/cluster-dns").unwrap();
        let judgement = judge(proof, |act| match act {
            Act::Ask { ask: Ask::Logs { .. }, .. } => Seen::Text(said.to_owned()),
            other => good(other),
        });
        assert!(matches!(judgement, Ok(Decided::Fail(_))), "{said}: {judgement:?}");
    }
    check("ha/survives-control-plane", |act| match act {
        Act::Rehearse { .. } => Some(Seen::Load(Load {
            tried: 40,
            acknowledged: 39,
            lost: 1,
            longest_pause_ms: 900,
            recovery_ms: 7_000,
        })),
        _ => None,
    });
    check("ha/survives-control-plane", |act| match act {
        Act::Rehearse { .. } => Some(Seen::Load(Load {
            tried: 40,
            acknowledged: 39,
            lost: 0,
            longest_pause_ms: 30_000,
            recovery_ms: 7_000,
        })),
        _ => None,
    });
    check("network/pod-encryption", |act| match act {
        Act::Hear { node } if node.as_str() == "w3" => {
            Some(Seen::Heard(Heard { sealed: 60, open: 1 }))
        }
        _ => None,
    });
    check("network/pod-encryption", |act| match act {
        Act::Hear { .. } => Some(Seen::Heard(Heard { sealed: 3, open: 0 })),
        Act::Ask { ask: Ask::Get(key), .. } if key.name.starts_with("canary-asks") => {
            Some(Seen::Object(json!({"status": {"phase": "Failed"}})))
        }
        _ => None,
    });
}

/// The proof about packets of pods, in a world of its own.
fn overhear(scene: &Scene, world: fn(&Act) -> Option<Seen>) -> (Judgement, Vec<Act>) {
    let proof = GATE.iter().find(|proof| proof.control == "network/pod-encryption").unwrap();
    let mut acts = Vec::new();
    let mut transcript = Vec::new();
    loop {
        match (proof.next)(scene, &transcript) {
            Next::Done(judgement) => return (judgement, acts),
            Next::Do(more) => {
                acts.extend(more.clone());
                let seen = |act: Act| (act.clone(), world(&act).unwrap_or_else(|| good(&act)));
                transcript.extend(more.into_iter().map(seen));
            }
        }
    }
}

#[test]
fn silence_on_the_wire_is_no_pass() {
    let check = |world: fn(&Act) -> Option<Seen>| {
        let (judgement, acts) = overhear(&scene(), world);
        assert!(judgement.is_err(), "{judgement:?}");
        let ends = acts.iter().filter(|act| matches!(act, Act::Hear { .. })).count();
        assert_eq!(ends, 3, "what listens is ended");
    };
    check(|act| match act {
        Act::Hear { node } if node.as_str() == "w2" => {
            Some(Seen::Failed { why: "no answer".to_owned() })
        }
        _ => None,
    });
    check(|act| match act {
        Act::Hear { .. } => Some(Seen::Heard(Heard { sealed: 0, open: 0 })),
        _ => None,
    });
    check(|act| match act {
        Act::Listen { .. } => Some(Seen::Failed { why: "no nft".to_owned() }),
        Act::Hear { .. } => Some(Seen::Failed { why: "no table".to_owned() }),
        _ => None,
    });
}

#[test]
fn what_is_not_encrypted_is_not_shown_to_be() {
    let why = "pods' packets are not encrypted between machines".to_owned();
    let scene = Scene { pod_traffic: PodTraffic::Open { why: why.clone() }, ..scene() };
    let (judgement, acts) = overhear(&scene, |_| None);
    assert_eq!(judgement, Ok(Decided::NotApplicable { reason: why }));
    assert!(acts.is_empty());
}
