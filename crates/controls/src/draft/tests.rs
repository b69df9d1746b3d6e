//! Two controls may say the same thing, and never two things of one.

use crate::audit::site::NONE;
use std::collections::BTreeMap;

use ringfort_model::bundle::{API_VERSION, BundleLock, KIND, Sbom, Source};
use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::trust::{EncryptionFacts, TrustFacts};
use ringfort_spec::Spec;
use serde_json::json;

use super::{Component, Document, Draft, DraftFault, Drafted, Given, Needs, PRIVATE, Place};

type Write = fn(&mut Place<'_, '_>);

fn spec() -> Spec {
    let text = "\
apiVersion: ringfort.dev/v1
kind: Cluster
name: harbour
kubernetes: \"1.37\"
controlPlanes: [10.0.0.11, 10.0.0.12, 10.0.0.13]
workers: [10.0.0.21, 10.0.0.22, 10.0.0.23]
ssh: { user: root }
";
    let today = "2026-11-23".parse().unwrap();
    ringfort_spec::read(text, "cluster.yaml", &[], today).unwrap()
}

/// Has two controls write one after the other.
fn drawn(needs: Needs, first: Write, second: Write) -> Result<Drafted, Vec<DraftFault>> {
    let spec = spec();
    let digest = Digest::of(b"");
    let trust = TrustFacts::of(
        spec.name.clone(),
        BTreeMap::new(),
        EncryptionFacts { keys: Vec::new(), digest: digest.clone() },
    );
    let bundle = BundleLock {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        kubernetes: spec.kubernetes,
        source: Source::Modules,
        compiler: None,
        recipe: digest.clone(),
        sbom: Sbom { path: String::new(), sha256: digest.clone(), size: 0 },
        host_tools: Vec::new(),
        entries: Vec::new(),
    };
    let (site, addons) = (&NONE, &[]);
    let given = Given { trust: &trust, bundle: &bundle, ringfort: &digest, addons, site };
    let mut draft = Draft::new(&spec, given);
    draft.sign("test/first");
    draft.control_planes(first);
    draft.sign("test/second");
    draft.control_planes(second);
    draft.finish(needs)
}

#[test]
fn two_controls_that_differ_are_both_named() {
    let check = |what: &str, one: Write, other: Write| {
        assert!(drawn(Needs::All, one, one).is_ok(), "{what}: the same thing twice is no conflict");
        let faults = drawn(Needs::All, one, other).unwrap_err();
        let (first, second) = ("test/first".to_owned(), "test/second".to_owned());
        let expected = DraftFault::Conflict { what: what.to_owned(), first, second };
        assert_eq!(faults, [expected]);
    };
    check(
        "etcd --name",
        |at| at.flag(Component::Etcd, "--name", "a"),
        |at| at.flag(Component::Etcd, "--name", "b"),
    );
    check(
        "readOnlyPort in /var/lib/kubelet/config.yaml",
        |at| at.set(Document::Kubelet, "readOnlyPort", 0),
        |at| at.set(Document::Kubelet, "readOnlyPort", 10255),
    );
    check(
        "file:/etc/motd",
        |at| at.text("/etc/motd", PRIVATE, "one"),
        |at| at.text("/etc/motd", PRIVATE, "two"),
    );
    check(
        "the admission plugin PodSecurity",
        |at| at.draft().plugin("PodSecurity", json!({"a": 1})),
        |at| at.draft().plugin("PodSecurity", json!({"a": 2})),
    );
    check(
        "Namespace a",
        |at| {
            at.draft().object(
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}),
            );
        },
        |at| {
            let labelled = json!({"name": "a", "labels": {"b": "c"}});
            at.draft()
                .object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": labelled}));
        },
    );
}

#[test]
fn a_need_that_nobody_asked_for_is_a_fault_unless_a_control_was_left_out() {
    let write: Write = |at| {
        let what = ringfort_model::item::What::Sysctl { value: "1".to_owned() };
        at.item(ItemId::Sysctl("a.b".to_owned()), what, [ItemId::unit("none.service")]);
    };
    let faults = drawn(Needs::All, write, write).unwrap_err();
    assert!(
        matches!(&faults[0], DraftFault::NoSuchNeed { need, .. } if need == "unit:none.service")
    );
    assert!(drawn(Needs::Present, write, write).is_ok());
}
