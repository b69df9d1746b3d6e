//! Reads cluster-wide policies as the API writes them.

use ringfort_model::net::Cidr;
use ringfort_model::network_policy::WiderKind;
use serde::Deserialize;
use serde_json::Value;

use super::object::{Direction, Peer, Port, Protocol, Rule, range};
use super::selector::Selector;
use super::wider::{Action, Subject, Tier, WiderName, WiderPolicy, WiderRule};

/// Reads a cluster-wide policy; none of what has no name. What is not understood is kept as a doubt of the
/// rules that it bears on.
pub fn wider(kind: WiderKind, object: &Value) -> Option<(WiderName, WiderPolicy)> {
    let name = object.pointer("/metadata/name")?.as_str()?.to_owned();
    Some((WiderName { kind, name }, policy(kind, &object["spec"])))
}

fn policy(kind: WiderKind, spec: &Value) -> WiderPolicy {
    let mut doubts = Vec::new();
    let tier = tier(kind, spec).unwrap_or_else(|why| {
        doubts.push(why);
        Tier::Admin
    });
    let priority = priority(kind, spec).unwrap_or_else(|why| {
        doubts.push(why);
        0
    });
    let subject = subject(spec).unwrap_or_else(|why| {
        doubts.push(why);
        Subject::default()
    });
    doubts.extend(unknown_field(kind, spec));
    let rules = |direction| {
        let mut rules = rules(kind, spec, direction);
        if let Some(doubt) = doubts.first() {
            for rule in &mut rules {
                rule.means = Err(doubt.clone());
            }
        }
        rules
    };
    let (ingress, egress) = (rules(Direction::Ingress), rules(Direction::Egress));
    WiderPolicy { tier, priority, subject, ingress, egress }
}

fn tier(kind: WiderKind, spec: &Value) -> Result<Tier, String> {
    match (kind, spec["tier"].as_str()) {
        (WiderKind::Admin, None) | (WiderKind::Cluster, Some("Admin")) => Ok(Tier::Admin),
        (WiderKind::Baseline, None) | (WiderKind::Cluster, Some("Baseline")) => Ok(Tier::Baseline),
        _ => Err(format!("the tier {} is not known", spec["tier"])),
    }
}

fn priority(kind: WiderKind, spec: &Value) -> Result<u16, String> {
    if kind == WiderKind::Baseline {
        return Ok(0);
    }
    let number = spec["priority"].as_u64().and_then(|it| u16::try_from(it).ok());
    number.filter(|it| *it <= LAST_PRIORITY).ok_or_else(|| {
        format!("the priority {} is none from 0 to {LAST_PRIORITY}", spec["priority"])
    })
}

const LAST_PRIORITY: u16 = 1000;

fn unknown_field(kind: WiderKind, spec: &Value) -> Option<String> {
    let Some(fields) = spec.as_object() else { return Some("the policy has no spec".to_owned()) };
    let known: &[&str] = match kind {
        WiderKind::Cluster => &["subject", "ingress", "egress", "tier", "priority"],
        WiderKind::Admin => &["subject", "ingress", "egress", "priority"],
        WiderKind::Baseline => &["subject", "ingress", "egress"],
    };
    let unknown = fields.keys().find(|field| !known.contains(&field.as_str()))?;
    Some(format!("the field {unknown} is not known"))
}

fn subject(spec: &Value) -> Result<Subject, String> {
    let fail = |why: String| format!("the subject is not understood: {why}");
    let written =
        WrittenSubject::deserialize(&spec["subject"]).map_err(|it| fail(it.to_string()))?;
    match (written.namespaces, written.pods) {
        (Some(namespaces), None) => Ok(Subject { namespaces, pods: Selector::default() }),
        (None, Some(WrittenPods { namespaces, pods })) => Ok(Subject { namespaces, pods }),
        _ => Err(fail("it is either namespaces or pods".to_owned())),
    }
}

fn rules(kind: WiderKind, spec: &Value, direction: Direction) -> Vec<WiderRule> {
    let closed = |why: &str| WiderRule { name: None, action: Action::Deny, means: Err(why.into()) };
    match &spec[direction.word()] {
        Value::Null if spec.is_object() => Vec::new(),
        Value::Array(rules) => rules.iter().map(|it| rule(kind, it, direction)).collect(),
        _ => vec![closed("its rules are no list")],
    }
}

fn rule(kind: WiderKind, written: &Value, direction: Direction) -> WiderRule {
    let action = match (kind, written["action"].as_str()) {
        (WiderKind::Cluster, Some("Accept")) => Ok(Action::Accept),
        (WiderKind::Admin | WiderKind::Baseline, Some("Allow")) => Ok(Action::Accept),
        (_, Some("Deny")) => Ok(Action::Deny),
        (WiderKind::Cluster | WiderKind::Admin, Some("Pass")) => Ok(Action::Pass),
        _ => Err(format!("the action {} is not known", written["action"])),
    };
    let name = written["name"].as_str().map(str::to_owned);
    match action {
        Ok(action) => WiderRule { name, action, means: means(kind, written, direction) },
        Err(doubt) => WiderRule { name, action: Action::Deny, means: Err(doubt) },
    }
}

fn means(kind: WiderKind, written: &Value, direction: Direction) -> Result<Rule, String> {
    let written = WrittenRule::deserialize(written).map_err(|error| error.to_string())?;
    let (peers, stray) = match direction {
        Direction::Ingress => (written.from, written.to.is_some()),
        Direction::Egress => (written.to, written.from.is_some()),
    };
    let stray = stray
        || match kind {
            WiderKind::Cluster => written.ports.is_some(),
            WiderKind::Admin | WiderKind::Baseline => written.protocols.is_some(),
        };
    if stray {
        return Err("a field stands where it has no meaning".to_owned());
    }
    let peers = peers.filter(|all| !all.is_empty()).ok_or("a rule names no peers")?;
    let peers: Vec<Vec<Peer>> =
        peers.into_iter().map(|it| it.read(direction)).collect::<Result<_, _>>()?;
    let peers: Vec<Peer> = peers.into_iter().flatten().collect();
    let ports = match (written.protocols, written.ports) {
        (Some(all), _) => read_all(all, WrittenProtocol::read)?,
        (None, Some(all)) => read_all(all, WrittenPort::read)?,
        (None, None) => Vec::new(),
    };
    let is_of_pods = |peer: &Peer| matches!(peer, Peer::Pods { .. });
    let by_name = ports.iter().any(|port| matches!(port, Port::Name(..)));
    if by_name && !peers.iter().all(is_of_pods) {
        return Err("what is no pod has no ports with names".to_owned());
    }
    Ok(Rule { peers, ports })
}

fn read_all<T>(
    all: Vec<T>,
    read: impl Fn(T) -> Result<Vec<Port>, String>,
) -> Result<Vec<Port>, String> {
    if all.is_empty() {
        return Err("a list of ports is empty".to_owned());
    }
    let ports: Vec<Vec<Port>> = all.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(ports.into_iter().flatten().collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSubject {
    namespaces: Option<Selector>,
    pods: Option<WrittenPods>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPods {
    #[serde(default, rename = "namespaceSelector")]
    namespaces: Selector,
    #[serde(rename = "podSelector")]
    pods: Selector,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "action")]
    _action: String,
    from: Option<Vec<WrittenPeer>>,
    to: Option<Vec<WrittenPeer>>,
    protocols: Option<Vec<WrittenProtocol>>,
    ports: Option<Vec<WrittenPort>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenPeer {
    namespaces: Option<Selector>,
    pods: Option<WrittenPods>,
    nodes: Option<Value>,
    networks: Option<Vec<String>>,
    domain_names: Option<Value>,
}

/// Why some peers are not supported, and what does the same.
const NODES: &str = "nodes as peers are not supported, since whoever enforces hears of no node's labels: write their \
                     addresses as networks";
const DOMAIN_NAMES: &str = "domainNames are not supported, since nobody who enforces hears which addresses a name has: \
                            write networks";

impl WrittenPeer {
    fn read(self, direction: Direction) -> Result<Vec<Peer>, String> {
        let is_one = |namespaces| Ok(vec![namespaces]);
        match self {
            Self { nodes: Some(_), .. } => Err(NODES.to_owned()),
            Self { domain_names: Some(_), .. } => Err(DOMAIN_NAMES.to_owned()),
            Self { namespaces: Some(namespaces), pods: None, networks: None, .. } => {
                is_one(Peer::Pods { namespaces: Some(namespaces), pods: Selector::default() })
            }
            Self { namespaces: None, pods: Some(it), networks: None, .. } => {
                is_one(Peer::Pods { namespaces: Some(it.namespaces), pods: it.pods })
            }
            Self { namespaces: None, pods: None, networks: Some(networks), .. }
                if direction == Direction::Egress && !networks.is_empty() =>
            {
                let blocks = networks.iter().map(|text| {
                    Ok(Peer::Block { range: range(text)?, except: Vec::<Cidr>::new() })
                });
                blocks.collect()
            }
            _ => Err("a peer is not exactly one of what a peer may be".to_owned()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenProtocol {
    tcp: Option<WrittenNumbers>,
    udp: Option<WrittenNumbers>,
    sctp: Option<WrittenNumbers>,
    destination_named_port: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenNumbers {
    destination_port: WrittenDestination,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDestination {
    number: Option<u16>,
    range: Option<WrittenRange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRange {
    protocol: Option<Protocol>,
    start: u16,
    end: u16,
}

impl WrittenProtocol {
    fn read(self) -> Result<Vec<Port>, String> {
        let numbers = |protocol, numbers: WrittenNumbers| match numbers.destination_port {
            WrittenDestination { number: Some(number), range: None } => {
                run(protocol, number, number)
            }
            WrittenDestination {
                number: None,
                range: Some(WrittenRange { protocol: None, start, end }),
            } => run(protocol, start, end),
            _ => Err("a port is either a number or a range".to_owned()),
        };
        match (self.tcp, self.udp, self.sctp, self.destination_named_port) {
            (Some(it), None, None, None) => numbers(Protocol::Tcp, it),
            (None, Some(it), None, None) => numbers(Protocol::Udp, it),
            (None, None, Some(it), None) => numbers(Protocol::Sctp, it),
            (None, None, None, Some(name)) => named(&name),
            _ => Err("a protocol is not exactly one of what it may be".to_owned()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenPort {
    port_number: Option<WrittenNumber>,
    port_range: Option<WrittenRange>,
    named_port: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenNumber {
    #[serde(default)]
    protocol: Protocol,
    port: u16,
}

impl WrittenPort {
    fn read(self) -> Result<Vec<Port>, String> {
        match (self.port_number, self.port_range, self.named_port) {
            (Some(WrittenNumber { protocol, port }), None, None) => run(protocol, port, port),
            (None, Some(WrittenRange { protocol, start, end }), None) => {
                run(protocol.unwrap_or_default(), start, end)
            }
            (None, None, Some(name)) => named(&name),
            _ => Err("a port is not exactly one of what it may be".to_owned()),
        }
    }
}

fn run(protocol: Protocol, first: u16, last: u16) -> Result<Vec<Port>, String> {
    match (1..=last).contains(&first) {
        true => Ok(vec![Port::Numbers(protocol, first, last)]),
        false => Err(format!("{first} to {last} is no run of ports")),
    }
}

/// A name stands for ports of every protocol.
fn named(name: &str) -> Result<Vec<Port>, String> {
    match name.is_empty() {
        true => Err("the name of a port is empty".to_owned()),
        false => Ok(Protocol::ALL.map(|it| Port::Name(it, name.to_owned())).into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Action, Tier, WiderKind, WiderPolicy, wider};
    use crate::network::{Direction, Peer, Port, Protocol};

    fn read(kind: WiderKind, spec: &Value) -> WiderPolicy {
        wider(kind, &json!({"metadata": {"name": "p"}, "spec": spec})).unwrap().1
    }

    fn cluster(way: &str, rule: &Value) -> WiderPolicy {
        let subject = json!({"namespaces": {}});
        let spec = json!({"tier": "Admin", "priority": 7, "subject": subject, way: [rule]});
        read(WiderKind::Cluster, &spec)
    }

    #[test]
    fn both_generations_of_kinds_are_read() {
        let rule = json!({
            "name": "web", "action": "Accept",
            "to": [{"pods": {"podSelector": {}}}],
            "protocols": [
                {"tcp": {"destinationPort": {"number": 80}}},
                {"sctp": {"destinationPort": {"range": {"start": 1, "end": 9}}}},
                {"destinationNamedPort": "web"},
            ],
        });
        let newer = cluster("egress", &rule);
        assert_eq!((newer.tier, newer.priority), (Tier::Admin, 7));
        let ports = &newer.egress[0].means.as_ref().unwrap().ports;
        assert_eq!(
            ports[..2],
            [Port::Numbers(Protocol::Tcp, 80, 80), Port::Numbers(Protocol::Sctp, 1, 9)]
        );
        assert_eq!(ports.len(), 5, "a name is one of every protocol");
        let spec = json!({"subject": {"pods": {"namespaceSelector": {}, "podSelector": {}}}, "egress": [{
            "action": "Allow",
            "to": [{"networks": ["10.0.0.0/8", "fd00::/8"]}],
            "ports": [{"portNumber": {"protocol": "UDP", "port": 53}}, {"portRange": {"start": 5, "end": 6}}],
        }]});
        let older = read(WiderKind::Baseline, &spec);
        assert_eq!((older.tier, older.egress[0].action), (Tier::Baseline, Action::Accept));
        let rule = older.egress[0].means.as_ref().unwrap();
        assert!(matches!(rule.peers[..], [Peer::Block { .. }, Peer::Block { .. }]));
        assert_eq!(
            rule.ports[..],
            [Port::Numbers(Protocol::Udp, 53, 53), Port::Numbers(Protocol::Tcp, 5, 6)]
        );
    }

    #[test]
    fn what_is_not_understood_of_a_rule_is_a_doubt_of_that_rule() {
        let check = |way: &str, rule: Value, part: &str| {
            let policy = cluster(way, &rule);
            let doubts = policy.doubts();
            assert!(doubts.len() == 1 && doubts[0].contains(part), "{rule}: {doubts:?}");
        };
        let to = |peer: Value| json!({"action": "Deny", "to": [peer]});
        check("egress", to(json!({"domainNames": ["a.org"]})), "a name has: write networks");
        check("egress", to(json!({"nodes": {}})), "write their addresses as networks");
        check(
            "egress",
            to(json!({"nodes": {"matchLabels": {"a": "b"}}, "networks": ["10.0.0.0/8"]})),
            "nodes as peers",
        );
        check("ingress", json!({"action": "Deny", "from": [{"nodes": {}}]}), "nodes as peers");
        check("egress", to(json!({})), "exactly one");
        check("egress", to(json!({"namespaces": {}, "networks": ["10.0.0.0/8"]})), "exactly one");
        check("egress", to(json!({"networks": ["10.0.0.0"]})), "is not a range");
        check("egress", to(json!({"fromTheFuture": {}})), "unknown field");
        check("egress", json!({"action": "Deny", "to": []}), "no peers");
        check("egress", json!({"action": "Deny"}), "no peers");
        check("egress", json!({"action": "Allow", "to": [{"namespaces": {}}]}), "action \"Allow\"");
        check(
            "ingress",
            json!({"action": "Deny", "from": [{"networks": ["10.0.0.0/8"]}]}),
            "exactly one",
        );
        check("ingress", json!({"action": "Deny", "to": [{"namespaces": {}}]}), "no meaning");
        let at = |protocols: Value| json!({"action": "Deny", "from": [{"namespaces": {}}], "protocols": protocols});
        check("ingress", at(json!([])), "empty");
        check("ingress", at(json!([{"tcp": {}}])), "destinationPort");
        check("ingress", at(json!([{"icmp": {}}])), "unknown field");
        check("ingress", at(json!([{"tcp": {"destinationPort": {"number": 0}}}])), "no run");
        let mixed = json!({
            "action": "Deny", "to": [{"networks": ["10.0.0.0/8"]}],
            "protocols": [{"destinationNamedPort": "web"}],
        });
        check("egress", mixed, "no ports with names");
        let expression = json!([{"key": "a", "operator": "Gt", "values": ["1"]}]);
        check("egress", to(json!({"namespaces": {"matchExpressions": expression}})), "no operator");
    }

    #[test]
    fn what_is_not_understood_of_a_policy_bears_on_every_rule() {
        let check = |field: &str, value: Value, part: &str| {
            let rules = json!([{"action": "Accept", "from": [{"namespaces": {}}]}]);
            let mut spec =
                json!({"tier": "Baseline", "priority": 7, "subject": {"namespaces": {}}});
            spec["ingress"] = rules;
            spec[field] = value;
            let policy = read(WiderKind::Cluster, &spec);
            assert!(policy.doubts()[0].contains(part), "{field}: {policy:?}");
        };
        check("tier", json!("Future"), "the tier \"Future\"");
        check("priority", json!(1001), "the priority 1001");
        check("priority", json!(null), "the priority null");
        check("subject", json!({}), "subject");
        check("subject", json!({"namespaces": {}, "pods": {"podSelector": {}}}), "subject");
        check("schedule", json!("nights"), "the field schedule");
        check("ingress", json!({}), "no list");
        let nothing = read(WiderKind::Cluster, &Value::Null);
        assert_eq!(
            nothing.rules(Direction::Ingress).len(),
            1,
            "it closes what it does not tell of"
        );
    }

    #[test]
    fn a_doubt_never_opens() {
        for peer in [json!({"domainNames": ["a.org"]}), json!({"nodes": {}})] {
            // What is understood beside it opens nothing either.
            let peers = json!([{"networks": ["10.0.0.0/8"]}, peer]);
            let doubtful =
                |action: &str| cluster("egress", &json!({"action": action, "to": peers}));
            assert_eq!(doubtful("Accept").egress[0].in_force(), None);
            for action in ["Deny", "Pass", "Log"] {
                let policy = doubtful(action);
                let (action, rule) = policy.egress[0].in_force().unwrap();
                assert!(action == Action::Deny && rule.peers.is_empty() && rule.ports.is_empty());
            }
        }
    }
}
