//! A matrix of traffic: pods of three namespaces on two workers, policies of every sort for them, and what is
//! tried between all of them. What should come of each is read from the objects by the slow model.

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
        let (cp, w2) = (self.control_plane.address, self.workers[1].address);
        vec![
            policy(
                "matrix-a",
                "out",
                &json!({
                    "podSelector": {}, "policyTypes": ["Egress"],
                    "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [format!("{w2}/32")]}}]}],
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
                        {"from": [{"ipBlock": {"cidr": format!("{cp}/32")}}], "ports": [{"port": 8080}]},
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
                        {"to": [{"ipBlock": {"cidr": format!("{cp}/32")}}], "ports": [{"port": 6443}]},
                    ],
                }),
            ),
        ]
    }

    /// The machines' own ports that are tried.
    fn own_ports(&self) -> Vec<(IpAddr, u16)> {
        let kubelets = self.all().map(|machine| (machine.address, 10250));
        kubelets.chain([(self.control_plane.address, 6443)]).collect()
    }
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

/// Services of one pod each: which one is asked then is no chance.
fn services() -> Vec<Value> {
    let service = |namespace: &str, app: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": app},
            "spec": {"selector": {"app": app}, "ports": [
                {"name": "web", "port": 80, "targetPort": 8080},
                {"name": "voice", "port": 50, "targetPort": 5060, "protocol": "UDP"},
            ]},
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

/// An end of what is tried.
struct End<'a> {
    name: String,
    address: IpAddr,
    pod: Option<&'a Value>,
}

impl<'a> End<'a> {
    fn machine(machine: &Machine) -> Self {
        Self { name: machine.name.clone(), address: machine.address, pod: None }
    }

    fn pod(pod: &'a Value) -> Self {
        let text = |at: &str| pod.pointer(at).unwrap().as_str().unwrap();
        let name = format!("{}/{}", text("/metadata/namespace"), text("/metadata/name"));
        Self { name, address: text("/status/podIP").parse().unwrap(), pod: Some(pod) }
    }
}

/// Gives everything that is tried, with what should come of it.
pub(crate) fn tries(cluster: &Cluster, services: &[Value], machines: &Machines) -> Vec<Try> {
    let pods = || cluster.pods.iter().map(End::pod);
    let all = || pods().chain(machines.all().map(End::machine));
    let judge = |client: &End<'_>, server: &End<'_>, (protocol, port): (&'static str, u16), by| {
        let asked = Asked {
            cluster,
            client: client.pod,
            client_ip: client.address,
            server: server.pod,
            server_ip: server.address,
            protocol,
            port,
            by,
        };
        // A pod's own machine always reaches it.
        let is_own = client.pod.is_none()
            && server.pod.is_some_and(|pod| pod["spec"]["nodeName"] == client.name.as_str());
        Try {
            from: client.name.clone(),
            from_address: client.address,
            target: (server.address, port),
            protocol,
            to: (server.name.clone(), port),
            is_allowed: is_own || asked.egress(Closed(true)) && asked.ingress(Closed(true)),
        }
    };
    let mut tries = Vec::new();
    for client in all() {
        for server in pods().filter(|server| server.address != client.address) {
            tries.extend(PORTS.map(|at| judge(&client, &server, at, By::Address)));
        }
    }
    for client in pods() {
        for (address, port) in machines.own_ports() {
            let server = End { name: address.to_string(), address, pod: None };
            tries.push(judge(&client, &server, ("TCP", port), By::Address));
        }
        for service in services {
            let address = service["spec"]["clusterIP"].as_str().unwrap().parse().unwrap();
            let is_behind = |pod: &&Value| {
                pod["metadata"]["namespace"] == service["metadata"]["namespace"]
                    && pod["metadata"]["labels"]["app"] == service["spec"]["selector"]["app"]
            };
            let server = End::pod(cluster.pods.iter().find(is_behind).unwrap());
            // Whether a pod meets itself behind a Service is the affair of its network.
            if server.address == client.address {
                continue;
            }
            for (protocol, port, behind) in [("TCP", 80, 8080), ("UDP", 50, 5060)] {
                let judged = judge(&client, &server, (protocol, behind), By::Service);
                tries.push(Try { target: (address, port), ..judged });
            }
        }
    }
    tries
}
