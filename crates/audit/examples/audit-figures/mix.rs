//! A mix of events that is the same at every run: a third of them writes, with bodies.

use serde_json::{Value, json};

/// A generator of fixed seed.
pub struct Chance(u64);

impl Default for Chance {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

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

/// Makes an event, as the server's log has it.
pub fn event(number: usize, chance: &mut Chance) -> Value {
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
