//! Pods that do what a row is about and nothing else that is wrong: each is a pod of the restricted level, changed
//! in one thing.
//!
//! A fault of a container stands in the only one, in a second one, in one that runs first and in one that is added
//! to a pod that runs, since what refuses pods may look at some of them alone.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ringfort_model::pod_security::{Level, Policy, Version};
use serde_json::{Value, json};

use crate::pods::pods;

/// How a container comes to run.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Entry {
    /// With a new pod.
    New,
    /// In a pod that runs already, through `pods/ephemeralcontainers`.
    Added,
}

/// A pod, as somebody would write it.
#[derive(Debug)]
pub(super) struct Sample {
    /// How what is wrong with it comes to run.
    pub(super) entry: Entry,
    /// Tells it from all others.
    pub(super) number: usize,
    pub(super) pod: Value,
    /// As admission sees it.
    pub(super) seen: Value,
    /// That, without what whoever makes a pod chooses beside the fault.
    pub(super) bare: Value,
    /// The levels of today's Pod Security Standards that refuse it.
    refused_by: Vec<Level>,
}

impl Sample {
    fn of(number: usize, (entry, pod): (Entry, Value)) -> Self {
        let is_refused =
            |level: &Level| judges(Policy { level: *level, version: Version::Latest }, &pod);
        let refused_by = Level::ALL.into_iter().filter(is_refused).collect();
        let seen = defaulted(&pod);
        Self { entry, number, bare: bare(&seen), seen, pod, refused_by }
    }

    /// Whether a policy of Pod Security refuses it.
    pub(super) fn is_refused(&self, policy: Policy) -> bool {
        match policy.version {
            Version::Latest => self.refused_by.contains(&policy.level),
            Version::Minor(_) => judges(policy, &self.pod),
        }
    }
}

fn judges(policy: Policy, pod: &Value) -> bool {
    pods(pod).iter().any(|it| !it.judge(policy).failures.is_empty())
}

/// What is changed of a pod, as a merge patch (RFC 7386).
enum Fault {
    Pod(&'static str),
    Container(&'static str),
    /// Of a container that is there from the first: none that is added has such a field.
    First(&'static str),
}

use Fault::{Container, First, Pod};

/// The faults that a row is about.
struct Faults(&'static str, &'static [Fault]);

const PRIVILEGED: Fault =
    Container(r#"{"securityContext": {"privileged": true, "allowPrivilegeEscalation": null}}"#);

#[rustfmt::skip]
static FAULTS: [Faults; 12] = [
    Faults("5.2.1", &[PRIVILEGED]),
    Faults("5.2.2", &[PRIVILEGED]),
    Faults("5.2.3", &[Pod(r#"{"hostPID": true}"#)]),
    Faults("5.2.4", &[Pod(r#"{"hostIPC": true}"#)]),
    Faults("5.2.5", &[Pod(r#"{"hostNetwork": true}"#)]),
    Faults("5.2.6", &[
        Container(r#"{"securityContext": {"allowPrivilegeEscalation": true}}"#),
        Container(r#"{"securityContext": {"allowPrivilegeEscalation": null}}"#),
    ]),
    Faults("5.2.7", &[
        Pod(r#"{"securityContext": {"runAsNonRoot": null, "runAsUser": null}}"#),
        Pod(r#"{"securityContext": {"runAsNonRoot": false, "runAsUser": 0}}"#),
        Container(r#"{"securityContext": {"runAsNonRoot": false, "runAsUser": 0}}"#),
    ]),
    Faults("5.2.8", &[
        Container(r#"{"securityContext": {"capabilities": null}}"#),
        Container(r#"{"securityContext": {"capabilities": {"add": ["NET_RAW"]}}}"#),
    ]),
    Faults("5.2.9", &[
        Container(r#"{"securityContext": {"capabilities": {"add": ["CHOWN"]}}}"#),
        Container(r#"{"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}"#),
    ]),
    // Kubernetes takes such a process on the machine's network alone.
    Faults("5.2.10", &[Pod(r#"{"hostNetwork": true, "securityContext": {"windowsOptions": {"hostProcess": true}}}"#)]),
    Faults("5.2.11", &[Pod(r#"{"volumes": [{"name": "machine", "hostPath": {"path": "/"}}]}"#)]),
    Faults("5.2.12", &[First(r#"{"ports": [{"containerPort": 8080, "hostPort": 8080}]}"#)]),
];

/// Gives the pods that a row wants refused.
pub(super) fn of_row(row: &str) -> &'static [Sample] {
    SAMPLES.get(row).map(Vec::as_slice).unwrap_or_default()
}

static SAMPLES: LazyLock<BTreeMap<&str, Vec<Sample>>> = LazyLock::new(|| {
    let mut samples: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut number = 0..;
    for Faults(row, all) in &FAULTS {
        let pods = all.iter().flat_map(faulty);
        samples.insert(*row, pods.zip(&mut number).map(|(pod, at)| Sample::of(at, pod)).collect());
    }
    samples
});

/// Gives the pod without any fault, as admission sees it.
pub(super) fn faultless_seen() -> &'static Value {
    static SEEN: LazyLock<Value> = LazyLock::new(|| defaulted(&faultless()));
    &SEEN
}

/// Gives the pod without any fault, as somebody would write it for a namespace.
pub(super) fn faultless_in(namespace: &str) -> Value {
    let mut pod = faultless();
    pod["metadata"]["namespace"] = namespace.into();
    pod
}

/// Gives the pod without any fault.
fn faultless() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "sample"},
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container("main")],
        },
    })
}

fn container(name: &str) -> Value {
    const DIGEST: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    json!({
        "name": name,
        "image": format!("registry.example/sample:1@{DIGEST}"),
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "10m", "memory": "16Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
        },
    })
}

fn faulty(fault: &Fault) -> Vec<(Entry, Value)> {
    let (Pod(text) | Container(text) | First(text)) = fault;
    let patch: Value = serde_json::from_str(text).expect("a test reads every patch");
    let mut pod = faultless();
    if matches!(fault, Pod(_)) {
        merge(&mut pod["spec"], &patch);
        return vec![(Entry::New, pod)];
    }
    let bad = |name: &str| {
        let mut container = container(name);
        merge(&mut container, &patch);
        container
    };
    let placed = |list: &str, containers: Vec<Value>| {
        let mut pod = pod.clone();
        pod["spec"][list] = containers.into();
        pod
    };
    let mut all = vec![
        (Entry::New, placed("containers", vec![bad("main")])),
        (Entry::New, placed("containers", vec![container("main"), bad("second")])),
        (Entry::New, placed("initContainers", vec![bad("first")])),
    ];
    if matches!(fault, Container(_)) {
        let mut added = bad("added");
        // It takes what the pod has.
        merge(&mut added, &json!({"resources": null}));
        all.push((Entry::Added, placed("ephemeralContainers", vec![added])));
    }
    all
}

fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in fields {
        match value {
            Value::Null => {
                into.as_object_mut().and_then(|map| map.shift_remove(key));
            }
            value => merge(&mut into[key.as_str()], value),
        }
    }
}

/// Gives a pod as admission sees it: with what an API server fills in.
fn defaulted(pod: &Value) -> Value {
    let mut pod = pod.clone();
    let spec = json!({
        "dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0, "restartPolicy": "Always", "schedulerName": "default-scheduler",
        "serviceAccount": "default", "serviceAccountName": "default", "terminationGracePeriodSeconds": 30,
        "tolerations": [
            {"effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists",
                "tolerationSeconds": 300},
            {"effect": "NoExecute", "key": "node.kubernetes.io/unreachable", "operator": "Exists",
                "tolerationSeconds": 300},
        ],
    });
    fill(&mut pod["spec"], &spec);
    let container = json!({
        "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    });
    for list in LISTS {
        for one in pod["spec"][list].as_array_mut().into_iter().flatten() {
            fill(one, &container);
            for port in one["ports"].as_array_mut().into_iter().flatten() {
                fill(port, &json!({"protocol": "TCP"}));
            }
            // What was not there is not to be there now.
            if one["ports"].is_null() {
                one.as_object_mut().and_then(|map| map.shift_remove("ports"));
            }
        }
        if pod["spec"][list].is_null() {
            pod["spec"].as_object_mut().and_then(|map| map.shift_remove(list));
        }
    }
    for volume in pod["spec"]["volumes"].as_array_mut().into_iter().flatten() {
        if volume["hostPath"].is_object() {
            fill(&mut volume["hostPath"], &json!({"type": ""}));
        }
    }
    if pod["spec"]["volumes"].is_null() {
        pod["spec"].as_object_mut().and_then(|map| map.shift_remove("volumes"));
    }
    pod
}

/// Takes away from a pod what its maker chooses freely: labels, annotations, names, images, the account. Whoever
/// looks at it meets an error, so that what is still said does not rest on it.
fn bare(pod: &Value) -> Value {
    let mut pod = pod.clone();
    let mut without = |at: &str, fields: &[&str]| {
        if let Some(object) = pod.pointer_mut(at).and_then(Value::as_object_mut) {
            object.retain(|field, _| !fields.contains(&field.as_str()));
        }
    };
    without("", &["metadata"]);
    without("/spec", &["serviceAccount", "serviceAccountName", "schedulerName", "tolerations"]);
    for list in LISTS {
        for number in 0..MOST {
            without(&format!("/spec/{list}/{number}"), &["name", "image", "resources"]);
        }
    }
    pod
}

/// Where containers stand.
const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// So many containers a sample has at most in a list.
const MOST: usize = 2;

fn fill(into: &mut Value, defaults: &Value) {
    let (Some(into), Some(defaults)) = (into.as_object_mut(), defaults.as_object()) else { return };
    for (key, value) in defaults {
        into.entry(key.as_str()).or_insert_with(|| value.clone());
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::pod_security::{Level, Policy, Version};

    use super::{FAULTS, Faults, defaulted, faultless, of_row};
    use crate::benchmark::rows;
    use crate::pods::{Verdict, pods};

    fn verdict(pod: &serde_json::Value, level: Level) -> Verdict {
        pods(pod)[0].judge(Policy { level, version: Version::Latest }).verdict()
    }

    #[test]
    fn every_sample_is_read_and_only_faults_are_refused() {
        for pod in [faultless(), defaulted(&faultless())] {
            assert_eq!(verdict(&pod, Level::Restricted), Verdict::Pass, "{pod}");
        }
        for Faults(row, _) in &FAULTS {
            assert!(rows().any(|it| it.id == *row), "{row}");
            let samples = of_row(row);
            assert!(!samples.is_empty());
            for sample in samples {
                for pod in [sample.pod.clone(), defaulted(&sample.pod)] {
                    assert_eq!(verdict(&pod, Level::Restricted), Verdict::Fail, "{row} {pod}");
                    assert_eq!(pod["metadata"], faultless()["metadata"]);
                }
            }
        }
    }

    #[test]
    fn rows_of_baseline_ask_for_what_baseline_refuses() {
        for row in ["5.2.2", "5.2.3", "5.2.4", "5.2.5", "5.2.10", "5.2.11", "5.2.12"] {
            for sample in of_row(row) {
                assert_eq!(verdict(&sample.pod, Level::Baseline), Verdict::Fail, "{row}");
            }
        }
    }
}
