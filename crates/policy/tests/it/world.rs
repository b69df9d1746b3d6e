//! A random cluster as the core reads it, and its nodes.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::network_policy::{Defaults, Names};
use ringfort_policy::{Home, WiderKind, World, labels, place, pod, policy, wider};

use crate::objects::Cluster;
use crate::random::NODES;

pub(crate) fn world(cluster: &Cluster, closed: bool) -> World {
    let mut world = World::new(Defaults {
        closed,
        open_namespaces: BTreeSet::new(),
        open_labels: BTreeSet::from(["opened".to_owned()]),
        dns: Some(Names {
            namespace: "kube-system".to_owned(),
            labels: BTreeMap::from([("app".to_owned(), "x".to_owned())]),
            port: 53,
        }),
    });
    for (node, name) in NODES.iter().enumerate() {
        world.ranges.insert((*name).to_owned(), home(node).ranges);
    }
    for object in &cluster.namespaces {
        world.namespaces.insert(place(object).unwrap().name, labels(object));
    }
    for object in &cluster.pods {
        world.pods.insert(place(object).unwrap(), pod(object));
    }
    for object in &cluster.policies {
        world.policies.insert(place(object).unwrap(), policy(object).unwrap());
    }
    for object in &cluster.wider {
        let kind = WiderKind::of(object["kind"].as_str().unwrap()).unwrap();
        world.wider.extend(wider(kind, object));
    }
    world
}

pub(crate) fn home(node: usize) -> Home {
    Home {
        node: NODES[node].to_owned(),
        ranges: vec![
            format!("10.1.{node}.0/24").parse().unwrap(),
            format!("fd00:{node}::/64").parse().unwrap(),
        ],
        all: vec!["10.1.0.0/16".parse().unwrap(), "fd00::/16".parse().unwrap()],
        attached: BTreeMap::new(),
    }
}
