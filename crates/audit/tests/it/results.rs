//! What became of an object, as far as a log tells it, and requests that a log tells of twice.

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_audit::fault::Why;
use ringfort_audit::finding::Finding;
use serde_json::{Value, json};

/// Judges events one after the other: what was found of the last, and what of it could not be judged.
fn judge(events: &[Value]) -> (Vec<Finding>, Option<Why>) {
    let (mut engine, mut findings, mut why) = (Engine::new(DETECTIONS), Vec::new(), None);
    for event in events {
        findings.clear();
        each(event.to_string().as_bytes(), &mut |found| {
            let Found::Event(event) = found else { panic!("{found:?}") };
            why = engine.judge(event, &mut findings);
        });
    }
    (findings, why)
}

fn write(verb: &str, sent: &Value, answered: &Value) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": verb, "user": {"username": "eve"},
        "objectRef": {"apiGroup": "apps", "resource": "deployments", "namespace": "web", "name": "d"},
        "responseStatus": {"code": 200}, "requestObject": sent, "responseObject": answered,
    })
}

fn deployment(privileged: bool) -> Value {
    let container = json!({"name": "c", "securityContext": {"privileged": privileged}});
    json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [container]}}}})
}

#[track_caller]
fn check(events: &[Value], rests: Option<&str>, fault: Option<Why>) {
    let (findings, why) = judge(events);
    let found = findings.iter().find(|it| it.detection == "detect/privileged-container");
    let found = found.unwrap_or_else(|| panic!("{findings:?}"));
    assert_eq!((found.rests.as_deref(), why), (rests, fault));
}

const PATH: &str = "/spec/template/spec/containers/0/securityContext/privileged";

#[test]
fn a_finding_says_what_it_rests_on() {
    let replace = json!([{"op": "replace", "path": PATH, "value": true}]);
    let lay = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "c", "securityContext": {"privileged": true}},
    ]}}}});
    let none = Value::Null;
    let create = write("create", &deployment(false), &none);
    check(&[write("update", &none, &deployment(true))], None, None);
    check(&[write("patch", &replace, &deployment(true))], None, None);
    check(&[write("create", &deployment(true), &none)], Some("judged as it was sent"), None);
    let before = Some("judged by its patch of what was there before");
    check(&[create.clone(), write("patch", &replace, &none)], before, None);
    check(&[create.clone(), write("patch", &lay, &none)], before, None);
    let alone = Some("judged by its patch alone, since the object is not known");
    check(&[write("patch", &replace, &none)], alone, None);
    check(&[write("patch", &lay, &none)], alone, None);
    let misfit = json!([
        {"op": "remove", "path": "/spec/none"}, {"op": "add", "path": PATH, "value": true},
    ]);
    check(&[create, write("patch", &misfit, &none)], alone, Some(Why::Patch));
}

/// A patch that says nothing of it leaves the container as bad as it was; what was known is known after it.
#[test]
fn what_was_known_is_a_part_of_what_became() {
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x"}]}}}});
    let none = Value::Null;
    let before = Some("judged by its patch of what was there before");
    let create = write("create", &deployment(true), &none);
    check(&[create.clone(), write("patch", &image, &none)], before, None);
    check(&[create, write("patch", &image, &none), write("patch", &image, &none)], before, None);
    let fine = judge(&[write("create", &deployment(false), &none), write("patch", &image, &none)]);
    assert!(fine.0.iter().all(|it| it.detection != "detect/privileged-container"));
}

/// Who asks chooses the form of the answer: where it holds no object, the patch is judged in its place.
#[test]
fn an_answer_of_another_form_hides_no_patch() {
    let replace = json!([{"op": "replace", "path": PATH, "value": true}]);
    let create = write("create", &deployment(false), &Value::Null);
    let before = Some("judged by its patch of what was there before");
    for kind in ["Table", "PartialObjectMetadata", "Status"] {
        let answer = json!({"kind": kind, "rows": []});
        check(&[create.clone(), write("patch", &replace, &answer)], before, None);
    }
}

/// What is called like an object and is none of its kind is not taken for it, nor is more taken of what is sent to a part
/// than the server takes.
#[test]
fn a_part_of_an_object_does_not_stand_for_all_of_it() {
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x"}]}}}});
    let none = Value::Null;
    let create = write("create", &deployment(true), &none);
    let part = |part: &str, mut event: Value| {
        event["objectRef"]["subresource"] = part.into();
        event
    };
    let scale = json!({"kind": "Scale", "spec": {"replicas": 2}});
    let before = Some("judged by its patch of what was there before");
    let count = json!({"spec": {"replicas": 2}});
    for between in [
        part("scale", write("patch", &count, &scale)),
        part("scale", write("update", &scale, &none)),
        part("scale", write("patch", &count, &none)),
        part("status", write("update", &deployment(false), &none)),
    ] {
        check(&[create.clone(), between, write("patch", &image, &none)], before, None);
    }
}

/// Of a patch that does not hold for what is known nothing is laid over it, not even what stands before its test.
#[test]
fn a_patch_whose_test_fails_is_judged_alone() {
    let patch = |is_privileged: bool| {
        json!([
            {"op": "add", "path": "/spec/template/spec/containers/0/image", "value": "x"},
            {"op": "test", "path": PATH, "value": is_privileged},
        ])
    };
    let none = Value::Null;
    let create = write("create", &deployment(true), &none);
    let before = Some("judged by its patch of what was there before");
    check(&[create.clone(), write("patch", &patch(true), &none)], before, None);
    let (findings, why) = judge(&[create, write("patch", &patch(false), &none)]);
    assert_eq!(why, Some(Why::Patch));
    assert!(findings.iter().all(|it| it.detection != "detect/privileged-container"));
}

/// What became too large to be remembered is not taken for what it was before.
#[test]
fn an_object_that_became_too_large_is_known_no_more() {
    let shop = |image: &str, bytes: usize| {
        let containers = json!([{"name": "c", "image": image}]);
        let metadata = json!({"annotations": {"a": "x".repeat(bytes)}});
        json!({"kind": "Deployment", "metadata": metadata,
               "spec": {"template": {"spec": {"containers": containers}}}})
    };
    let none = Value::Null;
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    let changed = |bytes: usize| {
        let (findings, _) = judge(&[
            write("create", &none, &shop("x:1", 1)),
            write("update", &none, &shop("x:2", bytes)),
            write("patch", &label, &shop("x:2", 1)),
        ]);
        findings.iter().any(|it| it.detection == "detect/program-changed")
    };
    assert!(!changed(1) && !changed(2 << 20));
}

/// What a patch takes from an object that nobody knows, nobody knows either.
#[test]
fn a_patch_that_copies_what_is_not_known_is_told() {
    let copy = json!([{"op": "copy", "from": "/spec/other", "path": PATH}]);
    let table = json!({"kind": "Table", "rows": []});
    assert_eq!(judge(&[write("patch", &copy, &table)]).1, Some(Why::Patch));
    assert_eq!(judge(&[write("patch", &copy, &deployment(false))]).1, None);
}

/// A log that leaves bodies out is not a log in which nothing is wrong.
#[test]
fn events_without_the_bodies_that_detections_ask_for_are_counted() {
    let starved = |resource: &str, sent: &Value, answered: &Value| {
        let mut engine = Engine::new(DETECTIONS);
        let event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "create",
            "objectRef": {"resource": resource, "namespace": "web", "name": "x"},
            "responseStatus": {"code": 201}, "requestObject": sent, "responseObject": answered,
        });
        each(event.to_string().as_bytes(), &mut |found| {
            let Found::Event(event) = found else { panic!("{found:?}") };
            engine.judge(event, &mut Vec::new());
        });
        engine.starved()
    };
    let none = Value::Null;
    let (pod, table) = (json!({"kind": "Pod", "spec": {}}), json!({"kind": "Table", "rows": []}));
    assert_eq!(starved("pods", &none, &none), 1);
    assert_eq!(starved("pods", &none, &table), 1);
    assert_eq!(starved("pods", &none, &pod), 0);
    assert_eq!(starved("pods", &pod, &table), 0);
    assert_eq!(starved("secrets", &none, &none), 0);
    assert_eq!(starved("nodes", &none, &none), 0);
}

#[test]
fn a_request_that_goes_on_is_found_once_and_a_copy_of_its_name_hides_nobody() {
    let exec = |stage: &str, user: &str| {
        json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "get", "stage": stage,
            "auditID": "same", "user": {"username": user}, "requestURI": "/x?command=ls",
            "requestReceivedTimestamp": "2026-01-05T00:00:00.000001Z", "responseStatus": {"code": 101},
            "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "web", "name": "p"},
        })
    };
    let is_found =
        |events: &[Value]| judge(events).0.iter().any(|it| it.detection == "detect/exec");
    let (started, complete) = ("ResponseStarted", "ResponseComplete");
    assert!(is_found(&[exec(started, "eve")]) && is_found(&[exec(complete, "eve")]));
    assert!(!is_found(&[exec(started, "eve"), exec(complete, "eve")]));
    assert!(is_found(&[exec(started, "bob"), exec(complete, "eve")]));
}
