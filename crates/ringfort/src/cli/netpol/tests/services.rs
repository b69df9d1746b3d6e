//! Services as what is connected to.

use clap::Parser;
use serde_json::{Value, json};

use super::super::explain::{Asked, Said, say};
use super::super::report::{Report, Verdict};
use super::super::seen::Seen;
use super::super::through::{self, Through};
use super::super::{ends, live};
use super::{NAMESPACES, read};
use crate::cli::{Cli, Fault};

/// Three pods behind a Service, on two nodes, and who calls them.
const PODS: &str = "
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {nodeName: w1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db-0, namespace: bank, labels: {app: db, at: '0'}}, spec: {nodeName: w1,
containers: [{ports: [{name: sql, containerPort: 5432}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db-1, namespace: bank, labels: {app: db, at: '1'}}, spec: {nodeName: w2,
containers: [{ports: [{name: sql, containerPort: 5433}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db-2, namespace: bank, labels: {app: db, at: '2'}}, spec: {nodeName: w2,
containers: [{ports: [{name: sql, containerPort: 5432}]}]}, status: {phase: Succeeded}}
";

fn service(spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: db, namespace: bank}}, spec: {spec}}}"
    )
}

/// A policy for some of the pods that lets the caller in.
fn opening(labels: &str) -> String {
    format!(
        "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: in, namespace: bank}}, \
         spec: {{podSelector: {{matchLabels: {labels}}}, ingress: [{{from: [{{namespaceSelector: \
         {{matchLabels: {{team: shop}}}}}}]}}]}}}}"
    )
}

const SQL: &str = "{selector: {app: db}, ports: [{port: 80, targetPort: sql}]}";
const LEAVING: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{}]}
";

fn seen(spec: &str, policy: &str) -> Seen {
    let service = service(spec);
    let files = [
        ("ns.yaml", NAMESPACES),
        ("pods.yaml", PODS),
        ("svc.yaml", service.as_str()),
        ("in.yaml", policy),
        ("out.yaml", LEAVING),
    ];
    read(&files, true).unwrap()
}

fn ask(seen: &Seen, from: &str, to: &str) -> Result<Said, Fault> {
    let ends::Reached { target: ends::Target::Service(service), port } = ends::reached(to).unwrap()
    else {
        unreachable!("a Service is asked about")
    };
    say(seen, Asked::Service { from: ends::pod(from).unwrap().end, service, at: port })
}

fn through(seen: &Seen, expected: Verdict) -> Through {
    match ask(seen, "shop/web", "bank/svc/db").unwrap() {
        Said::Through(through) => {
            assert_eq!(through.verdict, expected, "{through:?}");
            *through
        }
        Said::Connection(_) | Said::Ways(_) => unreachable!("it leads to several"),
    }
}

fn alone(said: Said) -> Report {
    match said {
        Said::Through(mut through) if through.backends.len() == 1 => through.backends.remove(0),
        Said::Connection(_) | Said::Through(_) | Said::Ways(_) => unreachable!("it leads to one"),
    }
}

/// Says why nothing can be said.
#[track_caller]
fn unknown(seen: &Seen, part: &str) {
    let said = ask(seen, "shop/web", "bank/svc/db").unwrap();
    assert_eq!(said.code(), 3);
    let text = said.people();
    assert!(text.starts_with("unknown: shop/web to Service bank/db\n"), "{text}");
    assert!(text.contains(part), "{text}");
}

#[test]
fn all_that_a_service_leads_to_is_one_answer() {
    let seen_all = seen(SQL, &opening("{app: db}"));
    let all = through(&seen_all, Verdict::Allowed);
    // The pod that has ended is no end of it, and each has its own number for the port's name.
    let ports: Vec<_> = all.backends.iter().map(|it| (it.to.as_str(), it.port)).collect();
    assert_eq!(ports, [("bank/db-0", 5432), ("bank/db-1", 5433)]);
    assert_eq!(ask(&seen_all, "shop/web", "bank/service/db:80").unwrap().code(), 0);
    let some = seen(SQL, &opening("{at: '0'}"));
    assert_eq!(through(&some, Verdict::Partly).why, None);
    let said = ask(&some, "shop/web", "bank/svc/db:80").unwrap();
    assert_eq!(said.code(), 1);
    let text = said.people();
    let begin = "\
partly refused: shop/web to Service bank/db at TCP 80
  through Service bank/db, TCP 80, to the port called \"sql\" of 2 backends
  refused at 1 of 2: bank/db-1
leaving shop/web for bank/db-1: allowed
";
    assert!(text.starts_with(begin), "{text}");
    assert!(text.contains("reaching bank/db-0: allowed\n"), "{text}");
    assert!(text.contains("\nthis policy would let it reach bank/db-1:\n\napiVersion: "), "{text}");
    through(&seen(SQL, &opening("{at: none}")), Verdict::Refused);
}

#[test]
fn the_policy_that_is_proposed_names_the_pods_and_their_port() {
    let seen = seen(SQL, &opening("{at: none}"));
    let through = through(&seen, Verdict::Refused);
    let spec = &through.backends[1].ingress.would_allow.as_ref().unwrap()["spec"];
    assert_eq!(spec["podSelector"], json!({"matchLabels": {"app": "db", "at": "1"}}));
    assert_eq!(spec["ingress"][0]["ports"], json!([{"protocol": "TCP", "port": 5433}]));
}

#[test]
fn those_that_are_judged_alike_are_told_of_once() {
    let pod = |number: usize| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: p-{number}, namespace: bank, labels: {{app: many}}}}}}\n\
             ---\n"
        )
    };
    let many: String = (0..8).map(pod).collect();
    let service = service("{selector: {app: many}, ports: [{port: 80}]}");
    let files = [("ns.yaml", NAMESPACES), ("web.yaml", PODS), ("many.yaml", many.as_str())];
    let files = [files[0], files[1], files[2], ("svc.yaml", service.as_str())];
    let text = ask(&read(&files, true).unwrap(), "shop/web", "bank/svc/db").unwrap().people();
    assert_eq!(text.matches("leaving shop/web").count(), 1, "{text}");
    assert!(text.contains("reaching bank/p-0 and 7 others: refused"), "{text}");
    // One is opened, so that the others are named, and not all of them.
    let first = many.replacen("app: many", "app: many, open: yes-it-is", 1);
    let open = opening("{open: yes-it-is}");
    let files = [("ns.yaml", NAMESPACES), ("web.yaml", PODS), ("many.yaml", first.as_str())];
    let files = [
        files[0],
        files[1],
        files[2],
        ("svc.yaml", service.as_str()),
        ("in.yaml", open.as_str()),
        ("out.yaml", LEAVING),
    ];
    let text = ask(&read(&files, true).unwrap(), "shop/web", "bank/svc/db").unwrap().people();
    let line =
        "  refused at 7 of 8: bank/p-1, bank/p-2, bank/p-3, bank/p-4, bank/p-5 and 2 others\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn one_backend_is_told_as_if_it_had_been_asked_about() {
    let spec = "{selector: {at: '1'}, ports: [{name: sql, port: 80, targetPort: 5433}]}";
    let seen = seen(spec, &opening("{app: db}"));
    let said = ask(&seen, "shop/web", "bank/svc/db:sql").unwrap();
    assert!(
        said.people().contains("  through Service bank/db, TCP 80, to port 5433 of 1 backend\n")
    );
    let report = alone(said);
    assert_eq!((report.verdict, report.to.as_str()), (Verdict::Allowed, "bank/db-1"));
    // Programs are told of it as of several.
    let value = serde_json::to_value(through(&seen, Verdict::Allowed)).unwrap();
    let port = json!({"name": "sql", "protocol": "TCP", "port": 80, "targetPort": 5433});
    assert_eq!(value["service"], json!({"name": "bank/db", "port": port, "backendsCount": 1}));
    assert_eq!((&value["to"], &value["version"]), (&json!("bank/svc/db"), &json!(1)));
    assert_eq!(value["backends"][0]["to"], "bank/db-1");
    assert_eq!(value["backends"].as_array().map(Vec::len), Some(1));
}

#[test]
fn one_that_refuses_is_told_of_also_where_nothing_can_be_said_of_others() {
    let out = LEAVING.replace("[{}]", "[{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]");
    let (service, open) = (service(SQL), opening("{at: '0'}"));
    let files = [
        ("ns.yaml", NAMESPACES),
        ("pods.yaml", PODS),
        ("svc.yaml", service.as_str()),
        ("in.yaml", open.as_str()),
        ("out.yaml", out.as_str()),
    ];
    let said = ask(&read(&files, true).unwrap(), "shop/web", "bank/svc/db").unwrap();
    assert_eq!(said.code(), 1);
    let text = said.people();
    assert!(text.starts_with("partly refused: shop/web to Service bank/db at TCP 80\n"), "{text}");
    assert!(text.contains("\n  refused at 1 of 2: bank/db-1\n"), "{text}");
    assert!(
        text.contains("\n  unknown at 1 of 2: bank/db-0, because pod bank/db-0 has no address")
    );
    assert!(!text.contains("\n  because "), "{text}");
}

/// What a Service of one family leads to: an address of each, of which the caller may reach the one of IPv4.
fn of_both_families(spec: &str) -> Said {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: bank, labels: {app: both}}, status: \
               {podIPs: [{ip: 10.1.0.9}, {ip: 'fd00::9'}]}}";
    let deny = "{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: six}, \
                spec: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: \
                ['fd00::/8']}]}]}}";
    let (service, open) = (service(spec), opening("{app: both}"));
    let files = [
        ("ns.yaml", NAMESPACES),
        ("pods.yaml", PODS),
        ("both.yaml", pod),
        ("svc.yaml", service.as_str()),
        ("in.yaml", open.as_str()),
        ("out.yaml", LEAVING),
        ("six.yaml", deny),
    ];
    ask(&read(&files, true).unwrap(), "shop/web", "bank/svc/db").unwrap()
}

#[test]
fn of_a_service_of_one_family_only_that_one_is_judged() {
    let verdict = |families: &str| {
        let spec =
            format!("{{selector: {{app: both}}, ports: [{{port: 80}}], ipFamilies: [{families}]}}");
        alone(of_both_families(&spec)).verdict
    };
    assert_eq!(verdict("IPv4"), Verdict::Allowed);
    assert_eq!(verdict("IPv6"), Verdict::Refused);
    assert_eq!(verdict("IPv4, IPv6"), Verdict::Unknown);
}

#[test]
fn a_headless_service_is_judged_at_its_port_and_by_name_at_its_target() {
    let spec =
        "{clusterIP: None, selector: {at: '1'}, ports: [{name: sql, port: 80, targetPort: sql}]}";
    let seen = seen(spec, &opening("{app: db}"));
    let said = ask(&seen, "shop/web", "bank/svc/db:80").unwrap();
    let note = "note: Service bank/db is headless and translates nothing: port 80 of its pods is judged and not the \
                port called \"sql\" (targetPort); whoever asks DNS for sql is sent there, so name sql to ask about it";
    assert!(said.people().contains(note), "{}", said.people());
    assert_eq!(alone(said).port, 80);
    let said = ask(&seen, "shop/web", "bank/svc/db:sql").unwrap();
    assert!(!said.people().contains("headless"));
    assert_eq!(alone(said).port, 5433);
}

#[test]
fn several_backends_are_a_list_for_programs() {
    let seen = seen(SQL, &opening("{at: '0'}"));
    let value = serde_json::to_value(through(&seen, Verdict::Partly)).unwrap();
    assert_eq!((&value["version"], &value["verdict"]), (&json!(1), &json!("partly")));
    assert_eq!((&value["from"], &value["to"]), (&json!("shop/web"), &json!("bank/svc/db")));
    assert_eq!(value["service"]["port"]["targetPort"], "sql");
    let verdicts: Vec<&Value> =
        value["backends"].as_array().unwrap().iter().map(|it| &it["verdict"]).collect();
    assert_eq!(verdicts, ["allowed", "refused"]);
}

#[test]
fn where_a_service_leads_may_be_unknown() {
    unknown(
        &seen("{selector: {app: gone}, ports: [{port: 80}]}", &opening("{app: db}")),
        "because Service bank/db selects pods with app=gone, and there is none in namespace bank",
    );
    unknown(
        &seen("{type: ExternalName, externalName: db.example.org}", &opening("{app: db}")),
        "because Service bank/db stands for the name \"db.example.org\"",
    );
    unknown(
        &seen("{ports: [{port: 80}]}", &opening("{app: db}")),
        "because Service bank/db has no selector, so that others say where it leads",
    );
    unknown(
        &seen("{selector: {at: '1'}, internalTrafficPolicy: Local, ports: [{port: 80}]}", LEAVING),
        "nothing is on w1",
    );
}

#[test]
fn a_service_without_a_selector_leads_to_what_its_slices_list() {
    let slice = "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-x, namespace: bank, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{port: 6432}]
endpoints: [{addresses: [192.0.2.9]}]
";
    let service = service("{ports: [{port: 80}]}");
    let files = [
        ("ns.yaml", NAMESPACES),
        ("pods.yaml", PODS),
        ("svc.yaml", service.as_str()),
        ("slice.yaml", slice),
    ];
    let report = alone(ask(&read(&files, true).unwrap(), "shop/web", "bank/svc/db").unwrap());
    assert_eq!(
        (report.verdict, report.to.as_str(), report.port),
        (Verdict::Refused, "192.0.2.9", 6432)
    );
    let to = &report.egress.would_allow.unwrap()["spec"]["egress"][0]["to"];
    assert_eq!(*to, json!([{"ipBlock": {"cidr": "192.0.2.9/32"}}]));
}

/// A slice of the Service with these ends, or of another one.
fn slice(of: &str, ends: &str) -> String {
    format!(
        "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{namespace: bank, labels: \
         {{kubernetes.io/service-name: {of}}}}}, ports: [{{port: 6432}}], endpoints: {ends}}}\n---\n"
    )
}

#[test]
fn a_slice_that_cannot_be_read_matters_to_its_own_service_only() {
    let good = "[{addresses: [192.0.2.9]}]";
    let check = |bad: &str, spec: &str| {
        let service = service(spec);
        let slices = format!("{}{}{}", slice("db", good), slice(bad, "7"), slice("db", "[]"));
        let files = [
            ("ns.yaml", NAMESPACES),
            ("pods.yaml", PODS),
            ("svc.yaml", service.as_str()),
            ("slices.yaml", slices.as_str()),
        ];
        let seen = read(&files, true).unwrap();
        // What is no question about a Service has its answer.
        assert!(super::ask(&seen, "shop/web", "bank/db-0:80").is_ok());
        ask(&seen, "shop/web", "bank/svc/db")
            .map(alone)
            .map(|it| it.to)
            .map_err(|it| it.to_string())
    };
    assert_eq!(check("other", "{ports: [{port: 80}]}").unwrap(), "192.0.2.9");
    let fault = check("db", "{ports: [{port: 80}]}").unwrap_err();
    assert!(fault.starts_with("EndpointSlice ") && fault.contains("invalid type"), "{fault}");
    assert_eq!(check("db", "{selector: {at: '1'}, ports: [{port: 80}]}").unwrap(), "bank/db-1");
}

#[test]
fn addresses_that_are_judged_alike_are_opened_by_one_policy() {
    let ends = "[{addresses: [192.0.2.7]}, {addresses: [192.0.2.8]}, {addresses: [192.0.2.9]}]";
    let (service, slice) = (service("{ports: [{port: 80}]}"), slice("db", ends));
    let files = [
        ("ns.yaml", NAMESPACES),
        ("pods.yaml", PODS),
        ("svc.yaml", service.as_str()),
        ("slice.yaml", slice.as_str()),
    ];
    let text = ask(&read(&files, true).unwrap(), "shop/web", "bank/svc/db").unwrap().people();
    assert_eq!(text.matches("leaving shop/web").count(), 1, "{text}");
    assert!(text.contains("let it leave shop/web for 192.0.2.7 and 2 others:\n"), "{text}");
    assert_eq!(text.matches("cidr: \"192.0.2.").count(), 3, "{text}");
    assert!(text.contains("name: allow-to-192-0-2-7-tcp-6432-and-others\n"), "{text}");
}

#[test]
fn who_needs_a_policy_of_his_own_is_counted() {
    let text = ask(&seen(SQL, &opening("{at: none}")), "shop/web", "bank/svc/db").unwrap().people();
    assert!(text.contains("reaching bank/db-0 and 1 other: refused\n"), "{text}");
    assert!(text.contains("this policy would let it reach bank/db-0:\n"), "{text}");
    assert!(text.ends_with("\n1 more needs a policy of its own: --json tells of it\n"), "{text}");
}

#[test]
fn who_is_led_to_itself_is_let_through() {
    let seen = seen("{selector: {at: '1'}, ports: [{port: 80}]}", LEAVING);
    let said = ask(&seen, "bank/db-1", "bank/svc/db").unwrap();
    assert!(!said.people().contains("note: "), "{}", said.people());
    assert_eq!(alone(said).ingress.why, "a pod always reaches itself");
    // Of a workload, that is no word about its pods among each other.
    let web = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: bank}, spec: {template: \
               {metadata: {labels: {app: w}}}}}";
    let service = service("{selector: {app: w}, ports: [{port: 80}]}");
    let files = [("ns.yaml", NAMESPACES), ("web.yaml", web), ("svc.yaml", service.as_str())];
    let text = ask(&read(&files, true).unwrap(), "bank/web", "bank/svc/db").unwrap().people();
    assert!(text.contains("is not judged here"), "{text}");
}

#[test]
fn a_backend_on_its_machine_s_network_is_judged_as_the_machine_s_address() {
    let agent = "{apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: bank, labels: {app: agent}}, spec: \
                 {hostNetwork: true, nodeName: w2}, status: {podIP: 10.0.0.22}}";
    let service = service("{selector: {app: agent}, ports: [{port: 80}]}");
    let files = [
        ("ns.yaml", NAMESPACES),
        ("pods.yaml", PODS),
        ("agent.yaml", agent),
        ("svc.yaml", service.as_str()),
    ];
    let report = alone(ask(&read(&files, true).unwrap(), "shop/web", "bank/svc/db").unwrap());
    assert_eq!((report.verdict, report.ingress.verdict), (Verdict::Refused, Verdict::Allowed));
    let to = &report.egress.would_allow.unwrap()["spec"]["egress"][0]["to"];
    assert_eq!(*to, json!([{"ipBlock": {"cidr": "10.0.0.22/32"}}]));
}

#[test]
fn what_is_asked_wrongly_is_told_with_a_way_out() {
    let seen_one = seen(SQL, LEAVING);
    let check = |seen: &Seen, to: &str, part: &str| {
        let fault = ask(seen, "shop/web", to).err().unwrap();
        assert_eq!(fault.code, 2);
        assert!(fault.to_string().contains(part), "{fault}");
    };
    check(&seen_one, "bank/svc/bd", "there is no Service bank/bd: did you mean bank/svc/db?");
    check(&seen_one, "shop/svc/x", "nothing was found in namespace shop");
    check(&seen_one, "bank/svc/db:81", "Service bank/db has no port 81: its ports are 80/tcp");
    let several = "{selector: {app: db}, ports: [{name: a, port: 80}, {name: b, port: 81}]}";
    check(&seen(several, LEAVING), "bank/svc/db", "name one of a (80/tcp), b (81/tcp)");
    check(&seen("{selector: {v: 1}}", LEAVING), "bank/svc/db", "Service bank/db: invalid type");
    // What was a pod of a namespace called so, before Services could be asked about, is named.
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: svc}}";
    let seen_pod =
        read(&[("ns.yaml", NAMESPACES), ("web.yaml", PODS), ("pod.yaml", pod)], true).unwrap();
    check(
        &seen_pod,
        "svc/db",
        "there is no Service default/db: nothing was found in namespace default",
    );
    check(&seen_pod, "svc/db", "; a pod is written svc/pod/db");
    let fault = super::ask(&seen_pod, "shop/web", "svc/pod/bd:1").err().unwrap().to_string();
    assert_eq!(fault, "there is no pod svc/pod/bd: did you mean svc/pod/db?");
    let fault = super::ask(&super::all(), "shop/web", "10.96.0.9:80").err().unwrap().to_string();
    assert!(fault.ends_with("ask about --to bank/svc/db"), "{fault}");
}

#[test]
fn a_service_is_named_behind_to_only() {
    let read = |line: &str| {
        let words = ["ringfort", "netpol", "explain"].into_iter().chain(line.split(' '));
        Cli::try_parse_from(words).err().map(|it| it.to_string())
    };
    assert_eq!(read("a/b --to svc/db"), None);
    assert_eq!(read("a/b --to c/service/db:sql"), None);
    assert_eq!(read("a/b --to c/svc/db --port 53/udp"), None);
    for line in ["a/b --from svc/db --port 1", "svc/db --from a/b --port 1"] {
        assert!(read(line).unwrap().contains("connections come from pods"), "{line}");
    }
}

#[test]
fn the_nodes_of_all_backends_are_asked_what_their_rules_hold() {
    let seen = seen(SQL, LEAVING);
    let from = ends::pod("shop/web").unwrap().end;
    let ends::Target::Service(place) = ends::reached("bank/svc/db").unwrap().target else {
        unreachable!("a Service is asked about")
    };
    assert_eq!(through::ends(&seen, &from, &place, None).len(), 3);
    // A cluster's notice brings no Services with it.
    assert!(live::said(&json!({"closed": "true"})).unwrap().services.is_empty());
}
