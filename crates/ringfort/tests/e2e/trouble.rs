//! What goes wrong on the way while a cluster stands: operators who meet, runs that are cut,
//! programs that are killed on machines, keyrings of others. Nothing is lost, and running again
//! puts everything right.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::cases::{nothing_planned, well};
use crate::cluster::Cluster;
use crate::proofs;

/// Gives `up` something to do on a worker.
fn spoil(cluster: &Cluster) {
    cluster.on("w3", "rm -f /etc/kubernetes/kube-proxy.conf; systemctl stop kubelet kube-proxy");
}

/// Copies the operator's state, as a second operator has it.
fn second_operator(cluster: &Cluster) -> std::path::PathBuf {
    let other = cluster.directory.join("second");
    std::fs::create_dir_all(&other).unwrap();
    for part in ["cluster.yaml", ".ringfort"] {
        let from = cluster.directory.join(part);
        let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(&other).status();
        assert!(copied.unwrap().success());
    }
    other.join("cluster.yaml")
}

/// Fetches the operator's state from another's.
fn take_over(cluster: &Cluster, from: &Path) {
    let newer = from.with_file_name(".ringfort");
    let mut copy = std::process::Command::new("cp");
    let copied = copy.arg("-rT").arg(newer).arg(cluster.directory.join(".ringfort")).status();
    assert!(copied.unwrap().success());
}

pub fn two_operators(cluster: &Cluster) {
    let second = second_operator(cluster);
    spoil(cluster);
    let mut first = cluster.start_told(&cluster.spec(), &["up"]);
    first.until_stage("membership");
    let here = cluster.ringfort("up", &[]);
    assert_eq!(here.code, Some(4), "{}", here.stderr);
    assert!(
        here.stderr.contains("another ringfort works on this cluster from here"),
        "{}",
        here.stderr
    );
    let there = cluster.ringfort_with(&second, cluster.bundle(), &["up"]);
    assert_eq!(there.code, Some(4), "{}", there.stderr);
    assert!(there.stderr.contains("is at work here: wait until"), "{}", there.stderr);
    let watcher = cluster.ringfort_with(&second, cluster.bundle(), &["plan"]);
    assert_eq!(watcher.code, Some(0), "looking is free: {}", watcher.stderr);
    well(&first.end(300));
    nothing_planned(cluster);
    // Once the first is done, the second one's turn has come, with what the first has left.
    let old = cluster.ringfort_with(&second, cluster.bundle(), &["up"]);
    assert_eq!(old.code, Some(4), "{}", old.stderr);
    assert!(old.stderr.contains("fetch the newer operator state"), "{}", old.stderr);
    std::fs::remove_dir_all(second.parent().unwrap()).unwrap();
    let second = second_operator(cluster);
    well(&cluster.ringfort_with(&second, cluster.bundle(), &["up"]));
    let old = cluster.ringfort("up", &[]);
    assert_eq!(old.code, Some(4), "{}", old.stderr);
    take_over(cluster, &second);
    well(&cluster.ringfort("up", &[]));
    std::fs::remove_dir_all(second.parent().unwrap_or(Path::new(""))).unwrap();
}

/// Moments of a run that joins a worker, in milliseconds from its first word.
const MOMENTS_MS: [u64; 7] = [0, 400, 1_200, 2_500, 4_000, 7_000, 12_000];

pub fn interrupted(cluster: &Cluster) {
    let made = cluster.kubectl(&["create", "secret", "generic", "kept", "--from-literal=a=b"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let (mut cut, mut is_done) = (0, true);
    for moment in MOMENTS_MS {
        // A run that came to its end leaves nothing to interrupt.
        if is_done {
            cluster.lab(&["wipe", cluster.name(), "w3"]);
            cluster.lab(&["start", cluster.name(), "w3"]);
        }
        let mut run = cluster.start_told(&cluster.spec(), &["up"]);
        run.until(|event| event["event"] == "started");
        std::thread::sleep(Duration::from_millis(moment));
        run.interrupt();
        let said = run.end(90);
        // A run that was as good as done may end well.
        assert!(
            matches!(said.code, Some(130 | 0)),
            "at {moment} ms: {:?} {}{}",
            said.code,
            said.stderr,
            said.stdout
        );
        is_done = said.code == Some(0);
        cut += usize::from(!is_done);
    }
    assert!(cut >= 5, "only {cut} runs were interrupted");
    well(&cluster.ringfort("up", &[]));
    nothing_planned(cluster);
    let kept = cluster.kubectl(&["get", "secret", "kept", "-o", "jsonpath={.data.a}"]);
    assert_eq!(kept.stdout.trim(), "Yg==", "{}", kept.stderr);
}

/// What has just been done when an operator is killed, by a name.
type Moment = (&'static str, fn(&Value) -> bool);

/// Moments of a run that makes a control plane and a worker anew, in the order in which they come.
const DEATHS: [Moment; 5] = [
    ("a member of etcd was exchanged", |event| is_change(event) && event["item"] == "serving:etcd"),
    ("a control plane was begun", |event| is_change(event) && event["node"] == "cp3"),
    ("a worker was begun", |event| is_change(event) && event["node"] == "w3"),
    ("an object was applied", |event| is_change(event) && event["node"].is_null()),
    ("the first proof was made", |event| event["event"] == "proof"),
];

fn is_change(event: &Value) -> bool {
    event["event"] == "step" && event["change"] == true && event["failed"].is_null()
}

/// The operator is killed again and again while a control plane and a worker are made anew. The last
/// time, proofs were begun: until they have passed, nothing is renewed.
pub fn killed_operator(cluster: &Cluster) {
    for machine in ["cp3", "w3"] {
        cluster.lab(&["wipe", cluster.name(), machine]);
        cluster.lab(&["start", cluster.name(), machine]);
    }
    for (moment, has_come) in DEATHS {
        if moment == "an object was applied" {
            // Nobody may delete it through the API.
            let deleted = cluster.etcd("del /registry/configmaps/kube-system/coredns");
            assert_eq!(deleted.trim(), "1");
        }
        let mut operator = cluster.start_told(&cluster.spec(), &["up"]);
        let has_come = operator.until(has_come);
        let said = operator.kill();
        assert!(has_come, "not seen: {moment}: {}{}", said.stderr, said.stdout);
        let is_over = said.events.iter().any(|event| event["event"] == "finished");
        assert!(said.code.is_none() && !is_over, "{moment}: {:?} {}", said.code, said.end());
        println!("     killed when {moment}, after {} steps", said.steps().len());
    }
    proofs::not_renewed(cluster, 4, "have not all passed since");
    well(&cluster.ringfort("up", &[]));
    nothing_planned(cluster);
}

/// The program on a machine is killed in the middle of its work, and once more later on; the
/// operator says so. The machine itself kills it as soon as a file appears that other steps follow,
/// since an order from outside may come when all is done.
pub fn killed_on_a_machine(cluster: &Cluster) {
    cluster.lab(&["wipe", cluster.name(), "w3"]);
    cluster.lab(&["start", cluster.name(), "w3"]);
    for file in ["/etc/containerd/config.toml", "/var/lib/kubelet/config.yaml"] {
        let trap = format!(
            "for _ in $(seq 9000); do \
             test -e {file} && exec pkill -KILL -f '[r]ingfort node serve'; sleep 0.02; done; exit 1"
        );
        let said = std::thread::scope(|scope| {
            scope.spawn(|| cluster.on("w3", &trap));
            cluster.ringfort("up", &[])
        });
        assert_eq!(said.code, Some(4), "killed at {file}: {}", said.stderr);
        assert!(said.stderr.contains("w3: the channel closed"), "{}", said.stderr);
        assert!(said.stderr.contains("running again goes on from here"), "{}", said.stderr);
    }
    well(&cluster.ringfort("up", &[]));
    nothing_planned(cluster);
}

/// The keyring of another cluster of this name is put in the place of the right one.
pub fn different_keyring(cluster: &Cluster) {
    let other = cluster.directory.join("other");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::copy(cluster.spec(), other.join("cluster.yaml")).unwrap();
    cluster.keys(&other.join("cluster.yaml"), "init");
    let state = cluster.directory.join(".ringfort").join(cluster.name());
    let aside = cluster.directory.join("aside");
    std::fs::create_dir_all(&aside).unwrap();
    let swap = |file: &str| {
        std::fs::rename(state.join(file), aside.join(file)).unwrap();
        std::fs::copy(other.join(".ringfort").join(cluster.name()).join(file), state.join(file))
            .unwrap();
    };
    let sealed = cluster.on("cp1", "cat /etc/kubernetes/encryption/*");
    swap("keyring.age");
    let one = cluster.ringfort("up", &[]);
    swap("trust.json");
    let older = cluster.ringfort("up", &[]);
    // A state that claims to have acted later is not believed for that.
    set_epoch(&state.join("trust.json"), 1_000_000);
    let both = cluster.ringfort("up", &[]);
    for file in ["keyring.age", "trust.json"] {
        std::fs::rename(aside.join(file), state.join(file)).unwrap();
    }
    assert_eq!(one.code, Some(2), "{}", one.stderr);
    assert!(one.stderr.contains("is not the keyring of the cluster"), "{}", one.stderr);
    assert_eq!(older.code, Some(4), "{}", older.stderr);
    assert!(older.stderr.contains("fetch the newer operator state"), "{}", older.stderr);
    assert_eq!(both.code, Some(4), "{}", both.stderr);
    assert!(both.stderr.contains("put back the keyring"), "{}", both.stderr);
    assert_eq!(cluster.on("cp1", "cat /etc/kubernetes/encryption/*"), sealed, "keys were changed");
    // Nobody was told of an epoch of that state: this one goes on as if it had never come.
    well(&cluster.ringfort("up", &[]));
    // A state that is older than what was done goes on only if somebody says so.
    set_epoch(&state.join("trust.json"), 1);
    let late = cluster.ringfort("up", &[]);
    assert!(late.stderr.contains("run with --take-over"), "{}", late.stderr);
    well(&cluster.ringfort("up", &["--take-over"]));
    nothing_planned(cluster);
    std::fs::remove_dir_all(&other).unwrap();
    std::fs::remove_dir_all(&aside).unwrap();
}

fn set_epoch(facts: &Path, epoch: u64) {
    let text = std::fs::read_to_string(facts).unwrap();
    let mut trust: Value = serde_json::from_str(&text).unwrap();
    trust["epoch"] = epoch.into();
    std::fs::write(facts, trust.to_string()).unwrap();
}

/// The loudest log of a run in which the encryption key travels and certificates are made.
pub fn quiet_log(cluster: &Cluster) {
    cluster.on("cp2", "rm /etc/kubernetes/encryption/*");
    spoil(cluster);
    let said = cluster.ringfort("up", &["--log-level", "trace", "--log-format", "json"]);
    well(&said);
    assert!(said.stderr.contains("\"entered\""), "nothing was logged: {}", said.stderr);
    assert!(said.stderr.contains("begins a step"), "no machine was heard: {}", said.stderr);
    let log = format!("{}{}", said.stderr, said.stdout);
    let key = cluster.on("cp2", "grep -h -o 'secret: .*' /etc/kubernetes/encryption/*");
    let key = key.trim().trim_start_matches("secret: ").trim_matches('"').to_owned();
    assert!(key.len() >= 40, "the key could not be read: {} letters", key.len());
    let identity = std::fs::read_to_string(cluster.directory.join("config/ringfort/identity.txt"));
    let identity = identity.unwrap().lines().last().unwrap_or_default().to_owned();
    assert!(identity.starts_with("AGE-SECRET-KEY-"), "the identity could not be read");
    let kubeconfig = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
    let person =
        kubeconfig.lines().find_map(|l| l.trim().strip_prefix("client-key-data: ")).unwrap();
    for secret in [key.as_str(), identity.as_str(), person.trim_matches('"'), "PRIVATE KEY"] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
}
