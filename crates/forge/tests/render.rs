//! The blueprint as a whole: goldens of the three minors, and the laws that hold for all of them.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::{lock, spec, spec_with};
use ringfort_controls::audit::site::NONE;
use ringfort_controls::paths::{PLUGINS, TUNNEL_KEY};
use ringfort_controls::{CATALOGUE, Scene, find, yaml};
use ringfort_forge::render::{
    Materials, RenderError, Rendered, SIGNING_KEY, keys, render, render_all, render_without,
    sample_trust, tree,
};
use ringfort_model::act::{Act, Next, Seen};
use ringfort_model::addon::Addon;
use ringfort_model::api_object::{ApiObject, Presence};
use ringfort_model::blueprint::{Blueprint, Machine, Role};
use ringfort_model::certificate::{Authority, San, Usage};
use ringfort_model::content::Content;
use ringfort_model::digest::Digest;
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::mode::FileMode;
use ringfort_model::name::NodeName;
use ringfort_model::routes::Routes;
use ringfort_model::trust::TrustFacts;
use ringfort_model::tunnel::{Carriage, PodTraffic};
use ringfort_model::version::Minor;
use ringfort_spec::{Limit, Spec};
use serde_json::{Value, json};

fn drawn(spec: &Spec) -> Result<Rendered, RenderError> {
    let lock = lock(spec.kubernetes.minor);
    let materials =
        Materials { bundle: &lock, ringfort: Digest::of(b"ringfort"), addons: &[], site: &NONE };
    render_all(spec, &sample_trust(spec).unwrap(), &materials)
}

fn blueprint(minor: Minor) -> Blueprint {
    drawn(&spec(minor)).unwrap().blueprint
}

fn without(control: &str, spec: &Spec) -> Result<Blueprint, RenderError> {
    let lock = lock(spec.kubernetes.minor);
    let materials =
        Materials { bundle: &lock, ringfort: Digest::of(b"ringfort"), addons: &[], site: &NONE };
    render_without(control, spec, &sample_trust(spec).unwrap(), &materials)
}

fn texts(blueprint: &Blueprint) -> impl Iterator<Item = (&str, &str)> {
    blueprint.machines.values().flat_map(|machine| &machine.items).filter_map(|(id, item)| {
        match (id, &item.what) {
            (ItemId::File(path), What::File { content: Content::Text(text), .. }) => {
                Some((path.as_str(), text.as_str()))
            }
            _ => None,
        }
    })
}

fn text<'a>(blueprint: &'a Blueprint, path: &str) -> &'a str {
    texts(blueprint).find(|(at, _)| *at == path).map(|(_, text)| text).unwrap_or_default()
}

/// What a golden keeps of a layout: one machine of each part, and what is of no machine.
fn kept(path: &str) -> bool {
    !path.starts_with("nodes/") || path.contains("0-0-11/") || path.contains("0-0-21/")
}

/// Whoever a certificate on a machine speaks for at the API tries what is beyond its task.
#[test]
fn every_identity_that_a_machine_shows_to_the_api_is_tried() {
    for minor in Minor::ALL {
        let blueprint = blueprint(minor);
        let of = |role: Role| -> Vec<NodeName> {
            let is_one = |(_, machine): &(&NodeName, &Machine)| machine.role == role;
            blueprint.machines.iter().filter(is_one).map(|(name, _)| name.clone()).collect()
        };
        let (control_planes, workers) = (of(Role::ControlPlane), of(Role::Worker));
        let scene = Scene { control_planes, workers, minor, ..Scene::sample() };
        let shown: BTreeSet<String> = blueprint
            .machines
            .iter()
            .flat_map(|(node, machine)| machine.items.values().map(move |item| (node, item)))
            .filter_map(|(node, item)| Some(whichever(&client(item)?, [node])))
            .collect();
        assert!(shown.len() > 7 && shown.contains("system:node:*"), "{shown:?}");
        let tried: BTreeSet<String> = tried(&scene)
            .iter()
            .map(|user| whichever(user, scene.control_planes.iter().chain(&scene.workers)))
            .collect();
        let untried: Vec<&String> = shown.difference(&tried).collect();
        assert!(untried.is_empty(), "{minor}: nobody tries {untried:?}: {tried:?}");
    }
}

/// Names whom a certificate speaks for at the API.
fn client(item: &Item) -> Option<String> {
    let What::File { content: Content::Issued(request), .. } = &item.what else { return None };
    let is_client =
        request.authority == Authority::Cluster && request.usages.contains(&Usage::ClientAuth);
    is_client.then(|| request.subject.common_name.clone())
}

/// Names an identity that each machine has of its own for all of them.
fn whichever<'a>(user: &str, machines: impl IntoIterator<Item = &'a NodeName>) -> String {
    let own = machines.into_iter().find_map(|machine| user.strip_suffix(&format!(":{machine}")));
    own.map_or_else(|| user.to_owned(), |class| format!("{class}:*"))
}

/// Names everybody who tries what a proof has to see refused.
fn tried(scene: &Scene) -> BTreeSet<String> {
    let proof = find("access/node-and-rbac").and_then(|control| control.prove).unwrap();
    let mut transcript: Vec<(Act, Seen)> = Vec::new();
    for _ in 0..2 {
        let Next::Do(acts) = (proof.next)(scene, &transcript) else { break };
        transcript.extend(acts.into_iter().map(|act| (act, Seen::Done)));
    }
    let by = |(act, _): &(Act, Seen)| match act {
        Act::Ask { speaker, .. } => Some(speaker.user()),
        _ => None,
    };
    transcript.iter().filter_map(by).collect()
}

#[test]
fn the_blueprint_is_as_the_goldens_have_it() {
    for minor in Minor::ALL {
        compare(&minor.to_string(), &spec(minor), kept);
    }
}

/// What the waivers of the example change: guards, one flag, and one role with its binding.
#[test]
fn the_blueprint_for_conformance_is_as_the_golden_has_it() {
    let text = include_str!("../../../examples/conformance.yaml");
    let today = "2026-11-23".parse().unwrap();
    let spec = ringfort_spec::read(text, "conformance.yaml", &ringfort_controls::known(), today)
        .unwrap_or_else(|report| panic!("{report}"));
    compare("1.37-conformance", &spec, |path| {
        let opened = ["/admission/", "/kube-apiserver.yaml", "-waived.yaml"];
        kept(path) && opened.iter().any(|part| path.contains(part))
    });
}

fn compare(name: &str, spec: &Spec, keep: fn(&str) -> bool) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let files: Vec<_> =
        tree(&drawn(spec).unwrap()).into_iter().filter(|file| keep(&file.path)).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let _ = fs::remove_dir_all(&directory);
        for file in &files {
            let path = directory.join(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &file.text).unwrap();
        }
    }
    for file in &files {
        let golden = fs::read_to_string(directory.join(&file.path)).unwrap_or_default();
        let differing = golden.lines().zip(file.text.lines()).find(|(a, b)| a != b);
        assert!(
            golden == file.text,
            "{name} {}: {differing:?}\nUPDATE_GOLDEN=1 writes it anew",
            file.path
        );
    }
    assert_eq!(count(&directory), files.len(), "{name}: a golden has no file any more");
}

fn count(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path: PathBuf| if path.is_dir() { count(&path) } else { 1 }).sum()
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for minor in Minor::ALL {
        let bytes = || serde_json::to_string(&blueprint(minor)).unwrap();
        assert_eq!(bytes(), bytes());
    }
}

#[test]
fn every_item_and_object_is_wanted_by_a_control() {
    let known: BTreeSet<&str> = CATALOGUE.iter().map(|control| control.id).collect();
    for minor in Minor::ALL {
        let blueprint = blueprint(minor);
        for item in blueprint.machines.values().flat_map(|machine| machine.items.values()) {
            assert!(known.contains(item.by.as_str()), "{}", item.by);
        }
        for object in &blueprint.objects {
            assert!(known.contains(object.by.as_str()), "{}", object.by);
        }
    }
}

#[test]
fn needs_are_there_and_go_round_in_no_circle() {
    for minor in Minor::ALL {
        for machine in blueprint(minor).machines.values() {
            let mut right: BTreeSet<&ItemId> = BTreeSet::new();
            loop {
                let ready = |id: &&ItemId| {
                    !right.contains(*id)
                        && machine.items[*id].needs.iter().all(|n| right.contains(n))
                };
                let next: Vec<&ItemId> = machine.items.keys().filter(ready).collect();
                if next.is_empty() {
                    break;
                }
                right.extend(next);
            }
            let stuck: Vec<_> = machine.items.keys().filter(|id| !right.contains(id)).collect();
            assert!(stuck.is_empty(), "{stuck:?}");
        }
    }
}

#[test]
fn yaml_says_what_was_meant() {
    let mut checked = 0;
    for minor in Minor::ALL {
        let blueprint = blueprint(minor);
        let files = texts(&blueprint).filter(|(path, _)| path.ends_with(".yaml"));
        let objects = blueprint.objects.iter().map(|object| yaml::document(&object.object));
        for text in files.map(|(_, text)| text.to_owned()).chain(objects) {
            for document in text.split("---\n") {
                let read: Value = serde_saphyr::from_str(document).unwrap();
                assert_eq!(yaml::document(&read), document);
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn a_process_carries_the_digest_that_is_waited_for() {
    for machine in blueprint(Minor::V1_37).machines.values() {
        for (id, item) in &machine.items {
            let (ItemId::Serving(name), What::Serving { inputs, .. }) = (id, &item.what) else {
                continue;
            };
            let manifest = ItemId::file(format!("/etc/kubernetes/manifests/{name}.yaml"));
            let What::File { content: Content::Text(text), .. } = &machine.items[&manifest].what
            else {
                panic!("{manifest} is no text");
            };
            let carried = text.split_once("- name: RINGFORT_INPUTS\n      value: ").unwrap().1;
            assert!(carried.trim_start_matches('"').starts_with(inputs.as_str()), "{text}");
        }
    }
}

#[test]
fn no_default_lets_root_in() {
    for (minor, refused) in [(Minor::V1_35, false), (Minor::V1_36, true), (Minor::V1_37, true)] {
        let result = without("access/non-root", &spec(minor));
        assert_eq!(result.is_err(), refused, "{minor}");
        if let Err(error) = result {
            assert!(error.to_string().contains("workload/user-namespaces"), "{error}");
        }
    }
}

#[test]
fn every_other_control_can_be_left_out_and_is_then_missed() {
    for control in CATALOGUE.iter().filter(|control| control.make.is_some()) {
        let spec = spec(Minor::V1_37);
        if control.id == "access/non-root" {
            continue;
        }
        let rest = without(control.id, &spec).unwrap_or_else(|e| panic!("{}: {e}", control.id));
        // These only pass on what a spec names; other tests see to that.
        let adds = !["audit/findings-are-told", "workload/addons"].contains(&control.id);
        assert_eq!(rest != blueprint(Minor::V1_37), adds, "what {} adds", control.id);
        let by = |by: &str| by == control.id;
        assert!(!rest.machines.values().flat_map(|m| m.items.values()).any(|item| by(&item.by)));
    }
}

/// Waivers for the whole cluster of a control, and of what cannot hold without it.
fn waived(control: &str) -> String {
    let rests = [
        ("network/network-policy", "network/default-deny"),
        ("access/non-root", "workload/user-namespaces"),
    ];
    let others = rests.iter().filter(|(on, _)| *on == control).map(|(_, other)| *other);
    let line = |control: &str| {
        format!("  - {{ control: {control}, reason: r, owner: o, expires: 2027-01-31 }}\n")
    };
    format!("waivers:\n{}", [control].into_iter().chain(others).map(line).collect::<String>())
}

#[test]
fn without_a_waived_control_nothing_names_what_is_not_there() {
    let known = ringfort_controls::known();
    for control in known.iter().filter(|known| known.limits.contains(&Limit::Cluster)) {
        let spec = spec_with(Minor::V1_37, &waived(control.id));
        let blueprint = drawn(&spec).unwrap_or_else(|error| panic!("{}: {error}", control.id));
        for (node, machine) in &blueprint.blueprint.machines {
            let needs = machine.items.values().flat_map(|item| &item.needs);
            let lost: Vec<_> = needs.filter(|need| !machine.items.contains_key(need)).collect();
            assert!(lost.is_empty(), "{} waived: {node} lacks {lost:?}", control.id);
            let list = ItemId::file("/etc/cni/net.d/10-ringfort.conflist");
            let What::File { content: Content::Text(list), .. } = &machine.items[&list].what else {
                panic!("the list of network plugins is a text")
            };
            let list: Value = serde_json::from_str(list).unwrap();
            for plugin in list["plugins"].as_array().unwrap() {
                let program = format!("{PLUGINS}/{}", plugin["type"].as_str().unwrap());
                let is_there = machine.items.contains_key(&ItemId::file(&program));
                assert!(is_there, "{} waived: {node} lacks {program}", control.id);
            }
        }
    }
}

#[test]
fn workers_have_no_static_pods_and_no_secret_of_the_api() {
    let blueprint = blueprint(Minor::V1_37);
    for (node, machine) in blueprint.machines.iter().filter(|(n, _)| n.as_str().starts_with('w')) {
        for (id, item) in &machine.items {
            let id = id.to_string();
            assert!(!id.contains("manifests") && !id.contains("etcd"), "{node}: {id}");
            let secret = matches!(&item.what, What::File { content: Content::Secret { .. }, .. });
            assert!(!secret, "{node}: {id}");
        }
        let kubelet = &machine.items[&ItemId::file("/var/lib/kubelet/config.yaml")];
        assert!(!format!("{kubelet:?}").contains("staticPodPath"), "{node}");
    }
}

#[test]
fn keys_and_what_names_them_are_for_their_owner_alone() {
    for machine in blueprint(Minor::V1_37).machines.values() {
        for (id, item) in &machine.items {
            let What::File { mode, content, .. } = &item.what else { continue };
            let private = match content {
                Content::PrivateKey | Content::TunnelKey | Content::Secret { .. } => true,
                Content::Text(text) => text.contains("client-key") || text.contains("kind: Pod"),
                Content::Bundled { .. } | Content::Issued(_) => false,
            };
            assert!(!private || *mode == FileMode(0o600), "{id}: {mode}");
            assert_eq!(mode.0 & 0o022, 0, "{id}: {mode}");
        }
    }
}

#[test]
fn the_keys_come_first_and_are_part_of_the_whole() {
    let spec = spec(Minor::V1_37);
    let trust = sample_trust(&spec).unwrap();
    let (keys, whole) = (keys(&spec, &trust), blueprint(Minor::V1_37));
    let (signing, tunnel) = (ItemId::file(SIGNING_KEY), ItemId::file(TUNNEL_KEY));
    for (node, machine) in &keys.machines {
        assert!(machine.items.contains_key(&tunnel), "{node}");
        let signs = machine.items.contains_key(&signing);
        assert_eq!(signs, node.as_str().starts_with("cp"), "{node}");
        for (id, item) in &machine.items {
            assert_eq!(item.what, whole.machines[node].items[id].what, "{id}");
        }
    }
}

#[test]
fn packets_of_pods_are_encrypted_only_where_machines_can() {
    let spec = spec(Minor::V1_37);
    let able = sample_trust(&spec).unwrap();
    let open = Some(Carriage { traffic: PodTraffic::Open, mtu_bytes: 9000 });
    let unable = TrustFacts { carriage: open, ..able.clone() };
    let insists = spec_with(Minor::V1_37, "network: { encryption: wireguard }\n");
    let waiver = "waivers:\n- { control: network/pod-encryption, reason: a, owner: b, expires: 2027-01-01 }\n";
    let waives = spec_with(Minor::V1_37, waiver);
    let lock = lock(Minor::V1_37);
    let check = |spec: &Spec, trust: &TrustFacts, encrypted: bool, mtu: &str| {
        let materials = Materials {
            bundle: &lock,
            ringfort: Digest::of(b"ringfort"),
            addons: &[],
            site: &NONE,
        };
        let blueprint = render(spec, trust, &materials).unwrap();
        let machine = blueprint.machines.values().next().unwrap();
        assert_eq!(machine.items.contains_key(&ItemId::file(TUNNEL_KEY)), encrypted);
        let routes = text(&blueprint, "/etc/kubernetes/routes.json");
        let routes: Routes = serde_json::from_str(routes).unwrap();
        assert_eq!(routes.tunnel.map(|tunnel| tunnel.peers.len()), encrypted.then_some(5));
        let network = text(&blueprint, "/etc/cni/net.d/10-ringfort.conflist");
        assert!(network.contains(&format!("\"mtu\": {mtu}")), "{network}");
        let first = keys(spec, trust).machines.into_values().next().unwrap();
        assert_eq!(first.items.contains_key(&ItemId::file(TUNNEL_KEY)), encrypted);
    };
    check(&spec, &able, true, "1440");
    check(&spec, &unable, false, "8950");
    check(&spec, &TrustFacts { carriage: None, ..able.clone() }, false, "1450");
    check(&insists, &unable, true, "8940");
    check(&waives, &able, false, "1450");
}

#[test]
fn a_machine_whose_public_half_is_not_known_is_told_to_nobody() {
    let spec = spec(Minor::V1_37);
    let mut trust = sample_trust(&spec).unwrap();
    let unknown = trust.tunnel_keys.pop_last().unwrap().0;
    let lock = lock(Minor::V1_37);
    let materials =
        Materials { bundle: &lock, ringfort: Digest::of(b"ringfort"), addons: &[], site: &NONE };
    let blueprint = render(&spec, &trust, &materials).unwrap();
    let routes = text(&blueprint, "/etc/kubernetes/routes.json");
    let routes: Routes = serde_json::from_str(routes).unwrap();
    assert!(!routes.tunnel.unwrap().peers.contains_key(&unknown));
    assert!(routes.peers.iter().any(|peer| peer.node == unknown), "and stays a peer");
}

#[test]
fn a_waiver_of_pod_security_opens_its_namespaces_and_no_other() {
    let label = "e2e-framework";
    let waiver = format!(
        "waivers:\n- control: access/pod-security\n  scope: {{ namespaceLabel: {label}, user: tester }}\n  \
         reason: the end-to-end suite makes such namespaces\n  owner: ann\n  expires: 2027-01-01\n"
    );
    let open = drawn(&spec_with(Minor::V1_37, &waiver)).unwrap().blueprint;
    let guards = "/etc/kubernetes/admission/validating";
    let labels = text(&open, &format!("{guards}/10-namespaces.yaml"));
    assert!(labels.contains("request.userInfo.username == \"tester\""), "{labels}");
    for file in ["40-non-root", "45-user-namespaces", "50-default-account"] {
        let guard = text(&open, &format!("{guards}/{file}.yaml"));
        assert!(guard.contains("key: e2e-framework\n        operator: DoesNotExist"), "{guard}");
    }
    let walls = text(&open, &format!("{guards}/47-waived-namespaces.yaml"));
    assert!(walls.contains("request.userInfo.username in [\"tester\"]"), "{walls}");
    for file in ["20-admission-objects", "30-cluster-admin", "35-roles"] {
        let path = format!("{guards}/{file}.yaml");
        assert_eq!(text(&open, &path), text(&blueprint(Minor::V1_37), &path));
    }
}

#[test]
fn what_is_missing_is_named_all_at_once() {
    let spec = spec(Minor::V1_37);
    let mut lock = lock(Minor::V1_37);
    lock.entries.retain(|entry| entry.name != "runc" && entry.name != "pause");
    let mut trust = sample_trust(&spec).unwrap();
    trust.pod_ranges.clear();
    let materials =
        Materials { bundle: &lock, ringfort: Digest::of(b"ringfort"), addons: &[], site: &NONE };
    let error = render(&spec, &trust, &materials).unwrap_err().to_string();
    for missing in ["\"runc\"", "\"pause\"", "the pod range of w-10-0-0-23"] {
        assert!(error.contains(missing), "{error}");
    }
}

#[test]
fn an_api_server_answers_to_the_name_of_the_endpoint() {
    let named = |name: &San, more: &str| {
        let spec = spec_with(Minor::V1_37, more);
        let blueprint = drawn(&spec).unwrap().blueprint;
        let items = blueprint.machines.values().flat_map(|machine| &machine.items);
        let certificates = items.filter_map(|(id, item)| match (id, &item.what) {
            (ItemId::File(path), What::File { content: Content::Issued(wanted), .. })
                if path.ends_with("/apiserver.crt") =>
            {
                Some(wanted)
            }
            _ => None,
        });
        certificates.filter(|wanted| wanted.names.contains(name)).count()
    };
    let (dns, ip) = (San::Dns("api.example.com".to_owned()), San::Ip([10, 0, 0, 5].into()));
    assert_eq!((named(&dns, ""), named(&dns, "endpoint: api.example.com:443\n")), (0, 3));
    assert_eq!((named(&ip, ""), named(&ip, "endpoint: 10.0.0.5:6443\n")), (0, 3));
}

#[test]
fn pods_leave_by_their_machines_address_only_where_that_is_asked_for() {
    let told = |more: &str| {
        let blueprint = drawn(&spec_with(Minor::V1_37, more)).unwrap().blueprint;
        let text = text(&blueprint, "/etc/kubernetes/routes.json");
        assert_eq!(text.contains("masquerade"), !more.is_empty(), "{text}");
        serde_json::from_str::<Routes>(text).unwrap().masquerade
    };
    assert_eq!(told(""), None);
    let network = spec(Minor::V1_37).network;
    let inside = told("network: { masquerade: true }\n").unwrap().inside;
    assert_eq!(inside, [network.pods, network.services]);
}

/// Programs that set the kernel's settings again end before `reset` puts those back: what needs others goes first.
#[test]
fn settings_of_the_network_outlive_who_keeps_them() {
    for machine in blueprint(Minor::V1_37).machines.values() {
        for unit in ["kubelet.service", "ringfort-routes.service", "ringfort-policy.service"] {
            let needs = &machine.items[&ItemId::unit(unit)].needs;
            let setting = ItemId::Sysctl("net.ipv4.ip_forward".to_owned());
            assert!(needs.contains(&setting), "{unit}: {needs:?}");
        }
    }
}

#[test]
fn a_users_own_network_takes_the_place_of_ours() {
    let own = drawn(&spec_with(Minor::V1_37, "network: { provider: none }\n")).unwrap().blueprint;
    let paths: BTreeSet<&str> = texts(&own).map(|(path, _)| path).collect();
    assert!(!paths.iter().any(|path| path.contains("/cni/") || path.contains("routes")));
    assert!(paths.contains("/etc/kubernetes/kube-proxy.yaml"));
    // Who closes namespaces then is said where people who know only kubectl read it.
    let notice = own.objects.iter().find(|it| it.object["metadata"]["name"] == "network-default");
    let data = &notice.unwrap().object["data"];
    assert_eq!(data["closed"], "true");
    assert!(
        data["closedBy"].as_str().unwrap().contains("add-on that brings the network"),
        "{data}"
    );
}

/// Pods that use their machine's network are seen at its address, which no selector names.
#[test]
fn name_servers_are_asked_from_every_namespace_and_from_every_machine() {
    let blueprint = blueprint(Minor::V1_37);
    let mut policies = blueprint.objects.iter().filter(|it| it.object["kind"] == "NetworkPolicy");
    let policy = policies.find(|it| it.object["metadata"]["name"] == "kube-dns").unwrap();
    let machines =
        [11, 12, 13, 21, 22, 23].map(|it| json!({"ipBlock": {"cidr": format!("10.0.0.{it}/32")}}));
    let from: Value = [json!({"namespaceSelector": {}})].into_iter().chain(machines).collect();
    assert_eq!(policy.object["spec"]["ingress"][0]["from"], from);
}

#[test]
fn an_addon_is_applied_and_its_waiver_opens_its_namespaces_to_nobody_else() {
    let addons = "addons: [{ name: net, files: [net.yaml] }]\n";
    let waiver = "waivers:\n- control: access/pod-security\n  scope: { addon: net }\n  \
                  reason: it routes\n  owner: ann\n  expires: 2027-01-01\n";
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "net"}});
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "net", "namespace": "net"},
    });
    let objects = vec![namespace.clone(), account.clone()];
    let net = [Addon { name: "net".to_owned(), objects }];
    let lock = lock(Minor::V1_37);
    let drawn = |text: &str| {
        let spec = spec_with(Minor::V1_37, text);
        let trust = sample_trust(&spec).unwrap();
        let materials =
            Materials { bundle: &lock, ringfort: Digest::of(b"r"), addons: &net, site: &NONE };
        render(&spec, &trust, &materials).unwrap()
    };
    let of = |blueprint: &Blueprint| -> Vec<Value> {
        let by = blueprint.objects.iter().filter(|object| object.by == "workload/addons");
        by.map(|object| object.object.clone()).collect()
    };
    let closed = drawn(addons);
    assert_eq!(of(&closed), [namespace.clone(), account.clone()]);
    let made = |object: &&ApiObject| object.presence == Presence::Made;
    let last = closed.objects.iter().rfind(made).unwrap();
    assert_eq!(last.object, account, "add-ons come last of what ringfort makes");
    let open = drawn(&format!("{addons}{waiver}"));
    let mut labelled = namespace;
    labelled["metadata"]["labels"] = json!({
        "addon.ringfort.dev/net": "true",
        "pod-security.kubernetes.io/enforce": "privileged",
    });
    assert_eq!(of(&open), [labelled, account]);
    let guards = "/etc/kubernetes/admission/validating";
    let planes = format!("{guards}/44-control-planes.yaml");
    assert!(text(&open, &planes).contains("\"addon.ringfort.dev/net\" in variables.labels"));
    assert!(!text(&closed, &planes).contains("addon."));
    let walls = text(&open, &format!("{guards}/47-waived-namespaces.yaml"));
    assert!(walls.contains("request.userInfo.username in [\"ringfort:keeper\"]"), "{walls}");
    let gives_back = "request.userInfo.username == \"ringfort:keeper\"";
    assert!(walls.contains(gives_back), "ringfort may take the label off: {walls}");
    assert!(!walls.contains("waived-identities"), "ringfort's own identity is not walled in");
    let kinds = open.objects.iter().map(|object| object.key().to_string());
    assert!(!kinds.into_iter().any(|key| key.contains("ringfort:waived")));
}

#[test]
fn an_addon_cannot_change_what_is_ringforts_own() {
    let spec = spec_with(Minor::V1_37, "addons: [{ name: dns, files: [dns.yaml] }]\n");
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "coredns", "namespace": "kube-system"}, "data": {},
    });
    let dns = [Addon { name: "dns".to_owned(), objects: vec![object] }];
    let (lock, trust) = (lock(Minor::V1_37), sample_trust(&spec).unwrap());
    let materials =
        Materials { bundle: &lock, ringfort: Digest::of(b"r"), addons: &dns, site: &NONE };
    let error = render(&spec, &trust, &materials).unwrap_err().to_string();
    for word in ["ConfigMap kube-system/coredns", "network/cluster-dns", "workload/addons"] {
        assert!(error.contains(word), "{error}");
    }
}
