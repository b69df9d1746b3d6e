//! Manifests that others published, put right.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use jiff::civil::date;
use ringfort_check::fix::{Asked, Fix, Fixed, Told, ToldFile, controls, fix, schema};
use ringfort_check::guidelines::GUIDELINES;
use ringfort_check::judge::judge;
use ringfort_check::judgement::Judgement;
use ringfort_check::pods::pods;
use ringfort_check::report::{InObject, Place, Whose};
use ringfort_check::waivers::{self, Waivers};
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::manifest::{self, Document};
use ringfort_model::pod_security::{Level, Policy, Version};
use serde_json::{Value, json};

use crate::oracles::{entries, oracles};

/// Samples that a fix leaves as they fail the standards, and why. A sample is named by the end of its path.
const LEDGER: [(&str, &str); 0] = [];

#[test]
fn bad_pods_come_out_clean() {
    let Some(samples) = oracles("bad-pods") else { return };
    let files = below(&samples);
    let left = count(&samples, &files);
    assert_eq!(files.len(), 128);
    is_in_ledger("bad-pods", &left, files.len());
}

#[test]
fn disallowed_pods_of_gatekeepers_library_come_out_clean() {
    let Some(samples) = oracles("gatekeeper-library") else { return };
    let files: Vec<_> = below(&samples.join("pod-security-policy"))
        .into_iter()
        .filter(|file| file.to_string_lossy().contains("disallowed"))
        .collect();
    let left = count(&samples, &files);
    is_in_ledger("Gatekeeper's disallowed pods", &left, files.len());
}

/// Fixes files and gives those whose pods the standards do not allow then.
fn count(samples: &Path, files: &[PathBuf]) -> Vec<String> {
    let policy = Policy { level: Level::Restricted, version: Version::Latest };
    let mut left = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let fixed = whole(&text);
        let after = fixed.text.as_deref().unwrap_or(&text);
        let documents = manifest::read(after).unwrap();
        let judged = documents.iter().flat_map(|it| pods(it.value())).map(|it| it.judge(policy));
        // Some samples have containers for debugging and no others, so that Kubernetes would not take them.
        if judged.flat_map(|it| it.failures).next().is_some() {
            let name = file.strip_prefix(samples).unwrap().display();
            left.push(format!("{name}: {:?}", fixed.refused));
        }
    }
    left
}

#[track_caller]
fn is_in_ledger(set: &str, left: &[String], files: usize) {
    let clean = files - left.len();
    println!("{clean} of {files} of {set} come out clean");
    assert!(clean * 100 >= files * 95, "{clean} of {files}: {left:#?}");
    let unexplained: Vec<_> =
        left.iter().filter(|it| !LEDGER.iter().any(|(name, _)| it.contains(name))).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
}

/// The laws of fixing, over every manifest of others that can be read.
#[test]
fn a_fix_keeps_everything_else() {
    let (mut fixes, mut refused) = (BTreeMap::new(), BTreeMap::new());
    let sets = [
        "bad-pods",
        "gatekeeper-library",
        "kalm",
        "pod-security-admission/restricted/v1.34/fail",
        "pod-security-admission/baseline/v1.34/fail",
    ];
    for file in sets.into_iter().filter_map(oracles).flat_map(|set| below(&set)) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        if manifest::read(&text).is_err() {
            continue;
        }
        for way in WAYS {
            let Some(text) = way(&text) else { continue };
            let fixed = holds(&file.display().to_string(), &text);
            fixed.fixes.iter().for_each(|it| *fixes.entry(it.control).or_insert(0) += 1);
            for it in &fixed.refused {
                *refused.entry((it.control, it.why.clone())).or_insert(0) += 1;
            }
        }
    }
    println!("fixed {fixes:#?}\nrefused {refused:#?}");
    assert!(fixes.is_empty() || fixes.len() > 15, "{fixes:#?}");
}

/// Pods and workloads that chance puts together, in every way of writing, by each control alone and by all.
#[test]
fn what_chance_builds_is_fixed_as_well() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut fixes = BTreeMap::new();
    for round in 0..60 {
        let object = object(&mut chance);
        let texts = [
            serde_json::to_string(&object).unwrap(),
            serde_json::to_string_pretty(&object).unwrap(),
            block(&object, 0, &mut chance),
            block(&object, 0, &mut chance).replace('\n', "\r\n"),
        ];
        for (way, text) in texts.iter().enumerate() {
            let read = values(text);
            assert_eq!(read, std::slice::from_ref(&object), "round {round}, way {way}:\n{text}");
            for control in controls() {
                let fixed = fixed(text, &[control]);
                is_sound(&format!("round {round}, way {way}, {control}"), text, &fixed, &[control]);
                *fixes.entry(control).or_insert(0) += fixed.fixes.len();
            }
            is_sound(&format!("round {round}, way {way}"), text, &whole(text), &all());
        }
    }
    println!("fixed {fixes:#?}");
    assert!(fixes.len() == all().len() && fixes.values().all(|count| *count > 0), "{fixes:#?}");
}

/// What a waiver covers stays as it is; what would change it too is refused.
#[test]
fn what_somebody_answers_for_is_left() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop }
spec:
  containers:
  - { name: one, image: a, securityContext: { privileged: true } }
  - { name: two, image: a, securityContext: { privileged: true } }
";
    let waivers = |control: &str, container: &str, expires: &str| {
        let only =
            json!({"kind": "Pod", "namespace": "shop", "name": "web", "container": container});
        let all = json!({"waivers": [{"control": control, "scope": {"objects": [only]},
            "reason": "it loads modules", "owner": "storage", "expires": expires}]});
        let known: Vec<&str> = GUIDELINES.iter().map(|it| it.id).collect();
        let read = waivers::read(&all, &known).unwrap();
        let whose = Whose { kind: String::new(), namespace: None, name: String::new() };
        let at = InObject {
            object: whose.into(),
            container: None,
            pointer: "".into(),
            field: "".into(),
            missing: None,
            named: "".into(),
        };
        let all = read.into_iter().map(|(_, waiver)| (Place::Api(at.clone()), waiver)).collect();
        Waivers { all, today: date(2026, 6, 1) }
    };
    let fixed = |control: &str, waivers: &Waivers| {
        let documents = manifest::read(text).unwrap();
        let asked = Asked { controls: &[control], waivers: Some(waivers) };
        fix(text, &documents, (&world(&documents), 0), asked)
    };
    let privileged = "workload/not-privileged";
    let one = fixed(privileged, &waivers(privileged, "one", "2026-12-31"));
    let after = one.text.unwrap();
    assert!(
        after.contains("name: one, image: a, securityContext: { privileged: true }"),
        "{after}"
    );
    assert!(
        after.contains("name: two, image: a, securityContext: { privileged: false }"),
        "{after}"
    );
    assert!(one.waived[0].why.contains("storage answers for it: it loads modules"));
    assert_eq!((one.waived[0].line, one.refused.len()), (6, 0));

    let ended = fixed(privileged, &waivers(privileged, "one", "2026-05-31"));
    assert!(ended.waived.is_empty() && !ended.text.unwrap().contains("privileged: true"));

    // The pod says it for all of its containers, so that the other would change too.
    let seccomp = "workload/seccomp-is-set";
    let both = fixed(seccomp, &waivers(seccomp, "one", "2026-12-31"));
    assert_eq!((both.text, both.fixes), (None, vec![]));
    assert!(
        both.refused[0].why.contains("a waiver of workload/seccomp-is-set"),
        "{:?}",
        both.refused
    );
}

#[test]
fn what_is_told_is_as_its_schema_says() {
    let schema = serde_json::to_value(schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let text = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {
        "containers": [{"name": "a", "image": "a"}], "volumes": [{"name": "a", "nfs": {}}]}}"#;
    let Fixed { text, fixes, refused, waived } = whole(text);
    assert!(!fixes.is_empty() && !refused.is_empty());
    let file = ToldFile { file: "a".to_owned(), fixes, refused, waived, difference: text };
    let (left, unread, unwritten) = (vec!["b".to_owned()], vec![], vec![]);
    let told = Told { version: 1, dry_run: true, files: vec![file], left, unread, unwritten };
    let mut told = serde_json::to_value(told).unwrap();
    assert_eq!(validator.iter_errors(&told).map(|it| it.to_string()).collect::<Vec<_>>(), [""; 0]);
    told["files"][0]["fixes"][0]["lines"] = json!("1");
    assert!(!validator.is_valid(&told));
}

/// A generator of fixed seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    /// Keeps some of the fields of an object.
    fn some(&mut self, object: &Value) -> Value {
        let fields = object.as_object().unwrap().iter().filter(|_| self.below(3) == 0);
        Value::Object(fields.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

fn object(chance: &mut Chance) -> Value {
    let mut spec = chance.some(&json!({
        "hostNetwork": true, "hostPID": true, "hostIPC": true, "hostUsers": true,
        "automountServiceAccountToken": true, "dnsPolicy": "Default", "securityContext": null,
    }));
    if chance.below(4) > 0 {
        let mut context = security(chance);
        let sysctls =
            json!([{"name": "kernel.msgmax", "value": "1"}, {"name": "a.b", "value": "2"}]);
        if chance.below(3) == 0 {
            context["sysctls"] = sysctls;
        }
        for field in ["privileged", "procMount", "capabilities", "allowPrivilegeEscalation"] {
            context.as_object_mut().unwrap().shift_remove(field);
        }
        spec["securityContext"] = context;
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let count = chance.below(3) + usize::from(list == "containers");
        if count > 0 {
            spec[list] = (0..count).map(|at| container(&format!("{list}{at}"), chance)).collect();
        }
    }
    spec["volumes"] = json!([
        {"hostPath": {"path": "/", "type": ""}, "name": "a"},
        {"name": "b", "hostPath": {"path": "/b"}, "emptyDir": {}},
        {"name": "c", "secret": {"secretName": "c"}},
    ]);
    let annotations =
        json!({"container.apparmor.security.beta.kubernetes.io/containers0": "unconfined"});
    let metadata = json!({"labels": {"a": "b"}, "annotations": annotations});
    let template = json!({"metadata": metadata, "spec": spec});
    let names = json!({"name": "a", "namespace": "n"});
    match chance.below(3) {
        0 => json!({"apiVersion": "v1", "kind": "Pod", "metadata": names, "spec": spec}),
        1 => json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": names,
            "spec": {"template": template, "selector": {"matchLabels": {"a": "b"}}}}),
        _ => json!({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "batch/v1",
            "kind": "CronJob", "metadata": names,
            "spec": {"jobTemplate": {"spec": {"template": template}}, "schedule": "* * * * *"}}]}),
    }
}

fn container(name: &str, chance: &mut Chance) -> Value {
    let handler = json!({"httpGet": {"host": "a", "port": 1, "path": "/"}});
    let mut container = chance.some(&json!({
        "command": ["sh", "-c", "a\nb\n"],
        "ports": [{"hostPort": 80, "containerPort": 80}, {"containerPort": 81, "hostPort": 81}],
        "volumeMounts": [{"name": "a", "mountPath": "/a", "mountPropagation": "Bidirectional"}],
        "livenessProbe": handler,
        "lifecycle": {"preStop": {"tcpSocket": {"port": 1, "host": "b"}}},
        "env": [{"name": "A", "value": "x: y # z"}],
        "securityContext": null,
    }));
    container["name"] = json!(name);
    container["image"] = json!("example.com/a:1");
    if chance.below(4) > 0 {
        container["securityContext"] = security(chance);
    }
    container
}

fn security(chance: &mut Chance) -> Value {
    let capabilities = [
        json!({"add": ["NET_RAW", "CHOWN", "NET_BIND_SERVICE"]}),
        json!({"add": ["SYS_ADMIN"], "drop": ["CHOWN"]}),
        json!({"drop": ["ALL"], "add": ["CAP_SYS_ADMIN"]}),
        json!({"drop": []}),
        json!({}),
    ];
    let chosen = chance.below(capabilities.len());
    chance.some(&json!({
        "allowPrivilegeEscalation": true,
        "appArmorProfile": {"type": "Unconfined"},
        "capabilities": capabilities[chosen],
        "privileged": true,
        "procMount": "Unmasked",
        "readOnlyRootFilesystem": false,
        "runAsNonRoot": false,
        "runAsUser": 0,
        "seLinuxOptions": {"type": "spc_t", "user": "a", "level": "s0"},
        "seccompProfile": {"type": "Unconfined"},
        "windowsOptions": {"hostProcess": true},
    }))
}

/// Writes a value in lines, with comments between them and some of its parts in brackets.
fn block(value: &Value, indent: usize, chance: &mut Chance) -> String {
    let space = " ".repeat(indent);
    let mut lines = String::new();
    let mut entry = |before: String, value: &Value, deeper: usize, chance: &mut Chance| {
        if chance.below(6) == 0 {
            lines.push_str(&format!("{space}# comment {}\n", chance.below(1_000_000_000)));
        }
        let is_filled = keys(value).len() > usize::from(chance.below(5) == 0) * 99;
        match value {
            Value::Null if chance.below(2) == 0 => lines.push_str(&format!("{before}\n")),
            Value::Object(_) | Value::Array(_) if is_filled => {
                let below = block(value, deeper, chance);
                // The first entry of an item stands behind its dash.
                match before.ends_with('-') && !below.trim_start().starts_with('#') {
                    true => lines.push_str(&format!("{before} {}", below.trim_start())),
                    false => lines.push_str(&format!("{before} # of it\n{below}")),
                }
            }
            value => lines.push_str(&format!("{before} {value}\n")),
        }
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                entry(format!("{space}{key}:"), value, indent + 2, chance);
            }
        }
        Value::Array(list) => {
            for value in list {
                entry(format!("{space}-"), value, indent + 2, chance);
            }
        }
        value => lines = format!("{space}{value}\n"),
    }
    lines
}

/// The same text in other ways of writing.
const WAYS: [fn(&str) -> Option<String>; 4] = [
    |text| Some(text.to_owned()),
    |text| Some(text.replace('\n', "\r\n")),
    |text| Some(text.trim_end().to_owned()),
    |text| {
        let value = manifest::read(text).ok()?.into_iter().next()?.into_value();
        serde_json::to_string_pretty(&value).ok()
    },
];

/// Fixes a text by all controls, and by each that it does not keep alone, and holds what a fix promises.
fn holds(name: &str, text: &str) -> Fixed {
    let whole = whole(text);
    is_sound(name, text, &whole, &all());
    let wanting: BTreeSet<&str> = whole.fixes.iter().map(|fix| fix.control).collect();
    for control in wanting {
        let alone = fixed(text, &[control]);
        is_sound(&format!("{name} {control}"), text, &alone, &[control]);
    }
    whole
}

fn is_sound(name: &str, text: &str, fixed: &Fixed, only: &[&str]) {
    assert_eq!(fixed.text.is_some(), !fixed.fixes.is_empty(), "{name}");
    let Some(after) = &fixed.text else { return };
    let (before, now) = (found(text), found(after));
    for fix in &fixed.fixes {
        let key = (fix.object.document, fix.object.name.clone(), fix.control);
        let is_twin = fixed.refused.iter().any(|it| it.control == fix.control);
        assert!(is_twin || !now.contains(&key), "{name}: {key:?} still fails in\n{after}");
    }
    // What a pod on its node's network says of policies is only seen when it is no more.
    let is_uncovered = |(_, name, control): &&(usize, String, &str)| {
        let left =
            |fix: &Fix| fix.control == "workload/own-network-namespace" && fix.object.name == *name;
        *control == "network/pods-are-isolated" && fixed.fixes.iter().any(left)
    };
    let new: Vec<_> = now.difference(&before).filter(|it| !is_uncovered(it)).collect();
    assert!(new.is_empty(), "{name}: {new:?} in\n{after}");
    let (before, now) = (values(text), values(after));
    assert_eq!(before.len(), now.len(), "{name}");
    for (before, now) in before.iter().zip(&now) {
        differs_only_where_it_may(name, before, now, "");
    }
    let again = self::fixed(after, only);
    assert_eq!(again.text, None, "{name}: a second run changes\n{after}");
    let lost = lost_comments(text, after);
    assert!(lost.is_empty(), "{name}: {lost:?} went from\n{after}");
}

/// Comments on lines of their own that went, though what they stand in is still there.
fn lost_comments<'t>(before: &'t str, after: &str) -> Vec<&'t str> {
    let is_comment = |line: &&str| line.trim_start().starts_with('#');
    let count = |text: &str, wanted: &str| text.lines().filter(|line| *line == wanted).count();
    let is_fewer = |line: &str| count(after, line) < count(before, line);
    let mut above = "";
    let mut lost = Vec::new();
    for line in before.lines() {
        match is_comment(&line) {
            true if is_fewer(line) && !is_fewer(above) => lost.push(line),
            true => {}
            false => above = line,
        }
    }
    lost
}

/// What is changed lies in a security context, or is one of the few fields beside it.
fn differs_only_where_it_may(name: &str, before: &Value, now: &Value, pointer: &str) {
    if before == now || MAY_DIFFER.iter().any(|field| pointer.contains(field)) {
        return;
    }
    let keys: BTreeSet<String> = [before, now].into_iter().flat_map(keys).collect();
    assert!(!keys.is_empty(), "{name}: {pointer} was {before} and is {now}");
    for key in keys {
        let below = format!("{pointer}/{key}");
        let step = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        let of = |value: &Value| value.pointer(&step).cloned().unwrap_or(Value::Null);
        differs_only_where_it_may(name, &of(before), &of(now), &below);
    }
}

const MAY_DIFFER: [&str; 13] = [
    "/securityContext",
    "/hostNetwork",
    "/hostPID",
    "/hostIPC",
    "/hostPort",
    "/host",
    "/hostPath",
    "/emptyDir",
    "/mountPropagation",
    "/automountServiceAccountToken",
    "container.apparmor.security.beta.kubernetes.io/",
    "/annotations",
    "/metadata/annotations",
];

fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map.keys().cloned().collect(),
        Value::Array(list) => (0..list.len()).map(|at| at.to_string()).collect(),
        _ => Vec::new(),
    }
}

fn values(text: &str) -> Vec<Value> {
    manifest::read(text).unwrap().into_iter().map(Document::into_value).collect()
}

/// What fails: the document, the name of the object, and the control.
fn found(text: &str) -> BTreeSet<(usize, String, &'static str)> {
    let documents = manifest::read(text).unwrap();
    let objects = world(&documents);
    let mut found = BTreeSet::new();
    for (number, object) in objects.iter().enumerate() {
        for (guideline, judgement) in judge(&objects, number, GUIDELINES).judgements {
            if matches!(judgement, Judgement::Fail(_)) {
                found.insert((object.origin.document, object.name().to_owned(), guideline.id));
            }
        }
    }
    found
}

fn world(documents: &[Document]) -> Objects<'_> {
    let mut objects = Objects::new(World::Closed, None);
    for document in documents {
        objects.add(Origin { file: 0, document: document.index() }, document.value());
    }
    objects
}

fn all() -> Vec<&'static str> {
    controls().collect()
}

fn whole(text: &str) -> Fixed {
    fixed(text, &all())
}

fn fixed(text: &str, controls: &[&str]) -> Fixed {
    let documents = manifest::read(text).unwrap();
    fix(text, &documents, (&world(&documents), 0), Asked { controls, waivers: None })
}

/// Gives every manifest below a directory.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(directory) {
        if path.is_dir() {
            found.extend(below(&path));
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "json") {
            found.push(path);
        }
    }
    found
}
