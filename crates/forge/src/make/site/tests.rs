//! Who is worked with, and who is not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ringfort_host::DoorError;
use ringfort_model::name::NodeName;
use ringfort_spec::Spec;

use super::{Finding, Site, Weight, left_out, remains};
use crate::drive::fleet::FleetError;

fn name(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn spec() -> Spec {
    let text = "apiVersion: ringfort.dev/v1\nkind: Cluster\nname: harbour\nkubernetes: \"1.37\"\n\
                controlPlanes: [{ address: 10.0.0.11, name: cp1 }, { address: 10.0.0.12, name: cp2 }, \
                { address: 10.0.0.13, name: cp3 }]\n\
                workers: [10.0.0.21, 10.0.0.22, 10.0.0.23]\nssh: { user: root }\n";
    let today = "2026-01-01".parse().unwrap();
    ringfort_spec::read(text, "cluster.yaml", &ringfort_controls::known(), today).unwrap()
}

/// A site on which nobody was entered.
fn silent(errors: impl IntoIterator<Item = (&'static str, DoorError)>) -> Site {
    let missing = errors.into_iter().map(|(node, error)| (name(node), FleetError::Door(error)));
    Site { members: BTreeMap::new(), missing: missing.collect() }
}

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn refused() -> DoorError {
    DoorError::Refused { address: ADDRESS, port: 22 }
}

#[test]
fn only_who_is_given_up_may_be_silent_at_a_reset() {
    let site = || silent([("w1", refused()), ("w2", refused())]);
    let both = BTreeSet::from([name("w1"), name("w2")]);
    let gone = site().without(&both).map(|site| site.missing.len());
    assert!(matches!(gone, Ok(0)));
    let one = site().without(&BTreeSet::from([name("w1")])).map(drop).unwrap_err();
    assert_eq!(one.failures.into_keys().collect::<Vec<_>>(), [name("w2")]);
    assert!(site().without(&BTreeSet::new()).is_err());
}

#[test]
fn what_stays_on_who_is_given_up_is_told() {
    let told = remains(&BTreeSet::from([name("w2")]));
    assert!(told.last().unwrap().starts_with("everything on w2, which was given up"));
    assert_eq!(told.len(), remains(&BTreeSet::new()).len() + 1);
}

#[test]
fn what_is_wrong_at_one_machine_leaves_it_out_while_most_control_planes_are_left() {
    let spec = spec();
    let judged = |machines: &[&str]| {
        let finding = |node: &str, text: &str, weight| Finding {
            node: Some(name(node)),
            text: text.to_owned(),
            weight,
        };
        let mut findings = vec![finding("w1", "one processor", Weight::Advice)];
        for node in machines {
            findings.push(finding(node, "swap is on", Weight::Machine));
            findings.push(finding(node, "the clock is off", Weight::Machine));
        }
        let out = left_out(&spec, &mut findings, |node| node.as_str() != "cp3");
        let ends = findings.iter().filter(|finding| finding.weight == Weight::Run).count();
        let out: Vec<String> = out.iter().map(|(node, why)| format!("{node}: {why}")).collect();
        (out.join(", "), ends, findings.len())
    };
    assert_eq!(judged(&[]), (String::new(), 0, 1));
    let one = "w2: swap is on; the clock is off".to_owned();
    assert_eq!(judged(&["w2"]), (one, 0, 1));
    // One control plane is silent already.
    assert_eq!(judged(&["w2", "cp1"]), (String::new(), 4, 5));
}
