//! Static pods: put together from what controls said of a component.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ringfort_model::digest::Digest;
use ringfort_model::item::Probe;
use serde_json::{Map, Value, json};

use super::flags::Flags;
use super::{Component, Mount, Stamped};

/// The name of the variable in which a process carries the digest of what it was started with.
pub const INPUTS: &str = "RINGFORT_INPUTS";

/// What is particular to a component's pod.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The image's reference.
    pub image: String,
    /// Whether it speaks TLS where it is asked for its health.
    pub scheme: Scheme,
    /// Where it is asked for its health.
    pub health: SocketAddr,
    /// The path that says whether it lives.
    pub lives: &'static str,
    /// The path that says whether it serves.
    pub serves: &'static str,
    /// The processor time it asks for.
    pub cpu: &'static str,
    /// The memory it asks for.
    pub memory: &'static str,
}

/// How a component is asked for its health.
#[derive(Clone, Debug)]
pub enum Scheme {
    /// In plain, on loopback.
    Http,
    /// By TLS, with the certificate of the authority at this path.
    Https(&'static str),
}

/// A component's pod while controls write it.
#[derive(Debug, Default)]
pub(super) struct PodSketch {
    pub shape: Option<Stamped<Shape>>,
    pub flags: Flags,
    pub mounts: BTreeMap<String, Stamped<Mount>>,
    pub settings: BTreeMap<&'static str, Stamped<Value>>,
}

impl Shape {
    /// Says how to ask on the machine itself whether the component serves.
    pub(super) fn probe(&self) -> Probe {
        let (at, path) = (self.health, self.serves.to_owned());
        match &self.scheme {
            Scheme::Http => Probe::Http { at, path },
            Scheme::Https(ca) => Probe::Https { at, path, ca: Some((*ca).to_owned()) },
        }
    }

    fn kubelet_probe(&self, path: &str, timing: Value) -> Value {
        let scheme = match self.scheme {
            Scheme::Http => "HTTP",
            Scheme::Https(_) => "HTTPS",
        };
        let mut probe = json!({"httpGet": {
            "host": self.health.ip(), "port": self.health.port(), "path": path, "scheme": scheme,
        }});
        merge(&mut probe, timing);
        probe
    }
}

/// Garbage is collected before heaps have doubled: less memory at rest for a little more of the processor under
/// load. etcd's heap is small beside what it maps, and whoever writes waits for it.
fn environment(component: Component) -> Value {
    match component {
        Component::Etcd => json!([]),
        _ => json!([{"name": "GOGC", "value": "63"}]),
    }
}

impl PodSketch {
    /// Writes the pod; `inputs` is the digest of all that it reads only at its start.
    pub(super) fn write(&self, component: Component, shape: &Shape, inputs: &Digest) -> Value {
        let mut pod = self.skeleton(component, shape);
        for (pointer, setting) in &self.settings {
            place(&mut pod, pointer, setting.value.clone());
        }
        let inputs = json!({"name": INPUTS, "value": inputs});
        pod["spec"]["containers"][0]["env"].as_array_mut().expect("a list").push(inputs);
        pod
    }

    /// Writes the pod without the digest, which depends on the rest.
    pub(super) fn skeleton(&self, component: Component, shape: &Shape) -> Value {
        let name = component.name();
        let mut command = vec![format!("/usr/local/bin/{name}")];
        command.extend(self.flags.write());
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": "kube-system",
                "labels": {"component": name, "tier": "control-plane"},
            },
            "spec": {
                "hostNetwork": true,
                "priorityClassName": "system-node-critical",
                "enableServiceLinks": false,
                "automountServiceAccountToken": false,
                "securityContext": {},
                "containers": [{
                    "name": name,
                    "image": shape.image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": command,
                    "env": environment(component),
                    "resources": {"requests": {"cpu": shape.cpu, "memory": shape.memory}},
                    "securityContext": {},
                    "startupProbe": shape.kubelet_probe(shape.lives, json!({
                        "periodSeconds": 2, "timeoutSeconds": 10, "failureThreshold": 120,
                    })),
                    "livenessProbe": shape.kubelet_probe(shape.lives, json!({
                        "periodSeconds": 10, "timeoutSeconds": 15, "failureThreshold": 8,
                    })),
                    "readinessProbe": shape.kubelet_probe(shape.serves, json!({
                        "periodSeconds": 2, "timeoutSeconds": 10,
                    })),
                }],
            },
        });
        pod["spec"]["containers"][0]["volumeMounts"] = self.volume_mounts();
        pod["spec"]["volumes"] = self.volumes();
        for (pointer, setting) in &self.settings {
            place(&mut pod, pointer, setting.value.clone());
        }
        pod
    }

    fn volume_mounts(&self) -> Value {
        let mount = |(path, mount): (&String, &Stamped<Mount>)| {
            let read_only = mount.value != Mount::Writes;
            json!({"name": volume_name(path), "mountPath": path, "readOnly": read_only})
        };
        self.mounts.iter().map(mount).collect()
    }

    fn volumes(&self) -> Value {
        let volume = |(path, mount): (&String, &Stamped<Mount>)| {
            let kind = if mount.value == Mount::File { "File" } else { "Directory" };
            json!({"name": volume_name(path), "hostPath": {"path": path, "type": kind}})
        };
        self.mounts.iter().map(volume).collect()
    }
}

/// Names a volume by its path.
fn volume_name(path: &str) -> String {
    path.trim_start_matches('/').replace(['/', '.'], "-")
}

/// Puts a value at a JSON pointer and makes the mappings above it.
pub(super) fn place(target: &mut Value, pointer: &str, value: Value) {
    let mut at = target;
    for part in pointer.split('/').filter(|part| !part.is_empty()) {
        at = match part.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => {
                if at.is_null() {
                    *at = Value::Object(Map::new());
                }
                &mut at[part]
            }
        };
    }
    *at = value;
}

fn merge(target: &mut Value, from: Value) {
    if let (Value::Object(target), Value::Object(from)) = (target, from) {
        target.extend(from);
    }
}
