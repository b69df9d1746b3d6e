//! Laws of judging: what is taken away or written wrongly never makes a pod pass that did not.

use ringfort_check::pods::{Judged, Verdict};
use ringfort_facts::manifest::{self, Document};
use ringfort_model::pod_security::{Level, Version};
use serde_json::{Value, json};

use crate::oracles::{entries, oracles};
use crate::standards::{good, judge};

const VERSIONS: [Version; 5] = [
    Version::Minor(0),
    Version::Minor(18),
    Version::Minor(24),
    Version::Minor(34),
    Version::Latest,
];

#[test]
fn a_field_of_another_type_never_passes_and_makes_nothing_fail() {
    for object in [full("a"), workload(&full("a")), workload(&good())] {
        for (level, version) in policies() {
            let before = ids(&judge(&object, level, version));
            for (pointer, changed) in written_wrongly(&object) {
                let after = judge(&changed, level, version);
                assert_ne!(after.verdict(), Verdict::Pass, "{pointer} {level} {changed}");
                assert_ne!(after.unreadable, [], "{pointer} {level} {changed}");
                // What fails must fail whatever the field was meant to be.
                let new = ids(&after).into_iter().find(|id| !before.contains(id));
                assert_eq!(new, None, "{pointer} {level} {version} {changed}");
            }
        }
    }
}

#[test]
fn a_field_taken_away_mends_only_its_own_faults() {
    let mut objects = vec![full("a"), workload(&full("a"))];
    if let Some(samples) = oracles("pod-security-admission") {
        for file in entries(&samples.join("restricted/v1.34/fail")) {
            let read = manifest::read(&std::fs::read_to_string(file).unwrap()).unwrap();
            objects.extend(read.into_iter().map(Document::into_value));
        }
    }
    for object in objects {
        // Before, annotations meant containers by their names, which may be taken away.
        for (level, version) in policies().filter(|(_, version)| version.applied() >= 19) {
            let failures = judge(&object, level, version).failures;
            for pointer in places(&object) {
                let mut changed = object.clone();
                take_away(&mut changed, &pointer);
                if judge(&changed, level, version).verdict() == Verdict::Pass {
                    let mut faults = failures.iter().flat_map(|failure| &failure.faults);
                    let stays = faults.find(|fault| !is_within(&fault.pointer, &pointer));
                    assert_eq!(stays, None, "{pointer} {level} {version} {object}");
                }
            }
        }
    }
}

fn policies() -> impl Iterator<Item = (Level, Version)> {
    Level::ALL.into_iter().flat_map(|level| VERSIONS.map(|version| (level, version)))
}

fn ids(judged: &Judged) -> Vec<&'static str> {
    judged.failures.iter().map(|failure| failure.check).collect()
}

/// A pod with every field that a check looks at, and some besides. It fails all that can fail together.
fn full(name: &str) -> Value {
    let handler =
        json!({"httpGet": {"host": "a", "port": 1}, "tcpSocket": {"host": "a", "port": 1}});
    let security = json!({
        "allowPrivilegeEscalation": true,
        "appArmorProfile": {"type": "Unconfined"},
        "capabilities": {"add": ["NET_RAW"], "drop": ["CHOWN"]},
        "privileged": true,
        "procMount": "Unmasked",
        "runAsNonRoot": false,
        "runAsUser": 0,
        "seLinuxOptions": {"type": "spc_t", "user": "a", "role": "b"},
        "seccompProfile": {"type": "Unconfined"},
        "windowsOptions": {"hostProcess": true},
    });
    let container = json!({
        "name": name,
        "image": "example.com/one",
        "args": ["a"],
        "env": [{"name": "a", "value": "b"}],
        "lifecycle": {"postStart": handler, "preStop": handler},
        "livenessProbe": handler,
        "readinessProbe": handler,
        "startupProbe": handler,
        "ports": [{"containerPort": 80, "hostPort": 80}],
        "resources": {"limits": {"memory": "1Gi"}},
        "securityContext": security,
        "volumeMounts": [{"name": "a", "mountPath": "/a", "readOnly": true}],
    });
    let mut of_pod = security;
    for field in ["allowPrivilegeEscalation", "capabilities", "privileged", "procMount"] {
        of_pod.as_object_mut().unwrap().remove(field);
    }
    of_pod["sysctls"] = json!([{"name": "kernel.msgmax", "value": "1"}]);
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "creationTimestamp": "2026-01-31T12:00:00Z",
            "labels": {"a": "b"},
            "annotations": {
                format!("container.apparmor.security.beta.kubernetes.io/{name}"): "unconfined",
                format!("container.seccomp.security.alpha.kubernetes.io/{name}"): "unconfined",
                "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
            },
        },
        "spec": {
            "containers": [container],
            "initContainers": [container],
            "ephemeralContainers": [container],
            "hostIPC": true,
            "hostNetwork": true,
            "hostPID": true,
            "hostUsers": true,
            "os": {"name": "linux"},
            "securityContext": of_pod,
            "terminationGracePeriodSeconds": 30,
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "volumes": [{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "secret": {}}],
        },
        "status": {"phase": "Running"},
    })
}

fn workload(pod: &Value) -> Value {
    let template = json!({"metadata": pod["metadata"], "spec": pod["spec"]});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": template},
    })
}

/// Gives the pointers to everything in a value but itself.
pub(crate) fn places(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(at, it)| (at.to_string(), it)).collect()
        }
        _ => Vec::new(),
    };
    let below = |(key, value): (String, &Value)| {
        let mut all = vec![format!("/{key}")];
        all.extend(places(value).iter().map(|pointer| format!("/{key}{pointer}")));
        all
    };
    children.into_iter().flat_map(below).collect()
}

/// Gives every place of an object, and the object with something of another type there.
fn written_wrongly(object: &Value) -> impl Iterator<Item = (String, Value)> {
    let places = places(object).into_iter().filter(|pointer| !is_free(pointer));
    places.flat_map(move |pointer| {
        others(object, &pointer).into_iter().map(move |wrong| {
            let mut changed = object.clone();
            *changed.pointer_mut(&pointer).unwrap() = wrong;
            (pointer.clone(), changed)
        })
    })
}

/// Whether numbers and texts both may stand there.
fn is_free(pointer: &str) -> bool {
    pointer.ends_with("/memory") || pointer.ends_with("/port")
}

/// Values of every other type than what stands there.
fn others(object: &Value, pointer: &str) -> Vec<Value> {
    let there = object.pointer(pointer).unwrap();
    let mut all = vec![json!(false), json!(1.5), json!("true"), json!([]), json!({}), json!([{}])];
    if !there.is_number() {
        all.push(json!(0));
    }
    all.retain(|other| {
        there.is_number() || std::mem::discriminant(other) != std::mem::discriminant(there)
    });
    all
}

fn take_away(object: &mut Value, pointer: &str) {
    let (above, key) = pointer.rsplit_once('/').unwrap();
    match object.pointer_mut(above).unwrap() {
        Value::Array(list) => drop(list.remove(key.parse().unwrap())),
        other => {
            let key = key.replace("~1", "/").replace("~0", "~");
            assert!(other.as_object_mut().unwrap().shift_remove(&key).is_some(), "{pointer}");
        }
    }
}

fn is_within(pointer: &str, above: &str) -> bool {
    pointer.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
