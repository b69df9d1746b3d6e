//! Guards: admission policies in CEL. From 1.37 on they are files of the API servers, which nobody
//! can change through the API and which hold from the first request; before, they are objects of the
//! API, which a full administrator can take away: a stated limit.
//!
//! Never here: what a guard forbids; each control has its own.

use std::collections::BTreeMap;

use ringfort_model::api_object::ApiObject;
use ringfort_model::blueprint::{Blueprint, Machine};
use ringfort_model::content::Content;
use ringfort_model::digest::Digest;
use ringfort_model::identity::KEEPER;
use ringfort_model::item::{ItemId, What};
use ringfort_model::mode::Owner;
use ringfort_spec::{Scope, Spec};
use serde_json::{Value, json};

use crate::draft::{CLOSED, Component, Draft, Mount};
use crate::paths;
use crate::workload::addons;
use crate::yaml;

/// What a policy may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// It refuses.
    Validating,
    /// It lets pass and says something, which `kubectl` prints.
    Warning,
    /// It fills in.
    Mutating,
}

/// A policy: its name, and its specification without what all have in common.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name, up to the first dot.
    pub name: &'static str,
    /// `matchConstraints`, and whichever of `matchConditions`, `variables`, `validations`,
    /// `mutations` and `reinvocationPolicy` it has.
    pub spec: Value,
}

impl Admission {
    /// Gives the directory of its files.
    pub fn directory(self) -> String {
        let kind = match self {
            Self::Validating | Self::Warning => "validating",
            Self::Mutating => "mutating",
        };
        format!("{}/{kind}", paths::ADMISSION)
    }

    fn plugin(self) -> &'static str {
        match self {
            Self::Validating | Self::Warning => "ValidatingAdmissionPolicy",
            Self::Mutating => "MutatingAdmissionPolicy",
        }
    }

    /// Writes a policy and its binding.
    fn documents(self, policy: &Policy, suffix: &str) -> [Value; 2] {
        let name = format!("{}.{suffix}", policy.name);
        let (failure, action) = match self {
            Self::Validating => ("Fail", Some("Deny")),
            Self::Warning => ("Ignore", Some("Warn")),
            Self::Mutating => ("Fail", None),
        };
        let mut spec = json!({"failurePolicy": failure});
        if let (Value::Object(spec), Value::Object(own)) = (&mut spec, policy.spec.clone()) {
            spec.extend(own);
        }
        let mut binding = json!({"policyName": name});
        if let Some(action) = action {
            binding["validationActions"] = json!([action]);
        }
        let object = |kind: String, spec: Value| {
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": name},
                "spec": spec,
            })
        };
        let kind = self.plugin();
        [object(kind.to_owned(), spec), object(format!("{kind}Binding"), binding)]
    }
}

/// Adds policies, on every API server as the file `file` where that is possible.
pub fn guard(
    spec: &Spec,
    draft: &mut Draft<'_>,
    admission: Admission,
    file: &str,
    policies: &[Policy],
) {
    if !spec.kubernetes.minor.has_static_admission() {
        let documents = policies.iter().flat_map(|policy| admission.documents(policy, STORED));
        documents.for_each(|document| draft.object(document));
        return;
    }
    let documents: Vec<Value> =
        policies.iter().flat_map(|policy| admission.documents(policy, STATIC)).collect();
    let directory = admission.directory();
    let configuration = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": format!("{}Configuration", admission.plugin()),
        "staticManifestsDir": directory,
    });
    draft.plugin(admission.plugin(), configuration);
    draft.control_planes(|at| {
        at.directory(paths::ADMISSION, CLOSED, Owner::ROOT);
        at.directory(&directory, CLOSED, Owner::ROOT);
        at.text(
            &format!("{directory}/{file}.yaml"),
            crate::draft::PRIVATE,
            yaml::documents(&documents),
        );
        at.mount(Component::ApiServer, &directory, Mount::Reloads);
    });
}

/// Gives the digest by which an API server names the files that it has loaded, by plugin: of each
/// file's bytes and a NUL, in the order of their names.
///
/// None where the blueprint has no such files.
pub fn digests(machine: &Machine) -> BTreeMap<String, String> {
    let of = |admission: Admission| {
        let directory = format!("{}/", admission.directory());
        let texts = machine.items.iter().filter_map(|(id, item)| match (id, &item.what) {
            (ItemId::File(path), What::File { content: Content::Text(text), .. })
                if path.starts_with(&directory) =>
            {
                Some(text)
            }
            _ => None,
        });
        let mut bytes = Vec::new();
        texts.for_each(|text| bytes.extend(text.bytes().chain([0])));
        let digest = format!("sha256:{}", Digest::of(&bytes));
        (!bytes.is_empty()).then(|| (admission.plugin().to_owned(), digest))
    };
    [Admission::Validating, Admission::Mutating].into_iter().filter_map(of).collect()
}

/// The guards of a cluster that are objects of its API: none from 1.37 on.
pub fn in_api(blueprint: &Blueprint) -> Vec<Value> {
    let is_guard = |object: &&ApiObject| {
        object.by != addons::CONTROL.id && object.key().api_version.starts_with(GROUP)
    };
    blueprint.objects.iter().filter(is_guard).map(|it| it.object.clone()).collect()
}

/// The group of admission objects.
const GROUP: &str = "admissionregistration.k8s.io/";

/// Writes the constraints of a policy: which requests it looks at, apart from namespaces with one
/// of the labels.
pub fn constraints(rules: &Value, exempt: &[String]) -> Value {
    let mut constraints = json!({"resourceRules": rules});
    if !exempt.is_empty() {
        let expression = |label: &String| json!({"key": label, "operator": "DoesNotExist"});
        let expressions: Vec<Value> = exempt.iter().map(expression).collect();
        constraints["namespaceSelector"] = json!({"matchExpressions": expressions});
    }
    constraints
}

/// Writes a rule of constraints.
pub fn rule(groups: &[&str], operations: &[&str], resources: &[&str]) -> Value {
    json!({
        "apiGroups": groups,
        "apiVersions": ["*"],
        "operations": operations,
        "resources": resources,
    })
}

/// Kinds of objects that hold the specification of pods to come.
pub struct Templates {
    /// Groups, and the resources in each.
    resources: &'static [(&'static str, &'static [&'static str])],
    /// Where the template stands in the object, in CEL.
    pub template: &'static str,
}

/// Every kind that Kubernetes itself makes pods of.
pub const TEMPLATES: [Templates; 2] = [
    Templates {
        resources: &[
            ("apps", &["deployments", "replicasets", "statefulsets", "daemonsets"]),
            ("batch", &["jobs"]),
            ("", &["replicationcontrollers", "podtemplates"]),
        ],
        template: "object.kind == 'PodTemplate' ? object.template : object.spec.template",
    },
    Templates {
        resources: &[("batch", &["cronjobs"])],
        template: "object.spec.jobTemplate.spec.template",
    },
];

impl Templates {
    /// Gives the pods' specification, in CEL.
    pub fn pod(&self) -> String {
        format!("({}).spec", self.template)
    }

    /// Writes the rules that fit them.
    pub fn rules(&self) -> Value {
        let one =
            |(group, resources): &(&str, &[&str])| rule(&[group], &["CREATE", "UPDATE"], resources);
        self.resources.iter().map(one).collect()
    }
}

/// Writes a validation whose refusal is a 403 with these words.
pub fn refuse_unless(expression: impl Into<String>, message: &str) -> Value {
    json!({"expression": expression.into(), "reason": "Forbidden", "message": message})
}

/// Lists the namespaces' labels, with the one who may give them, for which a control is waived.
/// A waiver of Pod Security counts for every guard of pods: its namespaces hold what it refuses.
pub fn waived_namespaces(spec: &Spec, control: &str) -> Vec<(String, String)> {
    let mut waived: Vec<(String, String)> = [control, "access/pod-security"]
        .into_iter()
        .flat_map(|control| spec.waivers_of(control))
        .filter_map(|waiver| match &waiver.scope {
            Scope::Namespaces { label, user } => Some((label.clone(), user.clone())),
            Scope::Addon(name) => Some((addon_label(name), KEEPER.to_owned())),
            Scope::Cluster | Scope::Named(_) | Scope::Nodes(_) => None,
        })
        .collect();
    waived.sort();
    waived.dedup();
    waived
}

/// Gives the key of the label on the namespaces of an add-on that a waiver opens.
pub fn addon_label(addon: &str) -> String {
    format!("{ADDON_DOMAIN}/{addon}")
}

/// Where the labels of add-ons stand; no waiver of a user's own can name one.
const ADDON_DOMAIN: &str = "addon.ringfort.dev";

/// Lists the labels of namespaces that a guard of pods does not look at.
pub fn exempt_labels(spec: &Spec, control: &str) -> Vec<String> {
    let mut labels: Vec<String> =
        waived_namespaces(spec, control).into_iter().map(|(label, _)| label).collect();
    labels.dedup();
    labels
}

/// Quotes a text for CEL, in double quotes: escapes of JSON are escapes of CEL.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// What names of static policies must end in, so that nobody can make one of that name in the API.
pub(crate) const STATIC: &str = "ringfort.static.k8s.io";
const STORED: &str = "ringfort.dev";

/// True for pods that only show what kubelet runs on its own machine: `NodeRestriction` lets a node
/// create such pods of itself and no other.
pub const NO_MIRROR_POD: &str = "!(request.userInfo.username.startsWith('system:node:') && has(object.metadata.annotations) && 'kubernetes.io/config.mirror' in object.metadata.annotations)";
