//! Which objects of a cluster are told by the template that they were made of. Who made an object is its own word, and
//! anybody who may write it writes that too: an object is left out only where its maker was listed and its template
//! says all that the object does.

use std::collections::BTreeMap;

use ringfort_check::kinds::group;
use ringfort_model::controllers::LABELS;
use serde_json::{Map, Value};

/// A kind of Kubernetes whose objects make others by a template.
struct Making {
    group: &'static str,
    kind: &'static str,
    /// The JSON pointer to the template of its pods.
    template: &'static str,
    /// What it makes, with its group.
    makes: (&'static str, &'static str),
}

const PODS: Making =
    Making { group: "apps", kind: "", template: "/spec/template", makes: ("", "Pod") };
const MAKING: [Making; 7] = [
    Making {
        group: "batch",
        kind: "CronJob",
        template: "/spec/jobTemplate/spec/template",
        makes: ("batch", "Job"),
    },
    Making { kind: "DaemonSet", ..PODS },
    Making { kind: "Deployment", makes: ("apps", "ReplicaSet"), ..PODS },
    Making { group: "batch", kind: "Job", ..PODS },
    Making { kind: "ReplicaSet", ..PODS },
    Making { group: "", kind: "ReplicationController", ..PODS },
    Making { kind: "StatefulSet", ..PODS },
];

/// Says how many makers may stand between a kind and what somebody wrote.
pub(super) fn made_after(kind: &str) -> usize {
    match kind {
        "Pod" => 2,
        "Job" | "ReplicaSet" => 1,
        _ => 0,
    }
}

/// What was listed that makes others, by its uid.
#[derive(Default)]
pub(super) struct Makers(BTreeMap<String, Maker>);

struct Maker {
    namespace: Value,
    /// What it makes.
    makes: (&'static str, &'static str),
    /// The template of its pods; none where nothing that it made is known by it.
    template: Option<Value>,
    /// Where it is left out itself, whom it was made by.
    made_by: Option<Value>,
}

impl Makers {
    /// Takes down what an object makes, and says whether it is left out: its maker is judged, and says all that it
    /// does, or it makes no pods any more. What makes objects is to come before what it makes.
    pub(super) fn leave_out(&mut self, object: &mut Value) -> bool {
        let (is_told, is_idle) = match self.maker(object) {
            Some(maker) => {
                let template = maker.template.as_ref().zip(made(object));
                let is_told = template.is_some_and(|(template, made)| tells(template, made));
                (is_told, !is_told && is_idle(object))
            }
            None => (false, false),
        };
        let is_left_out = is_told || is_idle;
        if let Some((uid, making)) = uid(object).zip(making(object)) {
            let maker = Maker {
                namespace: object["metadata"]["namespace"].clone(),
                makes: making.makes,
                template: object.pointer(making.template).filter(|_| !is_idle).cloned(),
                made_by: is_left_out.then(|| owner(object).cloned()).flatten(),
            };
            self.0.insert(uid.to_owned(), maker);
        }
        if !is_left_out {
            self.name_the_judged(object);
        }
        is_left_out
    }

    /// Gives who made an object, if that was listed: it makes such objects, and in its own namespace alone.
    fn maker(&self, object: &Value) -> Option<&Maker> {
        let maker = self.0.get(owner(object)?["uid"].as_str()?)?;
        let of = group(object["apiVersion"].as_str()?);
        let is_such = maker.makes == (of, object["kind"].as_str()?);
        (is_such && maker.namespace == object["metadata"]["namespace"]).then_some(maker)
    }

    /// Says of an object whose maker is left out that it was made by whom that was made by: that is the workload.
    fn name_the_judged(&self, object: &mut Value) {
        let Some(made_by) = self.maker(object).and_then(|maker| maker.made_by.clone()) else {
            return;
        };
        let owners = object["metadata"]["ownerReferences"].as_array_mut();
        let owner = owners.and_then(|all| all.iter_mut().find(|it| it["controller"] == true));
        if let Some(owner) = owner {
            *owner = made_by;
        }
    }
}

fn uid(object: &Value) -> Option<&str> {
    object["metadata"]["uid"].as_str()
}

/// Gives what an object says of the controller that made it.
fn owner(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

fn making(object: &Value) -> Option<&'static Making> {
    let (of, kind) = (group(object["apiVersion"].as_str()?), object["kind"].as_str()?);
    MAKING.iter().find(|making| (making.group, making.kind) == (of, kind))
}

/// Gives what a template would tell of an object: the pod that it is, or the template of its own pods.
fn made(object: &Value) -> Option<&Value> {
    match making(object) {
        Some(making) => object.pointer(making.template),
        None => Some(object),
    }
}

/// Whether an object makes no pods any more: an old revision of a Deployment, or a Job that has ended.
fn is_idle(object: &Value) -> bool {
    let is_over =
        |it: &Value| (it["type"] == "Complete" || it["type"] == "Failed") && it["status"] == "True";
    match object["kind"].as_str() {
        Some("ReplicaSet") => object["spec"]["replicas"] == 0,
        Some("Job") => {
            object["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(is_over))
        }
        _ => false,
    }
}

/// Whether a template says all that a pod, or another template, does, but for what servers fill in.
fn tells(template: &Value, made: &Value) -> bool {
    let (Some(said), Some(mut pod)) =
        (template["spec"].as_object(), made["spec"].as_object().cloned())
    else {
        return false;
    };
    let mut said = said.clone();
    if labels(template) != labels(made) || guards(template) != guards(made) {
        return false;
    }
    for spec in [&mut said, &mut pod] {
        spec.retain(|key, _| !PLACED.contains(&key.as_str()));
        let account = ["serviceAccountName", "serviceAccount"].map(|key| spec.remove(key));
        let account = account.into_iter().flatten().find(|name| name != "");
        spec.insert("serviceAccountName".to_owned(), account.unwrap_or_else(|| "default".into()));
    }
    pod.retain(|key, _| said.contains_key(key) || !FILLED_IN.contains(&key.as_str()));
    keep(&mut pod, &said, "tolerations", is_of_a_node);
    keep(&mut pod, &said, "volumes", is_filled_in);
    for list in ["containers", "initContainers"] {
        let Some(Value::Array(containers)) = pod.get_mut(list) else { continue };
        for (at, container) in containers.iter_mut().enumerate() {
            let template = said.get(list).map_or(&Value::Null, |it| &it[at]);
            even_out(container, template);
        }
    }
    pod == said
}

/// Gives the labels but for those of controllers.
fn labels(of: &Value) -> BTreeMap<&str, &Value> {
    without(&of["metadata"]["labels"], |key| LABELS.contains(&key))
}

/// Gives the annotations by which the kernel's guards were once said.
fn guards(of: &Value) -> BTreeMap<&str, &Value> {
    without(&of["metadata"]["annotations"], |key| {
        !key.contains("apparmor") && !key.contains("seccomp")
    })
}

/// Takes out of a container what servers fill in: mounts of tokens, and amounts that the template does not say.
fn even_out(container: &mut Value, template: &Value) {
    let (Some(container), Some(said)) = (container.as_object_mut(), template.as_object()) else {
        return;
    };
    keep(container, said, "volumeMounts", is_mount_of_token);
    let is_among = |list: &str| {
        let written = said.get("resources").map_or(&Value::Null, |it| &it[list]).as_object();
        let found = container.get("resources").map_or(&Value::Null, |it| &it[list]);
        written.is_none_or(|written| written.iter().all(|(key, it)| found.get(key) == Some(it)))
    };
    if ["limits", "requests"].into_iter().all(is_among) {
        let written = said.get("resources").cloned();
        container.remove("resources");
        container.extend(written.map(|it| ("resources".to_owned(), it)));
    }
}

/// Takes out of a list what the template has not and a server filled in, and a list that is empty then and not said.
fn keep(
    made: &mut Map<String, Value>,
    said: &Map<String, Value>,
    key: &str,
    is_new: fn(&Value) -> bool,
) {
    let written = said.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let Some(Value::Array(items)) = made.get_mut(key) else { return };
    items.retain(|item| written.contains(item) || !is_new(item));
    if items.is_empty() && !said.contains_key(key) {
        made.remove(key);
    }
}

/// Gives a map without some keys; one that is not there is empty.
fn without(map: &Value, is_out: impl Fn(&str) -> bool) -> BTreeMap<&str, &Value> {
    let entries = map.as_object().into_iter().flatten();
    entries.filter(|(key, _)| !is_out(key)).map(|(key, value)| (key.as_str(), value)).collect()
}

/// A toleration of what a node is in, which every pod is given, and more of them one of a DaemonSet.
fn is_of_a_node(toleration: &Value) -> bool {
    toleration["key"].as_str().is_some_and(|key| key.starts_with("node.kubernetes.io/"))
}

/// A volume of a claim that a StatefulSet made, or of the token of the account and what belongs to it.
fn is_filled_in(volume: &Value) -> bool {
    let Some(fields) = volume.as_object() else { return false };
    let is = |source: &str| {
        fields.contains_key(source) && fields.keys().all(|key| key == "name" || key == source)
    };
    is("persistentVolumeClaim") || is("projected") && is_of_token(&volume["name"])
}

fn is_mount_of_token(mount: &Value) -> bool {
    mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
        && is_of_token(&mount["name"])
}

fn is_of_token(name: &Value) -> bool {
    name.as_str().is_some_and(|name| name.starts_with("kube-api-access-"))
}

/// What says where a pod runs and what it is called there.
const PLACED: [&str; 4] = ["affinity", "hostname", "nodeName", "subdomain"];

/// What servers fill in where a template does not say it.
const FILLED_IN: [&str; 6] = [
    "enableServiceLinks",
    "imagePullSecrets",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
];

#[cfg(test)]
mod tests;
