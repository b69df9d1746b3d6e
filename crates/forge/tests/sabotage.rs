//! What is broken on purpose: each way changes the blueprint, where it says that it does and nowhere else.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::collections::BTreeSet;

use common::{lock, spec, spec_with};
use ringfort_controls::audit::site::NONE;
use ringfort_controls::proved;
use ringfort_controls::sabotage::{Harm, find, sabotages};
use ringfort_forge::render::{Broken, Materials, RenderError, render, render_broken, sample_trust};
use ringfort_model::addon::Addon;
use ringfort_model::blueprint::{Blueprint, Role};
use ringfort_model::content::Content;
use ringfort_model::digest::Digest;
use ringfort_model::item::{ItemId, What};
use ringfort_model::name::NodeName;
use ringfort_model::version::Minor;
use ringfort_spec::Spec;
use serde_json::json;

/// Somebody who is told findings, and an add-on: what is broken of both has to be there.
fn whole_spec(minor: Minor) -> Spec {
    let more =
        "audit: { tell: { machineLog: true } }\naddons:\n  - { name: addon, files: [a.yaml] }\n";
    spec_with(minor, more)
}

fn draw(minor: Minor, broken: Option<Broken>) -> Result<Blueprint, RenderError> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "addon"}});
    let addons = [Addon { name: "addon".to_owned(), objects: vec![namespace] }];
    draw_of(&whole_spec(minor), &addons, broken)
}

fn draw_of(
    spec: &Spec,
    addons: &[Addon],
    broken: Option<Broken>,
) -> Result<Blueprint, RenderError> {
    let lock = lock(spec.kubernetes.minor);
    let trust = sample_trust(spec).unwrap();
    let ringfort = Digest::of(b"ringfort");
    let materials = Materials { bundle: &lock, ringfort, addons, site: &NONE };
    match broken {
        None => render(spec, &trust, &materials),
        Some(broken) => render_broken(broken, spec, &trust, &materials),
    }
}

fn changed(whole: &Blueprint, broken: &Blueprint) -> BTreeSet<NodeName> {
    let machines = whole.machines.iter();
    machines
        .filter(|(node, machine)| broken.machines[*node] != **machine)
        .map(|(node, _)| node.clone())
        .collect()
}

#[test]
fn every_proof_has_a_way_to_fail_and_every_way_a_name() {
    for (control, proof) in proved() {
        assert!(!proof.sabotage.is_empty(), "{}: nothing breaks it", control.id);
    }
    let mut names = BTreeSet::new();
    let provable: BTreeSet<&str> = proved().iter().map(|(control, _)| control.id).collect();
    for (control, sabotage) in sabotages() {
        let name = format!("{}/{}", control.id, sabotage.name);
        assert!(find(&name).is_some() && names.insert(name.clone()), "{name}");
        assert!(!sabotage.harms.is_empty(), "{name} harms nothing");
        for other in sabotage.also {
            assert!(provable.contains(other) && *other != control.id, "{name}: {other}");
        }
    }
    assert!(names.len() >= 60, "{} ways", names.len());
}

#[test]
fn every_way_changes_what_it_says_and_nothing_else() {
    for minor in Minor::ALL {
        let (spec, whole) = (whole_spec(minor), draw(minor, None).unwrap());
        for (control, sabotage) in sabotages() {
            let name = format!("{minor} {}/{}", control.id, sabotage.name);
            let broken = match draw(minor, Some((control, sabotage))) {
                Ok(broken) => broken,
                // What a release does not have cannot be broken there.
                Err(fault) if minor != Minor::V1_37 && is_absent(&fault) => continue,
                Err(fault) => panic!("{name}: {fault}"),
            };
            let on: BTreeSet<NodeName> = sabotage.machines(&spec).into_iter().collect();
            let changed = changed(&whole, &broken);
            let is_live = |harm: &Harm| matches!(harm, Harm::Live { .. });
            let is_everywhere = |harm: &Harm| matches!(harm, Harm::Plugin(..));
            if sabotage.harms.iter().all(is_live) {
                assert!(broken == whole, "{name} does its harm on machines");
            } else {
                assert!(broken != whole, "{name} changes nothing");
            }
            if !sabotage.harms.iter().any(is_everywhere) {
                assert!(changed.is_subset(&on), "{name} changes {changed:?}");
            }
        }
    }
}

/// What a cluster does not have is named as such, and nothing is done.
#[test]
fn what_is_not_there_cannot_be_broken() {
    for name in ["workload/addons/edited", "audit/findings-are-told/unheard"] {
        let fault = draw_of(&spec(Minor::V1_37), &[], Some(find(name).unwrap())).unwrap_err();
        assert!(is_absent(&fault), "{name}: {fault}");
    }
}

/// Who is told beside the machine's log goes on being told.
#[test]
fn only_the_machines_log_is_left_out_where_somebody_left_it_out() {
    let more = "audit: { tell: { machineLog: true, syslog: { address: 10.0.0.51:514, transport: udp } } }\n";
    let spec = spec_with(Minor::V1_37, more);
    let told = |broken: Option<Broken>| {
        let blueprint = draw_of(&spec, &[], broken).unwrap();
        let machine =
            blueprint.machines.values().rfind(|it| it.role == Role::ControlPlane).unwrap();
        let unit = ItemId::file("/etc/systemd/system/ringfort-tell.service");
        let What::File { content: Content::Text(text), .. } = &machine.items[&unit].what else {
            panic!("{unit} is no text")
        };
        text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut whole = told(None);
    let broken = told(find("audit/findings-are-told/unheard"));
    assert!(broken.iter().any(|word| word == "--syslog-server"));
    whole.retain(|word| word != "--syslog");
    assert_eq!(broken, whole);
}

fn is_absent(fault: &RenderError) -> bool {
    fault.to_string().contains("there is nothing to break")
}
