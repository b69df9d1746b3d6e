//! Laws of guidelines, over a world where all of them are kept and one where none is.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfort_check::guidelines::GUIDELINES;
use ringfort_check::judge::judge;
use ringfort_check::judgement::Judgement;
use ringfort_check::texts::Texts;
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::manifest;
use serde_json::{Value, json};

use crate::laws::places;

const GOOD: &str = include_str!("worlds/good.yaml");
const BAD: &str = include_str!("worlds/bad.yaml");

/// What each guideline comes to for the object of each document.
type Judged = BTreeMap<(usize, &'static str), Judgement>;

pub(crate) fn documents(text: &str) -> Vec<Value> {
    manifest::read(text).unwrap().into_iter().map(manifest::Document::into_value).collect()
}

/// Judges documents that hold an object each.
pub(crate) fn judged(documents: &[Value], world: World, unread: &[&str]) -> Judged {
    let mut objects = Objects::new(world, None);
    for (document, value) in documents.iter().enumerate() {
        objects.add(Origin { file: 0, document }, value);
    }
    unread.iter().for_each(|name| objects.add_unread((*name).to_owned()));
    let mut judged = BTreeMap::new();
    for number in 0..objects.iter().count() {
        let document = objects.get(number).origin.document;
        for (guideline, judgement) in judge(&objects, number, GUIDELINES).judgements {
            judged.insert((document, guideline.id), judgement);
        }
    }
    judged
}

fn is_pass(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::Pass(_))
}

#[test]
fn what_people_write_secrets_into_is_in_no_reason() {
    let container = |env: Value, args: Value| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {
            "containers": [{"name": "web", "image": "web:1", "env": env, "args": args}]}})
    };
    let map = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data});
    let all = [
        container(json!([{"name": "DB_PASSWORD", "value": "4711${x}"}]), json!([])),
        container(json!([{"name": "DB_PASSWORD", "value": 4711}]), json!([])),
        container(json!([]), json!(["--password=4711${x}"])),
        map(json!({"password": 4711})),
    ];
    for document in all {
        let judged = judged(std::slice::from_ref(&document), World::Closed, &[]);
        let gaps: Vec<_> = judged
            .values()
            .filter_map(|it| match it {
                Judgement::Unknown(missing) => Some(missing),
                _ => None,
            })
            .flatten()
            .map(|it| it.gap.said.as_str())
            .collect();
        assert!(!gaps.is_empty(), "{document}");
        assert!(gaps.iter().all(|said| !said.contains("4711")), "{gaps:?}");
    }
}

#[test]
fn every_guideline_is_kept_somewhere_and_broken_somewhere() {
    let all: BTreeSet<_> = GUIDELINES.iter().map(|guideline| guideline.id).collect();
    let good = judged(&documents(GOOD), World::Closed, &[]);
    let kept: BTreeSet<_> = good.iter().filter(|it| is_pass(it.1)).map(|it| it.0.1).collect();
    assert_eq!(all.difference(&kept).collect::<Vec<_>>(), Vec::<&&str>::new());
    let bad = judged(&documents(BAD), World::Closed, &[]);
    let is_broken = |it: &&Judgement| matches!(it, Judgement::Fail(_));
    let broken: BTreeSet<_> = bad.iter().filter(|it| is_broken(&it.1)).map(|it| it.0.1).collect();
    assert_eq!(all.difference(&broken).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn a_value_that_becomes_unreadable_makes_nothing_pass() {
    let mut tried = 0;
    for documents in [documents(GOOD), documents(BAD)] {
        let before = judged(&documents, World::Closed, &[]);
        for (number, document) in documents.iter().enumerate() {
            for pointer in places(document) {
                for unreadable in
                    [json!("{{ .Values.it }}"), json!([["{{ x }}"]]), json!({"{{ x }}": [[]]})]
                {
                    let mut changed = documents.clone();
                    *changed[number].pointer_mut(&pointer).unwrap() = unreadable.clone();
                    let what = format!("{pointer} of {document} becomes {unreadable}");
                    compare(
                        &before,
                        &judged(&changed, World::Closed, &[]),
                        number,
                        &pointer,
                        &what,
                    );
                    tried += 1;
                }
            }
        }
    }
    println!("{tried} values were made unreadable");
}

/// Sees that nothing passes that did not, and that nothing rests on the changed place.
fn compare(before: &Judged, after: &Judged, number: usize, pointer: &str, what: &str) {
    for (key, judgement) in after {
        let Judgement::Pass(rests) = judgement else { continue };
        let was = before.get(key);
        assert!(was.is_some_and(is_pass), "{what}: {key:?} passes, and was {was:?}");
        let is_there = key.0 == number && rests.spots().iter().any(|it| it.pointer == pointer);
        assert!(!is_there, "{what}: {key:?} rests on it: {judgement:?}");
    }
}

#[test]
fn an_object_that_is_not_seen_makes_nothing_pass() {
    for documents in [documents(GOOD), documents(BAD)] {
        for world in [World::Closed, World::Open] {
            let before = judged(&documents, world, &[]);
            for number in 0..documents.len() {
                let mut changed = documents.clone();
                changed[number] = Value::Null;
                let unread = if world == World::Closed { &["lost.yaml"][..] } else { &[] };
                for (key, judgement) in judged(&changed, world, unread) {
                    let was = before.get(&key);
                    let is_new = is_pass(&judgement) && !was.is_some_and(is_pass);
                    assert!(!is_new, "without {number} {key:?} passes, and was {was:?}");
                }
            }
        }
    }
}

/// What Kubernetes would refuse supports nothing: no more passes than without it.
#[test]
fn nothing_rests_on_an_object_that_cannot_be_read() {
    let documents = documents(GOOD);
    for number in 0..documents.len() {
        let (mut broken, mut gone) = (documents.clone(), documents.clone());
        broken[number]["apiVersion"] = json!("{{ .Values.version }}");
        gone[number] = Value::Null;
        let gone = judged(&gone, World::Closed, &[]);
        for (key, judgement) in judged(&broken, World::Closed, &[]) {
            let is_others = is_pass(&judgement) && !gone.get(&key).is_some_and(is_pass);
            assert!(!is_others, "{key:?} passes with {number} broken: {judgement:?}");
        }
    }
}

#[test]
fn what_passes_in_an_open_world_passes_in_a_closed_one() {
    for documents in [documents(GOOD), documents(BAD)] {
        let closed = judged(&documents, World::Closed, &[]);
        for (key, judgement) in judged(&documents, World::Open, &[]) {
            match (&judgement, &closed[&key]) {
                (Judgement::Unknown(_), _) => {}
                (open, closed) => {
                    let same = std::mem::discriminant(open) == std::mem::discriminant(closed);
                    assert!(same, "{key:?}: {open:?} and {closed:?}");
                }
            }
        }
    }
}

/// What a guideline comes to for the last of these documents, in a word.
fn word(guideline: &str, documents: &[Value]) -> &'static str {
    let judged = judged(documents, World::Closed, &[]);
    let of = judged.iter().find(|((at, id), _)| *at == documents.len() - 1 && *id == guideline);
    match of.map(|it| it.1) {
        Some(Judgement::Pass(_)) => "pass",
        Some(Judgement::Fail(_)) => "fail",
        Some(Judgement::Unknown(_)) => "unknown",
        Some(Judgement::NotApplicable(_)) => "spared",
        None => "nothing",
    }
}

/// One role, group or account is enough, if it is the right one.
#[test]
fn a_right_to_one_object_by_name_takes_over_where_one_is_enough() {
    let check = |group: &str, resource: &str, verb: &str, name: &str, expected: &str| {
        let version = "rbac.authorization.k8s.io/v1";
        let rule = json!({"apiGroups": [group], "resources": [resource], "verbs": [verb], "resourceNames": [name]});
        let all = [
            json!({"apiVersion": version, "kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [rule]}),
            json!({"apiVersion": version, "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"},
                "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "shop"}]}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "shop"}}),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"},
                "spec": {"serviceAccountName": "a", "containers": [{"name": "c", "image": "i"}]}}),
        ];
        assert_eq!(
            word("access/pods-cannot-take-over", &all),
            expected,
            "{verb} {resource} {name}"
        );
    };
    let rbac = "rbac.authorization.k8s.io";
    check(rbac, "clusterroles", "bind", "cluster-admin", "fail");
    check(rbac, "clusterroles", "escalate", "own", "fail");
    check("", "groups", "impersonate", "system:masters", "fail");
    check("", "serviceaccounts/token", "create", "generic-garbage-collector", "fail");
    // Of these the one that is named is one of many.
    check("", "secrets", "get", "own", "pass");
}

#[test]
fn a_tag_is_as_good_as_a_digest_where_its_site_says_so() {
    let check = |fixed: Value, image: &str, expected: &str| {
        let site = json!({"apiVersion": "check.ringfort.dev/v1", "kind": "Conventions",
            "metadata": {"name": "site"}, "spec": {"fixedTags": fixed}});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": image}]}});
        let found = word("versions/images-by-digest", &[site.clone(), pod]);
        assert_eq!(found, expected, "{site} {image}");
    };
    check(json!(["example.com/fixed"]), "example.com/fixed/a:1", "pass");
    check(json!(["example.com/fixed"]), "example.com/fixed/a", "fail");
    check(json!(["example.com/fixed"]), "example.com/fixed-not/a:1", "fail");
    check(json!(["{{ .Values.registry }}"]), "example.com/fixed/a:1", "unknown");
    check(json!("example.com/fixed"), "example.com/fixed/a:1", "unknown");
    check(json!([]), "example.com/fixed/a:1", "fail");
}

#[test]
fn a_load_balancer_is_judged_by_what_its_cloud_is_told() {
    const OF: &str = "service.beta.kubernetes.io/";
    let check = |guideline: &str, annotations: &[(&str, &str)], expected: &str| {
        let said = annotations.iter().map(|(key, value)| (format!("{OF}{key}"), json!(value)));
        let service = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "s", "annotations": said.collect::<serde_json::Map<_, _>>()},
            "spec": {"type": "LoadBalancer", "ports": [{"name": "web", "port": 443}, {"port": 80}]}});
        assert_eq!(word(guideline, &[service]), expected, "{annotations:?}");
    };
    let inside = "network/load-balancers-are-limited";
    check(inside, &[], "fail");
    check(inside, &[("azure-load-balancer-internal", "true")], "pass");
    check(inside, &[("azure-load-balancer-internal", "false")], "fail");
    check(inside, &[("aws-load-balancer-scheme", "internet-facing")], "fail");
    check(inside, &[("aws-load-balancer-scheme", "${SCHEME}")], "unknown");
    let by_tls = "network/load-balancers-by-tls";
    let http = ("aws-load-balancer-backend-protocol", "http");
    let certificate = ("aws-load-balancer-ssl-cert", "arn");
    check(by_tls, &[], "spared");
    check(by_tls, &[("aws-load-balancer-backend-protocol", "ssl")], "spared");
    check(by_tls, &[http], "fail");
    check(by_tls, &[http, certificate], "pass");
    check(by_tls, &[http, certificate, ("aws-load-balancer-ssl-ports", "8443, web")], "pass");
    check(by_tls, &[http, certificate, ("aws-load-balancer-ssl-ports", "8443")], "fail");
    check(by_tls, &[http, ("aws-load-balancer-ssl-cert", "{{ .Values.arn }}")], "unknown");
}

#[test]
fn a_volume_of_the_cluster_is_asked_where_it_leads_to() {
    let check = |guideline: &str, spec: Value, expected: &str| {
        let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": "v"}, "spec": spec});
        assert_eq!(word(guideline, std::slice::from_ref(&volume)), expected, "{volume}");
    };
    let paths = "workload/no-sensitive-host-paths";
    check(paths, json!({"hostPath": {"path": "/"}}), "fail");
    check(paths, json!({"hostPath": {"path": "/data/../etc"}}), "fail");
    check(paths, json!({"hostPath": {}}), "fail");
    check(paths, json!({"local": {"path": "/var/lib/kubelet"}}), "fail");
    check(paths, json!({"local": {"path": "/mnt/disks/a"}}), "pass");
    check(paths, json!({"csi": {"driver": "d", "volumeHandle": "h"}}), "pass");
    check(paths, json!({"{{ source }}": {"path": "/mnt/disks/a"}}), "unknown");
    check(paths, json!({"local": "{{ source }}"}), "unknown");
    check(paths, json!({"local": {"path": "{{ path }}"}}), "unknown");
    check(paths, Value::Null, "unknown");
    let sockets = "workload/no-node-sockets";
    check(sockets, json!({"hostPath": {"path": "/mnt/a.sock"}}), "fail");
    check(sockets, json!({"hostPath": {"path": "/mnt/a", "type": "Socket"}}), "fail");
    check(sockets, json!({"hostPath": {"path": "/run/containerd"}}), "fail");
    check(sockets, json!({"local": {"path": "/var/run/docker"}}), "fail");
    check(sockets, json!({"hostPath": {"path": "/mnt/a"}}), "pass");
}

#[test]
fn an_image_that_is_a_volume_is_judged_as_any_other() {
    let good = format!("example.com/a:1@sha256:{}", "a".repeat(64));
    let check = |guideline: &str, volume: Value, expected: &str| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": good}],
                "volumes": [{"name": "v", "image": volume}]}});
        let site = json!({"apiVersion": "check.ringfort.dev/v1", "kind": "Conventions",
            "metadata": {"name": "site"}, "spec": {"registries": ["example.com"]}});
        assert_eq!(word(guideline, &[site, pod]), expected, "{guideline} {volume}");
    };
    for guideline in [
        "versions/agreed-registries",
        "versions/images-are-pulled",
        "versions/images-by-digest",
        "versions/images-have-versions",
        "versions/images-name-their-registry",
        "versions/no-abandoned-images",
        "versions/no-known-holes",
    ] {
        check(guideline, json!({"reference": good}), "pass");
        check(guideline, json!({"reference": "{{ image }}"}), "unknown");
        check(guideline, json!({}), "unknown");
    }
    for guideline in [
        "versions/agreed-registries",
        "versions/images-by-digest",
        "versions/images-have-versions",
        "versions/images-name-their-registry",
    ] {
        check(guideline, json!({"reference": "models"}), "fail");
    }
    check("versions/images-are-pulled", json!({"reference": "a:1"}), "fail");
    check(
        "versions/images-are-pulled",
        json!({"reference": "a:1", "pullPolicy": "Always"}),
        "pass",
    );
    check("versions/no-abandoned-images", json!({"reference": "k8s.gcr.io/pause:3"}), "fail");
    check("versions/no-known-holes", json!({"reference": "kyverno:v1.8.4"}), "fail");
}

#[test]
fn what_a_config_map_holds_in_base64_is_looked_at() {
    let check = |key: &str, value: &str, expected: &str| {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"},
            "binaryData": {key: value}});
        assert_eq!(word("data/no-secrets-in-config-maps", &[map]), expected, "{key} {value}");
    };
    let encoded = |text: &str| STANDARD.encode(text);
    let key = format!("-----BEGIN {}-----\nabc\n", "PRIVATE KEY");
    check("greeting", &encoded("hello"), "pass");
    check("tls", &encoded(&key), "fail");
    check("password", &encoded("hunter2"), "fail");
    check("password", "", "pass");
    check("store.jks", &STANDARD.encode([0xfe, 0xed, 0, 2]), "unknown");
    check("greeting", "no base64!", "unknown");
    check("greeting", "{{ .Values.greeting }}", "unknown");
}

#[test]
fn a_value_of_a_shape_that_its_site_tells_of_is_a_secret() {
    let check = |shapes: Value, value: &str, expected: &str| {
        let site = json!({"apiVersion": "check.ringfort.dev/v1", "kind": "Conventions",
            "metadata": {"name": "site"}, "spec": {"secretValues": shapes}});
        let variable = json!({"name": "SOMETHING", "value": value});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "i", "env": [variable]}]}});
        let found = word("data/no-secrets-in-environment", &[site.clone(), pod]);
        assert_eq!(found, expected, "{site} {value}");
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"},
            "data": {"something": value}});
        let found = word("data/no-secrets-in-config-maps", &[site.clone(), map]);
        assert_eq!(found, expected, "{site} {value}");
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"},
            "binaryData": {"something": STANDARD.encode(value)}});
        let found = word("data/no-secrets-in-config-maps", &[site.clone(), map]);
        assert_eq!(found, expected, "{site} {value} in base64");
    };
    check(json!(["^acme_[0-9a-f]{4}$"]), "acme_12ab", "fail");
    check(json!(["^acme_[0-9a-f]{4}$"]), "acme_12abc", "pass");
    check(json!(["none", "acme"]), "an acme", "fail");
    check(json!(["("]), "acme_12ab", "unknown");
    check(json!(["(", "^acme_"]), "acme_12ab", "fail");
    check(json!(["x)|(y"]), "acme_12ab", "unknown");
    check(json!(["(?i)ACME", "x"]), "an acme", "fail");
    check(json!(["(?i)ACME", "X"]), "an x", "pass");
    // A comment goes to the end of what is written.
    check(json!(["(?x) none # of these", "acme"]), "an acme", "fail");
    check(json!("acme"), "acme_12ab", "unknown");
    check(json!(["{{ .Values.shape }}"]), "acme_12ab", "unknown");
    check(json!([]), "acme_12ab", "pass");
}

/// A binding of a role to somebody, judged with the role.
fn of_binding(guideline: &str, (role, rules): (&str, Value), (kind, name): (&str, &str)) -> String {
    let version = "rbac.authorization.k8s.io/v1";
    let all = [
        json!({"apiVersion": version, "kind": "ClusterRole", "metadata": {"name": role}, "rules": rules}),
        json!({"apiVersion": version, "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}]}),
    ];
    word(guideline, &all).to_owned()
}

#[test]
fn a_right_that_takes_over_is_nothing_for_everybody() {
    let check = |role: (&str, &str), subject: (&str, &str), expected: &str| {
        let rule = json!([{"apiGroups": [""], "resources": [role.0], "verbs": [role.1]}]);
        let found = of_binding("access/everyone-cannot-take-over", ("r", rule), subject);
        assert_eq!(found, expected, "{role:?} {subject:?}");
    };
    for group in ["system:authenticated", "system:unauthenticated", "system:serviceaccounts"] {
        check(("secrets", "list"), ("Group", group), "fail");
        check(("configmaps", "list"), ("Group", group), "pass");
    }
    check(("*", "*"), ("User", "system:anonymous"), "fail");
    for (kind, name) in [
        ("Group", "admins"),
        ("User", "system:authenticated"),
        ("Group", "system:serviceaccounts:a"),
    ] {
        check(("*", "*"), (kind, name), "pass");
    }
    let untold = json!("{{ .Values.rules }}");
    let everybody = ("Group", "system:authenticated");
    let found = of_binding("access/everyone-cannot-take-over", ("r", untold), everybody);
    assert_eq!(found, "unknown");
}

/// What API servers give with a role under this name.
fn shown(role: &str) -> Value {
    let get = |urls: &[&str]| json!([{"nonResourceURLs": urls, "verbs": ["get"]}]);
    let review = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": ["create"]});
    match role {
        "system:discovery" => get(&[
            "/api",
            "/api/*",
            "/apis",
            "/apis/*",
            "/healthz",
            "/livez",
            "/openapi",
            "/openapi/*",
            "/readyz",
            "/version",
            "/version/",
        ]),
        "system:public-info-viewer" => {
            get(&["/healthz", "/livez", "/readyz", "/version", "/version/"])
        }
        "system:service-account-issuer-discovery" => get(&[
            "/.well-known/openid-configuration",
            "/.well-known/openid-configuration/",
            "/openid/v1/jwks",
            "/openid/v1/jwks/",
        ]),
        "system:cluster-trust-bundle-discovery" => json!([{"apiGroups": ["certificates.k8s.io"],
            "resources": ["clustertrustbundles"], "verbs": ["get", "list", "watch"]}]),
        "system:basic-user" => json!([
            review("authentication.k8s.io", &["selfsubjectreviews"]),
            review(
                "authorization.k8s.io",
                &["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
            ),
        ]),
        _ => json!([]),
    }
}

const EVERYONE: &str = "access/no-rights-for-everyone";
const ANONYMOUS: &str = "access/no-anonymous-binding";

#[test]
fn what_kubernetes_itself_gives_everybody_is_no_fault() {
    let check = |role: &str, subject: &str, expected: &str| {
        let found = of_binding(EVERYONE, (role, shown(role)), ("Group", subject));
        assert_eq!(found, expected, "{role} {subject}");
    };
    check("system:discovery", "system:authenticated", "pass");
    check("system:basic-user", "system:authenticated", "pass");
    check("system:public-info-viewer", "system:authenticated", "pass");
    check("system:service-account-issuer-discovery", "system:serviceaccounts", "pass");
    check("system:cluster-trust-bundle-discovery", "system:serviceaccounts", "pass");
    check("system:discovery", "system:serviceaccounts", "fail");
    check("view", "system:authenticated", "fail");
    check("view", "people", "pass");
    let viewer = "system:public-info-viewer";
    let found = of_binding(ANONYMOUS, (viewer, shown(viewer)), ("Group", "system:unauthenticated"));
    assert_eq!(found, "pass");
}

/// Whoever changes such a role, or makes one of a namespace that is called so, gives something else.
#[test]
fn what_is_only_called_as_kubernetes_own_is_a_fault_for_everybody() {
    for (guideline, role, group) in [
        (EVERYONE, "system:discovery", "system:authenticated"),
        (ANONYMOUS, "system:public-info-viewer", "system:unauthenticated"),
    ] {
        let mut rules = shown(role);
        let more = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]});
        rules.as_array_mut().unwrap().push(more);
        assert_eq!(of_binding(guideline, (role, rules), ("Group", group)), "fail");
        let binding = |kind: &str| {
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": "b", "namespace": "shop"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
                "subjects": [{"kind": "Group", "name": group, "apiGroup": "rbac.authorization.k8s.io"}]})
        };
        assert_eq!(word(guideline, &[binding("Role")]), "fail");
        // Where all roles were given it is none of them, and where not nobody knows.
        assert_eq!(word(guideline, &[binding("ClusterRole")]), "pass");
        let open = judged(&[binding("ClusterRole")], World::Open, &[]);
        assert!(matches!(open[&(0, guideline)], Judgement::Unknown(_)), "{guideline}");
    }
}

#[test]
fn what_a_role_has_gathered_takes_over_as_well() {
    let sum = json!({"clusterRoleSelectors": [{"matchLabels": {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}}]});
    let secrets = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]);
    let check = |role: &str, rules: &Value, texts: Texts, expected: &str| {
        let version = "rbac.authorization.k8s.io/v1";
        let all = [
            json!({"apiVersion": version, "kind": "ClusterRole", "metadata": {"name": role},
                "aggregationRule": sum, "rules": rules}),
            json!({"apiVersion": version, "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "Group", "name": "system:authenticated", "apiGroup": "rbac.authorization.k8s.io"}]}),
        ];
        let mut objects = Objects::new(World::Closed, None).with_texts(texts);
        for (document, value) in all.iter().enumerate() {
            objects.add(Origin { file: 0, document }, value);
        }
        let judgements = judge(&objects, 1, GUIDELINES).judgements;
        let of = judgements.iter().find(|it| it.0.id == "access/everyone-cannot-take-over");
        let found = match of.unwrap().1 {
            Judgement::Pass(_) => "pass",
            Judgement::Fail(_) => "fail",
            _ => "unknown",
        };
        assert_eq!(found, expected, "{role} {rules} {texts:?}");
    };
    check("edit", &secrets, Texts::Served, "fail");
    check("all", &secrets, Texts::Served, "fail");
    check("all", &json!([]), Texts::Served, "pass");
    // What is written there is written over.
    check("edit", &json!([]), Texts::Written, "fail");
    check("all", &json!([]), Texts::Written, "unknown");
}
