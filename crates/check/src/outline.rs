//! What is kept of a document while others are judged: what they may rest on. So a tree of many manifests
//! is judged without being held in memory whole.

use std::sync::Arc;

use ringfort_model::network_policy::Defaults;
use ringfort_policy::Labels;
use serde_json::{Map, Value};

use crate::cilium;
use crate::closed;
use crate::kinds::Kind;
use crate::objects::{Found, Named, objects};
use crate::place::Place;
use crate::shape;
use crate::texts::Texts;
use crate::world::read_policy;

/// The outline of a document. [`crate::world::Objects`] that are made of it say the same of all others as
/// those of the whole.
#[derive(Debug)]
pub struct Outline {
    pub(crate) value: Value,
    /// Of each object what is known from the whole of it.
    pub(crate) known: Vec<Known>,
}

/// What is known of an object from the whole of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Whether Kubernetes could not read it. Of pods it is asked when they are judged.
    pub(crate) is_broken: bool,
    /// What it says, if it is a network policy that can be read.
    pub(crate) policy: Option<Arc<ringfort_policy::Policy>>,
    /// What it says, if it is a policy of Cilium that can be read.
    pub(crate) of_cilium: Option<Arc<cilium::Policy>>,
    /// What it says, if it is the notice by which a cluster says what holds of pods that no policy selects.
    pub(crate) notice: Option<Arc<Defaults>>,
    /// Its labels, if it is a namespace and they can be read.
    pub(crate) labels: Option<Arc<Labels>>,
}

impl Known {
    pub(crate) fn of(found: &Found<'_>, texts: Texts) -> Self {
        let kind = match found.named {
            Named::Known(kind) => kind,
            Named::Foreign(_) => {
                let of_cilium = cilium::policy(found.object, texts).map(Arc::new);
                return Self { of_cilium, ..Self::default() };
            }
            Named::Plain | Named::Unsaid => return Self::default(),
        };
        let mut unreadable: Vec<_> = found.unreadable.iter().cloned().collect();
        if kind.template.is_none() {
            let root = Place::of(&found.pointer, Some(found.object), texts);
            shape::check(kind, &root, &mut unreadable);
        }
        let is_policy = kind.name == "NetworkPolicy";
        let policy = is_policy.then(|| read_policy(found.object, texts)).flatten().map(Arc::new);
        let of = |name: &str, object| (kind.name == name).then_some(object);
        let notice = of("ConfigMap", found.object).and_then(|it| closed::notice(it, texts));
        let labels = of("Namespace", found.object).and_then(|it| closed::labels(it, texts));
        let (notice, labels) = (notice.map(Arc::new), labels.map(Arc::new));
        Self { is_broken: !unreadable.is_empty(), policy, notice, labels, ..Self::default() }
    }
}

/// Kinds whose objects others look into.
const LOOKED_INTO: [&str; 8] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "Conventions",
    "Ingress",
    "LimitRange",
    "PodDisruptionBudget",
    "ResourceQuota",
    "ServiceAccount",
];

/// Gives the outline of a document, whose texts come from somewhere.
pub fn outline(mut document: Value, texts: Texts) -> Outline {
    let found = objects(&document);
    let known: Vec<Known> = found.iter().map(|it| Known::of(it, texts)).collect();
    let outlined: Vec<(String, Value)> = found
        .iter()
        .zip(&known)
        .filter_map(|(found, known)| Some((found.pointer.clone(), of_object(found, known, texts)?)))
        .collect();
    for (pointer, outlined) in outlined {
        if let Some(object) = document.pointer_mut(&pointer) {
            *object = outlined;
        }
    }
    Outline { value: document, known }
}

/// Gives nothing of an object that has to stay as it is.
fn of_object(found: &Found<'_>, known: &Known, texts: Texts) -> Option<Value> {
    let object = found.object;
    match found.named {
        Named::Unsaid => None,
        Named::Plain | Named::Foreign(_) => Some(Value::Object(of_names(object, &[]))),
        Named::Known(Kind { template: Some(template), .. }) => of_workload(object, template, texts),
        Named::Known(kind) if LOOKED_INTO.contains(&kind.name) => None,
        Named::Known(kind) if kind.name == "NetworkPolicy" => {
            known.policy.as_ref()?;
            let mut outlined = of_names(object, &NAMES);
            let spec = object.get("spec").and_then(Value::as_object);
            let types = spec.and_then(|spec| spec.get_key_value("policyTypes"));
            let types = types.map(|(key, value)| (key.clone(), value.clone()));
            if spec.is_some() {
                outlined.insert("spec".to_owned(), Value::Object(types.into_iter().collect()));
            }
            Some(Value::Object(outlined))
        }
        Named::Known(_) => Some(Value::Object(of_names(object, &NAMES))),
    }
}

/// What an object is called by.
const NAMES: [&str; 3] = ["name", "generateName", "namespace"];

/// The same, and what made it.
const OWNED: [&str; 4] = ["name", "generateName", "namespace", "ownerReferences"];

/// Gives what an object says it is, and some of its metadata.
fn of_names(object: &Value, names: &[&str]) -> Map<String, Value> {
    let mut outlined = Map::new();
    for key in ["apiVersion", "kind"] {
        if let Some(value) = object.get(key) {
            outlined.insert(key.to_owned(), value.clone());
        }
    }
    match object.get("metadata") {
        Some(Value::Object(metadata)) => {
            let named = names.iter().filter_map(|key| metadata.get_key_value(*key));
            let named = named.map(|(key, value)| (key.clone(), value.clone()));
            outlined.insert("metadata".to_owned(), Value::Object(named.collect()));
        }
        Some(other) => drop(outlined.insert("metadata".to_owned(), other.clone())),
        None => {}
    }
    outlined
}

/// Keeps of an object that makes pods the account that it names, where the pod is where it has to be.
fn of_workload(object: &Value, template: &str, texts: Texts) -> Option<Value> {
    let spec = object.pointer(&format!("{template}/spec"))?.as_object()?;
    let mut kept = Map::new();
    for (key, value) in spec {
        if matches!(key.as_str(), "serviceAccountName" | "serviceAccount") {
            kept.insert(key.clone(), value.clone());
        } else if texts.is_template(key) {
            kept.insert(key.clone(), Value::Null);
        }
    }
    let mut rest = Map::from_iter([("spec".to_owned(), Value::Object(kept))]);
    for step in template.split('/').skip(1).collect::<Vec<_>>().into_iter().rev() {
        rest = Map::from_iter([(step.to_owned(), Value::Object(rest))]);
    }
    let mut outlined = of_names(object, &OWNED);
    outlined.extend(rest);
    Some(Value::Object(outlined))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::outline;
    use crate::texts::Texts;

    #[test]
    fn an_object_keeps_its_names_and_what_others_rest_on() {
        let spec = json!({"serviceAccountName": "a", "containers": [{"name": "c"}]});
        let metadata = json!({"name": "w", "namespace": "n", "labels": {"a": "b"}});
        let workload = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"replicas": 2, "template": {"metadata": metadata, "spec": spec}}});
        let kept = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "w", "namespace": "n"},
            "spec": {"template": {"spec": {"serviceAccountName": "a"}}}});
        assert_eq!(outline(workload.clone(), Texts::Written).value, kept);
        let list = json!({"kind": "List", "items": [workload]});
        assert_eq!(outline(list, Texts::Written).value, json!({"kind": "List", "items": [kept]}));
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata,
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}});
        let outlined = outline(policy, Texts::Written);
        assert!(outlined.known[0].policy.is_some());
        assert_eq!(outlined.value["spec"], json!({"policyTypes": ["Ingress"]}));
    }

    #[test]
    fn what_others_look_into_stays_and_so_does_what_is_not_understood() {
        for document in [
            json!({"apiVersion": "v1", "kind": "LimitRange", "spec": {"limits": []}}),
            json!({"apiVersion": "v1", "kind": "Pod", "spec": "{{ x }}", "metadata": {"labels": {}}}),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": "{{ x }}"}),
            json!({"kind": "{{ x }}", "spec": {"template": {"spec": {}}}}),
        ] {
            assert_eq!(outline(document.clone(), Texts::Written).value, document);
        }
    }
}
