//! A namespace is closed until a policy opens it.

mod proof;
mod sabotage;

use std::collections::BTreeSet;

use ringfort_model::name::NodeName;
use ringfort_model::network_policy::{BROUGHT, Defaults, NOTICE, Names, OWN};
use ringfort_model::reach::API_PORT;
use ringfort_spec::{Limit, Provider, Scope, Spec};
use serde_json::{Value, json};

use crate::admission::{Admission, Policy, addon_label, constraints, guard, quoted, rule};
use crate::control::{Control, Ref, Severity};
use crate::draft::{Document, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "network/default-deny",
    title: "A namespace is closed until a policy opens it",
    severity: Severity::High,
    refs: &[Ref::Cis("5.3.2"), Ref::Docs("concepts/services-networking/network-policies/")],
    limits: &[Limit::Cluster, Limit::Namespaces, Limit::Named],
    doc: include_str!("default_deny.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let defaults = waived(spec);
    if spec.network.provider != Provider::Ringfort {
        draft.object(notice(&defaults, Closer::Brought));
        return;
    }
    let told = json!(defaults);
    draft.everywhere(|at| {
        for (setting, value) in told.as_object().into_iter().flatten() {
            at.set(Document::NetworkPolicy, setting, value.clone());
        }
    });
    draft.object(name_servers(spec));
    let range = |name: &NodeName| Some(format!("{name} {}", draft.pods(name)?));
    let ranges: Vec<String> = spec.nodes.keys().filter_map(range).collect();
    let mut notice = notice(&defaults, Closer::Ringfort);
    notice["data"]["nodePods"] = ranges.join(", ").into();
    draft.object(notice);
    if defaults.closed {
        let policy = Policy { name: "closed-namespace", spec: warning(&defaults) };
        guard(spec, draft, Admission::Warning, "80-closed-namespace", &[policy]);
    }
}

/// What holds of pods that no policy selects, where no waiver opens single namespaces.
pub fn defaults(closed: bool) -> Defaults {
    let labels = [("k8s-app".to_owned(), "kube-dns".to_owned())].into();
    let dns = Names { namespace: "kube-system".to_owned(), labels, port: 53 };
    Defaults { closed, dns: Some(dns), ..Defaults::default() }
}

/// What holds in a cluster: waivers open namespaces by label or by name.
pub fn waived(spec: &Spec) -> Defaults {
    let mut defaults = defaults(!spec.waives(CONTROL.id));
    for waiver in spec.waivers_of(CONTROL.id) {
        match &waiver.scope {
            Scope::Namespaces { label, .. } => {
                defaults.open_labels.insert(label.clone());
            }
            Scope::Addon(name) => {
                defaults.open_labels.insert(addon_label(name));
            }
            Scope::Named(names) => defaults.open_namespaces.extend(names.iter().cloned()),
            Scope::Cluster | Scope::Nodes(_) => {}
        }
    }
    defaults
}

/// The name servers' own policy: their namespace is as closed as every other.
fn name_servers(spec: &Spec) -> Value {
    let ports = json!([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]);
    let block = |address: &std::net::IpAddr| {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        json!({"ipBlock": {"cidr": format!("{address}/{prefix}")}})
    };
    let servers = spec.control_planes().map(|node| block(&node.address)).collect::<Vec<_>>();
    let upstream = spec.dns_upstream.iter().map(block).collect::<Vec<_>>();
    // Pods that use their machine's network are seen at its address, which no selector names.
    let machines = spec.nodes.values().map(|node| block(&node.address));
    let from = [json!({"namespaceSelector": {}})].into_iter().chain(machines).collect::<Vec<_>>();
    let mut egress = vec![json!({"to": servers, "ports": [{"protocol": "TCP", "port": API_PORT}]})];
    if !upstream.is_empty() {
        egress.push(json!({"to": upstream, "ports": ports}));
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": from, "ports": ports}],
            "egress": egress,
        },
    })
}

/// What who makes a namespace is told of it.
fn warning(defaults: &Defaults) -> Value {
    let opens = |label: &String| {
        let label = quoted(label);
        format!("has(object.metadata.labels) && {label} in object.metadata.labels")
    };
    let names = defaults.open_namespaces.iter().map(|name| quoted(name)).collect::<Vec<_>>();
    let mut open: Vec<String> = defaults.open_labels.iter().map(opens).collect();
    if !names.is_empty() {
        open.push(format!("object.metadata.name in [{}]", names.join(", ")));
    }
    let mut spec = json!({
        "matchConstraints": constraints(&json!([rule(&[""], &["CREATE"], &["namespaces"])]), &[]),
        "validations": [{"expression": "false", "message": WARNING}],
    });
    if !open.is_empty() {
        let closed = format!("!({})", open.join(" ||\n"));
        spec["matchConditions"] = json!([{"name": "closed", "expression": closed}]);
    }
    spec
}

/// The words of the warning.
const WARNING: &str = "the namespace is closed: its pods reach the cluster's DNS and nothing else, and \
                       nobody reaches them, until a NetworkPolicy allows it (one for egress closes DNS unless it \
                       lists it); no object in it says so (ConfigMap network-default in kube-public does, to whom \
                       an administrator lets read it)";

/// Who closes namespaces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Closer {
    /// The enforcer, by itself.
    Ringfort,
    /// Whoever brings a network of the user's own, by a policy that it is proved to have.
    Brought,
}

impl Closer {
    fn words(self) -> &'static str {
        match self {
            Self::Ringfort => OWN,
            Self::Brought => BROUGHT,
        }
    }
}

fn notice(defaults: &Defaults, closer: Closer) -> Value {
    let listed = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    let rule = match defaults.closed {
        true => {
            "A namespace is closed: pods reach the cluster's DNS and nothing else, and nobody \
                 reaches them, until a NetworkPolicy allows it. One for egress closes DNS to the pods \
                 that it selects, unless it lists it."
        }
        false => "A namespace is open until a NetworkPolicy closes it.",
    };
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NOTICE.1, "namespace": NOTICE.0},
        "data": {
            "closed": defaults.closed.to_string(),
            "closedBy": closer.words(),
            "openNamespaces": listed(&defaults.open_namespaces),
            "openNamespaceLabels": listed(&defaults.open_labels),
            "rule": rule,
            "why": "ringfort netpol explain POD --to POD:PORT",
        },
    })
}
