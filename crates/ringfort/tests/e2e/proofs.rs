//! Proofs of a cluster that runs: made again, judged again, and seen to fail where something is broken.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::MACHINES;
use crate::cases::well;
use crate::cluster::{Cluster, Said};

/// Nothing is changed by proving, and evidence is worth what its signature is.
pub fn again(cluster: &Cluster) {
    let before = lasting(cluster);
    let proved = cluster.ringfort("prove", &[]);
    well(&proved);
    let end = proved.end();
    println!("     prove: {end}");
    assert!(end["proved"].as_u64() > Some(30) && end["changes"] == 0, "{end}");
    assert_eq!(before, lasting(cluster));
    // One of them alone leaves the evidence of all others.
    let one = cluster.ringfort("prove", &["--control", "node/kernel-settings"]);
    well(&one);
    assert_eq!(one.end()["proved"], 1, "{}", one.end());

    let kept = cluster.kubeconfig().parent().unwrap().join("evidence.tar");
    let verify = |archive: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringfort"));
        command.arg("verify").arg(archive).arg("-f").arg(cluster.spec()).arg("--json");
        command.output().expect("ringfort starts")
    };
    let verified = verify(&kept);
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    let told = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert_eq!(verified.status.code(), Some(0), "{text}{told}");
    let verified: Value = serde_json::from_str(&text).unwrap();
    assert!(verified["controls"].as_array().is_some_and(|rows| rows.len() > 30), "{text}");
    let machines = verified["machines"].as_array().unwrap();
    assert_eq!(machines.len(), MACHINES.len(), "{text}");
    for machine in machines {
        assert!(machine["rows"]["proved"].as_u64() > Some(20), "{machine}");
        assert!(machine["rows"]["unknown"].is_null() && machine["unknown"].is_null(), "{machine}");
    }
    let mut bytes = std::fs::read(&kept).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let changed = kept.with_file_name("changed.tar");
    std::fs::write(&changed, bytes).unwrap();
    assert_eq!(verify(&changed).status.code(), Some(1));
    std::fs::remove_file(&changed).unwrap();
}

/// Without evidence of it, what stops control planes is unknown, and nobody stops one unasked.
pub fn unasked(cluster: &Cluster) {
    let kept = cluster.kubeconfig().with_file_name("evidence.json");
    let aside = kept.with_extension("aside");
    std::fs::rename(&kept, &aside).unwrap();
    let proved = cluster.ringfort("prove", &[]);
    std::fs::rename(&aside, &kept).unwrap();
    assert_eq!(proved.code, Some(3), "{}", proved.stderr);
    assert_eq!(of(&proved, "unknown"), ["ha/survives-control-plane".to_owned()].into());
    assert_eq!(of(&proved, "failed"), BTreeSet::new());
}

/// What is proved only when it is asked for, with what stops control planes: each part is lost once, and
/// nothing is afterwards.
pub fn rehearsed(cluster: &Cluster) {
    // Pods of a worker that is lost may move.
    let kept = |cluster: &Cluster| {
        let mut kept = lasting(cluster);
        kept.retain(|line| !line.contains(" Pod "));
        kept
    };
    let before = kept(cluster);
    let proved = cluster.start_told(&cluster.spec(), &["prove", "--rehearse"]).end(400);
    well(&proved);
    for control in ["ha/survives-control-plane", "ha/three-control-planes", "ha/three-workers"] {
        let is_its_own = |event: &&Value| event["event"] == "proof" && event["control"] == control;
        let rows: Vec<&Value> = proved.events.iter().filter(is_its_own).collect();
        let [row] = rows.as_slice() else { panic!("{control}: {rows:?}") };
        assert_eq!(row["verdict"], "proved", "{row}");
        // It was made now, and not taken from before.
        assert!(row["attempts"].as_u64() > Some(0), "{row}");
        println!(
            "     {:5.1} s {control}: {}",
            row["seconds"].as_f64().unwrap_or(0.0),
            row["detail"]
        );
    }
    let ready = ["wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s"];
    well(&cluster.kubectl(&ready));
    assert_eq!(before, kept(cluster));
}

/// What proofs had made that were cut, by Ctrl-C and by a killed operator, is taken away by the next run.
pub fn cut(cluster: &Cluster) {
    let begun = || {
        let mut proving = cluster.start_told(&cluster.spec(), &["prove"]);
        // Then many are under way, side by side.
        let is_gentle = |event: &Value| event["control"] != "ha/nodes-are-ready";
        proving.until(|event| event["event"] == "proof" && is_gentle(event));
        proving
    };
    let proving = begun();
    proving.interrupt();
    let interrupted = proving.end(60);
    assert_eq!(interrupted.code, Some(130), "{}", interrupted.stderr);
    let killed = begun().kill();
    assert_eq!(killed.code, None, "{}", killed.stderr);
    let left = canaries(cluster);
    let is_namespace = |key: &String| key.starts_with("/registry/namespaces/");
    assert!(left.iter().any(is_namespace), "it had made nothing yet: {left:?}");
    well(&cluster.ringfort("prove", &[]));
    gone(cluster);
}

/// Waits until nothing is left of canaries, which namespaces take a while for.
pub fn gone(cluster: &Cluster) {
    let begun = Instant::now();
    loop {
        let left = canaries(cluster);
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{left:#?}");
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// The keys of all objects that are named after canaries.
fn canaries(cluster: &Cluster) -> Vec<String> {
    let keys = cluster.etcd("get /registry/ --prefix --keys-only");
    assert!(keys.lines().count() > 100, "{keys}");
    keys.lines().filter(|key| key.contains("canar")).map(str::to_owned).collect()
}

/// Of a cluster of which only a kubeconfig is known, what shows through the API is proved, and the rest is
/// unknown: nothing fails, and nothing passes that was only refused for want of a right.
pub fn strange(cluster: &Cluster) {
    let before = lasting(cluster);
    let proved = cluster.prove_as_strange();
    assert_eq!(proved.code, Some(3), "{}{}", proved.stderr, odd(&proved));
    assert_eq!(of(&proved, "failed"), BTreeSet::new(), "{}", odd(&proved));
    let shown = of(&proved, "proved");
    for control in ["network/default-deny", "network/pod-network", "access/event-rate-limit"] {
        assert!(shown.contains(control), "{control}: {}", odd(&proved));
    }
    let unknown = of(&proved, "unknown");
    for control in [
        "access/admin-is-narrow",
        "access/pod-security",
        "data/etcd-mutual-tls",
        "ha/nodes-are-ready",
    ] {
        assert!(unknown.contains(control), "{control}: {shown:?}");
    }
    println!("     as a strange cluster: {}", proved.end());
    assert_eq!(before, lasting(cluster));
}

/// What is in the cluster, apart from canaries that an earlier run left to be deleted.
fn lasting(cluster: &Cluster) -> BTreeSet<String> {
    let columns = "custom-columns=IN:.metadata.namespace,KIND:.kind,NAME:.metadata.name";
    let all = ["get", "pods,secrets,configmaps", "-A", "--no-headers", "-o", columns];
    let listed = cluster.kubectl(&all).stdout;
    // The longest name decides how wide a column is.
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    listed.lines().filter(|line| !line.contains("canary")).map(words).collect()
}

/// What is broken fails its own proofs and no other, and `up` puts it back or says what it is. Until then
/// no kubeconfig is renewed.
pub fn broken(cluster: &Cluster) {
    let key = "/registry/canary.example.org/things/open";
    cluster.on("cp2", "chmod 644 /etc/kubernetes/pki/sa.key");
    cluster.on(
        "w2",
        "systemd-run --quiet --unit=canary-ear systemd-socket-activate -l 0.0.0.0:10255 /bin/cat",
    );
    cluster.etcd(&format!("put {key} plaintext"));
    let proved = cluster.ringfort("prove", &[]);
    cluster.etcd(&format!("del {key}"));
    assert_eq!(proved.code, Some(1), "{}", proved.stderr);
    let expected = [
        "access/kubelet-authorization",
        "data/encryption-at-rest",
        "network/loopback-only",
        "node/closed-files",
    ];
    assert_eq!(of(&proved, "failed"), expected.map(str::to_owned).into());
    not_renewed(cluster, 4, "have not all passed since");
    // What nobody but its owner takes away keeps the gate shut, whatever else is put right.
    let shut = cluster.ringfort("up", &[]);
    cluster.on("w2", "systemctl stop canary-ear");
    assert_eq!(shut.code, Some(1), "{}", shut.stderr);
    assert!(shut.end()["kubeconfig"].is_null(), "{}", shut.end());
    let expected = ["access/kubelet-authorization", "network/loopback-only"];
    assert_eq!(of(&shut, "failed"), expected.map(str::to_owned).into());
    not_renewed(cluster, 4, "have not all passed since");
    let up = cluster.ringfort("up", &[]);
    well(&up);
    assert!(!up.end()["kubeconfig"].is_null(), "{}", up.end());
    let renewed = cluster.renew(&[]);
    assert_eq!(renewed.code, Some(0), "{}", renewed.stderr);
}

/// Sees that no kubeconfig is renewed, and why.
pub fn not_renewed(cluster: &Cluster, code: i32, why: &str) {
    let renewed = cluster.renew(&[]);
    assert_eq!(renewed.code, Some(code), "{}{}", renewed.stdout, renewed.stderr);
    assert!(renewed.stderr.contains(why), "{}", renewed.stderr);
}

/// Proofs wait for a server that hangs until kubelet starts another, and what is not logged since a disk is
/// full is a failure.
pub fn sick(cluster: &Cluster) {
    // One server takes connections and answers none; of a second the audit log's disk is full.
    cluster.on("cp3", &format!("mount -t tmpfs -o size=64k,mode=0700 tmpfs {LOGS}; {RESTARTED}"));
    cluster.on(
        "cp3",
        &format!("until [ $(df --output=avail {LOGS} | tail -n 1) = 0 ]; do sleep 1; done"),
    );
    cluster.on("cp2", "pkill -STOP -x kube-apiserver");
    let proved = cluster.start_told(&cluster.spec(), &["prove"]).end(300);
    // Where kubelet is between two of them, there is none to wake.
    cluster.on("cp2", "pkill -CONT -x kube-apiserver || true");
    cluster.on("cp3", &format!("umount --lazy {LOGS}; {RESTARTED}"));
    assert_eq!(proved.code, Some(1), "{}", proved.stderr);
    let unlogged = ["audit/events-are-kept", "audit/policy-is-set"];
    assert_eq!(of(&proved, "failed"), unlogged.map(str::to_owned).into());
    well(&cluster.ringfort("up", &[]));
}

/// A server that stands still most of the time is waited for: nothing fails for it.
pub fn slow(cluster: &Cluster) {
    cluster.on("cp2", &format!("systemd-run --quiet --unit=slow sh -c '{SLOW}'"));
    let proved = cluster.start_told(&cluster.spec(), &["prove"]).end(300);
    cluster.on("cp2", "systemctl is-active slow");
    // It may have been stopped last, or just have ended, and then there is none to wake.
    cluster.on("cp2", "systemctl stop slow; pkill -CONT -x kube-apiserver || true");
    println!("     with a slow server: {}", proved.end());
    assert_eq!(of(&proved, "failed"), BTreeSet::new(), "{}", odd(&proved));
    let shown = of(&proved, "proved");
    for asked_of_each in ["audit/policy-is-set", "data/encryption-at-rest", "network/tls-1-3"] {
        assert!(shown.contains(asked_of_each), "{asked_of_each}: {}", odd(&proved));
    }
}

/// An API server that runs for a quarter of each second.
const SLOW: &str = "while :; do pkill -STOP -x kube-apiserver; sleep 0.75; \
                    pkill -CONT -x kube-apiserver; sleep 0.25; done";

/// Two pods that are on w3 while it is there, and put up with a lost machine for a second only.
const TWO: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: { name: two, namespace: default }
spec:
  replicas: 2
  selector: { matchLabels: { app: two } }
  template:
    metadata: { labels: { app: two } }
    spec:
      tolerations:
        - { key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1 }
        - { key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 1 }
      affinity:
        nodeAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              preference: { matchExpressions: [{ key: kubernetes.io/hostname, operator: In, values: [w3] }] }
      containers: [{ name: two, image: 'ringfort.dev/probe:1', args: [serve] }]
";

/// Has the two pods run, and waits until they are ready.
fn two(cluster: &Cluster) {
    let file = cluster.directory.join("two.yaml");
    std::fs::write(&file, TWO).unwrap();
    let file = file.display().to_string();
    well(&cluster.kubectl(&["apply", "-f", &file]));
    well(&cluster.kubectl(&["rollout", "status", "deployment/two", "--timeout=90s"]));
}

/// Where pods of theirs run that nobody has asked to end.
fn alive(cluster: &Cluster) -> Vec<String> {
    let listed = cluster.kubectl(&["get", "pods", "-l", "app=two", "-o", "json"]).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let pods = listed["items"].as_array().into_iter().flatten();
    let alive = pods.filter(|pod| {
        pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
    });
    alive.filter_map(|pod| pod["spec"]["nodeName"].as_str().map(str::to_owned)).collect()
}

/// Waits until both run on machines that are there.
fn elsewhere(cluster: &Cluster, gone: &str) {
    let begun = Instant::now();
    loop {
        let alive = alive(cluster);
        if alive.iter().filter(|node| *node != gone).count() == 2 {
            println!("     both run elsewhere after {:.1} s", begun.elapsed().as_secs_f64());
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "{alive:?}");
        std::thread::sleep(Duration::from_secs(2));
    }
}

/// A worker loses its power while its pods are asked what they see: what rests on it is unknown, nothing fails,
/// and what ran there runs elsewhere.
pub fn dying(cluster: &Cluster) {
    two(cluster);
    assert_eq!(alive(cluster), ["w3", "w3"]);
    let mut proving = cluster.start_told(&cluster.spec(), &["prove"]);
    proving.until(|event| event["event"] == "proof");
    cluster.lab(&["stop", cluster.name(), "w3", "--hard"]);
    let proved = proving.end(300);
    elsewhere(cluster, "w3");
    cluster.lab(&["start", cluster.name(), "w3"]);
    assert_eq!(proved.code, Some(3), "{}{}", proved.stderr, odd(&proved));
    let (shown, unknown) = (of(&proved, "proved"), of(&proved, "unknown"));
    assert!(shown.contains("access/pod-security"), "{}", odd(&proved));
    assert!(unknown.contains("network/pod-network"), "{shown:?}");
    println!("     with a worker that died: {}", proved.end());
    well(&cluster.kubectl(&["delete", "deployment", "two"]));
    well(&cluster.ringfort("up", &[]));
}

/// Where the audit log lies.
pub const LOGS: &str = "/var/log/kubernetes";
/// Has kubelet start a control plane's API server anew, and waits until it listens.
pub const RESTARTED: &str = "pkill -KILL -x kube-apiserver; \
                         until ss -Hltn sport = 6443 | grep -q .; do sleep 1; done";

/// What is broken in the blueprint itself is made and kept by `up`: only its proof stands in the way. The
/// rest of the ways take longer and are tried in `cargo xtask bench sabotage`.
pub fn sabotaged(cluster: &Cluster) {
    for name in [
        "audit/policy-is-set/level-none",
        "audit/policy-is-set/no-policy",
        "access/kubelet-authorization/flag-over-file",
    ] {
        let command = ["lab", "sabotage", cluster.name(), name];
        let said = cluster.ringfort_with(&cluster.spec(), cluster.bundle(), &command);
        assert_eq!(said.code, Some(1), "{name}: {}", said.stderr);
        let (control, sabotage) = ringfort_controls::sabotage::find(name).unwrap();
        let expected = std::iter::once(&control.id).chain(sabotage.also);
        let expected: BTreeSet<String> = expected.map(|id| (*id).to_owned()).collect();
        assert_eq!(of(&said, "failed"), expected, "{name}: {}", odd(&said));
        assert_eq!(of(&said, "unknown"), BTreeSet::new(), "{name}: {}", odd(&said));
        assert!(said.end()["kubeconfig"].is_null(), "{name}: {}", said.end());
        not_renewed(cluster, 4, "have not all passed since");
    }
    well(&cluster.ringfort("up", &[]));
}

/// What is said of controls that are not proved.
fn odd(said: &Said) -> String {
    let is_odd = |event: &&Value| {
        event["event"] == "proof" && (event["verdict"] == "failed" || event["verdict"] == "unknown")
    };
    let lines: Vec<String> = said.events.iter().filter(is_odd).map(Value::to_string).collect();
    lines.join("\n")
}

/// The controls of one verdict.
pub fn of(said: &Said, verdict: &str) -> BTreeSet<String> {
    let is_meant = |event: &&Value| event["event"] == "proof" && event["verdict"] == verdict;
    let control = |event: &Value| event["control"].as_str().map(str::to_owned);
    said.events.iter().filter(is_meant).filter_map(control).collect()
}
