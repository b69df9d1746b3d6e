//! What is on machines is known without a bundle: its order is the same, so that they can be emptied
//! by whoever has none.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{lock, spec};
use ringfort_controls::audit::site::NONE;
use ringfort_forge::bundle::Bundle;
use ringfort_forge::render::{Materials, render, sample_trust};
use ringfort_model::bundle::BundleLock;
use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::name::NodeName;
use ringfort_model::version::Minor;

/// The items of each machine, each with what it needs.
type Order = BTreeMap<(NodeName, String), BTreeSet<String>>;

fn order(minor: Minor, bundle: &BundleLock) -> Order {
    let spec = spec(minor);
    let ringfort = Digest::of(b"ringfort");
    let materials = Materials { bundle, ringfort, addons: &[], site: &NONE };
    let drawn = render(&spec, &sample_trust(&spec).unwrap(), &materials).unwrap();
    let mut order = Order::new();
    for (node, machine) in &drawn.machines {
        for (id, item) in &machine.items {
            order.insert((node.clone(), named(id)), item.needs.iter().map(named).collect());
        }
    }
    order
}

/// Versions of images are the bundle's own.
fn named(id: &ItemId) -> String {
    match id {
        ItemId::Image(reference) => reference.rsplit_once(':').unwrap().0.to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn a_bundle_that_nobody_has_gives_machines_the_same_order() {
    for minor in Minor::ALL {
        let unseen = Bundle::unseen(spec(minor).kubernetes);
        let (without, with) = (order(minor, unseen.lock()), order(minor, &lock(minor)));
        assert!(with.values().any(|needs| !needs.is_empty()), "{minor}");
        assert_eq!(without, with, "{minor}");
    }
}
