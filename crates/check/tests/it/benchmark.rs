//! Rows of the benchmark: ringfort's own machines keep them, what is known to fool tools fools none, and no
//! verdict becomes better by what was not seen.

use std::collections::BTreeSet;

use ringfort_check::benchmark::{Intent, Needs, rows};
use ringfort_facts::component::api_server::{anonymous, authorizers};
use ringfort_facts::component::authentication::Anonymous;
use ringfort_facts::component::command_line::CommandLine;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::component::{Component, files::Files};
use ringfort_facts::fact::Fact;
use ringfort_facts::machine::{Machine, Told};
use ringfort_model::judgement::Verdict;
use ringfort_model::version::Minor;
use serde_json::{Value, json};

use crate::machine::{Facts, file};

/// What a control makes so is so on a machine that was made by it, and what it makes otherwise is seen for
/// what it is worth.
#[test]
fn a_machine_of_the_blueprint_keeps_what_its_controls_promise() {
    let facts = Facts::of_blueprint();
    let intent = Intent { machines: BTreeSet::from(["cp1".to_owned()]), ..Intent::default() };
    let judged = facts.judged_with(None, Some(&intent));
    let mut wrong = Vec::new();
    for row in rows().filter(|row| row.needs() == Needs::Machines) {
        let judgement = &judged[row.id];
        if !matches!(Verdict::from(judgement), Verdict::Proved | Verdict::NotApplicable) {
            wrong.push(format!("{} {:?}: {judgement:?}", row.id, row.kept));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands in for a recommendation counts only where it is seen.
#[test]
fn what_is_made_otherwise_counts_only_where_it_is() {
    let fails = |id: &str, change: fn(&mut Facts)| {
        let intent = Intent { machines: BTreeSet::from(["cp1".to_owned()]), ..Intent::default() };
        let mut facts = Facts::of_blueprint();
        let before = Verdict::from(&facts.judged_with(None, Some(&intent))[id]);
        assert_ne!(before, Verdict::Failed, "{id}");
        change(&mut facts);
        let after = facts.judged_with(None, Some(&intent))[id].clone();
        assert_eq!(Verdict::from(&after), Verdict::Failed, "{id}: {after:?}");
    };
    let user = |program: &str, user: u32| {
        let mut facts = Facts::of_blueprint();
        facts.0["components"][program]["processes"]["known"][0]["user"] = json!({"known": user});
        facts
    };
    // The component is root, or somebody else than the one to whom the file belongs.
    for other in [0, 1000] {
        assert_eq!(user("kube-scheduler", other).verdict("1.1.16"), Verdict::Failed);
        assert_eq!(user("kube-controller-manager", other).verdict("1.1.18"), Verdict::Failed);
    }
    fails("1.1.16", |facts| {
        facts.0["files"]["/etc/kubernetes/scheduler.conf"] = file("file", 0o620, 10257, 10257);
    });
    let kubelet = "/var/lib/kubelet/config.yaml";
    fails("1.2.11", |facts| {
        let document = json!({"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "imagePullCredentialsVerificationPolicy": "NeverVerify"});
        facts.text("kubelet", "/var/lib/kubelet/config.yaml", &document);
    });
    // Nobody knows whether there are other machines.
    assert_eq!(
        Verdict::from(&Facts::of_blueprint().judged_with(None, None)["1.2.11"]),
        Verdict::Failed
    );
    fails("4.2.6", |facts| {
        let document = json!({"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
            "mode": "iptables"});
        facts.text("kube-proxy", "/etc/kubernetes/kube-proxy.yaml", &document);
    });
    fails("4.2.7", |facts| {
        let certificate = "/var/lib/kubelet/pki/serving.crt";
        facts.0["certificates"][certificate]["known"]["subject"]["common_name"] =
            "system:node:other".into();
    });
    fails("4.2.10", |facts| facts.add_words("kubelet", &["--bootstrap-kubeconfig=/b"]));
    fails("5.3.1", |facts| {
        facts.0["components"]["ringfort"]["processes"] = "absent".into();
        let list = json!({"plugins": [{"type": "bridge"}, {"type": "portmap"}]});
        facts.text("containerd", "/etc/cni/net.d/10-ringfort.conflist", &list);
    });
    assert!(Facts::of_blueprint().0["components"]["kubelet"]["texts"].get(kubelet).is_some());
}

#[test]
fn whoever_asks_without_a_name_is_seen_however_it_is_written() {
    let server = "kube-apiserver";
    let with = |words: &[&str]| {
        let mut facts = Facts::of_blueprint();
        facts.drop_words(server, "--authentication-config");
        facts.add_words(server, words);
        facts.verdict("1.2.1")
    };
    // 1. Nothing is said, and the default lets everybody in.
    assert_eq!(with(&[]), Verdict::Failed);
    // 2. Booleans are Go's.
    for word in ["1", "t", "T", "TRUE"] {
        assert_eq!(with(&[&format!("--anonymous-auth={word}")]), Verdict::Failed, "{word}");
    }
    assert_eq!(with(&["--anonymous-auth=f"]), Verdict::Proved);
    // 3. The last of two holds.
    assert_eq!(with(&["--anonymous-auth=false", "--anonymous-auth=true"]), Verdict::Failed);
    assert_eq!(with(&["--anonymous-auth=true", "--anonymous-auth=false"]), Verdict::Proved);
    // 4. Command and arguments are one line.
    let of_pod = |args: &str| {
        let words = |text: &str| vec![text.to_owned()];
        let line = CommandLine::of_pod(Component::ApiServer, &words(server), &words(args));
        anonymous(&settings(line)).known().map(|seen| seen.value.clone())
    };
    let modes = ["--authorization-mode=RBAC"];
    assert_eq!(with(&modes), Verdict::Failed);
    assert_eq!(of_pod("--anonymous-auth=false"), Ok(Anonymous::Off));
    // 5. The program has a path.
    let mut facts = Facts::of_blueprint();
    facts.drop_words(server, "--authentication-config");
    facts.drop_words(server, "/usr/local/bin/kube-apiserver");
    facts.0["components"][server]["processes"]["known"][0]["arguments"]["known"]
        .as_array_mut()
        .unwrap()
        .insert(0, "/opt/bin/kube-apiserver".into());
    facts.add_words(server, &["--anonymous-auth=true"]);
    assert_eq!(facts.verdict("1.2.1"), Verdict::Failed);
    // 6. A file says it.
    let path = "/etc/kubernetes/authn/config.yaml";
    for (anonymous, expected) in [
        (json!({"enabled": false}), Verdict::Proved),
        (json!({"enabled": true}), Verdict::Failed),
        (json!({"enabled": true, "conditions": [{"path": "/livez"}]}), Verdict::Proved),
        (json!({"enabled": true, "conditions": [{"path": "/api"}]}), Verdict::Failed),
        (json!({"enabled": "no"}), Verdict::Unknown),
    ] {
        let mut facts = Facts::of_blueprint();
        let document = json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "anonymous": anonymous});
        facts.text(server, path, &document);
        assert_eq!(facts.verdict("1.2.1"), expected, "{document}");
    }
}

/// Of a log that is not written nothing is kept, though the defaults are large.
#[test]
fn how_long_an_audit_log_is_kept_matters_where_there_is_one() {
    let server = "kube-apiserver";
    let rows = ["1.2.16", "1.2.17", "1.2.18", "1.2.19"];
    let mut facts = Facts::of_blueprint();
    for flag in ["--audit-log-maxage", "--audit-log-maxbackup", "--audit-log-maxsize"] {
        facts.drop_words(server, flag);
    }
    rows.iter().for_each(|id| assert_eq!(facts.verdict(id), Verdict::Proved, "{id}"));
    facts.drop_words(server, "--audit-log-path");
    rows.iter().for_each(|id| assert_eq!(facts.verdict(id), Verdict::Failed, "{id}"));
}

fn settings(command_line: Fact<CommandLine>) -> Settings {
    Settings {
        component: Component::ApiServer,
        minor: Fact::gap("not asked", "asking").into(),
        command_line,
        environment: Fact::gap("not asked", "asking"),
        files: Files::default(),
    }
}

#[test]
fn who_authorises_is_read_from_flag_file_and_default() {
    let server = "kube-apiserver";
    // 7. Nothing is said, and everything is let through; a file may say it instead.
    let mut facts = Facts::of_blueprint();
    assert_eq!(facts.verdict("1.2.6"), Verdict::Proved);
    facts.drop_words(server, "--authorization-config");
    for id in ["1.2.6", "1.2.7", "1.2.8"] {
        assert_eq!(facts.verdict(id), Verdict::Failed, "{id}");
    }
    facts.add_words(server, &["--authorization-mode=Node,RBAC"]);
    assert_eq!(facts.verdict("1.2.6"), Verdict::Proved);
    // 8. Where it stands among the arguments.
    let line = CommandLine::of_pod(
        Component::ApiServer,
        &[server.to_owned()],
        &["--authorization-mode=AlwaysAllow".to_owned()],
    );
    let read = authorizers(&settings(line));
    assert_eq!(format!("{:?}", read.known().unwrap().value), "[AlwaysAllow]");
}

#[test]
fn the_first_provider_for_secrets_writes_them() {
    let secretbox = json!({"secretbox": {}});
    let plain = json!({"identity": {}});
    let rule =
        |name: &str, providers: &[&Value]| json!({"resources": [name], "providers": providers});
    for (rules, expected) in [
        (json!([rule("secrets", &[&secretbox, &plain])]), Verdict::Proved),
        // 9. A strong provider only reads.
        (json!([rule("secrets", &[&plain, &secretbox])]), Verdict::Failed),
        // 10. The weak one for secrets stands first.
        (json!([rule("secrets", &[&plain]), rule("configmaps", &[&secretbox])]), Verdict::Failed),
        // 11. Secrets are not listed.
        (json!([rule("configmaps", &[&secretbox])]), Verdict::Failed),
    ] {
        let mut facts = Facts::of_blueprint();
        let document = json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration", "resources": rules});
        facts.text("kube-apiserver", "/etc/kubernetes/encryption/config.yaml", &document);
        assert_eq!(facts.verdict("1.2.28"), expected, "{document}");
    }
}

/// What a release that is not known here takes for default nobody knows, whatever is asked for.
#[test]
fn a_release_that_is_not_known_here_has_no_defaults() {
    let of = |release: &str, minor: Option<Minor>, id: &str| {
        let mut facts = Facts::of_blueprint();
        facts.0["components"]["kube-apiserver"]["release"] = json!({"known": release});
        let facts = facts.read();
        let machine = Machine::new(&facts, minor);
        let row = rows().find(|row| row.id == id).unwrap();
        Verdict::from(&row.of(&machine).unwrap())
    };
    // The plugin ServiceAccount runs by default.
    for release in ["v1.36.2", "v1.35.3+k3s1", "v1.36.2-eks-1a2b3c4", "latest"] {
        assert_eq!(of(release, None, "1.2.12"), Verdict::Proved, "{release}");
    }
    for minor in [None, Some(Minor::V1_36)] {
        assert_eq!(of("v1.33.1", minor, "1.2.12"), Verdict::Unknown, "{minor:?}");
        // What is given holds, whatever the release.
        assert_eq!(of("v1.33.1", minor, "1.2.15"), Verdict::Proved, "{minor:?}");
    }
}

/// What a cluster is meant to be says nothing of what is seen to run; what its API told, or who asks, does.
#[test]
fn a_declared_minor_counts_where_no_image_says_another() {
    let facts = Facts::of_blueprint().read();
    let minor = |told: Told<'static>, component: Component| {
        let settings = Machine::of(&facts, told).running(component).unwrap().remove(0);
        settings.minor.known().map(|seen| seen.value)
    };
    let (server, kubelet) = (Component::ApiServer, Component::Kubelet);
    assert_eq!(minor(Told::Declared(Minor::V1_37), server), Ok(Minor::V1_36));
    assert_eq!(minor(Told::Declared(Minor::V1_37), kubelet), Ok(Minor::V1_37));
    assert_eq!(minor(Told::Minor(Minor::V1_37), server), Ok(Minor::V1_37));
    assert_eq!(minor(Told::Nothing, server), Ok(Minor::V1_36));
    let gap = minor(Told::Nothing, kubelet).unwrap_err();
    assert!(gap.closes.contains("--kubernetes"), "{gap:?}");
}

/// Whoever any authority in a file signs for is trusted, not only the first one's.
#[test]
fn an_authority_that_stands_second_in_a_file_is_trusted_as_well() {
    let (etcd, cluster) = ("a".repeat(64), "b".repeat(64));
    let of = |of_etcd: Value, of_cluster: Value| {
        let mut facts = Facts::of_blueprint();
        facts.0["publicKeys"]["/etc/etcd/etcd-client-ca.crt"] = of_etcd;
        facts.0["publicKeys"]["/etc/kubernetes/pki/ca.crt"] = of_cluster;
        facts.verdict("2.7")
    };
    let known = |keys: &[&str]| json!({"known": keys});
    assert_eq!(of(known(&[&etcd]), known(&[&cluster])), Verdict::Proved);
    assert_eq!(of(known(&[&etcd, &cluster]), known(&[&cluster])), Verdict::Failed);
    assert_eq!(of(known(&[&etcd]), known(&[&cluster, &etcd])), Verdict::Failed);
    let gap = json!({"gap": {"at": "/x", "why": "cut off", "closes": "a whole file"}});
    assert_eq!(of(gap, known(&[&cluster])), Verdict::Unknown);
}

/// What a flag names is a key or a certificate, whatever it is called.
#[test]
fn what_flags_name_is_asked_as_what_it_is() {
    let of = |program: &str, words: &[&str], path: &str, mode: u32, id: &str| {
        let mut facts = Facts::of_blueprint();
        facts.add_words(program, words);
        facts.0["components"][program]["places"][path] = json!({"known": path});
        let owner = if program == "etcd" { 2379 } else { 0 };
        facts.0["files"][path] = file("file", mode, owner, owner);
        facts.verdict(id)
    };
    let server = "kube-apiserver";
    for (program, flag, path) in [
        (server, "tls-private-key-file", "/etc/kubernetes/apiserver-key.pem"),
        (server, "proxy-client-key-file", "/etc/kubernetes/front.pem"),
        (server, "service-account-signing-key-file", "/etc/kubernetes/signer"),
        ("etcd", "key-file", "/etc/etcd/server.pem"),
        ("etcd", "peer-key-file", "/etc/etcd/peer.pem"),
    ] {
        let word = format!("--{flag}={path}");
        for (mode, expected) in [(0o600, Verdict::Proved), (0o644, Verdict::Failed)] {
            assert_eq!(of(program, &[&word], path, mode, "1.1.21"), expected, "{word} {mode:o}");
        }
    }
    for (program, flag, path) in [
        (server, "proxy-client-cert-file", "/etc/kubernetes/front-certificate"),
        (server, "service-account-key-file", "/etc/kubernetes/sa.pub"),
        (server, "tls-cert-file", "/etc/kubernetes/apiserver.pem"),
        ("etcd", "trusted-ca-file", "/etc/etcd/authority"),
        ("etcd", "peer-trusted-ca-file", "/etc/etcd/peers.pem"),
    ] {
        let word = format!("--{flag}={path}");
        for (mode, expected) in [(0o644, Verdict::Proved), (0o666, Verdict::Failed)] {
            assert_eq!(of(program, &[&word], path, mode, "1.1.20"), expected, "{word} {mode:o}");
        }
    }
    // Which files that names cannot be said.
    let mut facts = Facts::of_blueprint();
    facts.add_words(server, &["--tls-sni-cert-key=/x.crt,/x.key:example.org"]);
    assert_eq!(facts.verdict("1.1.21"), Verdict::Unknown);
}

#[test]
fn modes_are_bits_and_matter_where_somebody_reaches_the_file() {
    let (key, pki) = ("/etc/kubernetes/pki/sa.key", "/etc/kubernetes/pki");
    // 12. and 13. Bits are no numbers to compare.
    for (mode, expected) in [
        (0o600, Verdict::Proved),
        (0o400, Verdict::Proved),
        (0o444, Verdict::Failed),
        (0o477, Verdict::Failed),
        (0o700, Verdict::Failed),
        (0o640, Verdict::Failed),
    ] {
        let mut facts = Facts::of_blueprint();
        facts.0["files"][key] = file("file", mode, 0, 0);
        assert_eq!(facts.verdict("1.1.21"), expected, "{mode:o}");
    }
    // 14. Nobody looked.
    let mut facts = Facts::of_blueprint();
    facts.0["files"].as_object_mut().unwrap().remove(key);
    assert_eq!(facts.verdict("1.1.21"), Verdict::Unknown);
    // 15. Nobody reaches it, unless a list lets somebody in.
    let mut facts = Facts::of_blueprint();
    facts.0["files"][key] = file("file", 0o644, 0, 0);
    assert_eq!(facts.verdict("1.1.21"), Verdict::Failed);
    facts.0["files"][pki] = file("directory", 0o700, 0, 0);
    assert_eq!(facts.verdict("1.1.21"), Verdict::Proved);
    let list = json!({"known": [{"tag": "user", "id": 1000, "permissions": 1}]});
    facts.0["files"][pki]["known"]["acl"] = list;
    assert_eq!(facts.verdict("1.1.21"), Verdict::Failed);
    facts.0["files"][key] = file("file", 0o600, 0, 0);
    assert_eq!(facts.verdict("1.1.21"), Verdict::Proved);
    facts.0["files"][key]["known"]["acl"] =
        json!({"known": [{"tag": "user", "id": 1000, "permissions": 4}]});
    assert_eq!(facts.verdict("1.1.21"), Verdict::Failed);
    // What is root's is not, where somebody else may put another in its place.
    for (mode, uid, gid) in [(0o777, 0, 0), (0o775, 0, 5), (0o755, 5, 0)] {
        let mut facts = Facts::of_blueprint();
        facts.0["files"]["/etc/kubernetes"] = file("directory", mode, uid, gid);
        assert_eq!(facts.verdict("4.1.6"), Verdict::Failed, "{mode:o} {uid} {gid}");
    }
}

#[test]
fn an_audit_policy_is_tried_and_not_searched_for_words() {
    let of = |rules: &Value| {
        let mut facts = Facts::of_blueprint();
        let policy = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules});
        facts.text("kube-apiserver", "/etc/kubernetes/audit/policy.yaml", &policy);
        facts.verdict("3.2.2")
    };
    let named = json!({"level": "Metadata", "resources": [{"resources": ["secrets", "configmaps", "pods"]}]});
    // 16. The first rule spares everything.
    assert_eq!(of(&json!([{"level": "None"}, named])), Verdict::Failed);
    // 17. One rule for everything is enough, and more than enough for ConfigMaps.
    assert_eq!(of(&json!([{"level": "Metadata"}])), Verdict::Proved);
    let more = json!({"level": "RequestResponse", "resources": [{"resources": ["configmaps"]}]});
    assert_eq!(of(&json!([more, {"level": "Metadata"}])), Verdict::Proved);
}

#[test]
fn a_kubelet_is_judged_as_it_runs() {
    let (kubelet, path) = ("kubelet", "/var/lib/kubelet/config.yaml");
    // 18. One machine was edited by hand; what the cluster means it to be says nothing.
    let mut facts = Facts::of_blueprint();
    facts.add_words(kubelet, &["--anonymous-auth=true"]);
    assert_eq!(facts.verdict("4.2.1"), Verdict::Failed);
    // 19. A drop-in says otherwise, both ways.
    let kind = |more: Value| {
        let mut document =
            json!({"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"});
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        document
    };
    for (of_file, of_drop_in, expected) in
        [(0, 10255, Verdict::Failed), (10255, 0, Verdict::Proved)]
    {
        let mut facts = Facts::of_blueprint();
        facts.add_words(kubelet, &["--config-dir=/k.d"]);
        facts.text(kubelet, path, &kind(json!({"readOnlyPort": of_file})));
        facts.text(kubelet, "/k.d/10-a.conf", &kind(json!({"readOnlyPort": of_drop_in})));
        facts.0["components"][kubelet]["below"]["/k.d"] = json!({"known": ["10-a.conf"]});
        assert_eq!(facts.verdict("4.2.4"), expected, "{of_file} {of_drop_in}");
    }
}

// 20. to 22., what is let in by admission, stand with the guidelines in `soundness.rs`.

/// Facts of machines that are set badly, well, and hardly at all.
pub(crate) fn machines() -> Vec<Facts> {
    let mut stock = Facts::of_blueprint();
    stock.run(
        "kube-apiserver",
        &[
            "kube-apiserver",
            "--authorization-mode=AlwaysAllow",
            "--client-ca-file=/etc/etcd/etcd-client-ca.crt",
        ],
    );
    stock.run("kube-controller-manager", &["kube-controller-manager", "--bind-address=0.0.0.0"]);
    stock.run("kube-scheduler", &["kube-scheduler"]);
    stock.run(
        "etcd",
        &[
            "etcd",
            "--auto-tls",
            "--data-dir=/var/lib/etcd",
            "--trusted-ca-file=/etc/etcd/etcd-client-ca.crt",
        ],
    );
    stock.run(
        "kubelet",
        &["kubelet", "--read-only-port=10255", "--kubeconfig=/etc/kubernetes/kubelet.conf"],
    );
    for path in
        ["/etc/kubernetes/pki/sa.key", "/etc/kubernetes/kubelet.conf", "/etc/kubernetes/admin.conf"]
    {
        stock.0["files"][path] = file("file", 0o666, 1, 1);
    }
    let mut worker = Facts::of_blueprint();
    for program in ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"] {
        worker.0["components"][program]["processes"] = "absent".into();
    }
    vec![Facts::of_blueprint(), stock, worker]
}

/// Lists the pointers to everything that was seen.
pub(crate) fn seen(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if fields.len() == 1 && fields.contains_key("known") || value == "absent" {
                found.push(at.to_owned());
            }
            for (name, inner) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                seen(inner, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (number, inner) in items.iter().enumerate() {
                seen(inner, &format!("{at}/{number}"), found);
            }
        }
        Value::String(text) if text == "absent" => found.push(at.to_owned()),
        _ => {}
    }
}
