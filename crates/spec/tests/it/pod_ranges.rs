//! Who gets which part of the pod range.

use std::collections::BTreeMap;

use ringfort_model::name::NodeName;
use ringfort_model::net::Cidr;
use ringfort_spec::Spec;

use crate::{SHORT, read};

type Ranges = BTreeMap<NodeName, Cidr>;

fn spec(workers: &str, network: &str) -> Spec {
    let short = SHORT.replace("10.0.0.21, 10.0.0.22, 10.0.0.23", workers);
    read(&format!("{short}network: {network}\n")).unwrap()
}

fn ranges(all: &[(&str, &str)]) -> Ranges {
    let pair =
        |(name, range): &(&str, &str)| (NodeName::new(*name).unwrap(), range.parse().unwrap());
    all.iter().map(pair).collect()
}

#[track_caller]
fn check(spec: &Spec, held: &Ranges, expected: &[(&str, &str)]) {
    let given = spec.pod_ranges(held).unwrap();
    for (name, range) in ranges(expected) {
        assert_eq!(given.get(&name), Some(&range), "{name}");
    }
    assert!(given.keys().eq(spec.nodes.keys()));
    assert_eq!(spec.pod_ranges(&given).as_ref(), Ok(&given), "a second time changes nothing");
}

const THREE: &str = "10.0.0.21, 10.0.0.22, 10.0.0.23";

#[test]
fn a_new_cluster_is_numbered_by_name() {
    let expected = [("cp-10-0-0-11", "10.244.0.0/24"), ("w-10-0-0-23", "10.244.5.0/24")];
    check(&spec(THREE, "{}"), &Ranges::new(), &expected);
}

#[test]
fn a_node_keeps_its_range_whoever_comes_and_goes() {
    let before = spec(THREE, "{}").pod_ranges(&Ranges::new()).unwrap();
    let after = spec("10.0.0.20, 10.0.0.22, 10.0.0.23", "{}");
    let expected = [
        ("cp-10-0-0-11", "10.244.0.0/24"),
        // Not the range of the worker that left, to which routes may still live.
        ("w-10-0-0-20", "10.244.6.0/24"),
        ("w-10-0-0-22", "10.244.4.0/24"),
    ];
    check(&after, &before, &expected);
}

#[test]
fn the_range_of_a_node_that_left_is_the_last_to_be_given_away() {
    let six = "{ pods: 10.244.0.0/16, nodePrefix: 19 }";
    let held = ranges(&[("gone", "10.244.0.0/19"), ("away", "10.244.32.0/19")]);
    let eight = spec("10.0.0.21, 10.0.0.22, 10.0.0.23, 10.0.0.24, 10.0.0.25", six);
    let expected = [("cp-10-0-0-11", "10.244.64.0/19"), ("w-10-0-0-25", "10.244.32.0/19")];
    check(&eight, &held, &expected);
}

#[test]
fn what_cannot_be_is_refused() {
    let refuse = |held: &[(&str, &str)], says: &str| {
        let said = spec(THREE, "{}").pod_ranges(&ranges(held)).unwrap_err().to_string();
        assert!(said.contains(says), "{said}");
    };
    refuse(&[("w-10-0-0-21", "10.1.0.0/24")], "put network.pods");
    refuse(&[("w-10-0-0-21", "10.244.0.0/25")], "put network.pods");
    let shared = [("w-10-0-0-21", "10.244.3.0/24"), ("w-10-0-0-22", "10.244.3.0/24")];
    refuse(&shared, "restore it");
}

#[test]
fn fewer_ranges_than_nodes_are_refused_early() {
    let text = format!("{SHORT}network: {{ pods: 10.244.0.0/23 }}\n");
    assert_eq!(crate::codes(&text), ["too-few-pod-ranges"]);
}
