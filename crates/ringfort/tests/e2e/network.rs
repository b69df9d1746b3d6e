//! Network policies on real machines: what passes, what ends, and what happens without the enforcer.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::pairs::alone;
use crate::{MACHINES, cases};

pub const NAMESPACE: &str = "fenced";

/// A pod that serves, on a worker.
fn server(name: &str, worker: &str) -> String {
    format!(
        "\
apiVersion: v1
kind: Pod
metadata: {{ name: {name}, namespace: {NAMESPACE}, labels: {{ app: {name} }} }}
spec:
  nodeName: {worker}
  containers:
    - name: server
      image: ringfort.dev/probe:1
      args: [serve]
      securityContext:
        allowPrivilegeEscalation: false
        runAsNonRoot: true
        runAsUser: 65532
        capabilities: {{ drop: [ALL] }}
      readinessProbe: {{ tcpSocket: {{ port: 8080 }}, periodSeconds: 1 }}
"
    )
}

/// A policy that lets one machine in.
fn policy(address: &str) -> String {
    let range = alone(address.parse().unwrap());
    format!(
        "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{ name: one-machine, namespace: {NAMESPACE} }}
spec:
  podSelector: {{ matchLabels: {{ app: server }} }}
  ingress:
    - from: [{{ ipBlock: {{ cidr: '{range}' }} }}]
      ports: [{{ port: 8080 }}]
"
    )
}

pub fn apply(cluster: &Cluster, manifest: &str) {
    let path = cluster.directory.join("fenced.yaml");
    std::fs::write(&path, manifest).unwrap();
    well(cluster, &["apply", "-f", path.to_str().unwrap()]);
}

pub fn well(cluster: &Cluster, arguments: &[&str]) -> String {
    let said = cluster.kubectl(arguments);
    assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.stderr);
    said.stdout
}

pub fn start(cluster: &Cluster, name: &str, worker: &str) -> String {
    apply(cluster, &server(name, worker));
    let pod = format!("pod/{name}");
    let wait = ["-n", NAMESPACE, "wait", "--for=condition=Ready", "--timeout=60s", &pod];
    well(cluster, &wait);
    well(cluster, &["-n", NAMESPACE, "get", &pod, "-o", "jsonpath={.status.podIP}"])
}

fn address(cluster: &Cluster, machine: &str) -> String {
    cluster.members().into_iter().find(|(name, _)| name == machine).unwrap().1
}

/// Whether a machine reaches a pod.
fn reaches(cluster: &Cluster, machine: &str, pod: &str) -> bool {
    let knock =
        format!("timeout 2 bash -c '</dev/tcp/{pod}/8080' 2>/dev/null && echo open || true");
    cluster.on(machine, &knock).trim() == "open"
}

fn until(what: &str, is_so: impl Fn() -> bool) -> Duration {
    within(10, what, is_so)
}

pub fn within(seconds: u64, what: &str, is_so: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(seconds), "{what}: not within {seconds} s");
    }
    start.elapsed()
}

/// Makes the namespace.
pub fn fenced(cluster: &Cluster) {
    well(cluster, &["create", "namespace", NAMESPACE]);
    let account = ["-n", NAMESPACE, "get", "serviceaccount", "default"];
    until("the account is there", || cluster.kubectl(&account).code == Some(0));
}

/// A namespace is closed at first; a policy opens it to whom it names; what it allowed ends with it, also
/// in the middle of a connection.
pub fn policies(cluster: &Cluster) {
    let told = cluster.kubectl(&["create", "namespace", "--dry-run=server", NAMESPACE]).stderr;
    assert!(told.contains("Warning: ") && told.contains("the namespace is closed"), "{told}");
    fenced(cluster);
    let pod = start(cluster, "server", "w1");
    let address = |machine: &str| address(cluster, machine);
    assert!(reaches(cluster, "w1", &pod), "its own machine reaches a pod");
    for machine in ["cp1", "cp2", "w2"] {
        assert!(!reaches(cluster, machine, &pod), "{machine} reaches a pod of a closed namespace");
    }
    apply(cluster, &policy(&address("cp1")));
    let took = until("cp1 reaches the pod", || reaches(cluster, "cp1", &pod));
    println!("     a policy was in force after {took:.1?}");
    assert!(!reaches(cluster, "cp2", &pod), "cp2 is not named");
    // Opens a connection, and speaks on it when it is told to.
    let speak = format!(
        "rm -f /run/speak /run/heard /run/opened
         setsid bash -c 'exec 3<>/dev/tcp/{pod}/8080; touch /run/opened
           until [ -e /run/speak ]; do sleep 0.1; done
           printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; timeout 4 cat <&3 >/run/heard; echo end >>/run/heard' \
           >/dev/null 2>&1 </dev/null &
         until [ -e /run/opened ]; do sleep 0.1; done"
    );
    let hear = "touch /run/speak; until grep -q end /run/heard 2>/dev/null; do sleep 0.1; done; cat /run/heard";
    cluster.on("cp1", &speak);
    let heard = cluster.on("cp1", hear);
    assert!(heard.contains("200 OK"), "a connection that is allowed is answered: {heard}");
    cluster.on("cp1", &speak);
    well(cluster, &["-n", NAMESPACE, "delete", "networkpolicy", "one-machine"]);
    until("cp1 is shut out", || !reaches(cluster, "cp1", &pod));
    let heard = cluster.on("cp1", hear);
    assert!(!heard.contains("200 OK"), "a connection outlives what allowed it: {heard}");
    let shown = cluster.on("w1", "ringfort node policy --show");
    assert!(shown.contains(&address("cp1")), "what was refused is told: {shown}");
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    println!("     from a pod's address to its rules in force: {}", shown["waited"]);
}

/// What somebody may do to the table. All tables at once are not tried: others have theirs.
const TAKEN_AWAY: [&str; 3] = [
    "delete table inet ringfort-policy",
    "flush table inet ringfort-policy",
    "flush chain inet ringfort-policy egress_forward",
];

/// How soon rules are back, and how much longer it may take on machines that share two processors.
const BACK: Duration = Duration::from_secs(1);
const SLACK: Duration = Duration::from_secs(1);

/// Takes rules away from a machine, and gives how long it took there until they were back.
fn back_after(cluster: &Cluster, taken: &str) -> Duration {
    let script = format!(
        "nft {taken}; begun=$(date +%s%N)
         while [ $(($(date +%s%N) - begun)) -lt 10000000000 ]; do
             if nft list chain inet ringfort-policy egress_forward 2>/dev/null | grep -q jump; then
                 echo $((($(date +%s%N) - begun) / 1000000)); exit 0
             fi
             sleep 0.02
         done"
    );
    let millis = cluster.on("w1", &script);
    let millis = millis.trim().parse().unwrap_or_else(|_| panic!("nft {taken}: not within 10 s"));
    Duration::from_millis(millis)
}

/// Without the enforcer what is closed stays closed and no pod starts; what others change is put back.
pub fn enforcer(cluster: &Cluster) {
    let pod =
        well(cluster, &["-n", NAMESPACE, "get", "pod/server", "-o", "jsonpath={.status.podIP}"]);
    for taken in TAKEN_AWAY {
        let took = back_after(cluster, taken);
        println!("     after `nft {taken}` the rules were back within {took:.1?}");
        assert!(took < BACK + SLACK, "nft {taken}: the rules were back after {took:.1?}");
        assert!(!reaches(cluster, "cp1", &pod), "put back is what was there");
    }
    let shown = || {
        let shown = cluster.on("w1", "ringfort node policy --show");
        serde_json::from_str::<serde_json::Value>(&shown).unwrap()
    };
    let meddled = || shown()["meddled"].as_u64().unwrap();
    let counted = meddled();
    assert!(counted >= TAKEN_AWAY.len() as u64, "it is a finding: {counted}");
    let found = shown()["meddlings"].clone();
    let last = found.as_array().and_then(|all| all.last()).expect("the last finding is told");
    assert_eq!(last["by"]["name"], "nft", "{found}");
    assert!(last["back_after_ms"].as_u64() < Some(1_000), "{found}");
    println!("     the last finding: {last}");
    cluster.on("w1", "echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables");
    let setting = "cat /proc/sys/net/bridge/bridge-nf-call-iptables";
    within(15, "packets on the bridge are judged", || cluster.on("w1", setting).trim() == "1");
    assert!(meddled() > counted, "that is a finding as well");
    cluster.on("w1", "systemctl stop ringfort-policy");
    assert!(!reaches(cluster, "cp1", &pod), "without the enforcer the rules stay");
    apply(cluster, &server("late", "w1"));
    std::thread::sleep(Duration::from_secs(6));
    let phase = ["-n", NAMESPACE, "get", "pod/late", "-o", "jsonpath={.status.phase}"];
    assert_eq!(well(cluster, &phase), "Pending", "without the enforcer no pod starts");
    cluster.on("w1", "systemctl start ringfort-policy");
    let wait = ["-n", NAMESPACE, "wait", "--for=condition=Ready", "--timeout=90s", "pod/late"];
    well(cluster, &wait);
    assert!(!reaches(cluster, "cp1", &pod), "a start opens nothing");
    assert!(meddled() > counted, "a start forgets no finding");
    // Killed while a change is made, it comes back and ends at what policies say. Whom none of them names
    // is never let in meanwhile.
    let knock = format!(
        "rm -f /run/enough; : >/run/knocks; : >/run/came
         setsid bash -c 'until [ -e /run/enough ]; do
             timeout 0.5 bash -c \"</dev/tcp/{pod}/8080\" 2>/dev/null && date +%T >>/run/came
             echo >>/run/knocks; done' >/dev/null 2>&1 </dev/null &"
    );
    cluster.on("cp2", &knock);
    let opening = policy(&address(cluster, "cp1"));
    for tenths in 0..3 {
        let kill = format!("sleep 0.{tenths}; systemctl kill --signal KILL ringfort-policy");
        apply(cluster, &opening);
        cluster.on("w1", &kill);
        until("cp1 reaches the pod", || reaches(cluster, "cp1", &pod));
        well(cluster, &["-n", NAMESPACE, "delete", "networkpolicy", "one-machine"]);
        cluster.on("w1", &kill);
        until("cp1 is shut out", || !reaches(cluster, "cp1", &pod));
    }
    let knocks = cluster.on("cp2", "wc -l </run/knocks");
    assert!(knocks.trim().parse::<u32>().unwrap() > 5, "{knocks}");
    let came = || cluster.on("cp2", "cat /run/came");
    assert_eq!(came(), "", "cp2 was let in");
    // Whoever knocks so is heard where a policy names him.
    apply(cluster, &policy(&address(cluster, "cp2")));
    until("cp2 is let in", || !came().is_empty());
    cluster.on("cp2", "touch /run/enough");
    well(cluster, &["delete", "namespace", NAMESPACE]);
}

/// While no API server answers, what was in force stays in force, also when the rules are deleted or the
/// enforcer begins anew; afterwards it follows again.
pub fn away(cluster: &Cluster) {
    fenced(cluster);
    let pod = start(cluster, "server", "w1");
    apply(cluster, &policy(&address(cluster, "cp1")));
    until("cp1 reaches the pod", || reaches(cluster, "cp1", &pod));
    let manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml";
    let control_planes = || MACHINES.iter().filter(|machine| machine.starts_with("cp"));
    control_planes().for_each(|machine| {
        cluster.on(machine, &format!("mv {manifest} /root/"));
    });
    control_planes().for_each(|machine| {
        cluster.on(machine, "while ss -Hltn sport = 6443 | grep -q .; do sleep 0.2; done");
    });
    let begun = Instant::now();
    let holds = |when: &str| {
        assert!(reaches(cluster, "cp1", &pod), "{when}: cp1 is named");
        assert!(!reaches(cluster, "cp2", &pod), "{when}: cp2 is not named");
    };
    holds("without an API server");
    cluster.on("w1", "nft delete table inet ringfort-policy");
    until("the rules are back", || reaches(cluster, "cp1", &pod));
    holds("after the rules were deleted");
    cluster.on("w1", "systemctl restart ringfort-policy");
    holds("after the enforcer began anew");
    // Nobody can tell the new one what the rules should be.
    for taken in TAKEN_AWAY {
        back_after(cluster, taken);
        holds(&format!("after the enforcer began anew and `nft {taken}`"));
    }
    while begun.elapsed() < away_for() {
        holds("after the enforcer began anew");
    }
    control_planes().for_each(|machine| {
        cluster.on(machine, &format!("mv /root/kube-apiserver.yaml {manifest}"));
    });
    let answers = || cluster.kubectl(&["get", "--raw", "/readyz"]).code == Some(0);
    while !answers() {
        assert!(begun.elapsed() < away_for() + Duration::from_secs(90), "no API server came back");
    }
    well(cluster, &["-n", NAMESPACE, "delete", "networkpolicy", "one-machine"]);
    let took = until("cp1 is shut out", || !reaches(cluster, "cp1", &pod));
    println!(
        "     after {:.0?} without an API server, policies were followed after {took:.1?}",
        away_for()
    );
    well(cluster, &["delete", "namespace", NAMESPACE]);
}

/// Cluster-wide policies, which an add-on brings, go before what a namespace's own policies allow.
pub fn wider(cluster: &Cluster) {
    fenced(cluster);
    start(cluster, "server", "w1");
    let target = format!("{}:6443", address(cluster, "cp1"));
    let open = || knocked(cluster, &target) == "Succeeded";
    assert_eq!(knocked(cluster, &target), "Failed", "the namespace is closed");
    apply(cluster, OUTWARD);
    within(20, "pods reach cp1", open);
    let plain = std::fs::read_to_string(cluster.spec()).unwrap();
    let wider = WIDER.replace("CP1", &address(cluster, "cp1"));
    std::fs::write(cluster.directory.join("wider.yaml"), wider).unwrap();
    let (before, after) = plain.split_once("waivers:\n").unwrap_or((&plain, ""));
    let addon = "addons:\n  - { name: wider, files: [wider.yaml] }\nwaivers:\n";
    std::fs::write(cluster.spec(), format!("{before}{addon}{after}")).unwrap();
    cases::well(&cluster.ringfort("up", &[]));
    // The enforcer asks every half minute whether such policies are served.
    let took = within(60, "pods are kept from cp1", || !open());
    println!("     a cluster-wide policy was in force after {took:.1?}");
    let shown = cluster.on("w1", "ringfort node policy --show");
    assert!(shown.contains("keep-out"), "{shown}");
    std::fs::write(cluster.spec(), plain).unwrap();
    cases::well(&cluster.ringfort("up", &[]));
    let took = within(90, "pods reach cp1 again", open);
    println!("     and was gone after {took:.1?}");
    well(cluster, &["delete", "namespace", NAMESPACE]);
}

/// Has a new pod on a worker knock at an address once, and gives how the pod ended.
fn knocked(cluster: &Cluster, target: &str) -> String {
    let knocking =
        server("knocking", "w1").replace("args: [serve]", &format!("args: [dial, '{target}']"));
    let (once, _) = knocking.split_once("      readinessProbe").unwrap();
    apply(cluster, &once.replace("  containers:", "  restartPolicy: Never\n  containers:"));
    let phase = || {
        let get = ["-n", NAMESPACE, "get", "pod/knocking", "-o", "jsonpath={.status.phase}"];
        well(cluster, &get)
    };
    within(30, "the pod ends", || ["Succeeded", "Failed"].contains(&phase().as_str()));
    let phase = phase();
    well(cluster, &["-n", NAMESPACE, "delete", "pod/knocking", "--now"]);
    phase
}

/// Lets the pods of the namespace reach everything.
const OUTWARD: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: outward, namespace: fenced }
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress: [{}]
";

/// A kind as upstream names it, in few words, and a policy that keeps all pods of the namespace from a machine.
const WIDER: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: clusternetworkpolicies.policy.networking.k8s.io
  annotations: { api-approved.kubernetes.io: unapproved }
spec:
  group: policy.networking.k8s.io
  scope: Cluster
  names: { plural: clusternetworkpolicies, singular: clusternetworkpolicy, kind: ClusterNetworkPolicy }
  versions:
    - name: v1alpha2
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: { spec: { type: object, x-kubernetes-preserve-unknown-fields: true } }
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: keep-out }
spec:
  tier: Admin
  priority: 10
  subject: { namespaces: { matchLabels: { kubernetes.io/metadata.name: fenced } } }
  egress:
    - { name: cp1, action: Deny, to: [{ networks: [CP1/32] }] }
";

/// How long API servers are away: `RINGFORT_E2E_AWAY_S`, for more than CI has time for.
fn away_for() -> Duration {
    let asked = std::env::var("RINGFORT_E2E_AWAY_S").ok().map(|seconds| seconds.parse().unwrap());
    Duration::from_secs(asked.unwrap_or(20))
}

/// On a cluster that enforced nothing so far, what a policy allows goes on without a gap when it begins to.
pub fn turned_on(cluster: &Cluster) {
    let plain = std::fs::read_to_string(cluster.spec()).unwrap();
    let waiver = |control: &str| {
        format!("  - {{ control: {control}, reason: a test, owner: e2e, expires: 2099-01-01 }}\n")
    };
    let waivers = waiver("network/network-policy") + &waiver("network/default-deny");
    let (before, after) = plain.split_once("waivers:\n").unwrap_or((&plain, ""));
    std::fs::write(cluster.spec(), format!("{before}waivers:\n{waivers}{after}")).unwrap();
    cases::well(&cluster.ringfort("up", &[]));
    let rules = "nft list table inet ringfort-policy >/dev/null 2>&1 && echo there || true";
    assert_eq!(cluster.on("w1", rules), "", "the rules are left behind");
    fenced(cluster);
    let pod = start(cluster, "server", "w1");
    assert!(reaches(cluster, "cp2", &pod), "nothing is enforced");
    apply(cluster, &policy(&address(cluster, "cp1")));
    let knock = format!(
        "rm -f /run/knocks /run/gaps /run/enough
         setsid bash -c 'until [ -e /run/enough ]; do
             timeout 2 bash -c \"</dev/tcp/{pod}/8080\" 2>/dev/null || date +%T >>/run/gaps
             echo >>/run/knocks; sleep 0.05; done' >/dev/null 2>&1 </dev/null &"
    );
    cluster.on("cp1", &knock);
    std::fs::write(cluster.spec(), plain).unwrap();
    let plan = cluster.ringfort("plan", &[]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    let up = cluster.ringfort("up", &[]);
    cases::well(&up);
    // The policy opens what comes in, and nothing what goes out. Whoever answers for names is in nobody's way.
    for said in [&plan, &up] {
        let closes: Vec<_> = said.events.iter().filter(|it| it["event"] == "closes").collect();
        let [closes] = closes[..] else { panic!("told {} times", closes.len()) };
        let by = ["the default of the cluster"];
        let expected = json!([{"pod": "fenced/server", "ingress": [], "egress": by}]);
        assert_eq!(closes["pods"], expected);
    }
    let knocks = cluster.on("cp1", "touch /run/enough; wc -l </run/knocks");
    println!("     {} knocks went through while policies were turned on", knocks.trim());
    assert!(knocks.trim().parse::<u32>().unwrap() > 50, "{knocks}");
    assert_eq!(cluster.on("cp1", "cat /run/gaps 2>/dev/null || true"), "", "a gap");
    assert!(!reaches(cluster, "cp2", &pod), "policies are enforced");
    well(cluster, &["delete", "namespace", NAMESPACE]);
}
