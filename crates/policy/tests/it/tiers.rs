//! Tiers of cluster-wide policies, one question at a time.

use ringfort_model::network_policy::Defaults;
use ringfort_policy::{
    Connection, Direction, Protocol, WiderKind, World, compile, place, pod, replace, wider,
};
use serde_json::{Value, json};

use crate::world::home;

/// Puts a cluster-wide policy for pods labelled `app: x`.
fn put_wider(world: &mut World, name: &str, tier: &str, priority: u16, rules: &Value) {
    let selected = json!({"pods": {"podSelector": {"matchLabels": {"app": "x"}}}});
    let mut spec = json!({"tier": tier, "priority": priority, "subject": selected});
    for (way, rules) in rules.as_object().unwrap() {
        spec[way] = rules.clone();
    }
    let object = json!({"metadata": {"name": name}, "spec": spec});
    world.wider.extend(wider(WiderKind::Cluster, &object));
}

/// One pod of node n1 labelled `app: x`, in an open namespace, and one of node n2.
fn two_pods() -> World {
    let mut world = World::new(Defaults::default());
    world.namespaces.insert("a".to_owned(), [("team".to_owned(), "a".to_owned())].into());
    for (name, app, node, ip) in [("own", "x", "n1", "10.1.1.5"), ("other", "y", "n2", "10.1.2.5")]
    {
        let object = json!({
            "metadata": {"namespace": "a", "name": name, "labels": {"app": app}},
            "spec": {"nodeName": node},
            "status": {"podIP": ip},
        });
        world.pods.insert(place(&object).unwrap(), pod(&object));
    }
    world
}

fn reaches(world: &World, client: &str) -> bool {
    let (client, server) = (client.parse().unwrap(), "10.1.1.5".parse().unwrap());
    let port = Some((Protocol::Tcp, 80));
    compile(world, &home(1)).lets(Direction::Ingress, &Connection { client, server, port })
}

#[test]
fn whom_a_tier_may_mean_and_nobody_has_heard_of_is_refused() {
    let denied = |app: &str| json!({"podSelector": {"matchLabels": {"app": app}}});
    let mut world = two_pods();
    assert!(reaches(&world, "10.1.2.5") && reaches(&world, "10.1.2.77"));
    let rules = json!({"ingress": [{"action": "Deny", "from": [{"pods": denied("z")}]}]});
    put_wider(&mut world, "labels", "Admin", 5, &rules);
    assert!(reaches(&world, "10.1.2.5"));
    assert!(!reaches(&world, "10.1.2.77"), "what it is labelled is not known yet");
    assert!(reaches(&world, "192.0.2.1"), "it is no pod");
    // A pod of a namespace that was not heard of may be meant as well.
    world.namespaces.clear();
    assert!(!reaches(&world, "10.1.2.5"));
}

#[test]
fn of_a_namespace_that_is_not_known_only_what_denies_counts() {
    let everyone = json!([{"namespaces": {}}]);
    let all = |action: &str| json!({"ingress": [{"action": action, "from": everyone}]});
    let mut world = two_pods();
    put_wider(&mut world, "accepting", "Admin", 1, &all("Accept"));
    put_wider(&mut world, "denying", "Admin", 2, &all("Deny"));
    assert!(reaches(&world, "10.1.2.5"));
    world.namespaces.clear();
    assert!(!reaches(&world, "10.1.2.5"));
}

#[test]
fn tiers_and_priorities_decide_in_order() {
    let all = |action: &str| json!({"ingress": [{"action": action, "from": [{"namespaces": {}}]}]});
    let check = |policies: &[(&str, &str, u16, &str)], expected: bool| {
        let mut world = two_pods();
        for (name, tier, priority, action) in policies {
            put_wider(&mut world, name, tier, *priority, &all(action));
        }
        assert_eq!(reaches(&world, "10.1.2.5"), expected, "{policies:?}");
    };
    check(&[("a", "Admin", 9, "Accept"), ("b", "Admin", 10, "Deny")], true);
    check(&[("a", "Admin", 11, "Accept"), ("b", "Admin", 10, "Deny")], false);
    check(&[("a", "Admin", 9, "Pass"), ("b", "Admin", 10, "Deny")], true);
    check(&[("a", "Admin", 9, "Pass"), ("b", "Baseline", 0, "Deny")], false);
    check(&[("a", "Baseline", 9, "Accept"), ("b", "Admin", 10, "Deny")], false);
    check(&[("a", "Baseline", 9, "Pass"), ("b", "Baseline", 10, "Deny")], true);
    // Of one priority, the first name.
    check(&[("a", "Admin", 7, "Accept"), ("b", "Admin", 7, "Deny")], true);
    check(&[("b", "Admin", 7, "Accept"), ("a", "Admin", 7, "Deny")], false);
}

/// What a packet is asked grows with changes of what rules do, not with rules or policies.
#[test]
fn rules_that_do_the_same_are_one_step() {
    let lines = |count: u16| {
        let mut world = two_pods();
        for number in 0..count {
            let network = format!("192.0.2.{number}/32");
            let rules = json!({"egress": [{"action": "Deny", "to": [{"networks": [network]}]}]});
            put_wider(&mut world, &format!("p{number}"), "Admin", number, &rules);
        }
        let rules = compile(&world, &home(1));
        rules.chains.values().map(Vec::len).sum::<usize>()
    };
    assert_eq!(lines(100), lines(1));
    // A node without a pod that is selected has nothing of it.
    let mut world = two_pods();
    let before = compile(&world, &home(2));
    let rules = json!({"egress": [{"action": "Deny", "to": [{"namespaces": {}}]}]});
    put_wider(&mut world, "p", "Admin", 1, &rules);
    assert_eq!(compile(&world, &home(2)), before);
}

/// The kernel is told the same as the rules say.
#[test]
fn steps_are_written_with_where_they_lead() {
    let mut world = two_pods();
    let rules = json!({"egress": [
        {"action": "Pass", "to": [{"pods": {"podSelector": {"matchLabels": {"app": "y"}}}}]},
        {"action": "Deny", "to": [{"networks": ["0.0.0.0/0"]}]},
    ]});
    put_wider(&mut world, "p", "Admin", 1, &rules);
    let text = replace(&compile(&world, &home(1)));
    let own = "ct original ip saddr";
    let rule = |chain: &str, what: &str| {
        let line = format!("add rule inet ringfort-policy egress4_{chain} {what}\n");
        assert!(text.contains(&line), "{line}{text}");
    };
    rule("admin", &format!("{own} @egress4_admin_unsure jump egress4_strangers"));
    rule("strangers", "ct reply ip saddr @egress4_known return");
    rule("strangers", "ct reply ip saddr @egress4_cluster goto egress4_denied");
    rule("admin", "ct reply ip saddr vmap @egress4_admin0_peers");
    rule("admin", &format!("{own} vmap @egress4_admin1_blocks"));
    let (group, _) = text.split_once("_all goto egress4_denied\n").unwrap();
    let (_, group) = group.rsplit_once("@egress4_admin1_").unwrap();
    rule(
        &format!("admin1_{group}"),
        &format!("ct reply ip saddr @egress4_admin1_{group}_all goto egress4_denied"),
    );
    rule("admin", &format!("{own} vmap @egress4_admin_next"));
    rule("admin_passed", &format!("{own} vmap @egress4_admin_next"));
    assert!(text.contains("10.1.1.5 : goto egress4_admin "), "{text}");
}
