//! What else rows ask of all objects of a cluster: where things run, whose pods have tokens, what judges images.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::judgement::Gap;
use serde_json::Value;

use super::intent::ADMIN;
use super::own::{is_mirror, is_of_control_plane};
use super::rights::full_name;
use crate::admission::Admitting;
use crate::guidelines::workload::namespace_of_its_own::{SHARED, WORKLOADS, is_made};
use crate::world::Object;

/// What ringfort itself runs in them, beside static pods.
const OURS: [&str; 1] = ["Deployment kube-system/coredns"];

/// The kinds of guards, and whether a binding says what becomes of what they find.
const GUARDS: [(&str, bool); 2] =
    [("MutatingAdmissionPolicy", false), ("ValidatingAdmissionPolicy", true)];

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Everything that somebody put into the namespace `default`.
    pub(super) in_default: Vec<String>,
    /// What makes pods in namespaces that are shared, and was put there by nobody known.
    pub(super) among_others: Vec<String>,
    /// Pods that have a token for the API.
    pub(super) with_token: Vec<TokenPod>,
    /// How many objects were looked at, by namespace.
    pub(super) namespaces: BTreeMap<String, usize>,
    /// The first policy or webhook that may judge where images come from.
    pub(super) judges_images: Option<String>,
    /// Policies that are bound to refuse, or to fill in, whatever their parameters, by their kinds and names.
    pub(super) guards: BTreeSet<(&'static str, String)>,
    /// Why there may be more of them.
    pub(super) unlisted: Option<Gap>,
    /// How many name servers are asked for.
    pub(super) name_servers: u64,
    /// Whether the cluster has what ringfort gives every one that it makes.
    pub(super) is_of_ringfort: bool,
}

/// A pod that has a token.
#[derive(Debug)]
pub(super) struct TokenPod {
    pub(super) namespace: String,
    pub(super) name: String,
    /// When it was made.
    pub(super) since: String,
}

impl Census {
    /// Counts an object.
    pub(super) fn add(&mut self, object: &Object<'_>) {
        let (kind, value) = (object.kind.name, object.value);
        if kind == "Namespace" {
            self.namespaces.entry(object.name().to_owned()).or_default();
        }
        self.is_of_ringfort |= kind == "ClusterRoleBinding" && object.name() == ADMIN;
        let Some(namespace) = object.namespace() else { return };
        *self.namespaces.entry(namespace.to_owned()).or_default() += 1;
        if is_of_control_plane(value) {
            return;
        }
        if kind == "Deployment" && namespace == "kube-system" && serves_names(value) {
            // Who does not say how many asks for one.
            let asked = value.pointer("/spec/replicas").map_or(Some(1), Value::as_u64);
            self.name_servers += asked.unwrap_or_default();
        }
        if kind == "Pod" && has_token(value) {
            let text = |at: &str| value.pointer(at).and_then(Value::as_str).unwrap_or_default();
            self.with_token.push(TokenPod {
                namespace: namespace.to_owned(),
                name: object.name().to_owned(),
                since: text("/metadata/creationTimestamp").to_owned(),
            });
        }
        // A machine makes none: somebody put a file there.
        if is_made_by_another(value) && !is_mirror(value) {
            return;
        }
        let name = full_name(object);
        let is_put = WORKLOADS.contains(&kind) && !is_made(kind, namespace, object.name());
        if namespace == "default" && is_put {
            self.in_default.push(name.clone());
        }
        let makes_pods = object.kind.template.is_some();
        if makes_pods && SHARED.contains(&namespace) && !OURS.contains(&name.as_str()) {
            self.among_others.push(name);
        }
    }

    /// Counts policies that refuse or fill in what they are asked about, wherever it is.
    pub(super) fn add_guards(&mut self, admitting: &Admitting) {
        let of = |kind: String| admitting.objects.iter().filter(move |it| it["kind"] == *kind);
        for (kind, refuses) in GUARDS {
            let is_bound = |binding: &&Value| {
                let (spec, actions) = (&binding["spec"], &binding["spec"]["validationActions"]);
                let denies = |all: &Vec<Value>| all.iter().any(|it| it == "Deny");
                (!refuses || actions.as_array().is_some_and(denies))
                    && spec["matchResources"].is_null()
                    && spec["paramRef"].is_null()
            };
            let bindings = of(format!("{kind}Binding")).filter(is_bound);
            let bound: BTreeSet<&str> =
                bindings.filter_map(|it| it["spec"]["policyName"].as_str()).collect();
            let insists = |policy: &&Value| policy["spec"]["failurePolicy"] != "Ignore";
            let names = of(kind.to_owned()).filter(insists);
            let names = names.filter_map(|it| it["metadata"]["name"].as_str());
            let names = names.filter(|it| bound.contains(it));
            self.guards.extend(names.map(|it| (kind, it.to_owned())));
        }
        self.unlisted = admitting.unlisted.first().cloned();
    }

    /// Counts what may refuse pods.
    pub(super) fn add_judge(&mut self, object: &Value) {
        let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
        // What a webhook looks at nobody sees.
        let is_blind = text("/kind") == "ValidatingAdmissionPolicy"
            && object["spec"].is_object()
            && !names_image(&object["spec"].to_string());
        if !is_blind {
            let name = format!("{} {}", text("/kind"), text("/metadata/name"));
            self.judges_images.get_or_insert(name);
        }
    }
}

/// Whether expressions look at the field `image` of something. Whether there is one, as of a volume, is no
/// question about what it is.
fn names_image(expressions: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    expressions.match_indices("image").any(|(at, word)| {
        let (before, after) = (&expressions[..at], &expressions[at + word.len()..]);
        let of = before.strip_suffix('.').unwrap_or(before).trim_end_matches(is_letter);
        let is_whole = !after.starts_with(is_letter) && !before.ends_with(is_letter);
        is_whole && !(of.ends_with("has(") && after.starts_with(')'))
    })
}

/// Whether what an object makes is what the Service of the cluster's names leads to.
fn serves_names(object: &Value) -> bool {
    object.pointer("/spec/template/metadata/labels/k8s-app") == Some(&Value::from("kube-dns"))
}

fn is_made_by_another(object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.is_some_and(|owners| owners.iter().any(|owner| owner["controller"] == true))
}

/// Whether a pod has a token for the API: admission mounts one as a volume, without an audience of its own.
fn has_token(pod: &Value) -> bool {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    let sources = volumes
        .into_iter()
        .flatten()
        .filter_map(|it| it.pointer("/projected/sources").and_then(Value::as_array));
    sources.flatten().any(|source| {
        let token = &source["serviceAccountToken"];
        token.is_object() && token["audience"].as_str().is_none_or(str::is_empty)
    })
}

#[cfg(test)]
mod tests {
    use super::names_image;

    #[test]
    fn an_expression_that_only_asks_whether_there_is_an_image_looks_at_none() {
        for (expression, expected) in [
            ("has(v.image) || has(v.secret)", false),
            ("object.spec.images.size() > 0", false),
            ("c.image.startsWith('registry.k8s.io/')", true),
            ("has(c.image) && c.image.contains('@')", true),
            ("c['image'] == ''", true),
        ] {
            assert_eq!(names_image(expression), expected, "{expression}");
        }
    }
}
