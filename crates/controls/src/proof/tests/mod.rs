//! Proofs against invented clusters: a good one passes, each sabotage fails, silence is unknown.

mod access;
mod audit;
mod examples;
mod fenced;
mod machines;
mod missed;
mod placed;
mod refusals;
mod stopped;
mod told;
mod watched;

use serde_json::{Value, json};

use ringfort_model::act::{
    Act, Ask, Dial, Dialled, Ended, FileSeen, Flaw, Heard, Hello, KeyFile, Next, Scanned, Seen,
    Speaker, TlsSeen, TokenSeen, ToldSeen,
};
use ringfort_model::certificate::{Authority, CertSeen, ECDSA_P256, San, Subject, Usage};
use ringfort_model::digest::Digest;
use ringfort_model::judgement::{Decided, Judgement};
use ringfort_model::name::NodeName;
use ringfort_model::reach::WITNESS_PORT;

use self::audit::{events, lines};
use self::fenced::{CLOSED, FENCED, OPEN};
use self::machines::{canary, enforced, kernel, listener, listening, process, programs};
use self::missed::may_be_missed;
use self::refusals::{REVIEW, opens, refused, reviewed, told_no};
use super::{PodTraffic, Proof, Scene};
use crate::catalogue::{find, proved};

fn scene() -> Scene {
    Scene {
        pod_traffic: PodTraffic::Encrypted { pods: "10.244.0.0/16".parse().unwrap() },
        ..Scene::sample()
    }
}

/// A proof with the control's id.
struct Case {
    control: &'static str,
    proof: Proof,
}

fn cases() -> Vec<Case> {
    proved().into_iter().map(|(control, proof)| Case { control: control.id, proof }).collect()
}

fn case(id: &str) -> Case {
    let control = find(id).unwrap();
    Case { control: control.id, proof: control.prove.unwrap() }
}

/// A world answers an act, knowing whose proof it is and how often that has asked before.
fn judge_in(case: &Case, world: &mut dyn FnMut(&Case, usize, &Act) -> Seen) -> Judgement {
    judge_at(&scene(), case, world)
}

fn judge_at(
    scene: &Scene,
    case: &Case,
    world: &mut dyn FnMut(&Case, usize, &Act) -> Seen,
) -> Judgement {
    let mut transcript = Vec::new();
    for round in 0..1_000 {
        match (case.proof.next)(scene, &transcript) {
            Next::Done(judgement) => return judgement,
            Next::Do(acts) => {
                assert!(!acts.is_empty(), "{} does nothing and is not done", case.control);
                for act in acts {
                    let seen = world(case, round, &act);
                    transcript.push((act, seen));
                }
            }
        }
    }
    panic!("{} never ends", case.control);
}

/// Judges in a world that is good but for what it is told.
fn judge(case: &Case, mut other: impl FnMut(&Act) -> Option<Seen>) -> Judgement {
    judge_in(case, &mut |case, round, act| other(act).unwrap_or_else(|| good(case, round, act)))
}

fn good(case: &Case, round: usize, act: &Act) -> Seen {
    match act {
        Act::Wait { .. }
        | Act::Listen { .. }
        | Act::Refuse { .. }
        | Act::Lose { .. }
        | Act::Regain { .. } => Seen::Done,
        Act::Hear { .. } => Seen::Heard(Heard { sealed: 60, open: 0 }),
        Act::ReadSealed { .. } => {
            Seen::Opened { key: "k1".to_owned(), plain: "canary nonce-4711".to_owned() }
        }
        Act::Scan { open, .. } => Seen::Scanned(Scanned {
            sealed: [("k1".to_owned(), 900)].into(),
            open: [(open[0].clone(), 100)].into(),
            ms: 7,
            ..Scanned::default()
        }),
        Act::ReadAudit { holding, .. } => lines(&events(holding)),
        Act::Kept { .. } => Seen::Kept(audit::kept()),
        Act::Reported { changes, .. } => {
            let words = |(node, change): (&NodeName, &String)| (node.to_string(), change.clone());
            Seen::Values(changes.iter().map(words).collect())
        }
        Act::Told { to, .. } => Seen::Told(ToldSeen { has: to.clone(), ..ToldSeen::default() }),
        Act::Leads { member } => stopped::leads(member, "cp2"),
        Act::Rehearse { .. } => stopped::met(act),
        Act::Dial(dial) => Seen::Dialled(dialled(dial)),
        Act::Sweep { paths, .. } => {
            let open = |path: &&String| ["/healthz", "/livez", "/readyz"].contains(&path.as_str());
            let (open, shut) = paths.iter().partition::<Vec<_>, _>(open);
            let owned = |paths: Vec<&String>| paths.into_iter().cloned().collect::<Vec<_>>();
            Seen::Statuses([(200, owned(open)), (401, owned(shut))].into())
        }
        Act::TryToken { wish, .. } if wish.namespace == "kube-system" => {
            refused(case, &Speaker::Unbound)
        }
        Act::TryBootstrapToken { .. } => token(300, 401),
        Act::TryToken { wish, .. } => {
            let is_over = wish.aged_s.is_some_and(|aged_s| aged_s > wish.seconds);
            let known = wish.audiences.is_empty() && wish.bound.is_none() && !is_over;
            let status = if known { 403 } else { 401 };
            Seen::Token(TokenSeen {
                audiences: wish.audiences.clone(),
                seconds: wish.seconds.min(86_400),
                status: scene().control_planes.into_iter().map(|node| (node, status)).collect(),
            })
        }
        Act::Files { paths, .. } if case.control == "data/etcd-own-user" => {
            let own = FileSeen { mode: "700".to_owned(), user: 2379, group: 2379 };
            Seen::Files(paths.iter().map(|path| (path.clone(), own.clone())).collect())
        }
        Act::Files { node, .. } => {
            Seen::Files(scene().files.get(node).cloned().unwrap_or_default())
        }
        Act::Kernel { .. } => Seen::Values(kernel()),
        Act::Enforced { .. } => Seen::Values(enforced()),
        Act::Canary { .. } => Seen::Values(canary(&[])),
        Act::Processes { names, .. } => {
            Seen::Processes(names.iter().map(|name| process(name)).collect())
        }
        Act::Listeners { .. } => listening(),
        Act::Programs { names, paths, .. } => programs(names, paths),
        Act::PrivateKeys { .. } => Seen::Keys(vec![KeyFile {
            path: "/etc/kubernetes/pki/sa.key".to_owned(),
            public_key: Some(Digest::of(b"its own")),
        }]),
        Act::Certificates { .. } => access::certificates("system:nodes"),
        Act::Ask { ask, speaker, .. } => answer(case, round, speaker, ask),
    }
}

fn answer(case: &Case, round: usize, speaker: &Speaker, ask: &Ask) -> Seen {
    match ask {
        Ask::Create(object) if opens(object) => refused(case, speaker),
        Ask::Create(object) => Seen::Object(object.clone()),
        Ask::WouldCreate(object) if object["kind"] == REVIEW => reviewed(object, round == 0),
        // What is in order is asked for first.
        Ask::WouldCreate(object) if round == 0 => {
            let mut object = object.clone();
            object["spec"]["hostUsers"] = false.into();
            object["spec"]["enableServiceLinks"] = false.into();
            object["spec"]["securityContext"] =
                json!({"seccompProfile": {"type": "RuntimeDefault"}});
            Seen::Object(object)
        }
        Ask::WouldDeletePods { .. } => Seen::Done,
        Ask::Flood { .. } => Seen::Refused { status: 429, message: FLOODED.to_owned() },
        Ask::WouldCreate(_)
        | Ask::WouldPatch { .. }
        | Ask::WouldDelete(_)
        | Ask::WouldSend { .. } => told_no(case, speaker, ask),
        // Who holds every right may read it, in whichever round.
        Ask::Get(key) if key.kind == "Deployment" => Seen::Object(json!({
            "metadata": {"name": key.name},
            "spec": {"replicas": 2}, "status": {"readyReplicas": 2},
        })),
        Ask::List { .. } | Ask::Get(_) | Ask::Read { .. }
            if *speaker != Speaker::Keeper && round > 0 =>
        {
            refused(case, speaker)
        }
        Ask::Get(key) if key.kind == "CustomResourceDefinition" => Seen::Absent,
        Ask::Get(key) if key.kind == "CertificateSigningRequest" => access::approved(),
        Ask::Get(key) if key.name == "canary-writer" => {
            Seen::Object(json!({"kind": key.kind, "data": {"count": "412"}}))
        }
        Ask::Get(key) if key.name.starts_with("canary-inside") => Seen::Object(json!({
            "metadata": {"name": key.name, "uid": "4711"},
            "status": {"phase": "Running", "podIP": "10.244.3.7"},
        })),
        Ask::Get(key) if FENCED.iter().any(|stem| key.name.starts_with(stem)) => {
            Seen::Object(json!({
                "metadata": {"name": key.name},
                "status": {
                    "podIP": "10.244.3.9",
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            }))
        }
        Ask::Get(key) => Seen::Object(json!({
            "kind": key.kind, "metadata": {"name": key.name},
            "automountServiceAccountToken": false,
            "status": {"phase": "Succeeded", "podIP": "10.244.3.7"},
        })),
        Ask::Whereabouts => Seen::Objects(placed::pods()),
        Ask::Bindings | Ask::Roles => access::given(ask),
        // A worker is lost in the third round.
        Ask::List { kind, .. } if kind == "Pod" => {
            let places = if round < 3 { ["w1", "w2"] } else { ["w3", "w2"] };
            Seen::Objects(places.map(running).into())
        }
        Ask::List { .. } => {
            Seen::Objects(["cp1", "cp2", "cp3", "w1", "w2", "w3"].map(|n| node(n, "True")).into())
        }
        Ask::Logs { pod, .. } if pod == "canary-writer" => {
            Seen::Text("acknowledged 9\npause 1100\nacknowledged 409\n".to_owned())
        }
        Ask::Logs { pod, .. } if pod.starts_with("canary-inside") => Seen::Text(INSIDE.to_owned()),
        Ask::Logs { pod, .. } if pod.starts_with("canary-bomb") => Seen::Text(BOMB.to_owned()),
        Ask::Logs { pod, .. } if pod.starts_with("canary-closed") => Seen::Text(CLOSED.to_owned()),
        Ask::Logs { pod, .. } if FENCED.iter().any(|stem| pod.starts_with(stem)) => {
            Seen::Text(OPEN.to_owned())
        }
        Ask::Logs { .. } => Seen::Text(ERRAND.to_owned()),
        Ask::Metrics { beginning } if beginning.contains("encryption") => {
            Seen::Lines(vec![format!("{beginning}{{apiserver_id_hash=\"a\",hash=\"sha256:1\"}} 1")])
        }
        Ask::Metrics { .. } => Seen::Lines(vec![loaded("sha256:4711")]),
        Ask::Described => Seen::Lines((0..300).map(|n| format!("/apis/canary/v{n}")).collect()),
        Ask::Approve(_) => access::approved(),
        Ask::AsWritten(_) | Ask::AsNamed(_) => Seen::Lines(Vec::new()),
        Ask::Read { path } if path.starts_with("/apis/policy.networking.k8s.io") => {
            Seen::Refused { status: 404, message: "not found".to_owned() }
        }
        Ask::Read { path } if path.ends_with("/configz") => {
            configured("NeverVerifyPreloadedImages")
        }
        Ask::Read { .. } => Seen::Text(r#"{"gitVersion": "v1.37.2"}"#.to_owned()),
        Ask::Delete(_) | Ask::DeleteByForce(_) => Seen::Done,
    }
}

/// How a server says that there are too many equal events.
const FLOODED: &str = "limit reached on type SourceAndObject for key [ringfort]";

/// What a kubelet says of its configuration.
fn configured(policy: &str) -> Seen {
    let said = json!({"kubeletconfig": {"imagePullCredentialsVerificationPolicy": policy}});
    Seen::Text(said.to_string())
}

/// What a pod tells that was answered by everybody.
const ERRAND: &str = "\
resolve kubernetes.default.svc.cluster.local 10.96.0.1
dial 10.96.0.1:443 open
get http://10.244.3.7:8080/ 200
";

/// What a pod tells that takes process numbers.
const BOMB: &str = "\
begun: 4088
refused: resource temporarily unavailable
forked
";

/// What a pod tells of itself.
const INSIDE: &str = "\
CapEff: 0000000000000000
NoNewPrivs: 1
Users: 0 1879048192 65536
";

fn dialled(dial: &Dial) -> Dialled {
    let client = match dial.to.port() {
        2379 => Authority::EtcdClient,
        2380 => Authority::EtcdPeer,
        _ => Authority::Cluster,
    };
    let broken = |how: &str| Dialled { tls: None, end: Ended::BrokenOff { how: how.to_owned() } };
    let certificate = CertSeen {
        authority_key_id: dial.expects.common_name().to_owned(),
        subject: Subject::user("a component"),
        usages: [Usage::ServerAuth].into(),
        names: [San::Ip(dial.to.ip())].into(),
        public_key: Digest::of(b"its own"),
        key_kind: ECDSA_P256.to_owned(),
        not_before: scene().now_s - 1_000,
        not_after: scene().now_s + 86_400,
    };
    let (version, exchange) = ("TLSv1_3".to_owned(), "X25519MLKEM768".to_owned());
    let tls = Some(TlsSeen { version, exchange, certificate });
    let is_witness = dial.to.port() == WITNESS_PORT;
    let breaks_off = client != Authority::Cluster || is_witness;
    let proper = dial.shows.is_some_and(|s| s.authority == client && s.flaw == Flaw::None);
    let is_unbound = dial.shows.is_some_and(|it| it.flaw == Flaw::Unbound);
    match (dial.hello, proper) {
        (Hello::Tls12, _) => broken("alert ProtocolVersion"),
        (Hello::Plain, _) if breaks_off => broken("it ended without an answer"),
        (Hello::Plain, _) => Dialled { tls: None, end: Ended::Answered { status: 400 } },
        (Hello::Tls13, false) if is_unbound && (is_witness || !breaks_off) => {
            Dialled { tls, end: Ended::Answered { status: 403 } }
        }
        (Hello::Tls13, false) if breaks_off => broken(match dial.shows {
            None => "alert CertificateRequired",
            Some(shown) => match shown.flaw {
                Flaw::Expired => "alert CertificateExpired",
                Flaw::WrongUsage if is_witness => "alert UnsupportedCertificate",
                Flaw::WrongUsage => "alert BadCertificate",
                Flaw::Stranger if is_witness => "alert DecryptError",
                _ => "alert UnknownCA",
            },
        }),
        (Hello::Tls13, true) if dial.path.starts_with("/debug/") => {
            Dialled { tls, end: Ended::Answered { status: 404 } }
        }
        (Hello::Tls13, true) => Dialled { tls, end: Ended::Answered { status: 200 } },
        (Hello::Tls13, false) => Dialled { tls, end: Ended::Answered { status: 401 } },
    }
}

/// What a server says of the guards that it has loaded.
fn loaded(hash: &str) -> String {
    format!(
        "apiserver_manifest_admission_config_controller_last_config_info{{apiserver_id_hash=\"sha256:a\",\
         hash=\"{hash}\",plugin=\"ValidatingAdmissionPolicy\"}} 1"
    )
}

fn node(name: &str, ready: &str) -> Value {
    let capacity = json!({"cpu": "2", "memory": "8000000Ki", "ephemeral-storage": "20000000Ki"});
    json!({"metadata": {"name": name}, "status": {
        "capacity": capacity,
        "conditions": [{"type": "Ready", "status": ready}],
        "nodeInfo": {"kubeletVersion": "v1.37.2", "containerRuntimeVersion": "containerd://2.4.2"},
    }})
}

fn running(place: &str) -> Value {
    json!({
        "metadata": {"labels": {"canary": "canary-lost"}}, "spec": {"nodeName": place},
        "status": {"phase": "Running"},
    })
}

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

fn namespace(name: &str, labels: &Value) -> Value {
    json!({"metadata": {"name": name, "labels": labels}})
}

/// ringfort's own identity gives the labels of add-ons, so that another one has to try.
#[test]
fn labels_of_addons_are_tried_by_the_handed_over_identity() {
    let case = case("access/waived-namespaces");
    let mut tries = 0;
    let judgement = judge(&case, |act| match act {
        Act::Ask { speaker, ask: Ask::Create(object), .. } => {
            let is_addon = !object["metadata"]["labels"]["addon.ringfort.dev/net"].is_null();
            assert_eq!(*speaker, if is_addon { Speaker::Admin } else { Speaker::Keeper });
            tries += usize::from(is_addon);
            None
        }
        _ => None,
    });
    assert!(matches!(judgement, Ok(Decided::Pass(_))), "{judgement:?}");
    assert_eq!(tries, 3, "each server is asked");
}

/// An open namespace of a waiver that holds is no finding, and is told.
#[test]
fn what_a_waiver_opens_passes() {
    let case = case("access/waived-namespaces");
    let judgement = judge(&case, |act| match act {
        Act::Ask { speaker: Speaker::Keeper, ask: Ask::List { .. }, .. } => {
            Some(Seen::Objects(vec![
                namespace("default", &json!({})),
                namespace("pods-1", &json!({ENFORCE: "privileged", "e2e-framework": "pods"})),
            ]))
        }
        _ => None,
    });
    let Ok(Decided::Pass(evidence)) = judgement else { panic!("{judgement:?}") };
    assert!(evidence.to_string().contains("1 is, by a waiver"), "{evidence}");
}

#[test]
fn a_good_cluster_passes() {
    for case in cases() {
        let judgement = judge(&case, |_| None);
        assert!(matches!(judgement, Ok(Decided::Pass(_))), "{}: {judgement:?}", case.control);
    }
}

#[test]
fn silence_is_unknown() {
    for case in cases() {
        let judgement = judge(&case, |_| Some(silence()));
        assert!(judgement.is_err(), "{}: {judgement:?}", case.control);
    }
}

/// What holds of each of no workers was not seen of any.
#[test]
fn without_workers_nothing_of_workers_passes() {
    let scene = Scene { workers: Vec::new(), ..scene() };
    for case in cases() {
        let judgement = judge_at(&scene, &case, &mut good);
        if let Ok(Decided::Pass(evidence)) = &judgement {
            let said = evidence.to_string();
            assert!(!said.contains(" 0 workers"), "{}: {said}", case.control);
        }
    }
}

fn silence() -> Seen {
    Seen::Failed { why: "no answer".to_owned() }
}

#[test]
fn one_silent_machine_is_no_pass() {
    for case in cases() {
        let silent =
            |act: &Act| act.node().is_some_and(|node| node.as_str() == "cp2").then(silence);
        let judgement = judge(&case, silent);
        // What is asked of one server only, or of workers, does not see the silent one.
        let asks_one = [
            "access/image-credentials",
            "ha/nodes-are-ready",
            "ha/three-workers",
            "network/cluster-dns",
            "network/default-deny",
            "network/pod-encryption",
            "network/pod-network",
            "network/services",
            "node/apparmor",
            "node/minimum-hardware",
            "node/process-limit",
            "workload/addons",
        ]
        .contains(&case.control);
        assert_eq!(judgement.is_err(), !asks_one, "{}: {judgement:?}", case.control);
    }
}

#[test]
fn each_thing_that_is_not_seen_is_no_pass() {
    for case in cases() {
        let mut acts = 0;
        judge(&case, |_| {
            acts += 1;
            None
        })
        .unwrap();
        for silent in 0..acts {
            let mut count = 0;
            let mut missed = None;
            let judgement = judge(&case, |act| {
                count += 1;
                (count == silent + 1).then(|| {
                    missed = Some(act.clone());
                    silence()
                })
            });
            let passed = matches!(judgement, Ok(Decided::Pass(_)));
            let missed = missed.unwrap();
            assert!(!passed || may_be_missed(&case, &missed), "{}: {missed:?}", case.control);
        }
    }
}

/// The proof about packets of pods, in a world of its own.
fn overhear(scene: &Scene, world: fn(&Act) -> Option<Seen>) -> (Judgement, Vec<Act>) {
    let case = case("network/pod-encryption");
    let mut acts = Vec::new();
    let mut transcript = Vec::new();
    loop {
        match (case.proof.next)(scene, &transcript) {
            Next::Done(judgement) => return (judgement, acts),
            Next::Do(more) => {
                acts.extend(more.clone());
                let seen =
                    |act: Act| (act.clone(), world(&act).unwrap_or_else(|| good(&case, 1, &act)));
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

/// A failure that was seen is told, whatever else could not be looked at.
#[test]
fn a_failure_outweighs_a_silent_machine() {
    let check = |control: &str, sabotage: fn(&Act) -> Option<Seen>| {
        let silent_or = |act: &Act| match act.node() {
            Some(node) if node.as_str() == "cp1" => Some(silence()),
            _ => sabotage(act),
        };
        let judgement = judge(&case(control), silent_or);
        assert!(matches!(judgement, Ok(Decided::Fail(_))), "{control}: {judgement:?}");
    };
    check("access/kubelet-authorization", |act| match act {
        Act::Listeners { node } if node.as_str() == "w3" => {
            Some(Seen::Listeners(vec![listener([0, 0, 0, 0], 10255, "kubelet")]))
        }
        _ => None,
    });
    check("access/no-signers", |act| match act {
        Act::PrivateKeys { node } if node.as_str() == "w3" => Some(Seen::Keys(vec![KeyFile {
            path: "/root/ca.key".to_owned(),
            public_key: Some(scene().authorities[&Authority::Cluster].public_key.clone()),
        }])),
        _ => None,
    });
    check("access/pod-security", |act| match act {
        Act::Ask { server, ask: Ask::WouldCreate(object), .. }
            if object["spec"]["hostPID"] == true && server.as_str() == "cp3" =>
        {
            Some(Seen::Object(object.clone()))
        }
        _ => None,
    });
    check("data/etcd-mutual-tls", |act| match act {
        Act::Dial(dial) if dial.from.as_str() == "cp3" && dial.shows.is_none() => {
            Some(Seen::Dialled(Dialled { tls: None, end: Ended::Answered { status: 200 } }))
        }
        _ => None,
    });
    check("versions/pinned-by-digest", |act| match act {
        Act::Ask { server, ask: Ask::Read { .. }, .. } if server.as_str() == "cp3" => {
            Some(Seen::Text(r#"{"gitVersion": "v1.37.1"}"#.to_owned()))
        }
        _ => None,
    });
}

fn token(seconds: u64, status: u16) -> Seen {
    Seen::Token(TokenSeen {
        audiences: Vec::new(),
        seconds,
        status: scene().control_planes.into_iter().map(|node| (node, status)).collect(),
    })
}
