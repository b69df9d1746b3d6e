//! Which machines must reach which ports of others, and what it means when they do not.
//!
//! Machines that are new to the cluster open the ports that it will need for the time of the test;
//! a machine that carries the cluster already is only connected to, and what it refuses is a
//! stopped component, which converging puts right. Its WireGuard answers nobody whose key it does not
//! know, so datagrams are tried between new machines alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfort_model::blueprint::Role;
use ringfort_model::name::NodeName;
use ringfort_model::reach::{
    API_PORT, ETCD_PEER_PORT, ETCD_PORT, Port, Reach, Target, Transport, WITNESS_PORT,
};
use ringfort_model::tunnel::TUNNEL_PORT;
use ringfort_spec::Routes;

use super::{Candidate, Finding, Terms, Weight};
use crate::carriage::WIREGUARD;

const KUBELET_PORT: u16 = 10250;
const VXLAN_PORT: Port = Port::udp(4789);

/// What one machine has to do for the test.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Part {
    /// The ports that it opens.
    pub opens: Vec<Port>,
    /// The ports of others that it tries.
    pub tries: Vec<Target>,
}

/// Says what each machine has to do. Between machines that carry the cluster already nothing is
/// tried: the cluster itself shows it.
pub fn parts(
    terms: &Terms,
    candidates: &BTreeMap<NodeName, Candidate>,
) -> BTreeMap<NodeName, Part> {
    let is_new = |c: &Candidate| c.survey.cluster.as_ref() != Some(&terms.cluster);
    let tunnel = may_encrypt(terms, candidates).then_some(Port::udp(TUNNEL_PORT));
    let in_vxlan = in_vxlan(terms, candidates);
    let part = |(from, here): (&NodeName, &Candidate)| {
        let others =
            candidates.iter().filter(|(to, there)| *to != from && (is_new(here) || is_new(there)));
        let tries = others.flat_map(|(_, there)| {
            let vxlan = in_vxlan(here, there).then_some(VXLAN_PORT);
            let (tunnel, vxlan) = match is_new(here) && is_new(there) {
                true => (tunnel, vxlan),
                false => (None, None),
            };
            needed(here.role, there.role)
                .chain(tunnel)
                .chain(vxlan)
                .map(|port| port.of(there.address))
        });
        let vxlan = candidates.values().any(|there| in_vxlan(here, there)).then_some(VXLAN_PORT);
        let is_free = |port: &Port| {
            port.transport == Transport::Udp || !here.survey.busy_ports.contains_key(&port.number)
        };
        let opens = match is_new(here) {
            true => ports(here.role).chain(tunnel).chain(vxlan).filter(is_free).collect(),
            false => Vec::new(),
        };
        (from.clone(), Part { opens, tries: tries.collect() })
    };
    candidates.iter().map(part).collect()
}

/// Says whether packets of pods may come to travel by WireGuard: every kernel has to have it.
fn may_encrypt(terms: &Terms, candidates: &BTreeMap<NodeName, Candidate>) -> bool {
    let has_it = |c: &Candidate| c.survey.features.get(WIREGUARD) == Some(&true);
    terms.own_network && terms.encrypts && candidates.values().all(has_it)
}

/// Says between which machines packets of pods travel in VXLAN.
pub(super) fn in_vxlan(
    terms: &Terms,
    candidates: &BTreeMap<NodeName, Candidate>,
) -> impl Fn(&Candidate, &Candidate) -> bool {
    let is_open = terms.own_network && !may_encrypt(terms, candidates);
    let routes = terms.routes;
    // Of a machine whose address no link carries nobody knows; that is a finding of its own.
    let is_beyond = |here: &Candidate, there: &Candidate| {
        let segment = here.survey.segment_of(here.address);
        segment.is_some_and(|segment| !segment.contains(there.address))
    };
    move |here, there| {
        let in_it = match routes {
            Routes::Direct => false,
            Routes::Vxlan => here.address != there.address,
            Routes::Auto => is_beyond(here, there) || is_beyond(there, here),
        };
        is_open && in_it
    }
}

/// The ports that a machine serves to others.
fn ports(role: Role) -> impl Iterator<Item = Port> {
    needed(Role::ControlPlane, role)
}

/// The ports of one machine that another needs.
fn needed(from: Role, to: Role) -> impl Iterator<Item = Port> {
    let planes = from == Role::ControlPlane && to == Role::ControlPlane;
    let etcd = [ETCD_PORT, ETCD_PEER_PORT].into_iter().filter(move |_| planes);
    // Control planes see each other's logs there, and take what agents of all machines found.
    let api = [API_PORT, WITNESS_PORT].into_iter().filter(move |_| to == Role::ControlPlane);
    let kubelet = (from == Role::ControlPlane).then_some(KUBELET_PORT);
    etcd.chain(api).chain(kubelet).map(Port::tcp)
}

/// What was found out.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// What came of the ports of others, by who tried them.
    pub reached: BTreeMap<NodeName, Vec<(Target, Reach)>>,
    /// Ports that could not be opened, and why.
    pub closed: BTreeMap<NodeName, Vec<(Port, String)>>,
}

impl Tried {
    /// Says why a port could not be opened, if it could not.
    fn why_closed(&self, node: &NodeName, port: Port) -> Option<&str> {
        let closed = self.closed.get(node)?;
        closed.iter().find(|(closed, _)| *closed == port).map(|(_, why)| why.as_str())
    }
}

/// Judges what was found out.
pub fn judge(
    terms: &Terms,
    candidates: &BTreeMap<NodeName, Candidate>,
    tried: &Tried,
) -> Vec<Finding> {
    let by_address: BTreeMap<IpAddr, (&NodeName, &Candidate)> =
        candidates.iter().map(|(node, c)| (c.address, (node, c))).collect();
    let (mut findings, mut held) = (Vec::new(), BTreeSet::new());
    for (from, part) in parts(terms, candidates) {
        let told: BTreeMap<_, _> =
            tried.reached.get(&from).into_iter().flatten().cloned().collect();
        let mut troubles: BTreeMap<(&NodeName, String, Transport), BTreeSet<u16>> = BTreeMap::new();
        for target in &part.tries {
            let Some((to, there)) = by_address.get(&target.address) else { continue };
            let carries = there.survey.cluster.as_ref() == Some(&terms.cluster);
            let trouble = match told.get(target) {
                Some(Reach::Whole | Reach::Connected) => continue,
                Some(Reach::Refused) if carries => continue,
                Some(trouble) => trouble.to_string(),
                None => "it was not tried".to_owned(),
            };
            // Whoever holds the port is in the way, and nobody's firewall.
            if let Some(why) = tried.why_closed(to, target.port) {
                held.insert((*to, target.port, why));
                continue;
            }
            let Port { transport, number } = target.port;
            troubles.entry((*to, trouble, transport)).or_default().insert(number);
        }
        for ((to, trouble, transport), ports) in troubles {
            let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
            let (ports, address) = (ports.join(", "), candidates[to].address);
            let text = format!(
                "{to} ({address}) is not reached on {transport} {ports}: {trouble}: open these ports between the machines, and look at routes and MTU"
            );
            findings.push(Finding { node: Some(from.clone()), text, weight: Weight::Run });
        }
    }
    findings.extend(held.into_iter().map(|(node, Port { transport, number }, why)| Finding {
        node: Some(node.clone()),
        text: format!("{transport} {number} cannot be opened: {why}: stop what holds it"),
        weight: Weight::Run,
    }));
    findings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ringfort_model::blueprint::Role;
    use ringfort_model::name::NodeName;
    use ringfort_model::reach::{Port, Reach, Target};
    use ringfort_model::survey::{LinkSeen, Survey};
    use ringfort_spec::Routes;

    use super::super::{Candidate, KernelTerms, Terms, Weight};
    use super::{Tried, judge, parts};

    fn terms() -> Terms {
        Terms {
            cluster: "harbour".into(),
            own_network: true,
            encrypts: true,
            routes: Routes::Auto,
            tools: Vec::new(),
        }
    }

    fn name(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    /// Two control planes and a worker; the clusters that they say they belong to.
    fn three(clusters: [Option<&str>; 3]) -> BTreeMap<NodeName, Candidate> {
        let machines = [
            ("cp1", 1, Role::ControlPlane),
            ("cp2", 2, Role::ControlPlane),
            ("w1", 3, Role::Worker),
        ];
        let candidate = |((node, number, role), cluster): ((&str, u8, Role), Option<&str>)| {
            let survey = Survey { cluster: cluster.map(str::to_owned), ..Survey::default() };
            let address = [10, 0, 0, number].into();
            let kernel = KernelTerms { cgroup_v1: false, apparmor: true, user_namespaces: true };
            (name(node), Candidate { role, address, kernel, survey, asked_ms: 0 })
        };
        machines.into_iter().zip(clusters).map(candidate).collect()
    }

    fn answers(
        candidates: &BTreeMap<NodeName, Candidate>,
        answer: impl Fn(&NodeName, &Target) -> Reach,
    ) -> Tried {
        let each = |(node, part): (NodeName, super::Part)| {
            let told = part.tries.iter().map(|to| (*to, answer(&node, to))).collect();
            (node, told)
        };
        let reached = parts(&terms(), candidates).into_iter().map(each).collect();
        Tried { reached, ..Tried::default() }
    }

    #[test]
    fn each_role_opens_and_tries_what_it_needs() {
        let parts = parts(&terms(), &three([None; 3]));
        assert_eq!(parts[&name("cp1")].opens, [2379, 2380, 6443, 6445, 10250].map(Port::tcp));
        assert_eq!(parts[&name("w1")].opens, [Port::tcp(10250)]);
        let tries = |node: &str| -> Vec<String> {
            parts[&name(node)].tries.iter().map(|to| to.socket().to_string()).collect()
        };
        let of_w1 = ["10.0.0.1:6443", "10.0.0.1:6445", "10.0.0.2:6443", "10.0.0.2:6445"];
        assert_eq!(tries("w1"), of_w1);
        let of_cp2 = [
            "10.0.0.1:2379",
            "10.0.0.1:2380",
            "10.0.0.1:6443",
            "10.0.0.1:6445",
            "10.0.0.1:10250",
            "10.0.0.3:10250",
        ];
        assert_eq!(tries("cp2"), of_cp2);
    }

    #[test]
    fn what_wireguard_needs_is_tried_between_new_machines_that_all_have_it() {
        let able = |clusters, all| {
            let mut machines = three(clusters);
            for (node, candidate) in &mut machines {
                let has_it = all || node.as_str() != "w1";
                candidate.survey.features.insert("wireguard".to_owned(), has_it);
            }
            machines
        };
        let tunnel = Port::udp(51882);
        let tried = |terms: &Terms, machines: &BTreeMap<_, _>| -> Vec<(String, usize)> {
            let tries =
                |part: &super::Part| part.tries.iter().filter(|to| to.port == tunnel).count();
            let parts = parts(terms, machines);
            let open = parts.iter().filter(|(_, part)| part.opens.contains(&tunnel));
            open.map(|(node, part)| (node.to_string(), tries(part))).collect()
        };
        let all = ["cp1", "cp2", "w1"].map(|node| (node.to_owned(), 2));
        let machines = able([None; 3], true);
        assert_eq!(tried(&terms(), &machines), all);
        assert_eq!(tried(&Terms { encrypts: false, ..terms() }, &machines), []);
        assert_eq!(tried(&Terms { own_network: false, ..terms() }, &machines), []);
        assert!(tried(&terms(), &able([None; 3], false)).is_empty());
        // What carries the cluster holds the port, and its kernel answers no stranger.
        let grown = able([Some("harbour"), None, None], true);
        assert_eq!(tried(&terms(), &grown), [("cp2".to_owned(), 1), ("w1".to_owned(), 1)]);
        let closed = answers(&machines, |_, to| match to.port == tunnel {
            true => Reach::Silent,
            false => Reach::Whole,
        });
        let findings = judge(&terms(), &machines, &closed);
        assert!(
            findings[0].text.contains("is not reached on UDP 51882: no answer"),
            "{findings:?}"
        );
        assert_eq!(findings.len(), 6);
        // Whoever holds the port is named, and nobody's firewall is.
        let in_use = BTreeMap::from([(name("w1"), vec![(tunnel, "address in use".to_owned())])]);
        let held = Tried { closed: in_use.clone(), ..closed };
        let findings = judge(&terms(), &machines, &held);
        let last = findings.last().unwrap();
        assert_eq!(last.text, "UDP 51882 cannot be opened: address in use: stop what holds it");
        assert_eq!(findings.len(), 5, "{findings:?}");
        // A run that was just ended may hold it still, and answers.
        let answers = answers(&machines, |_, _| Reach::Whole);
        assert_eq!(judge(&terms(), &machines, &Tried { closed: in_use, ..answers }), []);
    }

    #[test]
    fn what_vxlan_needs_is_tried_where_packets_will_travel_in_it() {
        let mut machines = three([None; 3]);
        for (node, candidate) in &mut machines {
            // The worker is behind a router.
            if node.as_str() == "w1" {
                candidate.address = [10, 0, 1, 3].into();
            }
            let addresses = vec![(candidate.address, 24)];
            candidate.survey.links = Some(vec![LinkSeen { addresses, ..LinkSeen::default() }]);
        }
        let tried = |terms: &Terms, machines: &BTreeMap<_, _>| -> Vec<(String, usize)> {
            let vxlan = Port::udp(4789);
            let parts = parts(terms, machines).into_iter();
            let open = parts.filter(|(_, part)| part.opens.contains(&vxlan));
            open.map(|(node, part)| {
                (node.to_string(), part.tries.iter().filter(|to| to.port == vxlan).count())
            })
            .collect()
        };
        let each = |counts: [usize; 3]| -> Vec<_> {
            ["cp1", "cp2", "w1"].map(str::to_owned).into_iter().zip(counts).collect()
        };
        assert_eq!(tried(&terms(), &machines), each([1, 1, 2]));
        assert_eq!(tried(&Terms { routes: Routes::Vxlan, ..terms() }, &machines), each([2, 2, 2]));
        assert_eq!(tried(&Terms { routes: Routes::Direct, ..terms() }, &machines), []);
        assert_eq!(tried(&Terms { own_network: false, ..terms() }, &machines), []);
        for candidate in machines.values_mut() {
            candidate.survey.features.insert("wireguard".to_owned(), true);
        }
        assert_eq!(tried(&terms(), &machines), []);
        assert_eq!(tried(&Terms { encrypts: false, ..terms() }, &machines), each([1, 1, 2]));
    }

    #[test]
    fn a_running_cluster_opens_nothing_and_tries_only_newcomers() {
        let ours = Some("harbour");
        let parts = parts(&terms(), &three([ours, ours, None]));
        assert!(parts[&name("cp1")].opens.is_empty());
        assert_eq!(parts[&name("cp1")].tries, [Port::tcp(10250).of([10, 0, 0, 3].into())]);
        assert_eq!(parts[&name("w1")].opens, [Port::tcp(10250)]);
        assert_eq!(parts[&name("w1")].tries.len(), 4);
    }

    #[test]
    fn a_way_that_is_closed_is_one_finding() {
        let machines = three([None; 3]);
        let whole = answers(&machines, |_, _| Reach::Whole);
        assert_eq!(judge(&terms(), &machines, &whole), []);
        let closed =
            answers(&machines, |from, to| match from.as_str() == "cp2" && to.port.number < 3000 {
                true => Reach::Silent,
                false => Reach::Whole,
            });
        let findings = judge(&terms(), &machines, &closed);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].text.contains("cp1 (10.0.0.1) is not reached on TCP 2379, 2380"));
        assert_eq!(findings[0].weight, Weight::Run);
    }

    #[test]
    fn what_was_not_tried_is_no_pass() {
        let machines = three([None; 3]);
        let findings = judge(&terms(), &machines, &Tried::default());
        assert_eq!(findings.len(), 6, "{findings:?}");
        assert!(findings.iter().all(|finding| finding.text.contains("not tried")));
    }

    #[test]
    fn a_stopped_component_is_no_closed_way() {
        let ours = Some("harbour");
        let machines = three([ours, ours, None]);
        let refused = answers(&machines, |_, _| Reach::Refused);
        let findings = judge(&terms(), &machines, &refused);
        assert!(findings.iter().all(|finding| finding.text.contains("w1")), "{findings:?}");
        assert_eq!(findings.len(), 2);
    }
}
