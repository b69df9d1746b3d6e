//! What ports refuse, tried one greeting and one certificate at a time.
//!
//! In TLS 1.3 a client believes that it is connected before the server has looked at its certificate:
//! so each try sends a request, and only what comes back says whether it was let in.

use std::net::SocketAddr;

use ringfort_model::act::{Act, Credential, Dial, Dialled, Ended, Flaw, Hello, Next, Seen};
use ringfort_model::certificate::Authority;
use ringfort_model::name::NodeName;
use ringfort_model::reach::{API_PORT, WITNESS_PORT};

use super::{Course, Gaps, Scene, fail, words};

/// A port that speaks TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Port {
    /// Whose it is.
    pub(crate) component: &'static str,
    /// Its number.
    pub(crate) number: u16,
    /// Whether it is on the machine's loopback only.
    pub(crate) loopback: bool,
    /// Whether workers have it too.
    pub(crate) everywhere: bool,
    /// Who signed its certificate.
    pub(crate) server: Authority,
    /// Who signs those that it lets in.
    pub(crate) client: Authority,
    /// A path that only those are answered.
    pub(crate) path: &'static str,
    /// In which way it refuses everybody else.
    refuses: Refuses,
}

/// In which way a port refuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Refuses {
    /// Servers of Kubernetes let every client in and answer it with a status.
    Status,
    /// etcd ends the conversation, and asks no more of its clients than who signed for them.
    Alert,
    /// ringfort's own ends the conversation with alerts of its own library, and answers those it does not hear with a
    /// status.
    OwnAlert,
}

const fn of_kubernetes(component: &'static str, number: u16, path: &'static str) -> Port {
    let (server, client) = (Authority::Cluster, Authority::Cluster);
    let refuses = Refuses::Status;
    Port { component, number, loopback: false, everywhere: false, server, client, path, refuses }
}

/// etcd, for its clients.
pub(crate) const ETCD_CLIENT: Port = Port {
    server: Authority::EtcdClient,
    client: Authority::EtcdClient,
    refuses: Refuses::Alert,
    ..of_kubernetes("etcd", 2379, "/version")
};
/// etcd, for its members.
pub(crate) const ETCD_PEER: Port = Port {
    server: Authority::EtcdPeer,
    client: Authority::EtcdPeer,
    refuses: Refuses::Alert,
    ..of_kubernetes("etcd", 2380, "/members")
};
/// The API server.
pub(crate) const API: Port =
    of_kubernetes("kube-apiserver", API_PORT, "/api/v1/namespaces/kube-system/secrets");
/// The controller manager.
pub(crate) const CONTROLLER_MANAGER: Port =
    Port { loopback: true, ..of_kubernetes("kube-controller-manager", 10257, "/metrics") };
/// The scheduler.
pub(crate) const SCHEDULER: Port =
    Port { loopback: true, ..of_kubernetes("kube-scheduler", 10259, "/metrics") };
/// Each kubelet.
pub(crate) const KUBELET: Port =
    Port { everywhere: true, ..of_kubernetes("kubelet", 10250, "/pods") };
/// Where a control plane hears of another's checkpoints.
pub(crate) const WITNESS: Port = Port {
    refuses: Refuses::OwnAlert,
    ..of_kubernetes("ringfort-witness", WITNESS_PORT, "/healthz")
};
/// All of them.
pub(crate) const PORTS: [Port; 7] =
    [ETCD_CLIENT, ETCD_PEER, API, CONTROLLER_MANAGER, SCHEDULER, KUBELET, WITNESS];

impl Port {
    /// Where the port is, machine by machine.
    pub(crate) fn places(self, scene: &Scene) -> Vec<(NodeName, SocketAddr)> {
        let machines: Vec<&NodeName> = match self.everywhere {
            true => scene.machines().collect(),
            false => scene.control_planes.iter().collect(),
        };
        let at = |node: &NodeName| match self.loopback {
            true => Some(SocketAddr::from(([127, 0, 0, 1], self.number))),
            false => Some(SocketAddr::new(*scene.addresses.get(node)?, self.number)),
        };
        machines.into_iter().filter_map(|node| Some((node.clone(), at(node)?))).collect()
    }

    /// Speaks with the port on every machine that has it, from the machine itself.
    pub(crate) fn dial(self, scene: &Scene, hello: Hello, shows: Shown) -> Vec<Act> {
        let shows = shows.map(|(authority, flaw)| Credential { authority, flaw });
        let one = |(from, to): (NodeName, SocketAddr)| {
            let (expects, path) = (self.server, self.path.to_owned());
            Act::Dial(Dial { from, to, hello, expects, shows, path })
        };
        self.places(scene).into_iter().map(one).collect()
    }

    /// Every authority that does not sign the port's clients.
    fn others(self) -> impl Iterator<Item = Authority> {
        Authority::ALL.into_iter().filter(move |authority| *authority != self.client)
    }
}

/// A certificate that is shown, by who signed it and what is wrong with it.
type Shown = Option<(Authority, Flaw)>;

/// One try at a port, and how the port has to refuse it.
pub(crate) struct Knock {
    /// What is tried, in words.
    pub(crate) what: String,
    hello: Hello,
    shows: Shown,
    refusal: Refusal,
}

/// How a port refuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Refusal {
    /// By a status of HTTP.
    Status(&'static [u16]),
    /// By an alert of TLS (RFC 8446, 6.2), or an end of the connection that comes before the alert does.
    Alert(&'static str),
    /// By no answer.
    Silence,
}

/// What is tried at a port, and how it has to refuse it.
pub(crate) fn knocks(port: Port) -> Vec<Knock> {
    let knock = |what: &str, shows: Shown, refusal| Knock {
        what: what.to_owned(),
        hello: Hello::Tls13,
        shows,
        refusal,
    };
    let own = |flaw| Some((port.client, flaw));
    let Refusals { plain, unnamed, stranger, expired, server, other } = port.refuses.refusals();
    let mut knocks = vec![
        Knock { hello: Hello::Plain, ..knock("a request without TLS", None, plain) },
        knock("a client without a certificate", None, unnamed),
        knock("a certificate of a stranger", own(Flaw::Stranger), stranger),
        knock("an expired certificate", own(Flaw::Expired), expired),
        knock("a server's certificate", own(Flaw::WrongUsage), server),
    ];
    if port.refuses != Refuses::Alert {
        let unbound = own(Flaw::Unbound);
        knocks.push(knock("a user whom no role binds", unbound, Refusal::Status(&[403])));
    }
    knocks.extend(port.others().map(|authority| {
        let what = format!("a certificate of {}", authority.common_name());
        knock(&what, Some((authority, Flaw::None)), other)
    }));
    knocks
}

/// How each thing that is tried has to be refused.
struct Refusals {
    plain: Refusal,
    unnamed: Refusal,
    stranger: Refusal,
    expired: Refusal,
    server: Refusal,
    other: Refusal,
}

impl Refuses {
    fn refusals(self) -> Refusals {
        let by_alert = Refusals {
            plain: Refusal::Silence,
            unnamed: Refusal::Alert("CertificateRequired"),
            stranger: Refusal::Alert("UnknownCA"),
            expired: Refusal::Alert("CertificateExpired"),
            server: Refusal::Alert("BadCertificate"),
            other: Refusal::Alert("UnknownCA"),
        };
        match self {
            Self::Status => Refusals {
                plain: Refusal::Status(&[400]),
                unnamed: Refusal::Status(&[401, 403]),
                stranger: Refusal::Status(&[401]),
                expired: Refusal::Status(&[401]),
                server: Refusal::Status(&[401]),
                other: Refusal::Status(&[401]),
            },
            Self::Alert => by_alert,
            // A stranger's authority has the name of the cluster's, and another key.
            Self::OwnAlert => Refusals {
                stranger: Refusal::Alert("DecryptError"),
                server: Refusal::Alert("UnsupportedCertificate"),
                ..by_alert
            },
        }
    }
}

impl Refusal {
    /// Whether a port refused so.
    fn is(self, end: &Ended) -> bool {
        match (self, end) {
            (Self::Status(statuses), Ended::Answered { status }) => statuses.contains(status),
            (Self::Alert(alert), Ended::BrokenOff { how }) => {
                how.strip_prefix("alert ") == Some(alert) || is_cut(how)
            }
            (Self::Silence, Ended::BrokenOff { .. }) => true,
            _ => false,
        }
    }
}

/// Whether a connection was cut, so that what was said before may be lost.
fn is_cut(how: &str) -> bool {
    how.contains("reset by peer") || how.contains("roken pipe")
}

/// Shows that ports let in who should be, and nobody else. Gives how often that was tried.
pub(crate) fn shut(course: &mut Course<'_>, scene: &Scene, ports: &[Port]) -> Result<usize, Next> {
    let proper = |port: &Port| port.dial(scene, Hello::Tls13, Some((port.client, Flaw::None)));
    let mut gaps = Gaps::default();
    // Who refuses everybody has shown nothing.
    for (act, seen) in course.step(ports.iter().flat_map(proper).collect())? {
        match seen {
            Seen::Dialled(Dialled { end: Ended::Answered { status: 200 }, .. }) => {}
            Seen::Dialled(Dialled { end: Ended::Distrusted { why }, .. }) => {
                let said = format!("{}: its certificate is not the cluster's: {why}", place(act));
                return Err(fail(said, "ringfort up"));
            }
            other => {
                let said = format!("{}: who should be let in is not", place(act));
                gaps.add(format!("{said}: {}", answer(other)));
            }
        }
    }
    let mut acts = Vec::new();
    let mut whats = Vec::new();
    for port in ports {
        for Knock { what, hello, shows, refusal } in knocks(*port) {
            let knocking = port.dial(scene, hello, shows);
            whats.extend(knocking.iter().map(|_| (port.component, what.clone(), refusal)));
            acts.extend(knocking);
        }
    }
    for ((act, seen), (component, what, refusal)) in course.step(acts)?.iter().zip(&whats) {
        match seen {
            Seen::Dialled(Dialled { end, .. }) if refusal.is(end) => {}
            // What a server could not decide, it neither granted nor refused.
            Seen::Dialled(Dialled { end: Ended::Answered { status }, .. }) if *status < 429 => {
                let said = format!("{}: {component} answers {what} with {status}", place(act));
                return Err(fail(said, "are its flags the blueprint's? ringfort up"));
            }
            other => gaps.add(format!("{}: {component}, {what}: {}", place(act), answer(other))),
        }
    }
    gaps.close()?;
    Ok(whats.len())
}

/// Names where a conversation was.
pub(crate) fn place(act: &Act) -> String {
    match act {
        Act::Dial(dial) => format!("{} ({})", dial.from, dial.to),
        _ => String::new(),
    }
}

/// Says in words how a port answered.
pub(crate) fn answer(seen: &Seen) -> String {
    match seen {
        Seen::Dialled(dialled) => match &dialled.end {
            Ended::Closed => "nobody listens".to_owned(),
            Ended::Distrusted { why } => format!("its certificate is not trusted: {why}"),
            Ended::BrokenOff { how } => how.clone(),
            Ended::Answered { status } => format!("it answers {status}"),
        },
        other => words(other),
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::act::Ended;

    use super::{API, ETCD_CLIENT, Port, Refusal, WITNESS, knocks};

    fn refusal(port: Port, what: &str) -> Refusal {
        knocks(port).into_iter().find(|knock| knock.what == what).unwrap().refusal
    }

    #[test]
    fn each_port_refuses_in_its_own_way() {
        let broken = |how: &str| Ended::BrokenOff { how: how.to_owned() };
        let status = |status| Ended::Answered { status };
        let check = |port, what: &str, end: &Ended, expected: bool| {
            assert_eq!(refusal(port, what).is(end), expected, "{what}: {end:?}");
        };
        let (expired, plain) = ("an expired certificate", "a request without TLS");
        check(API, expired, &status(401), true);
        check(API, expired, &status(403), false);
        check(API, expired, &broken("reset by peer"), false);
        check(API, plain, &status(400), true);
        check(API, plain, &broken("it ended without an answer"), false);
        check(ETCD_CLIENT, expired, &broken("alert CertificateExpired"), true);
        check(ETCD_CLIENT, expired, &broken("alert InternalError"), false);
        check(ETCD_CLIENT, expired, &broken("Connection reset by peer"), true);
        check(ETCD_CLIENT, expired, &broken("it ended without an answer"), false);
        check(ETCD_CLIENT, expired, &status(401), false);
        check(ETCD_CLIENT, plain, &broken("it ended without an answer"), true);
        check(ETCD_CLIENT, plain, &Ended::Closed, false);
        let (stranger, unbound) = ("a certificate of a stranger", "a user whom no role binds");
        check(WITNESS, stranger, &broken("alert DecryptError"), true);
        check(WITNESS, stranger, &broken("alert UnknownCA"), false);
        check(WITNESS, stranger, &status(401), false);
        check(WITNESS, unbound, &status(403), true);
        check(WITNESS, unbound, &status(200), false);
        check(WITNESS, "a certificate of etcd-peer-ca", &broken("alert UnknownCA"), true);
    }
}
