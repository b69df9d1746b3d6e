//! Objects of different kinds are heard of by different watches, in any order between them: what that may
//! open, and what it may not.

use std::collections::BTreeSet;

use ringfort_policy::{Direction, RuleSet, World, compile};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::model::By;
use crate::objects::Cluster;
use crate::random::cluster;
use crate::rules::each_connection;
use crate::world::{home, world};

/// What of a cluster was heard of, by kind and place in its list.
type Heard = BTreeSet<(u8, usize)>;

fn part(cluster: &Cluster, heard: &Heard) -> Cluster {
    let of = |kind: u8, all: &[Value]| {
        let is_heard =
            |(at, object): (usize, &Value)| heard.contains(&(kind, at)).then(|| object.clone());
        all.iter().enumerate().filter_map(is_heard).collect()
    };
    Cluster {
        namespaces: of(0, &cluster.namespaces),
        pods: of(1, &cluster.pods),
        policies: of(2, &cluster.policies),
        wider: Vec::new(),
    }
}

fn rules(cluster: &Cluster) -> Vec<RuleSet> {
    let world: World = world(cluster, true);
    (0..3).map(|node| compile(&world, &home(node))).collect()
}

/// A cluster in which nothing is open without a policy, and all its objects in a random order.
fn closed(seed: u64) -> (Cluster, Vec<(u8, usize)>) {
    let mut chance = Chance::new(seed);
    let mut cluster = cluster(&mut chance);
    cluster.wider.clear();
    for namespace in &mut cluster.namespaces {
        namespace["metadata"]["labels"].as_object_mut().unwrap().remove("opened");
    }
    let counts = [cluster.namespaces.len(), cluster.pods.len(), cluster.policies.len()];
    let of_kind = |(kind, count): (u8, usize)| (0..count).map(move |at| (kind, at));
    let mut order: Vec<(u8, usize)> = (0..).zip(counts).flat_map(of_kind).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, chance.below(at + 1));
    }
    (cluster, order)
}

#[test]
fn what_is_heard_in_any_order_opens_nothing_that_is_closed_in_the_end() {
    let (mut early, mut late) = (0, 0);
    for seed in 0..12 {
        let (cluster, order) = closed(seed);
        let end = rules(&cluster);
        for heard in (2..order.len()).step_by(5) {
            let heard: Heard = order[..heard].iter().copied().collect();
            let rules = rules(&part(&cluster, &heard));
            each_connection(&cluster, By::Service, |asked, connection| {
                for (node, (rules, end)) in rules.iter().zip(&end).enumerate() {
                    for (direction, own) in [
                        (Direction::Egress, connection.client),
                        (Direction::Ingress, connection.server),
                    ] {
                        if !home(node).ranges.iter().any(|range| range.contains(own)) {
                            continue;
                        }
                        // DNS is open until a policy that selects the pod is heard of.
                        let is_dns = direction == Direction::Egress && asked.is_dns();
                        match (rules.lets(direction, &connection), end.lets(direction, &connection))
                        {
                            (true, true) => early += 1,
                            (false, true) => late += 1,
                            (opened, _) => assert!(
                                !opened || is_dns,
                                "seed {seed}, {heard:?}, {direction}: {connection:?}"
                            ),
                        }
                    }
                }
            });
        }
    }
    // What is open in the end must have been met on both sides of being heard of.
    assert!(early > 10_000 && late > 10_000, "{early} {late}");
}

/// What remains: the API never had this policy and this label at once, and whoever hears of the label first
/// has them both, until the policy's end is heard of as well. So it is with a namespace's label.
#[test]
fn a_change_may_hold_beside_an_earlier_one_of_another_kind_until_that_is_heard() {
    let check = |change: fn(&mut Cluster)| {
        let policy = json!({"metadata": {"name": "p", "namespace": "a"}, "spec": {
            "podSelector": {},
            "ingress": [{"from": [{
                "namespaceSelector": {"matchLabels": {"team": "x"}},
                "podSelector": {"matchLabels": {"app": "x"}},
            }]}],
        }});
        let pod = |name: &str, labels: Value, node: &str, ip: &str| {
            json!({
                "metadata": {"name": name, "namespace": "a", "uid": name, "labels": labels},
                "spec": {"nodeName": node, "containers": []},
                "status": {"podIP": ip},
            })
        };
        let mut cluster = Cluster {
            namespaces: vec![json!({"metadata": {"name": "a", "labels": {"team": "x"}}})],
            pods: vec![
                pod("own", json!({}), "n1", "10.1.1.5"),
                pod("peer", json!({"app": "y"}), "n2", "10.1.2.5"),
            ],
            policies: vec![policy],
            wider: Vec::new(),
        };
        let lets = |cluster: &Cluster| {
            let (client, server) = ("10.1.2.5".parse().unwrap(), "10.1.1.5".parse().unwrap());
            let connection = ringfort_policy::Connection { client, server, port: None };
            rules(cluster)[1].lets(Direction::Ingress, &connection)
        };
        assert!(!lets(&cluster), "before");
        cluster.pods[1]["metadata"]["labels"]["app"] = json!("x");
        assert!(lets(&cluster), "between");
        change(&mut cluster);
        assert!(!lets(&cluster), "after");
    };
    check(|cluster| cluster.policies.clear());
    check(|cluster| cluster.namespaces[0]["metadata"]["labels"] = json!({"team": "y"}));
}
