//! Who is named is whoever a run closes, by whatever of it; whom one server does not tell, the next does.

use std::collections::BTreeSet;
use std::future::ready;

use ringfort_api::ApiError;
use ringfort_controls::network::default_deny::defaults;
use ringfort_model::api_object::{ApiObject, Presence};
use ringfort_model::event::Event;
use ringfort_model::known::KnownObject;
use ringfort_model::network_policy::Defaults;
use ringfort_policy::{Place, Pod, place, pod, policy, with_name};
use serde_json::{Value, json};

use super::super::live::{NotSeen, own_labels};
use super::super::seen::Seen;
use super::{Now, answer, closes, in_turn, is_its_own, offline, unforeseen};
use crate::cli::specification::sample;

fn now(is_enforced: bool, held: Defaults, pods: &[(&str, &str)]) -> Now {
    let mut seen = Seen::new(held);
    for (namespace, name) in pods {
        let labels = with_name([("team".to_owned(), "a".to_owned())].into(), namespace);
        seen.world.namespaces.insert((*namespace).to_owned(), labels);
        let labels = [("app".to_owned(), (*name).to_owned())].into();
        seen.world.pods.insert(Place::new(*namespace, *name), Pod { labels, ..Pod::default() });
    }
    Now { seen, is_enforced }
}

fn applied(object: Value) -> ApiObject {
    ApiObject { by: "test/control".to_owned(), object, presence: Presence::Made }
}

fn named(now: &Now, wanted: Defaults, objects: &[ApiObject]) -> Vec<String> {
    without(now, wanted, objects, &[])
}

/// The same where ringfort knows of objects that the blueprint may have no longer.
fn without(
    now: &Now,
    wanted: Defaults,
    objects: &[ApiObject],
    known: &[(&Value, bool)],
) -> Vec<String> {
    let known: BTreeSet<KnownObject> = known
        .iter()
        .map(|(object, made)| KnownObject { key: applied((*object).clone()).key(), made: *made })
        .collect();
    let closing = now.closing(wanted, objects, &known);
    closing.cuts.iter().map(|it| it.pod.to_string()).collect()
}

fn written(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"namespace": namespace, "name": name}, "spec": spec,
    })
}

fn opened(labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})
}

/// What holds where a label opens namespaces.
fn by_label() -> Defaults {
    Defaults { open_labels: ["opened".to_owned()].into(), ..defaults(true) }
}

const PODS: [(&str, &str); 2] = [("kube-system", "dns"), ("shop", "web")];

#[test]
fn what_the_run_itself_opens_is_not_cut() {
    let before = now(false, defaults(false), &PODS);
    assert_eq!(named(&before, defaults(true), &[]), ["kube-system/dns", "shop/web"]);
    let dns = applied(written(
        "kube-system",
        "kube-dns",
        &json!({
            "podSelector": {"matchLabels": {"app": "dns"}}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [{}], "egress": [{}],
        }),
    ));
    assert_eq!(named(&before, defaults(true), std::slice::from_ref(&dns)), ["shop/web"]);
    let opened = applied(opened(&json!({"opened": "yes"})));
    assert!(named(&before, by_label(), &[dns, opened]).is_empty());
}

#[test]
fn only_what_changes_is_told() {
    let before = now(true, defaults(true), &PODS);
    assert!(named(&before, defaults(true), &[]).is_empty());
    let open = Defaults { open_namespaces: ["shop".to_owned()].into(), ..defaults(true) };
    let before = now(true, open, &PODS);
    assert_eq!(named(&before, defaults(true), &[]), ["shop/web"], "the waiver ended");
    let before = now(false, defaults(true), &PODS);
    assert_eq!(named(&before, defaults(true), &[]).len(), 2, "nobody enforced what is written");
}

#[test]
fn a_policy_of_the_run_closes_where_nothing_else_changes() {
    let open = || Defaults { open_namespaces: ["shop".to_owned()].into(), ..defaults(true) };
    let before = now(true, open(), &PODS);
    assert!(named(&before, open(), &[]).is_empty());
    let all = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    let closed = applied(written("shop", "all", &all));
    assert_eq!(named(&before, open(), &[closed]), ["shop/web"]);
    // As the enforcer takes what it cannot read: it closes.
    let unreadable = applied(written("shop", "all", &json!({"podSelector": 7})));
    assert_eq!(named(&before, open(), &[unreadable]), ["shop/web"]);
}

#[test]
fn what_the_run_takes_away_opens_nothing_any_more() {
    let mut before = now(true, by_label(), &PODS);
    before.seen.world.namespaces.get_mut("shop").unwrap().insert("opened".into(), "yes".into());
    let plain = || applied(opened(&json!({})));
    assert!(named(&before, by_label(), &[plain()]).is_empty(), "somebody else set the label");
    let own = ["opened", "kubernetes.io/metadata.name"].map(str::to_owned);
    before.seen.own_labels.insert("shop".to_owned(), own.into());
    assert_eq!(named(&before, by_label(), &[plain()]), ["shop/web"]);
    let kept = applied(opened(&json!({"opened": "yes"})));
    let known = opened(&json!({}));
    assert!(without(&before, by_label(), &[kept], &[(&known, true)]).is_empty());
    assert_eq!(without(&before, by_label(), &[], &[(&known, true)]), ["shop/web"], "it leaves");

    let mut before = now(true, defaults(true), &PODS);
    let rule = json!({"podSelector": {}, "ingress": [{}], "egress": [{}], "policyTypes": ["Ingress", "Egress"]});
    let opens = written("shop", "opens", &rule);
    before.seen.world.policies.insert(place(&opens).unwrap(), policy(&opens).unwrap());
    assert!(without(&before, defaults(true), &[], &[(&opens, false)]).is_empty(), "it stays");
    assert_eq!(without(&before, defaults(true), &[], &[(&opens, true)]), ["shop/web"]);
}

#[test]
fn labels_are_ringforts_own_as_far_as_nobody_else_sets_them() {
    let set = |manager: &str, operation: &str, keys: Value| {
        json!({
            "manager": manager, "operation": operation,
            "fieldsV1": {"f:metadata": {"f:labels": keys}},
        })
    };
    let object = json!({"metadata": {"managedFields": [
        set("ringfort", "Apply", json!({".": {}, "f:a": {}, "f:b": {}})),
        set("kubectl", "Update", json!({"f:b": {}, "f:c": {}})),
    ]}});
    assert_eq!(own_labels(&object), ["a".to_owned()].into());
    assert!(own_labels(&json!({"metadata": {"name": "a"}})).is_empty());
}

#[test]
fn what_is_enforced_is_read_from_the_right_and_the_notice() {
    let notice =
        |closed: &str, ranges: &str| json!({"data": {"closed": closed, "nodePods": ranges}});
    let (good, right) = (notice("true", "w1 10.1.1.0/24"), json!({}));
    let of = |notice: Option<&Value>, right: Option<&Value>| {
        let now = Now::of(notice, right);
        (now.is_enforced, now.seen.world.defaults().closed)
    };
    assert_eq!(of(Some(&good), Some(&right)), (true, true));
    assert_eq!(of(Some(&good), None), (false, true), "nobody enforces it");
    assert_eq!(of(None, Some(&right)), (true, false), "policies alone");
    assert_eq!(of(Some(&notice("true", "w1")), Some(&right)), (true, true));
    assert_eq!(of(Some(&notice("perhaps", "")), Some(&right)), (false, false), "all are named");
}

#[test]
fn a_namespace_that_outgrows_a_node_opens_nothing_where_enforcement_begins() {
    let mut seen = Seen::new(defaults(false));
    for number in 0..1_000 {
        let (node, name) = if number < 2 { ("w1", "near") } else { ("w2", "far") };
        let name = format!("{name}-{number}");
        let object = json!({
            "metadata": {"namespace": "a", "name": name, "labels": {"name": name}},
            "spec": {"nodeName": node},
            "status": {"podIP": format!("10.1.{}.{}", number / 250, 2 + number % 250)},
        });
        seen.world.pods.insert(place(&object).unwrap(), pod(&object));
    }
    let rule = |number: usize| {
        let but =
            json!([{"key": "name", "operator": "NotIn", "values": [format!("far-{number}")]}]);
        json!({
            "from": [{"podSelector": {"matchExpressions": but}}],
            "ports": [{"port": 1 + 2 * number}],
        })
    };
    let rules: Value = (2..902).map(rule).collect();
    let heavy = written("a", "heavy", &json!({"podSelector": {}, "ingress": rules}));
    seen.world.policies.insert(place(&heavy).unwrap(), policy(&heavy).unwrap());
    seen.complete();
    seen.wider.push("ClusterNetworkPolicy b of v9".to_owned());
    let closing = Now { seen, is_enforced: false }.closing(defaults(false), &[], &BTreeSet::new());
    assert_eq!(closing.cuts.len(), 1_000);
    let told = |part: &str| closing.notes.iter().any(|it| it.contains(part));
    assert!(told("of namespace a close and open nothing"), "{:?}", closing.notes);
    assert!(told("ClusterNetworkPolicy b of v9"), "{:?}", closing.notes);
}

#[test]
fn all_are_told_whatever_their_number() {
    let names: Vec<String> = (0..99).map(|number| format!("web-{number:03}")).collect();
    let pods: Vec<_> = names.iter().map(|name| ("shop", name.as_str())).collect();
    let now = now(false, defaults(false), &pods);
    let cuts = now.closing(defaults(true), &[], &BTreeSet::new()).cuts;
    let Event::Closes { pods, .. } = closes(&cuts, 1.0) else { panic!("another event") };
    assert_eq!(pods.len(), 99);
    assert_eq!(pods[0].pod, "shop/web-000");
    assert_eq!(pods[0].ingress, ["the default of the cluster"]);
    assert_eq!(pods[0].egress, ["the default of the cluster"]);
}

/// What a server answers.
#[derive(Clone, Copy)]
enum Says {
    Tells,
    Status(u16),
    Nothing,
    Oddly,
}

/// Asks servers that answer so; gives what came of it, and how many were asked.
async fn asked(servers: &[Says]) -> (Result<(), String>, usize) {
    let mut count = 0;
    let ask = |says: &Says| {
        count += 1;
        let text = || "why".to_owned();
        ready(Err(match *says {
            Says::Tells => return ready(Ok(())),
            Says::Nothing => NotSeen::Api(ApiError::Unreachable { why: text() }),
            Says::Oddly => NotSeen::Odd(text()),
            Says::Status(status) => {
                NotSeen::Api(ApiError::Refused { status, reason: text(), message: text() })
            }
        }))
    };
    let told = answer(in_turn(servers, ask, is_its_own).await);
    (told, count)
}

#[tokio::test]
async fn the_next_server_is_asked_where_one_has_troubles_of_its_own() {
    use Says::{Nothing, Oddly, Status, Tells};
    for trouble in [Nothing, Status(429), Status(500), Status(503)] {
        assert_eq!(asked(&[trouble, trouble, Tells]).await, (Ok(()), 3));
    }
    assert_eq!(asked(&[Tells, Tells]).await, (Ok(()), 1));
    for (answer, part) in [(Status(403), "403"), (Oddly, "why")] {
        let (told, count) = asked(&[answer, Tells]).await;
        assert!(told.unwrap_err().contains(part) && count == 1, "all would say it");
    }
    let (told, count) = asked(&[Status(503), Nothing]).await;
    assert!(told.unwrap_err().contains("cannot be reached") && count == 2);
    assert_eq!(asked(&[]).await.0.unwrap_err(), "there is no API server to ask");
}

#[test]
fn what_was_not_seen_is_told_as_such_by_plan() {
    let event = unforeseen("cp1 is silent", 1.0);
    let Event::Unseen { node: None, why, .. } = event else { panic!("another event") };
    assert!(why.starts_with("cp1 is silent; run it again"), "{why}");
}

#[test]
fn offline_says_that_nobody_looked_wherever_policies_begin_to_hold() {
    let is_told = |controls: &[&str]| {
        let waiver = |control: &&str| {
            format!(
                "  - {{ control: {control}, reason: a test, owner: me, expires: 2099-01-01 }}\n"
            )
        };
        let waivers: String = controls.iter().map(waiver).collect();
        let waivers = if waivers.is_empty() { waivers } else { format!("waivers:\n{waivers}") };
        offline(&sample(&waivers)).is_some()
    };
    assert!(is_told(&[]));
    assert!(is_told(&["network/default-deny"]), "what policies close is closed");
    assert!(!is_told(&["network/default-deny", "network/network-policy"]));
}
