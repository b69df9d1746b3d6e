//! What was not looked at passes nothing: a kind that could not be listed, a machine that was left out, a log that
//! would not show somebody, a fact that is missing.

use std::collections::BTreeSet;

use ringfort_check::benchmark::{Intent, Looked, Needs, rows};
use ringfort_check::kinds;
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Gap, Verdict};
use ringfort_model::machine::MachineFacts;
use serde_json::{Value, json};

use crate::benchmark::{machines, seen};
use crate::cluster::{audit, caller, configured, intent, labelled, members, objects, tally, words};
use crate::machine::Facts;

const RBAC: &str = "rbac.authorization.k8s.io";

/// What could not be listed is in no row that rests on it passed or waived, and is nothing to the others.
#[test]
fn what_could_not_be_listed_passes_nothing() {
    let mut facts = Facts::of_blueprint();
    facts.0["audit"] = json!({"known": audit(&[])});
    let documents = objects();
    let intent = intent();
    let before = facts.judged_with(Some(&tally(&documents, Vec::new())), Some(&intent));
    let mut hit = BTreeSet::new();
    for kind in kinds::served().map(|(_, kind)| kind) {
        let gap = Gap { said: format!("{kind} is hidden"), closes: "the verb list".to_owned() };
        let blind = tally(&documents, vec![(kind, gap)]);
        for (id, judgement) in facts.judged_with(Some(&blind), Some(&intent)) {
            let (was, is) = (Verdict::from(&before[id]), Verdict::from(&judgement));
            let said = format!("{judgement:?}");
            assert!(is == was || is == Verdict::Unknown, "{id} without {kind}: {was}, then {said}");
            if is == Verdict::Unknown {
                assert!(said.contains(kind), "{id} without {kind}: {said}");
                hit.insert((id, kind));
            }
        }
    }
    for row in rows().filter(|row| row.needs() == Needs::Intent && row.id.starts_with("5.1")) {
        for kind in ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"] {
            assert!(hit.contains(&(row.id, kind)), "{} without {kind}", row.id);
        }
        assert!(!hit.contains(&(row.id, "LimitRange")), "{}", row.id);
    }
    for (id, kind) in [
        ("5.1.3", "ClusterRole"),
        ("5.1.6", "Pod"),
        ("5.2.2", "Namespace"),
        ("5.2.2", "DaemonSet"),
        ("5.6.1", "CronJob"),
        ("5.6.4", "Secret"),
    ] {
        assert!(hit.contains(&(id, kind)), "{id} without {kind}");
    }
}

/// A machine that is left out passes nothing, whether it is declared or the API tells of it.
#[test]
fn no_verdict_becomes_better_by_a_machine_that_is_left_out() {
    let named = |name: &str, mut facts: Facts| {
        facts.0["name"] = json!({"known": name});
        facts
    };
    let exempting =
        |what: &'static str| configured(move |it| it["exemptions"]["namespaces"] = json!([what]));
    let mut logged = Facts::of_blueprint();
    logged.0["audit"] = json!({"known": audit(&[
        caller("ann", &json!({"masters": true})),
        caller("system:serviceaccount:shop:cart", &json!({"credential": "token"})),
        caller("system:bootstrap:abcdef", &json!({"credential": "unsaid"})),
    ])});
    let mut tally = tally(&labelled(), Vec::new());
    tally.members = members(&["cp1", "cp2"]);
    let declared = Intent { machines: ["cp1", "cp2"].map(str::to_owned).into(), ..intent() };
    let (mut failed, mut tried) = (BTreeSet::new(), 0);
    let good = named("cp1", configured(|_| ()));
    for bad in machines().into_iter().chain([exempting("default"), logged]) {
        let bad = named("cp2", bad).read();
        let good = good.read();
        let both = [Machine::new(&good, None), Machine::new(&bad, None)];
        for (objects, intent) in
            [(Some(&tally), Some(&declared)), (Some(&tally), None), (None, Some(&declared))]
        {
            let words = |machines: &[Machine<'_>]| {
                words(&Looked { machines, objects, intent, ..Looked::default() }, &[])
            };
            let before = words(&both);
            for (alone, left_out) in [(&both[..1], "cp2"), (&both[1..], "cp1")] {
                for (id, (is, said)) in words(alone) {
                    let was = before[id].0;
                    let is_better = matches!(was, "fail" | "unknown")
                        && matches!(is, "pass" | "not-applicable" | "waived");
                    assert!(!is_better, "{id} without {left_out}: {was}, then {is} {said}");
                    if (was, left_out) == ("fail", "cp2") && is == "unknown" {
                        failed.insert(id);
                    }
                    tried += 1;
                }
            }
        }
    }
    for id in ["1.2.6", "2.3", "3.1.2", "3.1.3", "4.2.1", "5.2.3", "5.2.12"] {
        assert!(failed.contains(id), "{id} never failed by the machine that is left out");
    }
    assert!(tried > 1000, "{tried}");
}

/// Facts of a control plane that was replaced stand for none that is there. A kubelet writes its name in small letters.
#[test]
fn an_api_server_counts_whose_machine_is_a_node() {
    let facts = |name: &str, words: &[&str]| {
        let mut facts = Facts::of_blueprint();
        facts.0["name"] = json!({"known": name});
        facts.0["audit"] = json!({"known": audit(&[])});
        facts.add_words("kubelet", words);
        facts.read()
    };
    let check = |nodes: &[&str], all: &[MachineFacts], expected: &str| {
        let mut tally = tally(&objects(), Vec::new());
        tally.members = members(nodes);
        let machines: Vec<Machine<'_>> = all.iter().map(|it| Machine::new(it, None)).collect();
        let looked = Looked { machines: &machines, objects: Some(&tally), ..Looked::default() };
        let words = words(&looked, &[]);
        assert_eq!(words["3.1.3"].0, expected, "{nodes:?}: {}", words["3.1.3"].1);
    };
    check(&["cp1", "cp2"], &[facts("cp1", &[]), facts("cp2", &[])], "pass");
    check(&["cp1", "cp2"], &[facts("cp1", &[]), facts("replaced", &[])], "unknown");
    check(&["cp1"], &[facts("CP1", &[])], "pass");
    check(&["cp1"], &[facts("other", &["--hostname-override=CP1"])], "pass");
    check(&["cp1"], &[facts("other", &[])], "unknown");
}

/// Whatever was seen turns into what could not be looked at, or was never looked at: no verdict becomes
/// better by it.
#[test]
fn no_verdict_becomes_better_by_what_is_missing() {
    let gap = json!({"gap": {"at": "/x", "why": "permission denied", "closes": "run it as root"}});
    let mut tried = 0;
    for mut facts in machines() {
        facts.0["audit"] = json!({"known": audit(&[])});
        let (documents, intent) = (objects(), intent());
        let tally = tally(&documents, Vec::new());
        let judged = |facts: &Facts| facts.judged_with(Some(&tally), Some(&intent));
        let before = judged(&facts);
        let mut pointers = Vec::new();
        seen(&facts.0, "", &mut pointers);
        for pointer in pointers {
            let mut unread = Facts(facts.0.clone());
            *unread.0.pointer_mut(&pointer).unwrap() = gap.clone();
            let mut all = vec![unread];
            let (above, name) = pointer.rsplit_once('/').unwrap();
            let name = name.replace("~1", "/").replace("~0", "~");
            let mut erased = facts.0.clone();
            if let Some(map) = erased.pointer_mut(above).and_then(Value::as_object_mut) {
                map.remove(&name);
                let is_whole = MachineFacts::read(&erased.to_string()).is_ok();
                all.extend(is_whole.then_some(Facts(erased)));
            }
            for after in all {
                tried += 1;
                for (id, judgement) in judged(&after) {
                    let (was, is) = (Verdict::from(&before[id]), Verdict::from(&judgement));
                    let was_bad = matches!(was, Verdict::Failed | Verdict::Unknown);
                    let is_good = matches!(is, Verdict::Proved | Verdict::NotApplicable);
                    assert!(
                        !(was_bad && is_good),
                        "{id} without {pointer}: {was}, then {judgement:?}"
                    );
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

/// Facts of a control plane whose log holds these callers, and is written by these rules.
fn logged(callers: &[Value], rules: &Value) -> Facts {
    let mut facts = Facts::of_blueprint();
    facts.0["audit"] = json!({"known": audit(callers)});
    let policy = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules});
    facts.text("kube-apiserver", "/etc/kubernetes/audit/policy.yaml", &policy);
    facts
}

/// The same where everything is written down but what a rule is about.
fn sparing(about: &Value) -> Facts {
    let mut rule = about.clone();
    rule["level"] = "None".into();
    logged(&[], &json!([rule, {"level": "Metadata"}]))
}

fn verdict(facts: &Facts, id: &str) -> Verdict {
    let tally = tally(&objects(), Vec::new());
    Verdict::from(&facts.judged_with(Some(&tally), Some(&intent()))[id])
}

/// What a log says of who is not in it rests on how much of it was read.
#[test]
fn a_log_that_is_short_shows_who_is_there_and_not_who_is_not() {
    let all = json!([{"level": "Metadata"}]);
    let whole = logged(&[], &all);
    for id in ["3.1.2", "3.1.3"] {
        assert_eq!(verdict(&whole, id), Verdict::Proved, "{id}");
    }
    let mut short = logged(&[], &all);
    short.0["audit"]["known"]["until"] = "2026-11-27T09:09:59.000000Z".into();
    for id in ["3.1.2", "3.1.3"] {
        assert_eq!(verdict(&short, id), Verdict::Unknown, "{id}");
    }
    // Who is seen is seen, however short it is.
    let bootstrap = caller("system:bootstrap:abcdef", &json!({"credential": "unsaid"}));
    let mut seen = logged(&[bootstrap], &all);
    seen.0["audit"]["known"]["until"] = "2026-11-27T09:00:01.000000Z".into();
    assert_eq!(verdict(&seen, "3.1.3"), Verdict::Failed);
}

/// Nor is anybody known not to be there of whom nothing would have been written.
#[test]
fn a_log_that_would_not_show_somebody_shows_that_nobody_is_there_no_more() {
    let secrets = json!([{"group": "", "resources": ["secrets"]}]);
    let group = "system:bootstrappers:ci";
    for (rule, id) in [
        (json!({"users": ["system:serviceaccount:shop:cart"]}), "3.1.2"),
        (
            json!({"userGroups": ["system:serviceaccounts"], "verbs": ["get", "list", "watch"]}),
            "3.1.2",
        ),
        (json!({"userGroups": ["system:serviceaccounts:shop"]}), "3.1.2"),
        (json!({"userGroups": ["system:bootstrappers"]}), "3.1.3"),
        (json!({"verbs": ["get", "list", "watch"]}), "3.1.3"),
        (json!({"namespaces": ["kube-system"]}), "3.1.2"),
        (json!({"namespaces": ["shop"]}), "3.1.2"),
        (json!({"namespaces": ["shop"], "resources": secrets}), "3.1.3"),
        (json!({"users": ["system:bootstrap:a"], "userGroups": [group]}), "3.1.3"),
    ] {
        assert_eq!(verdict(&sparing(&rule), id), Verdict::Unknown, "{id} {rule}");
    }
    for rule in [
        json!({"userGroups": ["system:nodes"]}),
        json!({"users": ["system:kube-proxy"]}),
        json!({"resources": [{"group": "", "resources": ["events"]}]}),
        json!({"nonResourceURLs": ["/healthz*"]}),
        json!({"users": ["system:kube-proxy"], "userGroups": [group]}),
        // Nothing of either is in a namespace that is named, or matters there.
        json!({"namespaces": ["shop"], "resources": [{"group": RBAC, "resources": ["clusterroles"]}]}),
        json!({"namespaces": ["shop"], "resources": [{"group": "", "resources": ["events"]}]}),
    ] {
        for id in ["3.1.2", "3.1.3"] {
            assert_eq!(verdict(&sparing(&rule), id), Verdict::Proved, "{id} {rule}");
        }
    }
    // Of whom the profile's own waivers tell, nobody else may hide beside them.
    for (rule, id) in [
        (json!({"users": ["ann"]}), "3.1.1"),
        (json!({"users": ["system:admin"]}), "3.1.1"),
        (json!({"users": ["ann"], "userGroups": ["devs"]}), "3.1.1"),
        (json!({"userGroups": ["system:masters"]}), "5.1.7"),
        (json!({"userGroups": ["system:masters"], "namespaces": ["shop"]}), "5.1.7"),
    ] {
        let facts = sparing(&rule).read();
        let (machines, tally, intent) =
            ([Machine::new(&facts, None)], tally(&objects(), Vec::new()), intent());
        let looked = Looked {
            machines: &machines,
            objects: Some(&tally),
            intent: Some(&intent),
            ..Looked::default()
        };
        let words = words(&looked, &[]);
        assert_eq!(words[id].0, "fail", "{id} {rule}: {}", words[id].1);
    }
}
