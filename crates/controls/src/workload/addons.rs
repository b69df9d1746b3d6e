//! Add-ons are what their manifests say, and only a waiver opens their namespaces.

mod proof;
mod sabotage;

use ringfort_model::api_object::ApiObject;
use ringfort_model::blueprint::Blueprint;
use ringfort_spec::{Scope, Spec};
use serde_json::Value;

use crate::access::pod_security;
use crate::admission::addon_label;
use crate::control::{Control, Ref, Severity};
use crate::draft::Draft;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "workload/addons",
    title: "Add-ons are what their manifests say, and only a waiver opens their namespaces",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/cluster-administration/addons/")],
    limits: &[],
    doc: include_str!("addons.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// The objects of add-ons in a blueprint.
pub fn of(blueprint: &Blueprint) -> Vec<Value> {
    let is_of_addon = |object: &&ApiObject| object.by == CONTROL.id;
    blueprint.objects.iter().filter(is_of_addon).map(|it| it.object.clone()).collect()
}

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    for addon in draft.addons() {
        let labels = labels(spec, &addon.name);
        for object in &addon.objects {
            draft.object(labelled(object.clone(), &labels));
        }
    }
}

/// Gives the labels that a namespace of an add-on carries beside its own.
fn labels(spec: &Spec, addon: &str) -> Vec<(String, &'static str)> {
    let is_of = |scope: &Scope| matches!(scope, Scope::Addon(name) if name == addon);
    let mut labels = Vec::new();
    if spec.waivers.iter().any(|waiver| is_of(&waiver.scope)) {
        labels.push((addon_label(addon), "true"));
    }
    if spec.waivers_of(pod_security::CONTROL.id).any(|waiver| is_of(&waiver.scope)) {
        labels.push(("pod-security.kubernetes.io/enforce".to_owned(), "privileged"));
    }
    labels
}

fn labelled(mut object: Value, labels: &[(String, &'static str)]) -> Value {
    let is_namespace = object["apiVersion"] == "v1" && object["kind"] == "Namespace";
    if is_namespace {
        for (key, value) in labels {
            object["metadata"]["labels"][key] = (*value).into();
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::labelled;

    #[test]
    fn only_namespaces_are_labelled() {
        let labels = [("addon.ringfort.dev/net".to_owned(), "true")];
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}});
        let found = labelled(namespace, &labels);
        assert_eq!(found["metadata"]["labels"], json!({"addon.ringfort.dev/net": "true"}));
        let account =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "n"}});
        assert_eq!(labelled(account.clone(), &labels), account);
    }
}
