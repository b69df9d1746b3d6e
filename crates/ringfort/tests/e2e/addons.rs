//! What an operator has applied with the cluster: add-ons, and a network of one's own.

use std::path::Path;

use crate::MACHINES;
use crate::cases::{nothing_planned, well};
use crate::cluster::Cluster;
use crate::proofs::of;

/// An agent that is root on every machine, as network plugins and log shippers are.
const AGENT: &str = "\
apiVersion: v1
kind: Namespace
metadata: { name: agent }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: knobs.example.org }
spec:
  group: example.org
  scope: Namespaced
  names: { kind: Knob, plural: knobs, singular: knob }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
---
apiVersion: example.org/v1
kind: Knob
metadata: { name: loud, namespace: agent }
spec: { turned: 11 }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent, namespace: agent }
spec:
  selector: { matchLabels: { app: agent } }
  template:
    metadata: { labels: { app: agent } }
    spec:
      hostNetwork: true
      tolerations: [{ operator: Exists }]
      containers:
        - name: agent
          image: PAUSE
          securityContext: { runAsUser: 0 }
          volumeMounts: [{ name: logs, mountPath: /logs }]
      volumes: [{ name: logs, hostPath: { path: /var/log } }]
";

/// Adds an add-on to a specification, of a file of its name, with the waiver that opens its namespaces.
pub fn with_addon(text: &str, name: &str) -> String {
    let waiver = format!(
        "  - control: access/pod-security\n    scope: {{ addon: {name} }}\n    \
         reason: it looks after machines\n    owner: e2e\n    expires: 2099-01-01\n"
    );
    let (before, after) = text.split_once("waivers:\n").unwrap_or((text, ""));
    format!(
        "{before}addons:\n  - {{ name: {name}, files: [{name}.yaml] }}\nwaivers:\n{waiver}{after}"
    )
}

pub fn kept(cluster: &Cluster) {
    let plain = std::fs::read_to_string(cluster.spec()).unwrap();
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: { name: s }\n";
    let file = cluster.directory.join("agent.yaml");
    // The one image that is on every machine.
    let agent = AGENT.replace("PAUSE", &image(cluster, "pause"));
    std::fs::write(&file, format!("{agent}{secret}")).unwrap();
    std::fs::write(cluster.spec(), with_addon(&plain, "agent")).unwrap();
    let secrets = cluster.ringfort("plan", &[]);
    assert_eq!(secrets.code, Some(2), "{}", secrets.stderr);
    assert!(secrets.stderr.contains("the Secret s would stand in the open"), "{}", secrets.stderr);
    std::fs::write(&file, agent).unwrap();
    let plan = cluster.ringfort("plan", &[]);
    well(&plan);
    let new = ["api Knob agent/loud", "api DaemonSet agent/agent", "api Namespace agent"];
    for step in new {
        assert!(plan.steps().iter().any(|planned| planned == step), "{step}: {:?}", plan.steps());
    }
    well(&cluster.ringfort("up", &[]));
    let rollout = ["-n", "agent", "rollout", "status", "daemonset/agent", "--timeout=90s"];
    let done = cluster.kubectl(&rollout);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let nodes = ["-n", "agent", "get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}"];
    let nodes = cluster.kubectl(&nodes).stdout;
    assert_eq!(nodes.split_whitespace().count(), MACHINES.len(), "{nodes}");
    nothing_planned(cluster);
    only_ringfort_writes_there(cluster);
    let gone = cluster.kubectl(&["-n", "agent", "delete", "daemonset", "agent"]);
    assert_eq!(gone.code, Some(0), "{}", gone.stderr);
    let proved = cluster.ringfort("prove", &[]);
    assert_eq!(of(&proved, "failed"), ["workload/addons".to_owned()].into(), "{}", proved.stderr);
    let up = cluster.ringfort("up", &[]);
    well(&up);
    assert_eq!(up.steps(), ["api DaemonSet agent/agent"]);
    assert!(of(&up, "proved").contains("workload/addons"), "{}", up.stderr);
    std::fs::write(cluster.spec(), plain).unwrap();
    well(&cluster.ringfort("up", &[]));
    nothing_planned(cluster);
    let left = cluster.kubectl(&["-n", "agent", "get", "daemonsets", "-o", "name"]);
    assert_eq!(left.stdout.trim(), "", "{}", left.stderr);
    let labels = ["get", "namespace", "agent", "-o", "jsonpath={.metadata.labels}"];
    let labels = cluster.kubectl(&labels).stdout;
    assert!(!labels.contains("ringfort.dev") && !labels.contains("pod-security"), "{labels}");
    let gone = cluster.kubectl(&["delete", "namespace", "agent"]);
    assert_eq!(gone.code, Some(0), "{}", gone.stderr);
}

/// Gives the reference of an image of the bundle.
pub fn image(cluster: &Cluster, name: &str) -> String {
    let lock = std::fs::read_to_string(cluster.bundle().join("bundle.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let entries = lock["entries"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["name"] == name);
    entry.unwrap()["reference"].as_str().unwrap().to_owned()
}

fn only_ringfort_writes_there(cluster: &Cluster) {
    let image = "--image=ringfort.dev/probe:1";
    let label = "addon.ringfort.dev/agent=true";
    for (arguments, guard) in [
        (&["-n", "agent", "exec", "daemonset/agent", "--", "/probe"][..], "waived-pods"),
        (&["-n", "agent", "run", "mine", image], "waived-pods"),
        (&["-n", "agent", "create", "deployment", "mine", image], "waived-pods"),
        (&["label", "namespace", "default", label], "waived-labels"),
        (&["create", "-f", "mine.yaml"], "waived-labels"),
    ] {
        let path = cluster.directory.join("mine.yaml");
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: { name: mine, labels: { addon.ringfort.dev/agent: 'true' } }\n";
        std::fs::write(&path, namespace).unwrap();
        let path = path.display().to_string();
        let arguments: Vec<&str> =
            arguments.iter().map(|word| if *word == "mine.yaml" { &*path } else { word }).collect();
        let said = cluster.kubectl(&arguments);
        let named = format!("ValidatingAdmissionPolicy '{guard}");
        assert!(said.stderr.contains(&named), "{arguments:?}: {}{}", said.stdout, said.stderr);
    }
}

/// What a network of one's own does to a machine: plugins and their configuration, a range of the
/// machine's own, and the ways to the others.
fn network_of(number: usize, members: &[(String, String)]) -> String {
    let routes: String = (0..)
        .zip(members)
        .filter(|(other, _)| *other != number)
        .map(|(other, (_, address))| {
            format!("ip route replace 10.99.{other}.0/24 via {address} &&")
        })
        .collect();
    let bridge = format!(
        r#"{{"type":"bridge","bridge":"own0","isGateway":true,"hairpinMode":true,"ipam":{{"type":"host-local","ranges":[[{{"subnet":"10.99.{number}.0/24"}}]],"routes":[{{"dst":"0.0.0.0/0"}}]}}}}"#
    );
    let list = format!(r#"{{"cniVersion":"1.0.0","name":"own","plugins":[{bridge}]}}"#);
    format!(
        "for _ in $(seq 600); do test -e /var/lib/kubelet/config.yaml && break; sleep 0.2; done; \
         cd /var/lib/ringfort/seed/files && cp bridge host-local loopback /opt/cni/bin/ && {routes} \
         printf %s '{list}' >/etc/cni/net.d/10-own.conflist"
    )
}

pub fn own_network(cluster: &Cluster) {
    let plain = std::fs::read_to_string(cluster.spec()).unwrap();
    let network = "network: { provider: none, pods: 10.99.0.0/16 }\n";
    // This network enforces no policies, and says so.
    let waiver = |control: &str| {
        format!("  - {{ control: {control}, reason: none yet, owner: us, expires: 2099-12-31 }}\n")
    };
    let waivers = ["network/default-deny", "network/network-policy"].map(waiver).concat();
    let plain = plain.replacen("waivers:\n", &format!("waivers:\n{waivers}"), 1);
    std::fs::write(cluster.spec(), format!("{plain}{network}")).unwrap();
    let members = cluster.members();
    assert_eq!(members.len(), MACHINES.len(), "{members:?}");
    let up = std::thread::scope(|scope| {
        for (number, (machine, _)) in members.iter().enumerate() {
            let script = network_of(number, &members);
            scope.spawn(move || cluster.on(machine, &script));
        }
        let up = cluster.ringfort("up", &[]);
        well(&up);
        up
    });
    println!("     up with a network of one's own: {}", up.end());
    nothing_planned(cluster);
    let old = cluster.old_kubeconfig();
    if old.exists() {
        opens_nothing(cluster, &old);
    }
}

/// A kubeconfig of the cluster before opens nothing of this one, whatever its client believes of the server.
fn opens_nothing(cluster: &Cluster, old: &Path) {
    let text = std::fs::read_to_string(old).unwrap();
    let without: Vec<&str> =
        text.lines().filter(|line| !line.contains("certificate-authority-data")).collect();
    std::fs::write(old, without.join("\n")).unwrap();
    let path = old.to_str().unwrap();
    let ask = ["--kubeconfig", path, "--insecure-skip-tls-verify", "get", "nodes"];
    let asked = cluster.kubectl(&ask);
    assert_ne!(asked.code, Some(0), "{}", asked.stdout);
    assert!(asked.stderr.contains("must be logged in"), "{}", asked.stderr);
}
