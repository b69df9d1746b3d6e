//! What decoding and judging costs on one core, on a mix of events that is the same at every run. Prints JSON.

use std::collections::BTreeSet;
use std::time::Instant;

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use serde_json::{Value, json};

/// Lines of the mix, and how often all are judged.
const LINES: usize = 40_000;
const ROUNDS: usize = 5;

fn main() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut bodies = BTreeSet::new();
    let mut with_bodies = 0;
    let lines: Vec<String> = (0..LINES)
        .map(|number| {
            let event = event(number, &mut chance);
            for key in ["requestObject", "responseObject"] {
                if !event[key].is_null() {
                    bodies.insert(event[key].to_string());
                }
            }
            with_bodies += usize::from(!event["requestObject"].is_null());
            event.to_string()
        })
        .collect();
    let bytes: usize = lines.iter().map(String::len).sum();
    let (mut decoded, mut judged, mut findings) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        decoded.push(rate(&lines, &mut |_| ()));
        let (mut engine, mut found) = (Engine::new(DETECTIONS), Vec::new());
        judged.push(rate(&lines, &mut |event| assert!(engine.judge(event, &mut found).is_none())));
        findings = found.len();
    }
    let figures = json!({
        "detections": DETECTIONS.len(),
        "events": LINES,
        "bytes_per_event": bytes / LINES,
        "with_bodies_percent": 100 * with_bodies / LINES,
        "distinct_bodies": bodies.len(),
        "findings": findings,
        "decoded_per_second": median(&mut decoded),
        "judged_per_second": median(&mut judged),
    });
    println!("{figures}");
}

fn rate(lines: &[String], visit: &mut dyn FnMut(&ringfort_audit::event::Event<'_>)) -> u64 {
    let begun = Instant::now();
    let mut events = 0_u32;
    for line in lines {
        each(line.as_bytes(), &mut |found| {
            let Found::Event(event) = found else { panic!("{found:?}") };
            events += 1;
            visit(event);
        });
    }
    (f64::from(events) / begun.elapsed().as_secs_f64()) as u64
}

fn median(rates: &mut [u64]) -> u64 {
    rates.sort_unstable();
    rates[rates.len() / 2]
}

/// A generator of fixed seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const READ: [(&str, &str, &str); 8] = [
    ("get", "", "configmaps"),
    ("get", "", "pods"),
    ("list", "", "pods"),
    ("watch", "", "services"),
    ("get", "coordination.k8s.io", "leases"),
    ("update", "coordination.k8s.io", "leases"),
    ("get", "", "secrets"),
    ("list", "discovery.k8s.io", "endpointslices"),
];

const WRITTEN: [(&str, &str, &str); 6] = [
    ("create", "", "pods"),
    ("patch", "apps", "deployments"),
    ("update", "apps", "deployments"),
    ("create", "batch", "jobs"),
    ("create", "rbac.authorization.k8s.io", "rolebindings"),
    ("update", "", "services"),
];

fn event(number: usize, chance: &mut Chance) -> Value {
    let is_write = chance.below(100) < 35;
    let (verb, group, resource) =
        if is_write { WRITTEN[chance.below(6)] } else { READ[chance.below(8)] };
    let namespace = format!("team-{}", chance.below(40));
    let name = format!("thing-{}", chance.below(5_000));
    let user = match chance.below(4) {
        0 => format!("system:serviceaccount:{namespace}:app-{}", chance.below(9)),
        1 => "system:serviceaccount:kube-system:replicaset-controller".to_owned(),
        2 => format!("person-{}", chance.below(60)),
        _ => format!("system:node:node-{}", chance.below(50)),
    };
    let is_node = user.starts_with("system:node:");
    let seconds = number / 200;
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "auditID": format!("{:016x}-{number}", chance.0), "stage": "ResponseComplete",
        "requestURI": format!("/apis/{group}/v1/namespaces/{namespace}/{resource}/{name}?timeout=10s"),
        "verb": verb,
        "user": {
            "username": user, "uid": format!("{:016x}", chance.0),
            "groups": [if is_node { "system:nodes" } else { "system:serviceaccounts" }, "system:authenticated"],
            "extra": {"authentication.kubernetes.io/credential-id": [format!("JTI={user}")]},
        },
        "sourceIPs": [format!("10.0.{}.{}", user.len() % 8, user.len())],
        "userAgent": "app/v1.2.3 (linux/amd64) kubernetes/abcdef0",
        "objectRef": {"resource": resource, "namespace": namespace, "name": name, "apiGroup": group, "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": format!("2026-01-05T00:{:02}:{:02}.{:06}Z", seconds / 60 % 60, seconds % 60, number % 1_000_000),
        "stageTimestamp": "2026-01-05T00:00:00.000001Z",
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: allowed by RoleBinding \"app\" of Role \"app\" to ServiceAccount \"app\""},
    });
    if is_write {
        let object = object(resource, &namespace, &name, chance);
        let mut answer = object.clone();
        answer["status"] = json!({"observedGeneration": chance.below(99), "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-05T00:00:00Z"}]});
        answer["metadata"]["uid"] = format!("{:016x}", chance.0).into();
        event["requestObject"] = object;
        event["responseObject"] = answer;
    }
    event
}

fn object(resource: &str, namespace: &str, name: &str, chance: &mut Chance) -> Value {
    let labels =
        json!({"app": name, "team": namespace, "version": format!("v{}", chance.below(900))});
    let metadata = json!({"name": name, "namespace": namespace, "labels": labels});
    match resource {
        "rolebindings" => json!({
            "kind": "RoleBinding", "metadata": metadata, "roleRef": {"kind": "Role", "name": "app"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }),
        "services" => json!({
            "kind": "Service", "metadata": metadata,
            "spec": {"type": "ClusterIP", "ports": [{"port": chance.below(9_000), "targetPort": "http"}]},
        }),
        _ => {
            let containers: Vec<Value> = (0..=chance.below(2)).map(|_| container(chance)).collect();
            let spec = json!({
                "containers": containers, "serviceAccountName": "app",
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            });
            match resource {
                "pods" => json!({"kind": "Pod", "metadata": metadata, "spec": spec}),
                _ => json!({
                    "kind": "Deployment", "metadata": metadata,
                    "spec": {"replicas": 3, "template": {"metadata": {"labels": labels}, "spec": spec}},
                }),
            }
        }
    }
}

fn container(chance: &mut Chance) -> Value {
    let image = format!(
        "registry.example/{}:{}",
        chance.of(&["shop", "till", "cart"]),
        chance.below(9_999)
    );
    json!({
        "name": format!("c{}", chance.below(99)), "image": image,
        "env": [{"name": "REGION", "value": chance.of(&["north", "south"])}],
        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    })
}
