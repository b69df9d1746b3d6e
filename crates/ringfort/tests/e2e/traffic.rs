//! Everything with everything, at once: what the slow model of policies says of a cluster, and what packets do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::addons::{image, with_addon};
use crate::cases;
use crate::cluster::Cluster;
use crate::objects;
use crate::pairs::{Machine, Machines, ON_MACHINES, PORTS, Try, tries};

/// What tries ports, and what answers on them, in the network of a pod: the probe knows no datagrams.
const KNOCK: &str = include_str!("traffic/knock.pl");
const ANSWER: &str = include_str!("traffic/answer.pl");

/// Finds the network of a pod by its address.
pub const NETWORK: &str = "
network() {
    for found in /run/netns/*; do
        nsenter --net=$found ip -o addr show | grep -qF -e \" inet $1/\" -e \" inet6 $1/\" &&
            echo $found && return
    done
    echo \"no network has $1\" >&2
    return 1
}";

/// How long all may take, and how often what should come through is tried.
const LIMIT: Duration = Duration::from_secs(60);
const ROUNDS: usize = 3;
/// How many questions are put to `ringfort netpol explain` as well.
const EXPLAINED: usize = 12;

/// The matrix with pods on their machines' networks beside the others: only an add-on may bring such pods.
pub fn matrix_on_machines(cluster: &Cluster) {
    let plain = std::fs::read_to_string(cluster.spec()).unwrap();
    let agent = on_machines(&image(cluster, "pause"));
    std::fs::write(cluster.directory.join("matrix-h.yaml"), agent).unwrap();
    std::fs::write(cluster.spec(), with_addon(&plain, ON_MACHINES.0)).unwrap();
    let up = cluster.ringfort("up", &[]);
    // The add-on stays until the next run, whatever becomes of this case.
    std::fs::write(cluster.spec(), plain).unwrap();
    cases::well(&up);
    let rollout = ["-n", ON_MACHINES.0, "rollout", "status", "daemonset/agent", "--timeout=90s"];
    well(cluster, &rollout);
    matrix(cluster);
    cases::well(&cluster.ringfort("up", &[]));
    well(cluster, &["delete", "namespace", ON_MACHINES.0]);
}

/// A pod on the network of each of the two workers. It listens on nothing by itself.
fn on_machines(image: &str) -> String {
    let (name, team) = ON_MACHINES;
    format!(
        "\
apiVersion: v1
kind: Namespace
metadata: {{ name: {name}, labels: {{ team: {team} }} }}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{ name: agent, namespace: {name} }}
spec:
  selector: {{ matchLabels: {{ app: agent }} }}
  template:
    metadata: {{ labels: {{ app: agent }} }}
    spec:
      hostNetwork: true
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions: [{{ key: kubernetes.io/hostname, operator: In, values: [w1, w2] }}]
      containers: [{{ name: agent, image: {image}, securityContext: {{ runAsUser: 0 }} }}]
"
    )
}

/// Pods on two workers, their machines, Services and NodePorts: what policies refuse never comes through, what they
/// allow does, and `ringfort netpol explain` says the same. What upstream leaves open goes as ringfort says of itself.
pub fn matrix(cluster: &Cluster) {
    let began = Instant::now();
    let machines = machines(cluster);
    make(cluster, &machines);
    let (objects, services) = seen(cluster);
    let found = tries(&objects, &services, &machines);
    let (tries, own) = (&found.all, &found.own);
    let both: Vec<Try> = tries.iter().chain(own).cloned().collect();
    let allowed = tries.iter().filter(|it| it.is_allowed).count();
    let refused = tries.len() - allowed;
    assert!(tries.len() >= 100 && allowed.min(refused) * 3 >= tries.len(), "{allowed}, {refused}");
    let places = places(&objects, &machines);
    serve(cluster, &objects);
    for round in 1..=ROUNDS {
        let answers = knock(cluster, &both, &places, &machines);
        let answer = |it: &Try| answers[&(it.from_address, target(it))].as_str();
        // Policies were there before the pods: what they refuse is refused from the beginning.
        let leaks: Vec<&Try> =
            both.iter().filter(|it| !it.is_allowed && answer(it) != "silent").collect();
        assert!(leaks.is_empty(), "round {round}: these came through: {leaks:#?}");
        let shut: Vec<&Try> =
            both.iter().filter(|it| it.is_allowed && answer(it) != "open").collect();
        if shut.is_empty() {
            break;
        }
        assert!(
            round < ROUNDS,
            "these did not come through (what upstream leaves open goes as docs/netpol.md says): {shut:#?}"
        );
    }
    let took = began.elapsed();
    println!(
        "     {allowed} tries came through and {refused} did not, as they should, after {took:.1?}"
    );
    for (open, count) in &found.left_open {
        println!("     {count} more went as ringfort says: upstream leaves open {open}");
    }
    explained(cluster, tries);
    end(cluster, &objects);
    assert!(took < LIMIT, "it took {took:.1?}");
}

fn well(cluster: &Cluster, arguments: &[&str]) -> String {
    let said = cluster.kubectl(arguments);
    assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.stderr);
    said.stdout
}

fn machines(cluster: &Cluster) -> Machines {
    let members: BTreeMap<String, String> = cluster.members().into_iter().collect();
    let machine =
        |name: &str| Machine { name: name.to_owned(), address: members[name].parse().unwrap() };
    Machines { control_plane: machine("cp1"), workers: ["w1", "w2"].map(machine) }
}

/// Makes all objects: namespaces first, then what waits for their accounts.
fn make(cluster: &Cluster, machines: &Machines) {
    let objects = machines.objects("ringfort.dev/probe:1");
    let (namespaces, others): (Vec<Value>, Vec<Value>) =
        objects.into_iter().partition(|object| object["kind"] == "Namespace");
    apply(cluster, &namespaces);
    for namespace in &namespaces {
        let name = namespace["metadata"]["name"].as_str().unwrap();
        let account = ["-n", name, "get", "serviceaccount", "default"];
        let began = Instant::now();
        while cluster.kubectl(&account).code != Some(0) {
            assert!(began.elapsed() < Duration::from_secs(10), "{name} has no account");
        }
    }
    apply(cluster, &others);
    for namespace in &namespaces {
        let name = namespace["metadata"]["name"].as_str().unwrap();
        let wait = ["-n", name, "wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s"];
        well(cluster, &wait);
    }
}

fn apply(cluster: &Cluster, objects: &[Value]) {
    let path = cluster.directory.join("matrix.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    std::fs::write(&path, list.to_string()).unwrap();
    well(cluster, &["apply", "-f", path.to_str().unwrap()]);
}

/// Reads what the API has of all that was made, and the Services.
fn seen(cluster: &Cluster) -> (objects::Cluster, Vec<Value>) {
    let of = |kind: &str| -> Vec<Value> {
        let listed = well(cluster, &["get", kind, "--all-namespaces", "-o", "json"]);
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let is_ours = |object: &&Value| {
            let place = ["namespace", "name"].map(|key| object["metadata"][key].as_str());
            place.into_iter().flatten().next().is_some_and(|it| it.starts_with("matrix-"))
        };
        listed["items"].as_array().unwrap().iter().filter(is_ours).cloned().collect()
    };
    let found = objects::Cluster {
        namespaces: of("namespaces"),
        pods: of("pods"),
        policies: of("networkpolicies"),
        wider: Vec::new(),
    };
    (found, of("services"))
}

/// The machine on which somebody who begins is, by his address.
fn places(objects: &objects::Cluster, machines: &Machines) -> BTreeMap<IpAddr, String> {
    let pods = objects.pods.iter().map(|pod| {
        (address(pod).parse().unwrap(), pod["spec"]["nodeName"].as_str().unwrap().to_owned())
    });
    pods.chain(machines.all().map(|machine| (machine.address, machine.name.clone()))).collect()
}

fn address(pod: &Value) -> &str {
    pod["status"]["podIP"].as_str().unwrap()
}

/// Lets every pod answer on every port.
fn serve(cluster: &Cluster, objects: &objects::Cluster) {
    let ports = PORTS.map(|(protocol, port)| format!("{},{port}", protocol.to_lowercase()));
    for worker in ["w1", "w2"] {
        let own = objects.pods.iter().filter(|pod| pod["spec"]["nodeName"] == worker);
        let each = own.map(|pod| {
            let address = address(pod);
            let (enter, within) = match pod["spec"]["hostNetwork"] == true {
                true => (String::new(), ""),
                false => {
                    let enter = format!("own=$(network {address}) || exit 1\n");
                    (enter, "nsenter --net=$own ")
                }
            };
            format!(
                "{enter}setsid timeout 180 {within}perl /run/answer.pl {address} {} \
                 >/dev/null 2>&1 </dev/null &\necho $! >>/run/answer.pids\n",
                ports.join(" ")
            )
        });
        let each: String = each.collect();
        cluster.on(worker, &format!("cat >/run/answer.pl <<'END'\n{ANSWER}END\n{NETWORK}\n{each}"));
    }
}

/// What is tried, as the program that tries it writes it.
fn target(it: &Try) -> String {
    format!("{},{},{}", it.protocol.to_lowercase(), it.target.0, it.target.1)
}

/// Tries everything from everywhere at once, and gives the answers.
fn knock(
    cluster: &Cluster,
    tries: &[Try],
    places: &BTreeMap<IpAddr, String>,
    machines: &Machines,
) -> BTreeMap<(IpAddr, String), String> {
    let own: BTreeSet<IpAddr> = machines.all().map(|machine| machine.address).collect();
    // A machine and a pod on its network are one to whom they knock at.
    let mut of_machine: BTreeMap<&str, BTreeMap<IpAddr, BTreeSet<String>>> = BTreeMap::new();
    for it in tries {
        let machine = of_machine.entry(&places[&it.from_address]).or_default();
        machine.entry(it.from_address).or_default().insert(target(it));
    }
    let own = &own;
    let said: Vec<String> = std::thread::scope(|scope| {
        let asked: Vec<_> = of_machine
            .iter()
            .map(|(machine, clients)| {
                scope.spawn(move || cluster.on(machine, &script(clients, own)))
            })
            .collect();
        asked.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let answer = |line: &str| {
        let [from, target, answer] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line:?} is no answer")
        };
        ((from.parse().unwrap(), target.to_owned()), answer.to_owned())
    };
    let found: BTreeMap<_, _> = said.iter().flat_map(|it| it.lines()).map(answer).collect();
    let untold = tries.iter().filter(|it| !found.contains_key(&(it.from_address, target(it))));
    assert_eq!(untold.count(), 0, "not everything was tried: {} answers", found.len());
    found
}

/// Has everybody on a machine try what is his: pods in their own networks, the machine in its.
fn script(clients: &BTreeMap<IpAddr, BTreeSet<String>>, machines: &BTreeSet<IpAddr>) -> String {
    let each = clients.iter().map(|(address, targets)| {
        let targets = targets.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let knock = format!("perl /run/knock.pl {targets} | sed 's/^/{address} /'");
        match machines.contains(address) {
            true => format!("{knock} &\n"),
            false => format!("own=$(network {address}) || exit 1\nnsenter --net=$own {knock} &\n"),
        }
    });
    let each: String = each.collect();
    format!("cat >/run/knock.pl <<'END'\n{KNOCK}END\n{NETWORK}\n{each}wait")
}

/// Asks `ringfort netpol explain` about some of what was tried.
fn explained(cluster: &Cluster, tries: &[Try]) {
    let some: Vec<&Try> = tries.iter().step_by(tries.len() / EXPLAINED).collect();
    std::thread::scope(|scope| {
        for it in some {
            scope.spawn(move || {
                let (own, other, way) = match it.from.split_once('/') {
                    Some(_) => (it.from.clone(), it.to.0.clone(), "--to"),
                    None => (it.to.0.clone(), it.from_address.to_string(), "--from"),
                };
                let port = format!("{}/{}", it.to.1, it.protocol.to_lowercase());
                let asked = ["explain", &own, way, &other, "--port", &port];
                let said = cluster.netpol(&asked);
                let expected = if it.is_allowed { 0 } else { 1 };
                assert_eq!(said.code, Some(expected), "{asked:?}: {}{}", said.stdout, said.stderr);
            });
        }
    });
}

/// Leaves nothing.
fn end(cluster: &Cluster, objects: &objects::Cluster) {
    for worker in ["w1", "w2"] {
        cluster.on(worker, "kill $(cat /run/answer.pids); rm -f /run/answer.* /run/knock.pl");
    }
    cluster.on("cp1", "rm -f /run/knock.pl");
    let names = objects.namespaces.iter().map(|it| it["metadata"]["name"].as_str().unwrap());
    let names = names.filter(|name| *name != ON_MACHINES.0);
    let delete: Vec<&str> =
        ["delete", "namespace", "--wait=false"].into_iter().chain(names).collect();
    well(cluster, &delete);
}
