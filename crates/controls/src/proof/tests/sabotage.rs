//! One thing is broken at a time: the proof of that fails, and no other does.

use serde_json::{Value, json};

use ringfort_model::act::{
    Act, Ask, Dial, Dialled, Ended, FileSeen, Flaw, Heard, Hello, KeyFile, ProcessSeen, Scanned,
    Seen, Speaker,
};
use ringfort_model::certificate::{Authority, CertSeen, San};
use ringfort_model::judgement::Decided;

use super::{
    CLOSED, ENFORCE, ERRAND, OPEN, cases, configured, dialled, enforced, events, inside, judge,
    kernel, lines, listener, loaded, namespace, node, process, running, scene, token,
};

/// In a world that is broken in one way, one proof fails and no other.
pub(super) fn fails_alone(control: &str, sabotage: fn(&Act) -> Option<Seen>) {
    fail_alone(&[control], sabotage);
}

/// In a world that is broken in one way, these proofs fail and no others.
fn fail_alone(controls: &[&str], sabotage: fn(&Act) -> Option<Seen>) {
    for case in cases() {
        let judgement = judge(&case, sabotage);
        let failed = matches!(judgement, Ok(Decided::Fail(_)));
        assert_eq!(failed, controls.contains(&case.control), "{}: {judgement:?}", case.control);
    }
}

/// What a pod wrote is told by whatever was stopped meanwhile.
#[test]
fn a_pod_that_lost_writes_or_waited_too_long_fails_what_it_wrote_through() {
    let both = ["ha/survives-control-plane", "ha/three-control-planes"];
    fail_alone(&both, |act| match act {
        Act::Ask { ask: Ask::Get(key), .. } if key.name == "canary-writer" => {
            Some(Seen::Object(json!({"data": {"count": "408"}})))
        }
        _ => None,
    });
    fail_alone(&both, |act| match act {
        Act::Ask { ask: Ask::Logs { pod, .. }, .. } if pod == "canary-writer" => {
            Some(Seen::Text("acknowledged 9\npause 30000\nacknowledged 200\n".to_owned()))
        }
        _ => None,
    });
}

#[test]
fn each_sabotage_fails_its_proof_and_no_other() {
    let check = fails_alone;
    check("ha/nodes-are-ready", |act| match act {
        Act::Ask { speaker: Speaker::Keeper, ask: Ask::List { .. }, .. } => {
            Some(Seen::Objects(["cp1", "cp2", "cp3", "w1", "w2"].map(|n| node(n, "True")).into()))
        }
        _ => None,
    });
    check("ha/nodes-are-ready", |act| match act {
        Act::Ask { speaker: Speaker::Keeper, ask: Ask::List { .. }, .. } => {
            let ready = |n: &str| node(n, if n == "w3" { "False" } else { "True" });
            Some(Seen::Objects(["cp1", "cp2", "cp3", "w1", "w2", "w3"].map(ready).into()))
        }
        _ => None,
    });
    check("ha/nodes-are-ready", |act| match act {
        Act::Ask { speaker: Speaker::Keeper, ask: Ask::List { .. }, .. } => Some(Seen::Objects(
            ["cp1", "cp2", "cp3", "w1", "w2", "w3", "stranger"].map(|n| node(n, "True")).into(),
        )),
        _ => None,
    });
    check("access/admission-objects", |act| match act {
        Act::Ask { server, ask: Ask::Metrics { beginning }, .. }
            if server.as_str() == "cp2" && beginning.contains("manifest") =>
        {
            Some(Seen::Lines(vec![loaded("")]))
        }
        _ => None,
    });
    check("access/event-rate-limit", |act| match act {
        Act::Ask { server, ask: Ask::Flood { .. }, .. } if server.as_str() == "cp3" => {
            Some(Seen::Done)
        }
        _ => None,
    });
    check("access/no-privileged-containers", |act| match act {
        Act::Ask { server, ask: Ask::WouldCreate(pod), .. }
            if server.as_str() == "cp3" && pod["metadata"]["name"] == "canary-privileged" =>
        {
            let is_bad = pod["spec"]["containers"][0]["securityContext"]["privileged"] == true;
            let message =
                "pods is forbidden: violates PodSecurity \"restricted:latest\"".to_owned();
            is_bad.then_some(Seen::Refused { status: 403, message })
        }
        _ => None,
    });
    check("access/image-credentials", |act| match act {
        Act::Ask { ask: Ask::Read { path }, .. } if path.contains("/w3/proxy/configz") => {
            Some(configured("NeverVerify"))
        }
        _ => None,
    });
    check("node/minimum-hardware", |act| match act {
        Act::Ask { speaker: Speaker::Keeper, ask: Ask::List { kind, .. }, .. }
            if kind == "Node" =>
        {
            let mut nodes = ["cp1", "cp2", "cp3", "w1", "w2", "w3"].map(|n| node(n, "True"));
            nodes[5]["status"]["capacity"]["memory"] = "890000Ki".into();
            Some(Seen::Objects(nodes.into()))
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
        Act::Ask { speaker: Speaker::Keeper, ask: Ask::List { kind, .. }, .. }
            if kind == "Namespace" =>
        {
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
            let mut events = events(holding);
            events[0]["annotations"] = json!({"leak": "nonce-4711"});
            Some(lines(&events))
        }
        _ => None,
    });
    check("audit/policy-is-set", |act| match act {
        Act::ReadAudit { holding, .. } => {
            let mut events = events(holding);
            events[0]["annotations"] = json!({"leak": "bm9uY2UtNDcxMQ=="});
            Some(lines(&events))
        }
        _ => None,
    });
    check("audit/policy-is-set", |act| match act {
        Act::ReadAudit { .. } => Some(lines(&events("an-earlier-run-audit-0-"))),
        _ => None,
    });
    check("workload/seccomp", |act| match act {
        Act::Processes { node, names } if node.as_str() == "w2" => {
            let free = |name: &String| ProcessSeen { seccomp: 0, ..process(name) };
            Some(Seen::Processes(names.iter().map(free).collect()))
        }
        _ => None,
    });
    check("access/no-signers", |act| match act {
        Act::TryBootstrapToken { .. } => Some(token(300, 403)),
        _ => None,
    });
    check("node/apparmor", |act| match act {
        Act::Processes { node, names } if node.as_str() == "w3" => {
            let unconfined = Some("unconfined".to_owned());
            let free =
                |name: &String| ProcessSeen { app_armor: unconfined.clone(), ..process(name) };
            Some(Seen::Processes(names.iter().map(free).collect()))
        }
        _ => None,
    });
    check("workload/seccomp", |act| match act {
        Act::Ask { ask: Ask::Logs { pod, .. }, .. } if pod == "canary-inside-w2" => {
            Some(inside("0", "1879048192"))
        }
        _ => None,
    });
    check("workload/user-namespaces", |act| match act {
        Act::Ask { ask: Ask::Logs { pod, .. }, .. } if pod == "canary-inside-w2" => {
            Some(inside("1", "0"))
        }
        _ => None,
    });
    check("node/process-limit", |act| match act {
        Act::PodLimits { node, .. } if node.as_str() == "w3" => {
            Some(Seen::Values([("pids.max".to_owned(), "max".to_owned())].into()))
        }
        _ => None,
    });
    check("data/etcd-own-user", |act| match act {
        Act::Files { node, paths }
            if paths.iter().any(|path| path == "/var/lib/etcd") && node.as_str() == "cp3" =>
        {
            let open = FileSeen { mode: "755".to_owned(), user: 2379, group: 2379 };
            Some(Seen::Files(paths.iter().map(|path| (path.clone(), open.clone())).collect()))
        }
        _ => None,
    });
    for (control, kind) in [
        ("network/cluster-dns", "resolve"),
        ("network/pod-network", "get"),
        ("network/services", "dial"),
    ] {
        for case in cases() {
            let judgement = judge(&case, |act| match act {
                Act::Ask { ask: Ask::Logs { pod, .. }, .. } if pod == "canary-errand-w3" => {
                    let rest: Vec<&str> =
                        ERRAND.lines().filter(|line| !line.starts_with(kind)).collect();
                    Some(Seen::Text(format!("{}\n{kind} it: no answer\n", rest.join("\n"))))
                }
                _ => None,
            });
            let failed = matches!(judgement, Ok(Decided::Fail(_)));
            assert_eq!(failed, case.control == control, "{kind} {}: {judgement:?}", case.control);
        }
    }
    check("network/default-deny", |act| {
        told(act, "canary-closed-w2", CLOSED, "10.96.0.1:443 silent", "10.96.0.1:443 open")
    });
    check("network/default-deny", |act| {
        told(act, "canary-closed-w1", CLOSED, "10.244.3.7:8080 silent", "10.244.3.7:8080 refused")
    });
    check("network/default-deny", |act| {
        told(act, "canary-closed-w3", CLOSED, "local 10.96.0.1", "local silent")
    });
    check("network/default-deny", |act| {
        told(act, "canary-caller-w1", OPEN, "10.244.3.9:8080 silent", "10.244.3.9:8080 open")
    });
    // What a pod says nothing of was not looked at.
    for case in cases().into_iter().filter(|case| case.control == "network/default-deny") {
        let less =
            |act: &Act| told(act, "canary-closed-w2", CLOSED, "dial 10.0.0.22:10250 silent\n", "");
        assert!(judge(&case, less).is_err());
    }
    check("network/network-policy", |act| {
        told(act, "canary-named-w2", OPEN, "10.96.0.1:443 silent", "10.96.0.1:443 open")
    });
    check("network/network-policy", |act| {
        told(act, "canary-named-w2", OPEN, "10.244.3.7:8080 open", "10.244.3.7:8080 silent")
    });
    check("network/network-policy", |act| match act {
        Act::Enforced { node } if node.as_str() == "w3" => Some(Seen::Values(enforced("false"))),
        _ => None,
    });
    // As a kubelet does, which has no list of its profiles.
    check("access/no-profiling", |act| match act {
        Act::Dial(dial) if dial.path.ends_with("threadcreate") && dial.from.as_str() == "w3" => {
            let end = Ended::Answered { status: 200 };
            Some(Seen::Dialled(Dialled { end, ..dialled(dial) }))
        }
        _ => None,
    });
    // Its certificate is good, and it may do nothing.
    check("access/kubelet-authorization", |act| match act {
        Act::Dial(dial)
            if dial.to.port() == 10250
                && dial.shows.is_some_and(|shown| shown.flaw == Flaw::Unbound) =>
        {
            let end = Ended::Answered { status: 200 };
            Some(Seen::Dialled(Dialled { end, ..dialled(dial) }))
        }
        _ => None,
    });
    check("ha/three-workers", |act| match act {
        Act::Ask { speaker: Speaker::Keeper, ask: Ask::List { kind, .. }, .. } if kind == "Pod" => {
            Some(Seen::Objects(["w1", "w2"].map(running).into()))
        }
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
    check("data/encryption-at-rest", |act| match act {
        Act::Scan { member, .. } if member.as_str() == "cp2" => Some(Seen::Scanned(Scanned {
            sealed: [("k1".to_owned(), 900)].into(),
            strange: 1,
            strangers: vec!["/registry/configmaps/default/old".to_owned()],
            ..Scanned::default()
        })),
        _ => None,
    });
    check("data/encryption-at-rest", |act| match act {
        Act::Scan { member, .. } if member.as_str() == "cp3" => Some(Seen::Scanned(Scanned {
            sealed: [("k1".to_owned(), 900)].into(),
            shut: 1,
            strangers: vec!["/registry/secrets/default/lost".to_owned()],
            ..Scanned::default()
        })),
        _ => None,
    });
    check("data/encryption-at-rest", |act| match act {
        Act::Ask { server, ask: Ask::Metrics { beginning }, .. }
            if beginning.contains("encryption") && server.as_str() == "cp3" =>
        {
            Some(Seen::Lines(vec![format!("{beginning}{{hash=\"sha256:2\"}} 1")]))
        }
        _ => None,
    });
    check("data/etcd-mutual-tls", |act| match act {
        Act::Dial(dial)
            if dial.to.port() == 2379 && dial.shows.is_none() && dial.hello == Hello::Tls13 =>
        {
            Some(answered(dial, 200))
        }
        _ => None,
    });
    check("data/etcd-mutual-tls", |act| match act {
        // A member's certificate is no client's.
        Act::Dial(dial)
            if dial.to.port() == 2379
                && dial.shows.is_some_and(|shown| shown.authority == Authority::EtcdPeer) =>
        {
            Some(answered(dial, 200))
        }
        _ => None,
    });
    check("access/kubelet-authorization", |act| match act {
        Act::Dial(dial)
            if dial.to.port() == 10250
                && dial.hello == Hello::Tls13
                && dial.path == "/pods"
                && dial.from.as_str() == "w2" =>
        {
            Some(answered(dial, 200))
        }
        _ => None,
    });
    check("access/anonymous-is-shut", |act| match act {
        Act::Dial(dial)
            if dial.to.port() == 10257
                && dial.shows.is_some_and(|shown| shown.flaw == Flaw::Expired) =>
        {
            Some(answered(dial, 200))
        }
        _ => None,
    });
    check("access/anonymous-is-shut", |act| match act {
        Act::Sweep { paths, .. } => {
            let (open, shut): (Vec<_>, Vec<_>) = paths.iter().cloned().partition(|path| {
                ["/healthz", "/livez", "/readyz", "/metrics"].contains(&path.as_str())
            });
            Some(Seen::Statuses([(200, open), (401, shut)].into()))
        }
        _ => None,
    });
    check("network/tls-1-3", |act| match act {
        Act::Dial(dial) if dial.hello == Hello::Tls12 && dial.to.port() == 10259 => {
            Some(answered(&Dial { hello: Hello::Tls13, ..dial.clone() }, 200))
        }
        _ => None,
    });
    let weak: fn(&Act) -> Option<Seen> = |act| match act {
        Act::Dial(dial) if dial.hello == Hello::Tls13 && dial.to.port() == 6443 => {
            let Seen::Dialled(mut dialled) = Seen::Dialled(dialled(dial)) else { return None };
            dialled.tls.as_mut()?.exchange = "X25519".to_owned();
            Some(Seen::Dialled(dialled))
        }
        _ => None,
    };
    check("network/tls-1-3", weak);
    check("network/tls-1-3", |act| match act {
        Act::Dial(dial) if dial.hello == Hello::Tls13 && dial.to.port() == 2380 => {
            let mut dialled = dialled(dial);
            dialled.tls.as_mut()?.certificate.not_after += 2 * 366 * 86_400;
            Some(Seen::Dialled(dialled))
        }
        _ => None,
    });
    check("network/tls-1-3", |act| {
        shown_by_kubelets(act, |it| it.names.extend([San::Dns("elsewhere".to_owned())]))
    });
    check("network/tls-1-3", |act| shown_by_kubelets(act, |it| it.key_kind = "RSA".to_owned()));
    check("network/loopback-only", |act| match act {
        Act::Listeners { node } if node.as_str() == "cp1" => Some(Seen::Listeners(
            [2381, 6444, 10248, 10257, 10259]
                .map(|port| {
                    let ip = if port == 10259 { [0, 0, 0, 0] } else { [127, 0, 0, 1] };
                    listener(ip, port, "kube-scheduler")
                })
                .into(),
        )),
        _ => None,
    });
    check("access/no-signers", |act| match act {
        Act::PrivateKeys { node } if node.as_str() == "w1" => Some(Seen::Keys(vec![KeyFile {
            path: "/root/ca.key".to_owned(),
            public_key: Some(scene().authorities[&Authority::Cluster].public_key.clone()),
        }])),
        _ => None,
    });
    check("access/no-signers", |act| match act {
        Act::Ask { ask: Ask::Get(key), .. } if key.kind == "CertificateSigningRequest" => {
            Some(Seen::Object(json!({"status": {"certificate": "LS0t"}})))
        }
        _ => None,
    });
    check("access/service-account-tokens", |act| match act {
        Act::TryToken { wish, .. } if wish.bound.is_some() => Some(token(wish.seconds, 403)),
        _ => None,
    });
    check("access/service-account-tokens", |act| match act {
        Act::TryToken { wish, .. } if wish.seconds > 86_400 => Some(token(wish.seconds, 403)),
        _ => None,
    });
    check("access/system-accounts", |act| match act {
        Act::TryToken { wish, .. } if wish.namespace == "kube-system" => Some(token(3_600, 403)),
        _ => None,
    });
    check("access/node-and-rbac", |act| match act {
        Act::Ask { server, speaker: Speaker::Node(_), ask: Ask::List { .. } }
            if server.as_str() == "cp3" =>
        {
            Some(Seen::Objects(Vec::new()))
        }
        _ => None,
    });
    check("access/pod-security", |act| match act {
        Act::Ask { server, ask: Ask::WouldCreate(object), .. }
            if object["spec"]["hostPID"] == true && server.as_str() == "cp2" =>
        {
            Some(Seen::Object(object.clone()))
        }
        _ => None,
    });
    check("access/non-root", |act| match act {
        Act::Ask { ask: Ask::WouldCreate(object), .. }
            if object["kind"] == "CronJob"
                && object
                    .pointer("/spec/jobTemplate/spec/template/spec/securityContext/runAsUser")
                    == Some(&json!(0)) =>
        {
            Some(Seen::Object(object.clone()))
        }
        _ => None,
    });
    check("access/no-cluster-admin", |act| match act {
        Act::Ask { ask: Ask::WouldCreate(object), .. }
            if object["roleRef"]["name"] == "cluster-admin" =>
        {
            admin_is_told_no(act, object)
        }
        _ => None,
    });
    check("access/no-host-volumes", |act| match act {
        Act::Ask { ask: Ask::WouldCreate(object), .. } if !object["spec"]["local"].is_null() => {
            Some(Seen::Object(object.clone()))
        }
        _ => None,
    });
    check("access/no-external-ips", |act| match act {
        Act::Ask { ask: Ask::WouldCreate(object), .. }
            if !object["spec"]["externalIPs"].is_null() =>
        {
            Some(Seen::Object(object.clone()))
        }
        _ => None,
    });
    check("access/closed-control-planes", |act| match act {
        Act::Ask { ask: Ask::WouldCreate(object), .. } if object["spec"]["nodeName"] == "cp3" => {
            Some(Seen::Object(object.clone()))
        }
        _ => None,
    });
    check("workload/user-namespaces", |act| match act {
        Act::Ask { ask: Ask::WouldCreate(object), .. } if object["spec"]["hostUsers"] == true => {
            Some(Seen::Object(object.clone()))
        }
        _ => None,
    });
    check("workload/default-account", |act| match act {
        Act::Ask { ask: Ask::Get(key), .. } if key.kind == "ServiceAccount" => {
            Some(Seen::Object(json!({"metadata": {"name": "default"}})))
        }
        _ => None,
    });
    check("node/kernel-settings", |act| match act {
        Act::Kernel { node, .. } if node.as_str() == "w3" => Some(Seen::Values(kernel("0"))),
        _ => None,
    });
    check("node/closed-files", |act| match act {
        Act::Files { node, .. } if node.as_str() == "cp2" => {
            let mut files = scene().files[node].clone();
            files.values_mut().for_each(|file| file.mode = "644".to_owned());
            Some(Seen::Files(files))
        }
        _ => None,
    });
    check("node/components-drop-rights", |act| match act {
        Act::Processes { node, names } if node.as_str() == "cp1" => {
            let capable = |name: &String| ProcessSeen {
                capabilities: "00000000a80425fb".to_owned(),
                ..process(name)
            };
            Some(Seen::Processes(names.iter().map(capable).collect()))
        }
        _ => None,
    });
    check("versions/pinned-by-digest", |act| match act {
        Act::Ask { server, ask: Ask::Read { path }, .. }
            if path == "/version" && server.as_str() == "cp2" =>
        {
            Some(Seen::Text(r#"{"gitVersion": "v1.37.1"}"#.to_owned()))
        }
        _ => None,
    });
}

/// Changes the certificate that kubelets show.
fn shown_by_kubelets(act: &Act, change: fn(&mut CertSeen)) -> Option<Seen> {
    match act {
        Act::Dial(dial) if dial.hello == Hello::Tls13 && dial.to.port() == 10250 => {
            let mut dialled = dialled(dial);
            change(&mut dialled.tls.as_mut()?.certificate);
            Some(Seen::Dialled(dialled))
        }
        _ => None,
    }
}

fn answered(dial: &Dial, status: u16) -> Seen {
    Seen::Dialled(Dialled { tls: dialled(dial).tls, end: Ended::Answered { status } })
}

/// Lets whoever holds every right through, and nobody else.
fn admin_is_told_no(act: &Act, object: &Value) -> Option<Seen> {
    match act {
        Act::Ask { speaker: Speaker::Unbound, .. } => Some(Seen::Object(object.clone())),
        _ => None,
    }
}

/// What a pod tells with one line exchanged.
fn told(act: &Act, of: &str, all: &str, line: &str, other: &str) -> Option<Seen> {
    match act {
        Act::Ask { ask: Ask::Logs { pod, .. }, .. } if pod == of => {
            assert!(all.contains(line), "{line}");
            Some(Seen::Text(all.replace(line, other)))
        }
        _ => None,
    }
}
