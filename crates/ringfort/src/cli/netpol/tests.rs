mod services;

use std::fs;
use std::path::PathBuf;

use clap::Parser;
use ringfort_netpol::{Author, InForce, Meddling, Refusal, Shown, ShownPod, ShownWay, Waited};
use serde_json::json;

use ringfort_controls::network::default_deny::defaults;
use ringfort_model::network_policy::BROUGHT;

use super::explain::{Asked, Said, say};
use super::report::{Report, Verdict};
use super::seen::Seen;
use super::{ends, live, manifests, show};
use crate::cli::{Cli, Fault};

const NAMESPACES: &str = "
kind: List
apiVersion: v1
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: shop}}}
- {apiVersion: v1, kind: Namespace, metadata: {name: bank, labels: {team: bank}}}
";

const PODS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: bank, labels: {app: db, pod-template-hash: abc}}
spec:
  containers: [{name: c, ports: [{name: sql, containerPort: 5432}]}]
status: {podIP: 10.1.0.5}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: bank}
spec: {hostNetwork: true, nodeName: w1, containers: []}
status: {podIP: 10.0.0.21}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: bank}
spec: {clusterIP: 10.96.0.9}
";

const OPENING: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank}}}]
    ports: [{port: sql}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: in, namespace: bank}
spec:
  podSelector: {}
  ingress:
  - from: [{namespaceSelector: {matchLabels: {team: shop}}, podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}]
";

/// Puts texts into files of a directory and reads it.
fn read(files: &[(&str, &str)], closed: bool) -> Result<Seen, Fault> {
    let room = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = room.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    manifests::read(&[room.path().to_owned()], defaults(closed), "default")
}

fn all() -> Seen {
    let files = [("ns.yaml", NAMESPACES), ("deep/pods.yml", PODS), ("deep/in/p.yaml", OPENING)];
    read(&files, true).unwrap()
}

fn ask(seen: &Seen, from: &str, to: &str) -> Result<Said, Fault> {
    let (from, to) = (ends::end(from).unwrap(), ends::end(to).unwrap());
    say(seen, Asked::Connection { from: from.end, to: to.end, at: to.port.unwrap() })
}

fn report(seen: &Seen, from: &str, to: &str) -> Report {
    match ask(seen, from, to).unwrap() {
        Said::Connection(report) => *report,
        Said::Through(_) | Said::Ways(_) => unreachable!("a connection was asked about"),
    }
}

fn check(seen: &Seen, from: &str, to: &str, expected: Verdict) -> Report {
    let report = report(seen, from, to);
    assert_eq!(report.verdict, expected, "{from} to {to}: {report:?}");
    report
}

#[test]
fn a_template_stands_for_its_pods_and_names_of_ports_are_known() {
    let seen = all();
    let report = check(&seen, "shop/web", "bank/db:sql", Verdict::Allowed);
    assert_eq!((report.from.as_str(), report.port), ("shop/deployment/web", 5432));
    assert_eq!(report.egress.allowed_by[0].rule, "egress[0]");
    assert_eq!(report.ingress.closed_by, ["NetworkPolicy bank/in"]);
    check(&seen, "shop/deployment/web", "bank/db:5432", Verdict::Allowed);
    check(&seen, "shop/web", "10.1.0.5:5432", Verdict::Allowed);
}

#[test]
fn what_is_refused_comes_with_the_policy_that_would_allow_it() {
    let seen = all();
    let report = check(&seen, "shop/web", "bank/db:53/udp", Verdict::Refused);
    let policy = report.ingress.would_allow.unwrap();
    let expected = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "allow-from-shop-deployment-web-udp-53", "namespace": "bank"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "db"}},
            "policyTypes": ["Ingress"],
            "ingress": [{
                "from": [{
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
                    "podSelector": {"matchLabels": {"app": "web"}},
                }],
                "ports": [{"protocol": "UDP", "port": 53}],
            }],
        },
    });
    assert_eq!(policy, expected);
}

#[test]
fn a_pod_without_labels_is_noted_once() {
    let pod = |name| format!("{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}}}\n---\n");
    let pods = pod("one") + &pod("two");
    let report =
        check(&read(&[("a.yaml", &pods)], true).unwrap(), "one", "two:1", Verdict::Refused);
    assert_eq!(report.notes.len(), 2, "{:?}", report.notes);
    assert!(report.notes[0].starts_with("default/one has no labels"), "{:?}", report.notes);
}

#[test]
fn the_policies_that_are_proposed_are_enough() {
    let ways = [
        ("shop/web", "bank/db:53/udp"),
        ("shop/web", "[fd00::1]:443"),
        ("192.0.2.7", "bank/db:80"),
    ];
    for (from, to) in ways {
        let mut seen = all();
        let refused = report(&seen, from, to);
        for policy in [refused.egress.would_allow, refused.ingress.would_allow].iter().flatten() {
            let place = ringfort_policy::place(policy).unwrap();
            let policy = ringfort_policy::policy(policy).unwrap();
            seen.world.policies.insert(place, policy);
        }
        check(&seen, from, to, Verdict::Allowed);
    }
}

#[test]
fn namespaces_are_closed_unless_it_is_said_otherwise() {
    let files = [("ns.yaml", NAMESPACES), ("pods.yaml", PODS)];
    let closed = read(&files, true).unwrap();
    let report = check(&closed, "shop/web", "bank/db:5432", Verdict::Refused);
    assert_eq!(report.egress.closed_by, ["the default of the cluster"]);
    assert!(report.egress.lets_through[0].allows.contains("k8s-app=kube-dns"), "{report:?}");
    let open = read(&files, false).unwrap();
    check(&open, "shop/web", "bank/db:5432", Verdict::Allowed);
}

#[test]
fn what_cannot_be_said_is_unknown() {
    // A rule asks for labels of a namespace that is in no file.
    let bare = read(&[("pods.yaml", PODS), ("p.yaml", OPENING)], true).unwrap();
    let report = check(&bare, "shop/web", "bank/db:5432", Verdict::Unknown);
    assert_eq!(report.egress.verdict, Verdict::Allowed);
    assert!(report.why.unwrap().contains("those of shop were not seen"));
    check(&bare, "shop/web", "bank/db:5433", Verdict::Refused);
    // A pod without an address meets a range.
    let block = OPENING.replace(
        "from: [{namespaceSelector: {matchLabels: {team: shop}}, podSelector: {matchLabels: {app: web}}}]",
        "from: [{ipBlock: {cidr: 10.1.0.0/16}}]",
    );
    let files = [("ns.yaml", NAMESPACES), ("pods.yaml", PODS), ("p.yaml", block.as_str())];
    check(&read(&files, true).unwrap(), "shop/web", "bank/db:5432", Verdict::Unknown);
    // A kind that nobody here reads.
    let wider = "{apiVersion: policy.networking.k8s.io/v9, kind: ClusterNetworkPolicy, metadata: {name: a}}";
    let files = [("pods.yaml", PODS), ("wider.yaml", wider)];
    let seen = read(&files, false).unwrap();
    let report = check(&seen, "shop/web", "bank/db:5432", Verdict::Unknown);
    assert!(report.why.unwrap().contains("ClusterNetworkPolicy a of v9"));
}

/// A cluster-wide policy for all pods of namespaces with the label.
fn wide(tier: &str, ways: &str) -> String {
    format!(
        "{{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {{name: \
         tenants}}, spec: {{tier: {tier}, priority: 7, subject: {{namespaces: {{matchLabels: {{team: \
         bank}}}}}}, {ways}}}}}"
    )
}

const FROM_SHOP: &str = "from: [{namespaces: {matchLabels: {team: shop}}}]";

#[test]
fn cluster_wide_policies_are_judged_and_named() {
    let with = |tier: &str, action: &str| {
        let rule = format!("ingress: [{{name: no-shop, action: {action}, {FROM_SHOP}}}]");
        let wider = wide(tier, &rule);
        let files =
            [("ns.yaml", NAMESPACES), ("pods.yaml", PODS), ("p.yaml", OPENING), ("w.yaml", &wider)];
        read(&files, true).unwrap()
    };
    let seen = with("Admin", "Deny");
    let report = check(&seen, "shop/web", "bank/db:5432", Verdict::Refused);
    assert_eq!(report.ingress.why, "a cluster-wide policy denies it");
    assert!(report.ingress.would_allow.is_none(), "no NetworkPolicy would help");
    let text = ask(&seen, "shop/web", "bank/db:5432").unwrap().people();
    let line = "ClusterNetworkPolicy tenants (Admin tier, priority 7), ingress[0] \"no-shop\": denies \
                connections from all pods of namespaces with team=shop at every port";
    assert!(text.contains(line), "{text}");
    let said = say(&seen, Asked::Ways(ends::pod("bank/db").unwrap().end)).unwrap();
    assert!(said.code() == 0 && said.people().contains(line), "{}", said.people());
    check(&with("Admin", "Pass"), "shop/web", "bank/db:5432", Verdict::Allowed);
    check(&with("Admin", "Accept"), "shop/web", "bank/db:5432", Verdict::Allowed);
    check(&with("Admin", "Pass"), "bank/agent", "bank/db:5432", Verdict::Unknown);
    // What the Baseline tier denies, a NetworkPolicy brings back, and closes what else is open.
    let rule = format!("ingress: [{{name: no-shop, action: Deny, {FROM_SHOP}}}]");
    let wider = wide("Baseline", &rule);
    let files = [("ns.yaml", NAMESPACES), ("pods.yaml", PODS), ("w.yaml", wider.as_str())];
    let report = check(&read(&files, false).unwrap(), "shop/web", "bank/db:5432", Verdict::Refused);
    assert_eq!(report.ingress.why, "a cluster-wide policy denies it");
    let policy = report.ingress.would_allow.unwrap().to_string();
    assert!(report.notes.iter().any(|it| it.contains("the Baseline tier says nothing")));
    let files = [files[0], files[1], files[2], ("would.yaml", policy.as_str())];
    check(&read(&files, false).unwrap(), "shop/web", "bank/db:5432", Verdict::Allowed);
    // A NetworkPolicy selects the pod, so that the Baseline tier says nothing.
    check(&with("Baseline", "Deny"), "shop/web", "bank/db:5432", Verdict::Allowed);
}

#[test]
fn what_a_cluster_wide_policy_says_beyond_what_is_known_is_unknown() {
    let seen = |ways: &str, namespaces: &str| {
        let wider = wide("Admin", ways);
        let files =
            [("ns.yaml", namespaces), ("pods.yaml", PODS), ("p.yaml", OPENING), ("w.yaml", &wider)];
        read(&files, true).unwrap()
    };
    let unknown = |seen: &Seen, part: &str| {
        let report = check(seen, "shop/web", "bank/db:5432", Verdict::Unknown);
        let why = report.why.unwrap();
        assert!(why.contains("ClusterNetworkPolicy tenants") && why.contains(part), "{why}");
        let said = say(seen, Asked::Ways(ends::pod("bank/db").unwrap().end)).unwrap();
        assert_eq!(said.code(), 3);
    };
    let odd = format!("ingress: [{{action: Log, {FROM_SHOP}}}]");
    unknown(&seen(&odd, NAMESPACES), "ingress[0]: the action \"Log\" is not known");
    let future = "ingress: [{action: Deny, from: [{fromTheFuture: {}}]}]";
    unknown(&seen(future, NAMESPACES), "unknown field `fromTheFuture`");
    // What no rule here can mean is unknown, and is told with what would do.
    for (peer, way_out) in [
        ("{nodes: {}}", "write their addresses as networks"),
        ("{domainNames: [a.org]}", "write networks"),
    ] {
        let seen = seen(&format!("egress: [{{action: Deny, to: [{peer}]}}]"), NAMESPACES);
        let report = check(&seen, "bank/db", "10.0.0.21:443", Verdict::Unknown);
        let why = report.why.unwrap();
        assert!(why.contains("egress[0]: ") && why.contains(way_out), "{why}");
    }
    // Of whoever is selected by labels that were not seen nobody can say that it is not.
    let rule = format!("ingress: [{{action: Deny, {FROM_SHOP}}}]");
    unknown(&seen(&rule, ""), "those of bank were not seen");
}

#[test]
fn a_pod_s_own_machine_always_reaches_it() {
    let on = |node: &str| {
        let pods = PODS.replace(
            "spec:\n  containers: [{name: c, ports",
            &format!("spec:\n  nodeName: {node}\n  containers: [{{name: c, ports"),
        );
        read(&[("pods.yaml", pods.as_str())], true).unwrap()
    };
    check(&on("w1"), "bank/agent", "bank/db:1", Verdict::Allowed);
    check(&on("w1"), "10.0.0.21", "bank/db:1", Verdict::Allowed);
    let report = check(&on("w2"), "bank/agent", "bank/db:1", Verdict::Refused);
    let from = &report.ingress.would_allow.unwrap()["spec"]["ingress"][0]["from"];
    assert_eq!(*from, json!([{"ipBlock": {"cidr": "10.0.0.21/32"}}]));
    check(&read(&[("p.yaml", PODS)], true).unwrap(), "bank/agent", "bank/db:1", Verdict::Unknown);
    // A machine on which no pod uses its network is known by what its pods say of it.
    let pods = PODS.replace("{podIP: 10.1.0.5}", "{podIP: 10.1.0.5, hostIP: 10.0.0.23}");
    let seen = read(&[("pods.yaml", pods.as_str())], true).unwrap();
    check(&seen, "10.0.0.23", "bank/db:1", Verdict::Allowed);
    check(&seen, "10.0.0.24", "bank/db:1", Verdict::Refused);
}

#[test]
fn bad_manifests_are_named() {
    let check = |text: &str, part: &str| {
        let fault = read(&[("bad.yaml", text)], true).err().unwrap();
        let said = fault.to_string();
        assert_eq!(fault.code, 2, "{said}");
        assert!(said.contains("bad.yaml: ") && said.contains(part), "{said}");
    };
    check("a: [", "line ");
    check("a: 1", "an object has no kind");
    let policy = OPENING.replace("podSelector: {}", "podSelector: {}\n  future: 1");
    check(&policy, "NetworkPolicy bank/in: unknown field `future`");
    check("{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {v: 1}}}", "labels are texts");
    check("{apiVersion: v1, kind: Pod, metadata: {generateName: a}}", "has no metadata.name");
    let two = format!("{OPENING}---\n{}", OPENING.replace("5432", "1"));
    check(&two, "NetworkPolicy bank/in stands in ");
    let gone = manifests::read(&[PathBuf::from("/nowhere/a.yaml")], defaults(true), "a");
    assert!(gone.err().unwrap().to_string().contains("cannot be read"));
}

#[test]
fn who_is_not_there_is_told_with_a_way_out() {
    let seen = all();
    let check = |from: &str, to: &str, part: &str| {
        let fault = ask(&seen, from, to).err().unwrap();
        assert_eq!(fault.code, 2);
        assert!(fault.to_string().contains(part), "{fault}");
    };
    check("shop/gone", "bank/db:1", "there is no pod shop/gone: there are shop/deployment/web");
    check("empty/x", "bank/db:1", "nothing was found in namespace empty");
    check("shop/web", "bank/bd:1", "did you mean bank/db?");
    check("shop/web", "bank/db:http", "has no TCP port called \"http\"");
    check("shop/web", "10.96.0.9:5432", "the address of Service bank/db");
}

#[test]
fn a_workload_s_kind_is_asked_for_where_it_matters() {
    let job = "{apiVersion: batch/v1, kind: CronJob, metadata: {name: web, namespace: shop}, spec: {jobTemplate: {spec: {template: {metadata: {labels: {app: job}}}}}}}";
    let seen = read(&[("a.yaml", PODS), ("b.json", &json_of(job))], true).unwrap();
    let fault = ask(&seen, "shop/web", "bank/db:1").err().unwrap().to_string();
    assert!(fault.contains("shop/cronjob/web, shop/deployment/web"), "{fault}");
    check(&seen, "shop/cronjob/web", "bank/db:1", Verdict::Refused);
}

/// The same in JSON, indented with a tab.
fn json_of(yaml: &str) -> String {
    let read = ringfort_facts::manifest::read(yaml).unwrap();
    let value = read[0].value();
    value.to_string().replacen('{', "{\n\t", 1)
}

#[test]
fn people_read_the_verdict_first() {
    let seen = all();
    let said = ask(&seen, "shop/web", "bank/db:5433").unwrap();
    assert_eq!(said.code(), 1);
    let text = said.people();
    let begin = "\
refused: shop/deployment/web to bank/db at TCP 5433
leaving shop/deployment/web: refused
  closed by NetworkPolicy shop/out
";
    assert!(text.starts_with(begin), "{text}");
    assert!(text.contains("\nthis policy would let it reach bank/db:\n\napiVersion: "), "{text}");
    let pod = ends::pod("shop/web").unwrap();
    let said = say(&seen, Asked::Ways(pod.end)).unwrap();
    let expected = "\
leaving shop/deployment/web: closed
  closed by NetworkPolicy shop/out
  let through by NetworkPolicy shop/out, egress[0]: to all pods of namespaces with kubernetes.io/metadata.name=bank at the TCP port called \"sql\"
reaching shop/deployment/web: closed
  closed by the default of the cluster
  nothing is let through
";
    assert_eq!((said.code(), said.people().as_str()), (0, expected));
}

#[test]
fn the_notice_of_a_cluster_among_the_files_says_what_is_open() {
    let notice = "
{apiVersion: v1, kind: ConfigMap, metadata: {name: network-default, namespace: kube-public}, data: {closed: 'true',
openNamespaces: bank, nodePods: 'w1 10.1.0.0/24'}}";
    let other =
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {closed: perhaps}}";
    let closed = [("pods.yaml", PODS), ("other.yaml", other)];
    check(&read(&closed, true).unwrap(), "10.0.0.24", "bank/db:1", Verdict::Refused);
    let seen = read(&[("pods.yaml", PODS), ("notice.yaml", notice)], true).unwrap();
    check(&seen, "10.0.0.24", "bank/db:1", Verdict::Allowed);
    check(&seen, "10.0.0.24", "shop/web:1", Verdict::Refused);
    let bad = read(&[("notice.yaml", &notice.replace("'true'", "often"))], true);
    assert!(bad.err().unwrap().to_string().contains("says closed"));
}

#[test]
fn objects_without_a_namespace_are_of_the_one_that_is_named() {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: db}}";
    let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: all}, spec: {podSelector: {}, ingress: [{}]}}";
    let room = tempfile::tempdir().unwrap();
    fs::write(room.path().join("pod.yaml"), pod).unwrap();
    fs::write(room.path().join("policy.yaml"), policy).unwrap();
    let seen = manifests::read(&[room.path().to_owned()], defaults(true), "bank").unwrap();
    check(&seen, "10.0.0.24", "bank/db:1", Verdict::Allowed);
    assert!(ask(&seen, "10.0.0.24", "default/db:1").is_err());
}

#[test]
fn a_node_s_own_end_of_the_bridge_is_the_pod_s_own_machine() {
    let pods = PODS.replace(
        "spec:\n  containers: [{name: c, ports",
        "spec:\n  nodeName: w1\n  containers: [{name: c, ports",
    );
    let mut seen = read(&[("pods.yaml", pods.as_str())], true).unwrap();
    check(&seen, "10.1.0.1", "bank/db:1", Verdict::Refused);
    let told = live::said(&json!({"closed": "true", "nodePods": "w1 10.1.0.0/24, w2 10.1.1.0/24"}));
    seen.world.ranges = told.unwrap().world.ranges;
    check(&seen, "10.1.0.1", "bank/db:1", Verdict::Allowed);
    check(&seen, "10.1.1.1", "bank/db:1", Verdict::Refused);
    assert!(live::said(&json!({"closed": "true", "nodePods": "w1"})).is_err());
}

#[test]
fn a_pod_that_has_ended_is_judged_as_if_it_ran_and_that_is_said() {
    let pods =
        PODS.replace("status: {podIP: 10.1.0.5}", "status: {podIP: 10.1.0.5, phase: Failed}");
    let files = [("ns.yaml", NAMESPACES), ("pods.yaml", pods.as_str()), ("p.yaml", OPENING)];
    let seen = read(&files, true).unwrap();
    for (from, to, expected) in [
        ("shop/web", "bank/db:5432", Verdict::Allowed),
        ("shop/web", "bank/db:5433", Verdict::Refused),
        ("192.0.2.1", "bank/db:5432", Verdict::Refused),
    ] {
        let report = check(&seen, from, to, expected);
        assert!(report.notes.contains(&"bank/db has ended: this would hold if it ran".to_owned()));
    }
    let said = say(&seen, Asked::Ways(ends::pod("bank/db").unwrap().end)).unwrap().people();
    assert!(
        said.contains("closed by NetworkPolicy bank/in") && said.contains("has ended"),
        "{said}"
    );
}

#[test]
fn the_notice_of_a_cluster_is_read() {
    let said = |closed: &str, open: &str| {
        let data = json!({"closed": closed, "openNamespaces": "d", "openNamespaceLabels": open});
        live::said(&data)
    };
    let seen = said("true", "a/b, c").unwrap();
    assert!(seen.notes.is_empty());
    let read = seen.world.defaults();
    assert!(read.closed && read.open_namespaces == ["d".to_owned()].into(), "{read:?}");
    assert_eq!(read.open_labels, ["a/b".to_owned(), "c".to_owned()].into());
    let seen = said("false", "").unwrap();
    let read = seen.world.defaults();
    assert!(!read.closed && read.open_labels.is_empty() && read.dns.is_some(), "{read:?}");
    assert!(said("perhaps", "").is_err());
    // Of a network that was brought it is told what is not read.
    let brought = live::said(&json!({"closed": "true", "closedBy": BROUGHT})).unwrap();
    assert!(brought.notes[0].contains("policies of its own kinds are not read"));
}

#[test]
fn the_command_line_is_read() {
    let check = |line: &str, well: bool| {
        let words = ["ringfort", "netpol"].into_iter().chain(line.split(' '));
        let read = Cli::try_parse_from(words);
        assert_eq!(read.is_ok(), well, "{line}: {:?}", read.err().map(|it| it.to_string()));
    };
    check("explain a/b", true);
    check("explain a/b -f x -f y --open-by-default", true);
    check("explain a/b --to 10.0.0.1 --port 53/udp", true);
    check("explain a/b --to c/d:1 --from c/d", false);
    check("explain a/b --port 1", false);
    check("explain a/b --open-by-default", false);
    check("explain 10.0.0.1", false);
    check("show cp1 -f other.yaml --json", true);
    check("show", false);
}

#[test]
fn a_node_s_pods_and_what_it_refused_are_shown() {
    let closed = ShownWay {
        closed_by: vec!["NetworkPolicy a/x".to_owned()],
        allows: vec!["from 10.0.0.0/8 at all ports, by NetworkPolicy a/y".to_owned()],
        rulings: vec!["denies connections from everyone at every port, by X".to_owned()],
        refused_packets: 7,
        refused_by: [("NetworkPolicy a/x".to_owned(), 5)].into(),
    };
    let pod = ShownPod {
        pod: "a/web".to_owned(),
        addresses: vec!["10.1.0.5".parse().unwrap()],
        egress: ShownWay::default(),
        ingress: closed,
    };
    let refusal = Refusal {
        way: "ingress".to_owned(),
        own: "10.1.0.5".parse().unwrap(),
        peer: "10.1.1.9".parse().unwrap(),
        protocol: "tcp".to_owned(),
        port: 80,
    };
    let shown = Shown {
        node: "w1".to_owned(),
        pods: vec![pod],
        trouble: vec!["no answer".to_owned()],
        behind: Some("pods are listed anew".to_owned()),
        meddled: 2,
        meddlings: vec![
            Meddling {
                number: 1,
                at_ms: 1_800_000_000_000,
                what: "the rules are not those that were made".to_owned(),
                by: None,
                back_after_ms: None,
            },
            Meddling {
                number: 2,
                at_ms: 1_800_000_060_000,
                what: "another program changed the rules".to_owned(),
                by: Some(Author { pid: 4711, name: "nft".to_owned() }),
                back_after_ms: Some(23),
            },
        ],
        in_force: InForce::Shown,
        is_whole: Some(true),
        waited: Some(Waited { pods: 3, median_ms: 4, most_ms: 9 }),
        refused: vec![(refusal, 3)],
        dropped: [("that belong to no connection".to_owned(), 2)].into(),
        ..Shown::default()
    };
    let text = show::people(&shown);
    let lines: Vec<String> =
        text.lines().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "a/web 10.1.0.5",
        "out open",
        "in closed by NetworkPolicy a/x; 7 packets refused",
        "denies connections from everyone at every port, by X",
        "5 packets refused by NetworkPolicy a/x",
        "lets through from 10.0.0.0/8 at all ports, by NetworkPolicy a/y",
        "the last 3 pods to begin waited 4 ms for their rules in the median, 9 ms at most",
        "10.1.1.9 a/web (10.1.0.5) TCP 80 ingress 3",
        "no new pod begins now: pods are listed anew",
        "trouble: no answer",
        "dropped, whatever policies say: 2 packets that belong to no connection",
        "findings: somebody else changed what is enforced 2 times since the machine was started",
        "2027-01-15T08:00:00Z the rules are not those that were made; not put back at once",
        "2027-01-15T08:01:00Z another program changed the rules, by nft (process 4711); as it should be after 23 ms",
        "rules that say this are in force, and the kernel holds all of them",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line}\n{text}");
    }
}

#[test]
fn what_is_shown_is_not_said_to_be_in_force_where_it_is_not() {
    let check = |in_force, is_whole, pods: &str, line: &str| {
        let text =
            show::people(&Shown { node: "w1".to_owned(), in_force, is_whole, ..Shown::default() });
        assert!(text.starts_with(pods) && text.contains(line), "{text}");
    };
    let unknown = "which pods w1 has is not known yet\n";
    check(InForce::ProcessBefore, Some(true), unknown, "rules from before the enforcer began anew");
    check(InForce::Closed, Some(true), unknown, "all ways of all pods are closed");
    check(InForce::Older, Some(true), "w1 has no pods", "older rules are in force");
    check(InForce::Shown, Some(false), "w1 has no pods", "but the kernel holds something else");
    check(
        InForce::Shown,
        None,
        "w1 has no pods",
        "whether the kernel holds all of them is not known",
    );
}
