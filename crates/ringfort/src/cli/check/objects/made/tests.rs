//! A pod is told by a template where that says all that it does; whom it names as its maker alone leaves nothing out.

use serde_json::{Value, json};

use super::Makers;

fn template() -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "securityContext": {},
            "volumes": [{"name": "data", "emptyDir": {}}],
            "containers": [{
                "name": "web", "image": "web:1", "resources": {"limits": {"cpu": "1"}},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }],
        },
    })
}

fn object(version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    let metadata = json!({"name": name, "namespace": "shop", "uid": format!("{kind}-{name}")});
    json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
}

fn set(kind: &str) -> Value {
    object("apps/v1", kind, "web", &json!({"replicas": 2, "template": template()}))
}

fn owned(mut object: Value, by: &Value) -> Value {
    let owner = json!({"apiVersion": by["apiVersion"], "kind": by["kind"], "name": by["metadata"]["name"],
        "uid": by["metadata"]["uid"], "controller": true});
    object["metadata"]["ownerReferences"] = json!([owner]);
    object
}

/// A pod as a server makes one of the template.
fn pod(by: &Value) -> Value {
    let mut pod = object("v1", "Pod", "web-1", &template()["spec"]);
    pod["metadata"]["labels"] = json!({"app": "web", "pod-template-hash": "5d", "job-name": "web"});
    pod["metadata"]["annotations"] = json!({"cni.example.com/ip": "10.0.0.1"});
    let spec = &mut pod["spec"];
    spec["nodeName"] = json!("n1");
    spec["priority"] = json!(0);
    spec["serviceAccountName"] = json!("default");
    spec["serviceAccount"] = json!("default");
    spec["tolerations"] = json!([{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]);
    let token = json!({"name": "kube-api-access-x", "projected": {"sources": []}});
    spec["volumes"].as_array_mut().unwrap().push(token);
    let container = &mut spec["containers"][0];
    container["resources"]["requests"] = json!({"cpu": "1"});
    let mount = json!({"name": "kube-api-access-x", "readOnly": true,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
    container["volumeMounts"].as_array_mut().unwrap().push(mount);
    owned(pod, by)
}

/// Says of each object in turn whether it is left out.
fn left_out<const N: usize>(all: [Value; N]) -> [bool; N] {
    let mut makers = Makers::default();
    all.map(|mut object| makers.leave_out(&mut object))
}

#[test]
fn a_pod_is_left_out_where_its_maker_was_listed() {
    for kind in ["ReplicaSet", "DaemonSet", "StatefulSet"] {
        let set = set(kind);
        assert_eq!(left_out([set.clone(), pod(&set)]), [false, true], "{kind}");
        assert_eq!(left_out([pod(&set)]), [false], "{kind}");
    }
    // Others have kinds of the same names, and a Deployment makes no pods by itself.
    let foreign =
        object("apps.kruise.io/v1", "StatefulSet", "web", &json!({"template": template()}));
    assert_eq!(left_out([foreign.clone(), pod(&foreign)]), [false, false]);
    let deployment = set("Deployment");
    assert_eq!(left_out([deployment.clone(), pod(&deployment)]), [false, false]);
}

#[test]
fn a_pod_that_does_more_than_its_template_says_is_judged_itself() {
    let set = set("DaemonSet");
    let changes: [(&str, Value); 12] = [
        ("/spec/securityContext", json!({"runAsUser": 0})),
        ("/spec/hostPID", json!(true)),
        ("/spec/serviceAccountName", json!("admin")),
        ("/spec/ephemeralContainers", json!([{"name": "debug"}])),
        ("/spec/initContainers", json!([{"name": "first"}])),
        ("/spec/containers/0/image", json!("web:0")),
        ("/spec/containers/0/resources", json!({})),
        ("/spec/containers/0/securityContext", json!({"privileged": true})),
        ("/spec/tolerations", json!([{"operator": "Exists"}])),
        ("/spec/volumes/1", json!({"name": "kube-api-access-x", "hostPath": {"path": "/"}})),
        ("/metadata/labels", json!({"app": "other"})),
        (
            "/metadata/annotations",
            json!({"container.apparmor.security.beta.kubernetes.io/web": "unconfined"}),
        ),
    ];
    for (pointer, value) in changes {
        let mut pod = pod(&set);
        let (above, key) = pointer.rsplit_once('/').unwrap();
        let place = pod.pointer_mut(above).unwrap();
        match place {
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
            other => other[key] = value,
        }
        assert_eq!(left_out([set.clone(), pod]), [false, false], "{pointer}");
    }
    let mut elsewhere = pod(&set);
    elsewhere["metadata"]["namespace"] = json!("den");
    assert_eq!(left_out([set, elsewhere]), [false, false]);
}

#[test]
fn what_a_template_made_before_it_changed_is_judged_itself() {
    let deployment = set("Deployment");
    let now = owned(set("ReplicaSet"), &deployment);
    assert_eq!(left_out([deployment.clone(), now.clone(), pod(&now)]), [false, true, true]);
    let mut before = now;
    before["spec"]["template"]["spec"]["hostPID"] = json!(true);
    let mut of_before = pod(&before);
    of_before["spec"]["hostPID"] = json!(true);
    let all = [deployment.clone(), before.clone(), of_before.clone()];
    assert_eq!(left_out(all), [false, false, true]);
    // One that keeps no pods says nothing of those that are still there.
    before["spec"]["replicas"] = json!(0);
    assert_eq!(left_out([deployment, before, of_before]), [false, true, false]);
}

#[test]
fn a_job_is_told_by_its_cron_job_unless_that_was_changed() {
    let nightly = json!({"jobTemplate": {"spec": {"template": template()}}});
    let nightly = object("batch/v1", "CronJob", "web", &nightly);
    let mut job =
        owned(object("batch/v1", "Job", "web", &json!({"template": template()})), &nightly);
    job["spec"]["template"]["metadata"]["labels"]["batch.kubernetes.io/job-name"] = json!("web");
    assert_eq!(left_out([nightly.clone(), job.clone(), pod(&job)]), [false, true, true]);
    job["spec"]["template"]["spec"]["hostPID"] = json!(true);
    assert_eq!(left_out([nightly.clone(), job.clone()]), [false, false]);
    job["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    assert_eq!(left_out([nightly, job]), [false, true]);
}

#[test]
fn what_is_judged_beside_a_maker_that_is_left_out_is_of_whom_that_is_of() {
    let (mut makers, mut deployment) = (Makers::default(), set("Deployment"));
    let mut set = owned(set("ReplicaSet"), &deployment);
    let mut pod = pod(&set);
    pod["spec"]["hostPID"] = json!(true);
    for (object, expected) in [(&mut deployment, false), (&mut set, true), (&mut pod, false)] {
        assert_eq!(makers.leave_out(object), expected);
    }
    assert_eq!(pod["metadata"]["ownerReferences"], set["metadata"]["ownerReferences"]);
}
