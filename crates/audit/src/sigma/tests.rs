//! Rules as people write them, and what becomes of them.

use serde_json::{Value, json};

use super::{Components, detection};
use crate::detection::Detection;
use crate::engine::Engine;
use crate::envelope::{Found, each};
use crate::{examples, own};

fn rule(looks_for: &Value) -> Value {
    json!({
        "title": "Somebody entered: production!",
        "id": "1-2",
        "author": "A. Nobody",
        "description": "Nobody\n has to",
        "level": "high",
        "tags": ["attack.execution", "attack.t1609", "attack.t1552.007"],
        "logsource": {"category": "application", "product": "kubernetes", "service": "audit"},
        "detection": looks_for,
    })
}

fn made(looks_for: &Value) -> Value {
    detection(&rule(looks_for), Components::Spared).unwrap()
}

fn refused(looks_for: &Value) -> String {
    detection(&rule(looks_for), Components::Spared).unwrap_err()
}

/// Says whether a detection finds an event.
fn finds(detection: &Value, short: &Value) -> bool {
    let read = own::read(&json!({ "detections": [detection] })).unwrap();
    let only: &'static Detection = read[0];
    let (mut engine, mut findings) = (Engine::new(&[only]), Vec::new());
    for line in examples::whole(&short.to_string()).unwrap() {
        each(line.as_bytes(), &mut |found| match found {
            Found::Event(event) => {
                assert_eq!(engine.judge(event, &mut findings).map(|it| it.to_string()), None);
            }
            _ => panic!("{short}"),
        });
    }
    !findings.is_empty()
}

#[test]
fn a_rule_becomes_a_detection_with_examples_of_its_own() {
    let one = made(&json!({
        "selection": {"verb": ["create", "get"], "objectRef.resource": "pods", "objectRef.subresource": "exec",
            "objectRef.namespace|startswith": "prod-"},
        "oncall": {"user.groups": "OnCall"},
        "condition": "selection and not oncall",
    }));
    assert_eq!(one["id"], "own/somebody-entered-production");
    assert_eq!(
        (&one["severity"], &one["attack"]),
        (&json!("high"), &json!(["T1609", "T1552.007"]))
    );
    assert_eq!(one["because"], "Nobody has to. After the Sigma rule 1-2 by A. Nobody.");
    let need = json!({
        "verbs": ["create", "get"], "resources": ["pods/exec"], "bodies": false, "components": false,
    });
    assert_eq!(one["needs"], json!([need]));
    let enters = |namespace: &str, group: &str| {
        json!({"verb": "get", "of": format!(":pods/exec {namespace}/x"),
            "user": {"username": "eve", "groups": ["system:authenticated", group]}})
    };
    assert!(finds(&one, &enters("prod-a", "dev")));
    assert!(!finds(&one, &enters("test", "dev")));
    assert!(!finds(&one, &enters("prod-a", "oncall")), "capitals do not count");
    assert!(finds(&one, &enters("prod-a", "oncall2")), "a text is the whole text");
}

#[test]
fn fields_are_compared_as_modifiers_say() {
    let by = |looks_for: Value| {
        let mut looks_for = json!({"selection": looks_for, "condition": "selection"});
        looks_for["selection"]["objectRef.resource"] = "secrets".into();
        made(&looks_for)
    };
    let asks = |agent: &str, code: u16| json!({"verb": "get", "of": ":secrets a/b", "userAgent": agent, "responseStatus": {"code": code}});
    for (looks_for, agent, is_found) in [
        (json!({"userAgent|contains": ["hog", "hound"]}), "TruffleHog/1", true),
        (json!({"userAgent|contains|cased": "hog"}), "TruffleHog/1", false),
        (json!({"userAgent|contains|all": ["hog", "truf"]}), "trufflehog", true),
        (json!({"userAgent|contains|all": ["hog", "other"]}), "trufflehog", false),
        (json!({"userAgent|endswith": "(x)"}), "a.b (x)", true),
        (json!({"userAgent": "cur?/*"}), "curl/8.1", true),
        (json!({"userAgent": "cur?/*"}), "curly/8.1", false),
        (json!({"userAgent": "a\\*b"}), "a*b", true),
        (json!({"userAgent": "a\\*b"}), "axb", false),
        (json!({"userAgent": ["it's", "a\\b"]}), "a\\b", true),
        (json!({"userAgent": "*", "verb": "get"}), "x", true),
        (json!({"userAgent": null, "verb": "get"}), "x", false),
        (json!({"userAgent|exists": true, "verb": "get"}), "", false),
    ] {
        assert_eq!(
            finds(&by(looks_for.clone()), &asks(agent, 200)),
            is_found,
            "{looks_for} {agent}"
        );
    }
    for (looks_for, code, is_found) in [
        (json!({"responseStatus.code": [401, "403"]}), 403, true),
        (json!({"responseStatus.code": [401, "403"]}), 404, false),
        (json!({"responseStatus.code|gte": 400}), 500, true),
        (json!({"responseStatus.code|lt": 400}), 500, false),
    ] {
        assert_eq!(finds(&by(looks_for.clone()), &asks("x", code)), is_found, "{looks_for} {code}");
    }
    // Something else finds what no example can be made of.
    let both = json!({
        "pattern": {"requestURI|re": "%2[fF]bin%2[fF](ba)?sh", "objectRef.resource": "pods"},
        "agent": {"userAgent": "x", "objectRef.resource": "pods"},
        "condition": "1 of *",
    });
    let enters = |uri: &str| json!({"verb": "get", "of": ":pods a/b", "requestURI": uri});
    assert!(finds(&made(&both), &enters("/api?command=%2Fbin%2fbash")));
    assert!(!finds(&made(&both), &enters("/api?command=ls")));
}

#[test]
fn conditions_are_read_with_their_order() {
    let looks_for = |condition: &str| {
        json!({
            "a_1": {"objectRef.namespace": "one", "verb": "get"}, "a_2": {"objectRef.name": "two", "verb": "get"},
            "other": {"objectRef.name": "three"}, "_aside": {"objectRef.name": "four"}, "condition": condition,
        })
    };
    for (condition, found) in [
        ("a_1 or a_2 and other", [true, false, true, false]),
        ("(a_1 or a_2) and not other", [true, true, false, false]),
        ("1 of a_*", [true, true, true, false]),
        ("all of a_*", [true, false, false, false]),
        ("a_1 and NOT 1 of other*", [true, false, false, false]),
        ("any of them", [true, true, true, false]),
        ("a_1 or not (a_2 or other or _aside or a_1)", [true, false, true, false]),
    ] {
        let one = made(&looks_for(condition));
        let places = ["one/two", "x/two", "one/three", "x/four"];
        let came =
            places.map(|at| finds(&one, &json!({"verb": "get", "of": format!(":pods {at}")})));
        assert_eq!(came, found, "{condition}: {}", one["where"]);
    }
    for condition in
        ["", "a_1 and", "(a_1", "a_1)", "nobody", "1 of nobody*", "a_1 | count() > 5", "a_1 a_2"]
    {
        assert!(
            detection(&rule(&looks_for(condition)), Components::Spared).is_err(),
            "{condition}"
        );
    }
    let deep = format!("{}a_1{}", "(".repeat(200), ")".repeat(200));
    assert!(refused(&looks_for(&deep)).contains("deep"));
}

#[test]
fn objects_are_read_by_their_paths() {
    let one = made(&json!({
        "selection": {
            "verb": "create", "objectRef.resource": "pods",
            "requestObject.spec.containers.securityContext.capabilities.add": ["SYS_ADMIN", "ALL"],
        },
        "host": {"verb": "create", "objectRef.resource": "pods", "requestObject.spec.hostNetwork": true},
        "condition": "selection or host",
    }));
    assert_eq!(one["needs"][0]["bodies"], true);
    let makes = |spec: Value| json!({"verb": "create", "of": ":pods a/b", "responseObject": {"spec": spec}});
    let adds = |names: Value| json!({"containers": [{}, {"securityContext": {"capabilities": {"add": names}}}]});
    assert!(finds(&one, &makes(adds(json!(["CHOWN", "sys_admin"])))));
    assert!(!finds(&one, &makes(adds(json!(["CHOWN"])))));
    assert!(finds(&one, &makes(json!({"hostNetwork": true}))));
    assert!(!finds(&one, &makes(json!({"hostNetwork": "true", "containers": [{}]}))));
}

#[test]
fn groups_and_verbs_are_what_kubernetes_has() {
    let needs =
        |looks_for: Value| made(&json!({"s": looks_for, "condition": "s"}))["needs"][0].clone();
    let binding =
        needs(json!({"verb": ["create", "replace"], "objectRef.resource": "rolebindings"}));
    assert_eq!(binding["resources"], json!(["rolebindings.rbac.authorization.k8s.io"]));
    assert_eq!(binding["verbs"], json!(["create"]));
    let patched =
        needs(json!({"verb": "patch", "apiGroup": "apps", "objectRef.resource": "deployments"}));
    assert_eq!(patched["resources"], json!(["deployments.apps"]));
    let refusals = needs(json!({"responseStatus.code": [401, 403]}));
    assert_eq!((&refusals["resources"], &refusals["verbs"]), (&json!(["*"]), &json!([])));
    let judged = detection(
        &rule(&json!({"s": {"verb": "create", "objectRef.resource": "pods"}, "condition": "s"})),
        Components::Judged,
    );
    assert_eq!(judged.unwrap()["needs"][0]["components"], true);
}

#[test]
fn what_cannot_be_said_is_refused_whole() {
    let one = |field: &str, value: Value| {
        let mut selection = json!({"verb": "create", "objectRef.resource": "pods"});
        selection[field] = value;
        refused(&json!({"selection": selection, "condition": "selection"}))
    };
    assert!(one("hostPath", json!("*")).contains("hostPath is no field"));
    assert!(one("sourceIPs|cidr", json!("10.0.0.0/8")).contains("cidr"));
    assert!(one("responseStatus.code", json!("ALLOW")).contains("no number"));
    assert!(one("verb", json!("replace")).contains("Kubernetes does not have"));
    assert!(one("userAgent", json!({"a": 1})).contains("only texts and numbers"));
    assert!(one("requestObject.spec['x']", json!("a")).contains("no path"));
    assert!(one("requestURI|re", json!("a+")).contains("no example"));
    assert!(refused(&json!({"words": ["a", "b"], "condition": "words"})).contains("anywhere"));
    assert!(refused(&json!({"s": {}, "condition": "s"})).contains("empty"));
    assert!(refused(&json!({"s": {"verb": "get"}})).contains("no condition"));
    assert!(
        refused(&json!({"s": {"verb": "get"}, "timeframe": "5m", "condition": "s"}))
            .contains("time")
    );
    let other = |change: Value| {
        let mut rule =
            rule(&json!({"s": {"verb": "get", "objectRef.resource": "pods"}, "condition": "s"}));
        for (name, value) in change.as_object().unwrap() {
            rule[name] = value.clone();
        }
        detection(&rule, Components::Spared).unwrap_err()
    };
    assert!(other(json!({"logsource": {"product": "windows"}})).contains("windows"));
    assert!(other(json!({"logsource": {}})).contains("which log"));
    assert!(other(json!({"title": "!"})).contains("no title"));
    assert!(other(json!({"level": "odd"})).contains("level"));
    assert!(other(json!({"correlation": {}})).contains("several rules"));
}
