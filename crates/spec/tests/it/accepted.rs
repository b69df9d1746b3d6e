//! What is accepted, and what it means.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use jiff::civil::date;
use ringfort_model::name::{ClusterName, NodeName};
use ringfort_model::net::Family;
use ringfort_spec::{CgroupDriver, Over, Provider, Repair, Runtime, Scope, Spec, Ssh, Transport};

use crate::{CONTROLS, SHORT, TODAY, read};

#[track_caller]
fn spec(text: &str) -> Spec {
    read(text).unwrap_or_else(|report| panic!("{report}"))
}

fn with(more: &str) -> Spec {
    spec(&format!("{SHORT}{more}"))
}

#[track_caller]
fn ssh(spec: &Spec, node: &str) -> Ssh {
    spec.nodes[&NodeName::new(node).unwrap()].ssh.clone()
}

#[test]
fn the_short_file_is_enough() {
    let spec = spec(SHORT);
    let names = |nodes: Vec<&ringfort_spec::Node>| {
        nodes.iter().map(|node| node.name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(spec.control_planes().collect()), "cp-10-0-0-11 cp-10-0-0-12 cp-10-0-0-13");
    assert_eq!(names(spec.workers().collect()), "w-10-0-0-21 w-10-0-0-22 w-10-0-0-23");
    assert_eq!(spec.kubernetes.to_string(), "1.37");
    assert_eq!(spec.network.pods.to_string(), "10.244.0.0/16");
    assert_eq!(spec.network.api_address().to_string(), "10.96.0.1");
    assert_eq!(spec.network.dns_address().to_string(), "10.96.0.10");
    assert_eq!(spec.admin.life().as_secs(), 8 * 3600);
    assert!(!spec.allow_privileged);
    assert!(spec.nodes.values().all(|node| node.runtime == Runtime::default()));
    let runtime = Runtime::default();
    assert!(runtime.app_armor && runtime.fail_cgroup_v1 && !runtime.restrict_oom_score_adj);
    assert!(spec.waivers.is_empty() && spec.dns_upstream.is_empty());
    let ssh = ssh(&spec, "cp-10-0-0-11");
    assert_eq!((ssh.user.as_str(), ssh.port, ssh.sudo), ("root", 22, false));
    assert_eq!(ssh.known_hosts, Path::new("~/.ssh/known_hosts"));
    assert_eq!((ssh.identity, ssh.host_key, ssh.transport), (None, None, Transport::Builtin));
}

#[test]
fn a_name_does_not_depend_on_a_position() {
    let all = spec(SHORT);
    let fewer = spec(&SHORT.replace("[10.0.0.21, ", "[10.0.0.24, "));
    let turned = spec(&SHORT.replace("10.0.0.11, 10.0.0.12", "10.0.0.12, 10.0.0.11"));
    assert!(fewer.nodes.keys().filter(|name| all.nodes.contains_key(*name)).count() == 5);
    assert_eq!(all, turned);
}

#[test]
fn one_machine_can_differ_from_the_others() {
    let text = SHORT.replace(
        "[10.0.0.21,",
        "[{ address: 10.0.0.21, name: red, ssh: { port: 2222, user: root, sudo: false } },",
    );
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    let ssh_section = format!(
        "ssh: {{ user: ann, sudo: true, identity: ~/id, transport: openssh, \
         hostKeys: {{ 10.0.0.21: {key} }} }}\n"
    );
    let spec = spec(&format!("{text}{ssh_section}"));
    let red = ssh(&spec, "red");
    assert_eq!((red.user.as_str(), red.port, red.sudo), ("root", 2222, false));
    assert_eq!(red.host_key.as_deref(), Some(key));
    assert_eq!(red.identity.as_deref(), Some(Path::new("~/id")));
    let other = ssh(&spec, "w-10-0-0-22");
    assert_eq!((other.user.as_str(), other.port, other.sudo), ("ann", 22, true));
    assert_eq!((other.host_key, other.transport), (None, Transport::Openssh));
}

#[test]
fn one_machine_can_have_another_kernel() {
    let red = "[{ address: 10.0.0.21, name: red, runtime: { appArmor: false } },";
    let waived = |scope: &str| {
        let fields = "reason: a container, owner: ann, expires: 2027-01-31";
        let waivers = format!("waivers: [{{ control: node/apparmor, {scope}{fields} }}]\n");
        let runtime = "runtime: { cgroupDriver: cgroupfs }\n";
        format!("{}{runtime}{waivers}", SHORT.replace("[10.0.0.21,", red))
    };
    let spec = spec(&waived("scope: { nodes: [red] }, "));
    let runtime = |node: &str| spec.nodes[&NodeName::new(node).unwrap()].runtime.clone();
    let all = Runtime { cgroup_driver: CgroupDriver::Cgroupfs, ..Runtime::default() };
    assert_eq!(runtime("w-10-0-0-22"), all);
    assert_eq!(runtime("red"), Runtime { app_armor: false, ..all });
    assert!(read(&waived("")).is_ok());
    for bare in [SHORT.replace("[10.0.0.21,", red), waived("scope: { nodes: [w-10-0-0-22] }, ")] {
        let report = read(&bare).unwrap_err().to_string();
        assert!(report.contains("node/apparmor"), "{report}");
    }
}

#[test]
fn a_version_needs_no_quotes() {
    assert_eq!(spec(&SHORT.replace("\"1.37\"", "1.37")).kubernetes.to_string(), "1.37");
    assert_eq!(spec(&SHORT.replace("\"1.37\"", "1.36.4")).kubernetes.to_string(), "1.36.4");
}

#[test]
fn a_section_without_values_is_its_defaults() {
    assert_eq!(with("network:\nssh: {}\nwaivers:\nendpoint: ~\n"), spec(SHORT));
}

#[test]
fn another_network_is_one_line() {
    assert_eq!(with("network: { provider: none }\n").network.provider, Provider::None);
}

#[test]
fn pods_leave_by_their_machines_address_only_where_that_is_asked_for() {
    assert!(!spec(SHORT).network.masquerade);
    assert!(with("network: { masquerade: true }\n").network.masquerade);
    // What is not done is no fault, whoever makes the network.
    assert!(!with("network: { provider: none, masquerade: false }\n").network.masquerade);
}

#[test]
fn what_is_told_where_is_read_as_it_is_used() {
    assert!(!spec(SHORT).audit.tell.is_any());
    let audit = with(
        "audit:\n  keepDays: 30\n  feeds: audit/feeds\n  changes:\n  - { who: [flux], what: ['*'] }\n  \
         - { who: [ann], what: [deployments.apps], namespaces: [shop], days: [mon, sat], hours: 22:00-04:00 }\n  \
         tell:\n    webhook: { url: 'https://siem.example.com/in', address: 10.0.0.50, ca: ca.pem, token: token }\n    \
         syslog: { address: 10.0.0.51:6514, ca: ca.pem }\n",
    )
    .audit;
    assert_eq!((audit.keep_days, audit.keep_mebibytes, audit.max_age_days), (30, 4096, 30));
    let changes = serde_json::to_string(&audit.changes).unwrap();
    let wanted = r#"[{"who":["flux"],"what":["*"]},{"who":["ann"],"what":["deployments.apps"],"namespaces":["shop"],"days":["mon","sat"],"hours":"22:00-04:00"}]"#;
    assert_eq!(changes, wanted);
    let webhook = audit.tell.webhook.unwrap();
    assert_eq!(webhook.address, IpAddr::from([10, 0, 0, 50]));
    assert_eq!((webhook.url.host.as_str(), webhook.url.port), ("siem.example.com", 443));
    let over = Over::Tls { name: "10.0.0.51".to_owned(), ca: "ca.pem".into() };
    assert_eq!(audit.tell.syslog.unwrap().over, over);
    let udp = with("audit: { tell: { syslog: { address: 10.0.0.51:514, transport: udp } } }\n");
    assert_eq!(udp.audit.tell.syslog.unwrap().over, Over::Udp);
}

#[test]
fn an_agent_puts_files_back_only_where_that_is_asked_for() {
    let repair = |text: &str| with(text).integrity.repair;
    let automatic = |paths: &[&str]| {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Repair::Automatic { paths }
    };
    assert_eq!(spec(SHORT).integrity.repair, Repair::Up);
    assert_eq!(repair("integrity: { repair: up }\n"), Repair::Up);
    assert_eq!(repair("integrity: { repair: automatic }\n"), automatic(&[]));
    let some =
        "integrity: { repair: automatic, paths: [/etc/kubernetes, /usr/local/bin/kubelet] }\n";
    assert_eq!(repair(some), automatic(&["/etc/kubernetes", "/usr/local/bin/kubelet"]));
}

#[test]
fn a_single_control_plane_needs_a_waiver_that_still_holds() {
    let text = SHORT.replace("[10.0.0.11, 10.0.0.12, 10.0.0.13]", "[10.0.0.11]");
    let waiver = "waivers:\n  - { control: ha/three-control-planes, reason: a test bed, \
                  owner: ann, expires: 2026-11-23 }\n";
    assert!(read(&text).is_err());
    let spec = spec(&format!("{text}{waiver}"));
    assert_eq!(spec.waivers[0].expires, TODAY);
    assert!(spec.waives("ha/three-control-planes") && !spec.waives("ha/three-workers"));
}

#[test]
fn a_waiver_can_be_limited() {
    let waiver = |control: &str, scope: &str| {
        let fields = "reason: tests, owner: ann, expires: 2027-01-31";
        let text = format!("waivers: [{{ control: {control}, {scope}, {fields} }}]\n");
        with(&text).waivers[0].scope.clone()
    };
    let (label, user) = ("e2e-framework".to_owned(), "e2e".to_owned());
    let namespaces =
        waiver("access/pod-security", "scope: { namespaceLabel: e2e-framework, user: e2e }");
    assert_eq!(namespaces, Scope::Namespaces { label, user });
    let node = NodeName::new("w-10-0-0-21").unwrap();
    assert_eq!(
        waiver("node/apparmor", "scope: { nodes: [w-10-0-0-21] }"),
        Scope::Nodes([node].into())
    );
    let named = ["bank".to_owned(), "shop".to_owned()].into();
    assert_eq!(
        waiver("network/default-deny", "scope: { namespaces: [shop, bank] }"),
        Scope::Named(named)
    );
}

#[test]
fn a_waiver_loosens_nothing_after_its_last_day() {
    let scope = "scope: { namespaceLabel: e2e-framework, user: e2e }";
    let until = "reason: r, owner: o, expires: 2026-11-23";
    let text = format!(
        "{SHORT}allowPrivileged: true\nwaivers:\n- {{ control: access/pod-security, {scope}, {until} }}\n\
         - {{ control: access/no-privileged-containers, {until} }}\n"
    );
    let on = |today| ringfort_spec::read(&text, "cluster.yaml", CONTROLS, today).unwrap();
    let (last, mut after) = (on(TODAY), on(date(2026, 11, 24)));
    assert_eq!((last.waivers.len(), last.ended.len(), last.allow_privileged), (2, 0, true));
    assert_eq!((after.waivers.len(), after.ended.len(), after.allow_privileged), (0, 2, false));
    after.ended.clear();
    assert_eq!(after, spec(SHORT));
}

#[test]
fn the_template_is_accepted() {
    let name = ClusterName::new("harbour").unwrap();
    let addresses =
        |all: &[&str]| -> Vec<IpAddr> { all.iter().map(|a| a.parse().unwrap()).collect() };
    let text = ringfort_spec::template(
        &name,
        &addresses(&["10.0.0.11", "10.0.0.12", "10.0.0.13"]),
        &addresses(&["10.0.0.21", "10.0.0.22", "10.0.0.23"]),
    );
    assert_eq!(spec(&text), spec(SHORT));
}

/// A file of IPv6: no range is written, and the defaults are of the machines' family.
fn v6() -> String {
    SHORT.replace("10.0.0.", "fd00:10:77::")
}

#[test]
fn machines_with_ipv6_addresses_have_ranges_of_ipv6() {
    let spec = spec(&v6());
    let network = &spec.network;
    assert_eq!(network.family(), Family::V6);
    assert_eq!(network.pods.to_string(), "fd00:10:244::/56");
    assert_eq!(
        (network.services.to_string(), network.node_prefix),
        ("fd00:10:96::/112".into(), 64)
    );
    assert_eq!(network.api_address().to_string(), "fd00:10:96::1");
    assert_eq!(network.dns_address().to_string(), "fd00:10:96::a");
    assert!(spec.nodes.contains_key(&NodeName::new("cp-fd00-10-77--11").unwrap()));
    let ranges = spec.pod_ranges(&std::collections::BTreeMap::new()).unwrap();
    let first = &ranges[&NodeName::new("cp-fd00-10-77--11").unwrap()];
    assert_eq!(first.to_string(), "fd00:10:244::/64");
}

#[test]
fn whatever_has_an_address_may_have_one_of_ipv6() {
    let more = "endpoint: \"[fd00::10]:6443\"\ndns: { upstream: [\"fd00::53\"] }\n\
                network: { pods: \"fd12:3456::/48\", services: \"fd12:3457::/108\", nodePrefix: 80 }\n\
                audit: { tell: { webhook: { url: 'https://[fd00::50]/in', ca: ca.pem }, \
                syslog: { address: '[fd00::51]:514', transport: udp } } }\n";
    let spec = spec(&format!("{}{more}", v6()));
    assert_eq!(spec.endpoint.unwrap().to_string(), "[fd00::10]:6443");
    assert_eq!(
        (spec.network.pods.to_string(), spec.network.node_prefix),
        ("fd12:3456::/48".into(), 80)
    );
    let tell = spec.audit.tell;
    assert_eq!(tell.webhook.unwrap().address.to_string(), "fd00::50");
    assert_eq!(tell.syslog.unwrap().address.to_string(), "[fd00::51]:514");
}

#[test]
fn the_template_of_ipv6_is_accepted_and_its_comments_are_true() {
    let name = ClusterName::new("harbour").unwrap();
    let address = |last: u8| format!("fd00::{last}").parse::<IpAddr>().unwrap();
    let text =
        ringfort_spec::template(&name, &[11, 12, 13].map(address), &[21, 22, 23].map(address));
    let shown = text.lines().map(uncommented).collect::<Vec<_>>().join("\n");
    let shown = shown.replace("AAAA…", &format!("AAAAC3NzaC1lZDI1NTE5{}", "A".repeat(48)));
    let words = text.split(|it: char| !(it.is_ascii_digit() || it == '.'));
    let of_four: Vec<&str> = words.filter(|it| it.parse::<Ipv4Addr>().is_ok()).collect();
    assert!(of_four.is_empty(), "{of_four:?} in {text}");
    let (bare, shown) = (spec(&text), spec(&shown));
    assert_eq!(bare, spec(&SHORT.replace("10.0.0.", "fd00::")));
    assert_eq!(shown.network, bare.network);
    assert!(ssh(&shown, "cp-fd00--11").host_key.is_some());
}

/// Every commented line of the template that shows a field is a field, with its default.
#[test]
fn the_comments_of_the_template_are_true() {
    let name = ClusterName::new("harbour").unwrap();
    let address = |last: u8| IpAddr::from([10, 0, 0, last]);
    let text =
        ringfort_spec::template(&name, &[11, 12, 13].map(address), &[21, 22, 23].map(address));
    let shown = text.lines().map(uncommented).collect::<Vec<_>>().join("\n");
    let shown = shown.replace("AAAA…", &format!("AAAAC3NzaC1lZDI1NTE5{}", "A".repeat(48)));
    let (spec, short) = (spec(&shown), spec(SHORT));
    assert_eq!(spec.network, short.network);
    assert_eq!(spec.audit, short.audit);
    assert_eq!(spec.integrity, short.integrity);
    let runtime = |spec: &Spec| spec.nodes.values().next().map(|node| node.runtime.clone());
    assert_eq!(runtime(&spec), runtime(&short));
    assert_eq!(spec.admin, short.admin);
    assert_eq!(ssh(&spec, "w-10-0-0-21").known_hosts, ssh(&short, "w-10-0-0-21").known_hosts);
    assert!(spec.endpoint.is_some() && spec.waivers.len() == 1);
}

fn uncommented(line: &str) -> String {
    let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
    let field = rest.strip_prefix("# ").filter(|rest| {
        let name = rest.trim_start_matches(['-', ' ']).split(':').next().unwrap_or_default();
        rest.contains(':') && !name.contains(' ')
    });
    field.map_or(line.to_owned(), |field| format!("{indent}{field}"))
}

#[test]
fn the_example_is_accepted() {
    spec(include_str!("../../../../examples/cluster.yaml"));
}

#[test]
fn the_example_of_ipv6_shows_the_defaults() {
    let spec = spec(include_str!("../../../../examples/ipv6.yaml"));
    assert_eq!(spec.network, read(&v6()).unwrap().network);
}

#[test]
fn the_example_with_a_network_of_ones_own_opens_its_addon_only() {
    let spec = spec(include_str!("../../../../examples/own-network.yaml"));
    let scopes: Vec<_> = spec.waivers_of("access/pod-security").map(|w| &w.scope).collect();
    assert_eq!(scopes, [&Scope::Addon("cilium".to_owned())]);
    assert_eq!(spec.addons[0].files.len(), 2);
}

#[test]
fn the_example_for_conformance_opens_labels_for_one_identity() {
    let text = include_str!("../../../../examples/conformance.yaml");
    let spec = ringfort_spec::read(text, "conformance.yaml", CONTROLS, TODAY).unwrap();
    assert!(spec.allow_privileged && spec.ended.is_empty());
    let of = |label: &str| Scope::Namespaces { label: label.to_owned(), user: "e2e".to_owned() };
    let scopes: Vec<_> = spec.waivers_of("access/pod-security").map(|w| &w.scope).collect();
    assert_eq!(scopes, [&of("e2e-framework"), &of("e2e-run")]);
}
