//! What ringfort's controls ask beyond the benchmark: for each row facts that keep it, and facts that do not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::date;
use ringfort_check::benchmark::{
    ByFacts, Intent, Judged, Looked, Tally, beyond, by_facts, judge_beyond, waive,
};
use ringfort_check::waivers::Waiver;
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Gap, Verdict};
use ringfort_model::version::Minor;
use serde_json::{Value, json};

use crate::cluster::{intent, objects, tally};
use crate::machine::Facts;

const ADMISSION: &str = "/etc/kubernetes/admission";
const SERVER: &str = "kube-apiserver";

/// Rows about guards, with the directory and the file of each.
const GUARDS: [(&str, &str, &str); 12] = [
    ("access/admission-objects", "validating", "20-admission-objects.yaml"),
    ("access/closed-control-planes", "validating", "44-control-planes.yaml"),
    ("access/no-cluster-admin", "validating", "30-cluster-admin.yaml"),
    ("access/no-escalating-roles", "validating", "35-roles.yaml"),
    ("access/no-host-volumes", "validating", "42-volumes.yaml"),
    ("access/system-accounts", "validating", "37-system-accounts.yaml"),
    ("access/system-namespaces", "validating", "38-system-namespaces.yaml"),
    ("access/system-roles", "validating", "36-system-roles.yaml"),
    ("access/waived-namespaces", "validating", "47-waived-namespaces.yaml"),
    ("workload/default-account", "validating", "50-default-account.yaml"),
    ("workload/no-service-links", "mutating", "15-service-links.yaml"),
    ("workload/user-namespaces", "validating", "45-user-namespaces.yaml"),
];

type Change = fn(&mut Facts);

/// Rows that a machine decides, with facts that keep them, and facts that do not.
const MACHINES: [(&str, Change, Change); 5] = [
    (
        "audit/events-are-kept",
        |it| both(it, "audit", ["collect", "witness"]),
        |it| runs(it, ["audit", "collect"]),
    ),
    ("ha/survives-control-plane", |it| runs(it, ["node", "balance"]), |_| ()),
    (
        "integrity/files-are-watched",
        |it| both(it, "integrity", ["watch", "report"]),
        |it| runs(it, ["integrity", "watch"]),
    ),
    (
        "node/components-drop-rights",
        |_| (),
        |it| {
            it.0["components"]["kube-scheduler"]["processes"]["known"][0]["user"] =
                json!({"known": 0});
        },
    ),
    ("node/kernel-settings", |it| set(it, "10"), |it| set(it, "0")),
];

/// Rows that several machines or objects decide; each has a test of its own.
const WHOLE: [&str; 5] = [
    "ha/three-control-planes",
    "ha/three-workers",
    "network/cluster-dns",
    "network/pod-encryption",
    "node/apparmor",
];

fn runs(facts: &mut Facts, words: [&str; 2]) {
    let words = ["/usr/local/bin/ringfort", words[0], words[1]];
    let process =
        json!({"arguments": {"known": words}, "environment": {"known": {}}, "user": {"known": 0}});
    let all = &mut facts.0["components"]["ringfort"]["processes"]["known"];
    all.as_array_mut().unwrap().push(process);
}

fn both(facts: &mut Facts, of: &str, parts: [&str; 2]) {
    parts.into_iter().for_each(|part| runs(facts, [of, part]));
}

/// A machine whose pods' packets go as this document says, with these files beside it.
fn routed(facts: &mut Facts, tunnel: &Value, names: &[&str]) {
    facts.text("ringfort", "/etc/kubernetes/routes.json", &json!({"peers": [], "tunnel": tunnel}));
    facts.0["below"]["/etc/kubernetes"] = json!({"known": names});
}

fn set(facts: &mut Facts, panic: &str) {
    for (name, value) in [
        ("kernel.keys.root_maxbytes", "25000000"),
        ("kernel.keys.root_maxkeys", "1000000"),
        ("kernel.panic", panic),
        ("kernel.panic_on_oops", "1"),
        ("vm.overcommit_memory", "1"),
        ("vm.panic_on_oom", "0"),
    ] {
        facts.0["kernel"][name] = json!({"known": value});
    }
}

/// A machine whose API server loads these guards from files.
fn guarded(is_there: impl Fn(&str) -> bool) -> Facts {
    let mut facts = Facts::of_blueprint();
    let plugin = |name: &str, directory: &str| {
        let kind = format!("{name}Configuration");
        json!({"name": name, "configuration": {
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": kind,
            "staticManifestsDir": format!("{ADMISSION}/{directory}"),
        }})
    };
    let plugins = json!([
        plugin("MutatingAdmissionPolicy", "mutating"),
        plugin("ValidatingAdmissionPolicy", "validating"),
    ]);
    configured(&mut facts, &plugins);
    for directory in ["mutating", "validating"] {
        let its = GUARDS.iter().filter(|(_, at, file)| *at == directory && is_there(file));
        let names: Vec<&str> = its.map(|(.., file)| *file).collect();
        facts.0["below"][format!("{ADMISSION}/{directory}")] = json!({"known": names});
    }
    facts
}

fn configured(facts: &mut Facts, plugins: &Value) {
    let document = json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration",
        "plugins": plugins,
    });
    facts.text(SERVER, &format!("{ADMISSION}/config/admission.yaml"), &document);
}

fn verdict_of(id: &str, looked: &Looked<'_>) -> Verdict {
    let judged = judge_beyond(looked);
    let one = judged.iter().find(|it| it.row.id == id).unwrap();
    Verdict::from(&one.whole)
}

fn verdict(id: &str, facts: &Facts, minor: Minor, objects: Option<&Tally>) -> Verdict {
    let facts = facts.read();
    let machines = [Machine::new(&facts, Some(minor))];
    verdict_of(id, &Looked { machines: &machines, objects, ..Looked::default() })
}

#[test]
fn every_row_beyond_the_benchmark_has_examples() {
    let guards = GUARDS.iter().map(|(id, ..)| *id);
    let machines = MACHINES.iter().map(|(id, ..)| *id);
    let tried: BTreeSet<&str> = guards.chain(machines).chain(WHOLE).collect();
    let all: BTreeSet<&str> = beyond().map(|row| row.id).collect();
    assert_eq!(tried, all);
    assert_eq!(beyond().count(), all.len());
    assert!(matches!(by_facts("node/minimum-hardware"), Some(ByFacts::Nothing(_))));
    assert!(by_facts("node/nothing").is_none());
}

#[test]
fn a_guard_is_loaded_where_its_file_is_where_the_server_looks() {
    let minor = Minor::V1_37;
    for (id, directory, file) in GUARDS {
        let of = |facts: &Facts| verdict(id, facts, minor, None);
        assert_eq!(of(&guarded(|_| true)), Verdict::Proved, "{id}");
        assert_eq!(of(&guarded(|it| it != file)), Verdict::Failed, "{id}");
        let mut unlisted = guarded(|_| true);
        unlisted.0["below"].as_object_mut().unwrap().remove(&format!("{ADMISSION}/{directory}"));
        assert_eq!(of(&unlisted), Verdict::Unknown, "{id}");
        let mut elsewhere = guarded(|_| true);
        configured(&mut elsewhere, &json!([]));
        assert_eq!(of(&elsewhere), Verdict::Failed, "{id}");
        let mut off = guarded(|_| true);
        switch_off(&mut off, directory);
        assert_eq!(of(&off), Verdict::Failed, "{id}");
    }
}

/// Leaves a server its files, and has it ask none of the policies in them.
fn switch_off(facts: &mut Facts, directory: &str) {
    let plugin = match directory {
        "mutating" => "MutatingAdmissionPolicy",
        _ => "ValidatingAdmissionPolicy",
    };
    facts.add_words(SERVER, &[&format!("--disable-admission-plugins={plugin}")]);
}

/// Before 1.37 guards are objects, and one that is not bound to refuse is none.
#[test]
fn a_guard_in_the_api_is_one_that_is_bound_to_refuse() {
    let (facts, minor, id) = (Facts::of_blueprint(), Minor::V1_36, "access/system-roles");
    let documents = objects();
    let whole = tally(&documents, Vec::new());
    for (id, directory, _) in GUARDS {
        // No policy in the API sees admission objects.
        let is_there = id != "access/admission-objects";
        let expected = |there: Verdict| if is_there { there } else { Verdict::NotApplicable };
        let of = |facts: &Facts| verdict(id, facts, minor, Some(&whole));
        assert_eq!(of(&facts), expected(Verdict::Proved), "{id}");
        let mut off = Facts::of_blueprint();
        switch_off(&mut off, directory);
        assert_eq!(of(&off), expected(Verdict::Failed), "{id}");
    }
    for gone in ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"] {
        let mut documents = documents.clone();
        documents.retain(|it| it["kind"] != gone);
        let less = tally(&documents, Vec::new());
        let links = verdict("workload/no-service-links", &facts, minor, Some(&less));
        assert_eq!(links, Verdict::Failed, "{gone}");
    }
    assert_eq!(verdict(id, &facts, minor, None), Verdict::Unknown);
    let changed = |change: fn(&mut Value)| {
        let mut documents = documents.clone();
        let own =
            documents.iter_mut().filter(|it| it["metadata"]["name"] == "system-roles.ringfort.dev");
        own.for_each(change);
        verdict(id, &facts, minor, Some(&tally(&documents, Vec::new())))
    };
    assert_eq!(changed(|it| it["spec"]["validationActions"] = json!(["Warn"])), Verdict::Failed);
    assert_eq!(changed(|it| it["spec"]["failurePolicy"] = json!("Ignore")), Verdict::Failed);
    let only = json!({"namespaceSelector": {"matchLabels": {"a": "b"}}});
    let narrow = |it: &mut Value| it["metadata"]["name"] = "other".into();
    assert_eq!(changed(narrow), Verdict::Failed);
    let mut documents = documents.clone();
    for it in &mut documents {
        if it["kind"] == "ValidatingAdmissionPolicyBinding" {
            it["spec"]["matchResources"] = only.clone();
        }
    }
    let narrowed = tally(&documents, Vec::new());
    assert_eq!(verdict(id, &facts, minor, Some(&narrowed)), Verdict::Failed);
}

#[test]
fn a_machine_keeps_each_row_or_does_not() {
    for (id, good, bad) in MACHINES {
        let of = |change: Change| {
            let mut facts = Facts::of_blueprint();
            change(&mut facts);
            verdict(id, &facts, Minor::V1_36, None)
        };
        assert_eq!(of(good), Verdict::Proved, "{id}");
        assert_eq!(of(bad), Verdict::Failed, "{id}");
    }
}

#[test]
fn whoever_knows_one_store_or_elects_no_leader_does_not_survive() {
    let of = |change: Change| {
        let mut facts = Facts::of_blueprint();
        runs(&mut facts, ["node", "balance"]);
        change(&mut facts);
        verdict("ha/survives-control-plane", &facts, Minor::V1_36, None)
    };
    assert_eq!(of(|_| ()), Verdict::Proved);
    let alone = |it: &mut Facts| {
        it.drop_words(SERVER, "--etcd-servers");
        it.add_words(SERVER, &["--etcd-servers=https://127.0.0.1:2379"]);
    };
    assert_eq!(of(alone), Verdict::Failed);
    // Where there is one control plane, that alone is what is wrong.
    let single: Change = |it| {
        it.drop_words(SERVER, "--etcd-servers");
        it.add_words(SERVER, &["--etcd-servers=https://127.0.0.1:2379"]);
        it.drop_words("etcd", "--initial-cluster=");
        it.add_words("etcd", &["--initial-cluster=cp1=https://10.0.0.11:2380"]);
    };
    assert_eq!(of(single), Verdict::Proved);
    assert_eq!(of(|it| it.add_words("kube-scheduler", &["--leader-elect=false"])), Verdict::Failed);
}

/// While servers are renewed, none has a guard that the older of them has not.
#[test]
fn a_guard_is_told_by_the_oldest_of_those_that_have_it_from_the_api() {
    let (facts, whole) = (guarded(|_| true).read(), tally(&objects(), Vec::new()));
    let minors = [Minor::V1_37, Minor::V1_36, Minor::V1_35].map(Some);
    let of = |id: &str, minors: &[Option<Minor>]| {
        let machines: Vec<_> = minors.iter().map(|it| Machine::new(&facts, *it)).collect();
        let looked = Looked { machines: &machines, objects: Some(&whole), ..Looked::default() };
        let judged = judge_beyond(&looked);
        let one = judged.into_iter().find(|it| it.row.id == id).unwrap();
        format!("{:?}", one.whole)
    };
    let said = of("workload/user-namespaces", &minors[1..]);
    assert!(said.contains("from 1.36 on"), "{said}");
    let said = of("access/admission-objects", &minors[..2]);
    assert!(!said.contains("bound as policies"), "{said}");
}

/// What was not looked at is no pass: kernel settings, processes, the tree of files.
#[test]
fn what_facts_do_not_tell_is_unknown() {
    let of = |id: &str, change: Change| {
        let mut facts = Facts::of_blueprint();
        change(&mut facts);
        verdict(id, &facts, Minor::V1_36, None)
    };
    assert_eq!(of("node/kernel-settings", |_| ()), Verdict::Unknown);
    let hidden: Change = |it| {
        let unseen = json!({"gap": {"at": "/proc", "why": "EACCES", "closes": "root"}});
        it.0["components"]["kube-scheduler"]["processes"] = unseen;
    };
    assert_eq!(of("node/components-drop-rights", hidden), Verdict::Unknown);
    assert_eq!(of("ha/three-workers", |_| ()), Verdict::Unknown);
    assert_eq!(of("ha/three-control-planes", |_| ()), Verdict::Unknown);
    assert_eq!(of("network/cluster-dns", |_| ()), Verdict::Unknown);
    assert_eq!(of("node/apparmor", |_| ()), Verdict::Unknown);
}

#[test]
fn machines_of_each_kind_are_counted() {
    let check = |planes: usize, workers: usize, expected: (Verdict, Verdict)| {
        let machine = |number: usize| {
            let mut facts = Facts::of_blueprint();
            facts.0["name"] = json!({"known": format!("m{number}")});
            if number >= planes {
                facts.0["components"][SERVER]["processes"] = "absent".into();
            }
            facts.read()
        };
        let all: Vec<_> = (0..planes + workers).map(machine).collect();
        let machines: Vec<_> = all.iter().map(|it| Machine::new(it, None)).collect();
        let names = machines.iter().map(|it| it.name().to_owned()).collect();
        let intent = Intent { machines: names, ..Intent::default() };
        let looked = Looked { machines: &machines, intent: Some(&intent), ..Looked::default() };
        let of = |id: &str| verdict_of(id, &looked);
        assert_eq!((of("ha/three-control-planes"), of("ha/three-workers")), expected);
    };
    check(3, 3, (Verdict::Proved, Verdict::Proved));
    check(5, 2, (Verdict::Proved, Verdict::Failed));
    check(4, 4, (Verdict::Failed, Verdict::Proved));
    check(1, 0, (Verdict::Failed, Verdict::Failed));
}

/// Facts of a machine that is none any more count for nothing, and no machine counts twice.
#[test]
fn each_machine_of_the_cluster_is_counted_once() {
    let worker = |name: &str| {
        let mut facts = Facts::of_blueprint();
        facts.0["name"] = json!({"known": name});
        facts.0["components"][SERVER]["processes"] = "absent".into();
        facts.read()
    };
    let check = |names: [&str; 3], declared: Option<[&str; 3]>, expected: Verdict| {
        let all = names.map(worker);
        let machines: Vec<_> = all.iter().map(|it| Machine::new(it, None)).collect();
        let intent = declared
            .map(|names| Intent { machines: names.map(str::to_owned).into(), ..Intent::default() });
        let looked = Looked { machines: &machines, intent: intent.as_ref(), ..Looked::default() };
        assert_eq!(verdict_of("ha/three-workers", &looked), expected, "{names:?}");
    };
    check(["w1", "w2", "w3"], None, Verdict::Proved);
    check(["w1", "w1", "w1"], None, Verdict::Unknown);
    check(["w1", "w2", "w3"], Some(["w1", "w2", "w3"]), Verdict::Proved);
    check(["w1", "w2", "gone"], Some(["w1", "w2", "w2"]), Verdict::Failed);
}

#[test]
fn pods_of_the_cluster_decide_names_and_confinement() {
    let of = |id: &str, change: fn(&mut Value)| {
        let mut documents = objects();
        documents.iter_mut().filter(|it| it["kind"] == "Deployment").for_each(change);
        let counted = tally(&documents, Vec::new());
        verdict(id, &Facts::of_blueprint(), Minor::V1_36, Some(&counted))
    };
    assert_eq!(of("network/cluster-dns", |_| ()), Verdict::Proved);
    assert_eq!(of("network/cluster-dns", |it| it["spec"]["replicas"] = json!(1)), Verdict::Failed);
    let other = |it: &mut Value| {
        it["spec"]["template"]["metadata"]["labels"] = json!({"k8s-app": "other"});
    };
    assert_eq!(of("network/cluster-dns", other), Verdict::Failed);
    let gap = Gap { said: "hidden".to_owned(), closes: "the verb list".to_owned() };
    let hidden = tally(&[], vec![("Deployment", gap)]);
    let facts = Facts::of_blueprint();
    let unseen = verdict("network/cluster-dns", &facts, Minor::V1_36, Some(&hidden));
    assert_eq!(unseen, Verdict::Unknown);
    assert_eq!(of("node/apparmor", |_| ()), Verdict::Proved);
    let open = |it: &mut Value| {
        it["spec"]["template"]["spec"]["securityContext"]["appArmorProfile"] =
            json!({"type": "Unconfined"});
    };
    assert_eq!(of("node/apparmor", open), Verdict::Failed);
}

/// Where no machine has a tunnel nobody knows whether kernels could; one that alone has none is spoken with in the open.
#[test]
fn every_machine_uses_the_tunnel_or_none_has_one() {
    let keyed: Change = |it| {
        runs(it, ["node", "routes"]);
        routed(it, &json!({"key": "k", "peers": {}}), &["wireguard.key"]);
    };
    let bare: Change = |it| {
        runs(it, ["node", "routes"]);
        routed(it, &Value::Null, &["pki"]);
    };
    // The key stays where the tunnel is taken out.
    let untold: Change = |it| {
        runs(it, ["node", "routes"]);
        routed(it, &Value::Null, &["wireguard.key"]);
    };
    let keyless: Change = |it| {
        runs(it, ["node", "routes"]);
        routed(it, &json!({"key": "k", "peers": {}}), &["pki"]);
    };
    let stopped: Change = |it| routed(it, &json!({"key": "k", "peers": {}}), &["wireguard.key"]);
    let unlisted: Change = |it| {
        runs(it, ["node", "routes"]);
        routed(it, &json!({"key": "k", "peers": {}}), &[]);
        it.0["below"].as_object_mut().unwrap().remove("/etc/kubernetes");
    };
    let other: Change = |it| routed(it, &Value::Null, &[]);
    // Facts of earlier versions do not tell of routes.
    let earlier: Change = |it| runs(it, ["node", "routes"]);
    let of = |changes: [Change; 2], is_encrypted: bool| {
        let mut number = 0;
        let all = changes.map(|change| {
            number += 1;
            let mut facts = Facts::of_blueprint();
            facts.0["name"] = json!({"known": format!("m{number}")});
            change(&mut facts);
            facts.read()
        });
        let machines: Vec<_> = all.iter().map(|it| Machine::new(it, None)).collect();
        let names = ["m1", "m2"].map(str::to_owned).into();
        let intent = Intent { machines: names, is_encrypted, ..Intent::default() };
        let looked = Looked { machines: &machines, intent: Some(&intent), ..Looked::default() };
        verdict_of("network/pod-encryption", &looked)
    };
    for (changes, expected, declared) in [
        ([keyed, keyed], Verdict::Proved, Verdict::Proved),
        ([keyed, bare], Verdict::Failed, Verdict::Failed),
        ([keyed, stopped], Verdict::Failed, Verdict::Failed),
        ([keyed, other], Verdict::Failed, Verdict::Failed),
        ([untold, untold], Verdict::Failed, Verdict::Failed),
        ([keyless, keyless], Verdict::Failed, Verdict::Failed),
        ([bare, bare], Verdict::NotApplicable, Verdict::Failed),
        ([other, other], Verdict::NotApplicable, Verdict::Failed),
        ([keyed, unlisted], Verdict::Unknown, Verdict::Unknown),
        ([earlier, earlier], Verdict::Unknown, Verdict::Unknown),
    ] {
        assert_eq!((of(changes, false), of(changes, true)), (expected, declared));
    }
}

/// What is not seen makes no verdict better.
#[test]
fn no_row_becomes_better_by_a_fact_that_is_missing() {
    let all = |facts: &Facts| -> BTreeMap<&'static str, Verdict> {
        let facts = facts.read();
        let machines = [Machine::new(&facts, Some(Minor::V1_37))];
        let judged = judge_beyond(&Looked { machines: &machines, ..Looked::default() });
        judged.iter().map(|it| (it.row.id, Verdict::from(&it.whole))).collect()
    };
    let is_bad = |verdict: &Verdict| matches!(verdict, Verdict::Failed | Verdict::Unknown);
    let mut bad = guarded(|_| false);
    MACHINES.iter().for_each(|(_, _, change)| change(&mut bad));
    let before = all(&bad);
    assert!(before.values().filter(|it| is_bad(it)).count() > 15, "{before:?}");
    let mut seen = Vec::new();
    crate::benchmark::seen(&bad.0, "", &mut seen);
    for at in &seen {
        let mut less = Facts(bad.0.clone());
        *less.0.pointer_mut(at).unwrap() =
            json!({"gap": {"at": at, "why": "EACCES", "closes": "root"}});
        let after = all(&less);
        assert!(after.keys().eq(before.keys()), "without {at} rows are gone");
        for (id, after) in after {
            assert!(is_bad(&after) || !is_bad(&before[id]), "{id} without {at}: {after}");
        }
    }
}

/// Nobody else has promised any of it.
#[test]
fn only_of_clusters_that_ringfort_made_more_is_asked_than_the_benchmark_does() {
    let facts = foreign().read();
    let machines = [Machine::new(&facts, None)];
    assert!(judge_beyond(&Looked { machines: &machines, ..Looked::default() }).is_empty());
}

/// A machine of a cluster that somebody else made.
fn foreign() -> Facts {
    let mut facts = Facts::of_blueprint();
    facts.0["components"]["ringfort"]["processes"] = "absent".into();
    let texts = facts.0["components"]["ringfort"]["texts"].as_object_mut().unwrap();
    texts.values_mut().for_each(|text| *text = "absent".into());
    facts
}

/// Whoever stops everything of ringfort's, or hides it, takes no row away.
#[test]
fn a_cluster_that_ringfort_made_stays_one_whatever_stopped_there() {
    let of = |facts: &Facts, intent: Option<&Intent>, objects: Option<&Tally>| {
        let facts = facts.read();
        let machines = [Machine::new(&facts, None)];
        let judged =
            judge_beyond(&Looked { machines: &machines, intent, objects, ..Looked::default() });
        let is_it = |it: &&Judged| it.row.id == "integrity/files-are-watched";
        judged.iter().find(is_it).map(|it| Verdict::from(&it.whole))
    };
    let (declared, whole) = (intent(), tally(&objects(), Vec::new()));
    let mut hidden = foreign();
    let unseen = json!({"gap": {"at": "/proc/1", "why": "EACCES", "closes": "root"}});
    hidden.0["components"]["ringfort"]["processes"] = unseen;
    let mut stopped = Facts::of_blueprint();
    stopped.0["components"]["ringfort"]["processes"] = "absent".into();
    for (facts, by_itself, said) in [
        (foreign(), None, Verdict::Failed),
        (hidden, None, Verdict::Unknown),
        (stopped, Some(Verdict::Failed), Verdict::Failed),
    ] {
        assert_eq!(of(&facts, None, None), by_itself);
        assert_eq!(of(&facts, Some(&declared), None), Some(said));
        assert_eq!(of(&facts, None, Some(&whole)), Some(said));
    }
}

#[test]
fn a_waiver_of_the_control_answers_for_its_row() {
    let mut facts = Facts::of_blueprint();
    set(&mut facts, "0");
    let facts = facts.read();
    let machines = [Machine::new(&facts, None)];
    let looked = Looked { machines: &machines, ..Looked::default() };
    let waiver = Waiver {
        control: "node/kernel-settings".to_owned(),
        scope: None,
        reason: "the kernel is somebody else's".to_owned(),
        owner: "ann".to_owned(),
        expires: date(2027, 1, 1),
    };
    let mut judged = judge_beyond(&looked);
    assert!(waive(&mut judged, &looked, &[waiver], date(2026, 11, 27)).is_empty());
    let waived: Vec<&str> =
        judged.iter().filter(|it| it.waived.is_some()).map(|it| it.row.id).collect();
    assert_eq!(waived, ["node/kernel-settings"]);
}
