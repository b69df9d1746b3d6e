//! A matrix of traffic: pods of three namespaces on two workers, policies of every sort for them, and what is
//! tried between all of them, their machines and NodePorts; with pods on their machines' networks where there are
//! some. What should come of each is read from the objects by the slow model.
//!
//! Upstream leaves two things open: whether a policy that selects a pod on its machine's network means it or just the
//! machine's address, and whether a policy sees what goes through a NodePort before or after its translation, at which
//! the node takes the place of who began (<https://kubernetes.io/docs/concepts/services-networking/network-policies/>).
//! The model reads each of these every way. Where the readings differ it is counted, and what should come of it is
//! ringfort's own to say: docs/netpol.md does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::model::{Asked, By, Closed};
use crate::objects::Cluster;

/// A machine, by its name and address.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
}

/// The machines of the matrix.
pub(crate) struct Machines {
    pub(crate) control_plane: Machine,
    pub(crate) workers: [Machine; 2],
}

/// The ports that every pod answers on.
pub(crate) const PORTS: [(&str, u16); 5] =
    [("TCP", 8080), ("TCP", 8081), ("TCP", 8085), ("UDP", 5060), ("UDP", 5061)];

/// The ports of Services, each with what it leads to.
const OF_SERVICES: [(u16, At); 2] = [(80, ("TCP", 8080)), (50, ("UDP", 5060))];

/// The pods: namespace, name, label, and the number of the worker.
const PODS: [(&str, &str, &str, usize); 7] = [
    ("matrix-a", "web-1", "web", 0),
    ("matrix-a", "web-2", "web", 1),
    ("matrix-a", "db", "db", 0),
    ("matrix-b", "web", "web", 0),
    ("matrix-b", "job", "job", 1),
    ("matrix-c", "idle-1", "idle", 0),
    ("matrix-c", "idle-2", "idle", 1),
];

/// The namespace of pods on their machines' networks, with its team, which policies select. Not everybody may make it.
pub(crate) const ON_MACHINES: (&str, &str) = ("matrix-h", "a");

/// The namespaces, each with its team.
const NAMESPACES: [(&str, &str); 3] = [("matrix-a", "a"), ("matrix-b", "b"), ("matrix-c", "c")];

impl Machines {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Machine> {
        [&self.control_plane].into_iter().chain(&self.workers)
    }

    /// Gives all objects, in an order in which they can be made.
    pub(crate) fn objects(&self, image: &str) -> Vec<Value> {
        let namespaces = NAMESPACES.iter().map(|(name, team)| {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": team}}})
        });
        let pods = PODS.iter().map(|(namespace, name, app, worker)| {
            let node = &self.workers[*worker].name;
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"namespace": namespace, "name": name, "labels": {"app": app}},
                "spec": {"nodeName": node, "containers": [container(image)]},
            })
        });
        namespaces.chain(self.policies()).chain(services()).chain(pods).collect()
    }

    /// Policies with all that a policy can say: selectors of both kinds, blocks with exceptions, named ports,
    /// ranges, both protocols and both ways. `matrix-c` has none, and so is closed.
    fn policies(&self) -> Vec<Value> {
        let [cp, w2] = [&self.control_plane, &self.workers[1]].map(|it| alone(it.address));
        let all = self.everywhere();
        vec![
            policy(
                "matrix-a",
                "out",
                &json!({
                    "podSelector": {}, "policyTypes": ["Egress"],
                    "egress": [{"to": [{"ipBlock": {"cidr": all, "except": [w2]}}]}],
                }),
            ),
            policy(
                "matrix-a",
                "web-in",
                &json!({
                    "podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"],
                    "ingress": [
                        {
                            "from": [{"namespaceSelector": {"matchExpressions": [
                                {"key": "team", "operator": "In", "values": ["a", "b"]},
                            ]}}],
                            "ports": [{"port": "http"}, {"port": 8081, "endPort": 8084}],
                        },
                        {
                            "from": [{"podSelector": {"matchLabels": {"app": "db"}}}],
                            "ports": [{"protocol": "UDP", "port": "sip"}],
                        },
                    ],
                }),
            ),
            policy(
                "matrix-a",
                "db-in",
                &json!({
                    "podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"],
                    "ingress": [
                        {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]},
                        {
                            "from": [{
                                "namespaceSelector": {"matchLabels": {"team": "b"}},
                                "podSelector": {"matchExpressions": [
                                    {"key": "app", "operator": "NotIn", "values": ["job"]},
                                ]},
                            }],
                            "ports": [{"port": 8080}, {"protocol": "UDP", "port": 5060, "endPort": 5061}],
                        },
                        {"from": [{"ipBlock": {"cidr": cp}}], "ports": [{"port": 8080}]},
                    ],
                }),
            ),
            policy(
                "matrix-b",
                "all",
                &json!({
                    "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
                    "ingress": [{}],
                    "egress": [
                        {
                            "to": [{
                                "namespaceSelector": {"matchLabels": {"team": "a"}},
                                "podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
                            }],
                            "ports": [{"port": "http"}, {"protocol": "UDP", "port": 5060, "endPort": 5061}],
                        },
                        {"to": [{"podSelector": {}}]},
                        {"to": [{"ipBlock": {"cidr": cp}}], "ports": [{"port": 6443}]},
                    ],
                }),
            ),
        ]
    }

    /// The range of all addresses of the machines' family.
    fn everywhere(&self) -> &'static str {
        if self.control_plane.address.is_ipv6() { "::/0" } else { "0.0.0.0/0" }
    }

    /// The machines' own ports that are tried.
    fn own_ports(&self) -> Vec<(IpAddr, u16)> {
        let kubelets = self.all().map(|machine| (machine.address, 10250));
        kubelets.chain([(self.control_plane.address, 6443)]).collect()
    }
}

/// The range of one address.
pub(crate) fn alone(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv6() { 128 } else { 32 })
}

/// What its probe answers on is nobody's business here.
fn container(image: &str) -> Value {
    json!({
        "name": "server", "image": image, "args": ["serve", ":9090"],
        "ports": [
            {"name": "http", "containerPort": 8080},
            {"name": "sip", "containerPort": 5060, "protocol": "UDP"},
        ],
        "readinessProbe": {"tcpSocket": {"port": 9090}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": false, "runAsNonRoot": true, "runAsUser": 65532,
            "capabilities": {"drop": ["ALL"]},
        },
    })
}

fn policy(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"namespace": namespace, "name": name}, "spec": spec,
    })
}

/// Services of one pod each, on every node: which one is asked then is no chance.
fn services() -> Vec<Value> {
    let port = |(number, (protocol, to)): (u16, At)| {
        let name = protocol.to_lowercase();
        json!({"name": name, "port": number, "targetPort": to, "protocol": protocol})
    };
    let service = |namespace: &str, app: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": app},
            "spec": {"type": "NodePort", "selector": {"app": app}, "ports": OF_SERVICES.map(port)},
        })
    };
    vec![service("matrix-a", "db"), service("matrix-b", "web")]
}

/// One thing that is tried.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    /// Who begins: a pod, by namespace and name, or a machine.
    pub(crate) from: String,
    /// The address it begins from.
    pub(crate) from_address: IpAddr,
    /// The address that is asked, which may be a Service's, and the port.
    pub(crate) target: (IpAddr, u16),
    /// The protocol.
    pub(crate) protocol: &'static str,
    /// Who is reached behind it, and the port there.
    pub(crate) to: (String, u16),
    /// Whether it should come through.
    pub(crate) is_allowed: bool,
}

/// All that is tried.
pub(crate) struct Tries<'a> {
    cluster: &'a Cluster,
    /// Each, with what should come of it.
    pub(crate) all: Vec<Try>,
    /// What upstream leaves open, each with what ringfort makes of it.
    pub(crate) own: Vec<Try>,
    /// How many those are, by what is left open.
    pub(crate) left_open: BTreeMap<&'static str, usize>,
}

/// What upstream leaves open.
pub(crate) const OPEN: [&str; 2] = [
    "whether a policy selects a pod on its machine's network",
    "whether a policy sees a NodePort before or after its translation",
];

/// An end of what is tried, as policies see it.
#[derive(Clone)]
struct End<'a> {
    name: String,
    address: IpAddr,
    pod: Option<&'a Value>,
    /// The machine whose network it uses.
    machine: Option<&'a str>,
}

/// A protocol and a port.
type At = (&'static str, u16);

impl<'a> End<'a> {
    fn machine(machine: &'a Machine) -> Self {
        let Machine { name, address } = machine;
        Self { name: name.clone(), address: *address, pod: None, machine: Some(name) }
    }

    fn address(address: IpAddr) -> Self {
        Self { name: address.to_string(), address, pod: None, machine: None }
    }

    fn pod(pod: &'a Value) -> Self {
        let text = |at: &str| pod.pointer(at).unwrap().as_str().unwrap();
        let name = format!("{}/{}", text("/metadata/namespace"), text("/metadata/name"));
        let machine = (pod["spec"]["hostNetwork"] == true).then(|| text("/spec/nodeName"));
        Self { name, address: text("/status/podIP").parse().unwrap(), pod: Some(pod), machine }
    }

    /// Gives the machine that it is on.
    fn node(&self) -> Option<&str> {
        self.machine.or_else(|| self.pod?["spec"]["nodeName"].as_str())
    }

    /// Gives it in every way in which an enforcer may see it, as ringfort does first.
    fn readings(&self) -> Vec<Self> {
        match (self.pod, self.machine) {
            (Some(_), Some(_)) => vec![Self { pod: None, ..self.clone() }, self.clone()],
            _ => vec![self.clone()],
        }
    }

    /// A pod's own machine always reaches it.
    fn is_own_machine_of(&self, server: &Self) -> bool {
        let is_its = |pod: &Value| pod["spec"]["nodeName"].as_str() == self.machine;
        self.pod.is_none()
            && self.machine.is_some()
            && server.machine.is_none()
            && server.pod.is_some_and(is_its)
    }

    /// What is closed without a policy is never a pod on its machine's network: that is ringfort's own to say.
    fn closed(&self) -> Closed {
        Closed(self.machine.is_none())
    }
}

/// Gives everything that is tried, with what should come of it.
pub(crate) fn tries<'a>(
    cluster: &'a Cluster,
    services: &[Value],
    machines: &'a Machines,
) -> Tries<'a> {
    let mut tries = Tries { cluster, all: Vec::new(), own: Vec::new(), left_open: BTreeMap::new() };
    let pods: Vec<End<'a>> = cluster.pods.iter().map(End::pod).collect();
    let all: Vec<End<'a>> = pods.iter().cloned().chain(machines.all().map(End::machine)).collect();
    for client in &all {
        for server in &pods {
            for (protocol, port) in PORTS {
                let target = (server.address, port);
                tries.straight((client, server), (protocol, port), target, By::Address);
            }
        }
    }
    for client in &pods {
        for target in machines.own_ports() {
            let server = End::address(target.0);
            tries.straight((client, &server), ("TCP", target.1), target, By::Address);
        }
    }
    for service in services {
        let address = service["spec"]["clusterIP"].as_str().unwrap().parse().unwrap();
        let is_behind = |end: &&End<'_>| {
            let metadata = &end.pod.unwrap()["metadata"];
            metadata["namespace"] == service["metadata"]["namespace"]
                && metadata["labels"]["app"] == service["spec"]["selector"]["app"]
        };
        let server = pods.iter().find(is_behind).unwrap();
        for (number, at) in OF_SERVICES {
            for client in &pods {
                tries.straight((client, server), at, (address, number), By::Service);
            }
            let ports = service["spec"]["ports"].as_array().unwrap();
            let port = ports.iter().find(|port| port["port"] == number).unwrap();
            let port = u16::try_from(port["nodePort"].as_u64().unwrap()).unwrap();
            for client in &all {
                for node in machines.all() {
                    tries.through((client, server), at, (node, port));
                }
            }
        }
    }
    tries
}

impl<'a> Tries<'a> {
    /// Adds what goes straight to who is reached, or through the address of a Service.
    fn straight(
        &mut self,
        (client, server): (&End<'a>, &End<'a>),
        at: At,
        target: (IpAddr, u16),
        by: By,
    ) {
        let servers = server.readings();
        let both = client.readings().into_iter().flat_map(|client| {
            servers.iter().map(move |server| (client.clone(), server)).collect::<Vec<_>>()
        });
        let says: Vec<bool> = both
            .map(|(client, server)| {
                self.leaves(&client, server, at, by) && self.enters(&client, server, at, by)
            })
            .collect();
        self.add((client, server), at, target, (says.as_slice(), OPEN[0]));
    }

    /// Adds what goes through a port of a node, which takes the place of who began on the way to the pod.
    fn through(
        &mut self,
        (client, server): (&End<'a>, &End<'a>),
        at: At,
        (node, port): (&'a Machine, u16),
    ) {
        let (target, node) = ((node.address, port), End::machine(node));
        let mut says = vec![self.own((client, server), at, (&node, port))];
        let mut of_readings = Vec::new();
        for client in client.readings() {
            let leaves = [
                self.leaves(&client, &node, (at.0, port), By::Service),
                self.leaves(&client, server, at, By::Service),
            ];
            let enters = [&client, &node].map(|from| self.enters(from, server, at, By::Service));
            let both = leaves.iter().flat_map(|leaves| enters.map(|enters| *leaves && enters));
            let both: BTreeSet<bool> = both.collect();
            says.extend(both.iter().copied());
            of_readings.push(both);
        }
        let is_of_client = of_readings.iter().any(|it| *it != of_readings[0]);
        let open = if is_of_client { OPEN[0] } else { OPEN[1] };
        self.add((client, server), at, target, (says.as_slice(), open));
    }

    /// Says what ringfort makes of what goes through a port of a node: on that node it sees who began and the pod that
    /// is reached, on any other the node at the end that it takes the place of.
    fn own(
        &self,
        (client, server): (&End<'a>, &End<'a>),
        at: At,
        (node, port): (&End<'a>, u16),
    ) -> bool {
        let began = client.readings().swap_remove(0);
        let leaves = match began.node() == node.node() {
            true => self.leaves(&began, server, at, By::Service),
            false => self.leaves(&began, node, (at.0, port), By::Service),
        };
        let from = if server.node() == node.node() { &began } else { node };
        leaves && self.enters(from, server, at, By::Service)
    }

    /// Adds a try, of which the first reading is ringfort's: apart where not all say the same of it.
    fn add(
        &mut self,
        (client, server): (&End<'a>, &End<'a>),
        (protocol, port): At,
        target: (IpAddr, u16),
        (says, open): (&[bool], &'static str),
    ) {
        // Whether a pod meets itself behind a Service is the affair of its network.
        if client.address == server.address {
            return;
        }
        let is_allowed = says[0];
        let of = match says.iter().any(|it| *it != is_allowed) {
            true => {
                *self.left_open.entry(open).or_default() += 1;
                &mut self.own
            }
            false => &mut self.all,
        };
        of.push(Try {
            from: client.name.clone(),
            from_address: client.address,
            target,
            protocol,
            to: (server.name.clone(), port),
            is_allowed,
        });
    }

    fn leaves(&self, client: &End<'a>, server: &End<'a>, at: At, by: By) -> bool {
        self.asked(client, server, at, by).egress(client.closed())
    }

    fn enters(&self, client: &End<'a>, server: &End<'a>, at: At, by: By) -> bool {
        client.is_own_machine_of(server)
            || self.asked(client, server, at, by).ingress(server.closed())
    }

    fn asked(&self, client: &End<'a>, server: &End<'a>, (protocol, port): At, by: By) -> Asked<'a> {
        Asked {
            cluster: self.cluster,
            client: client.pod,
            client_ip: client.address,
            server: server.pod,
            server_ip: server.address,
            protocol,
            port,
            by,
        }
    }
}
