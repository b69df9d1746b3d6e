//! Policies of admission (`ValidatingAdmissionPolicy`) with their bindings, each asked about a pod.
//!
//! Not here: what follows where none refuses.

use std::collections::BTreeSet;

use ringfort_policy::Labels;
use serde_json::{Value, json};

use super::rules::{About, Reach, about, reach};
use super::samples::{Entry, faultless_seen};
use ringfort_expression::{Expression, Scope};

/// A policy about new pods, as one binding puts it in force.
#[derive(Debug)]
pub(super) struct Bound {
    /// What people call it.
    pub(super) name: String,
    policy: Value,
    binding: Value,
    conditions: Vec<Expression>,
    variables: Vec<(String, Expression)>,
    validations: Vec<Expression>,
    /// The ways on which it is asked.
    entries: Vec<Entry>,
    /// Whether its expressions may come to something else in another namespace.
    pub(super) is_of_namespace: bool,
}

/// Who asks for a pod, and in which namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) namespace: &'a Value,
    pub(super) labels: &'a Labels,
    pub(super) user: &'a str,
    pub(super) entry: Entry,
}

/// What a policy says of a pod.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Said {
    /// Which of its validations do not hold.
    pub(super) refused: BTreeSet<usize>,
    /// Why it is not known what else it says.
    pub(super) unsure: Option<String>,
}

impl Said {
    fn unsure(why: impl Into<String>) -> Self {
        Self { refused: BTreeSet::new(), unsure: Some(why.into()) }
    }
}

impl Bound {
    /// Gives the policies that refuse pods, each with each of its bindings.
    pub(super) fn all(objects: &[Value]) -> Vec<Self> {
        let of = |kind: &'static str| objects.iter().filter(move |it| it["kind"] == kind);
        let mut all = Vec::new();
        for policy in of("ValidatingAdmissionPolicy") {
            let name = &policy["metadata"]["name"];
            let is_in_force = |it: &&Value| it["spec"]["policyName"] == *name && denies(it);
            for binding in of("ValidatingAdmissionPolicyBinding").filter(is_in_force) {
                let narrowed = &binding["spec"]["matchResources"];
                let is_asked = |entry: &Entry| {
                    let is_within = narrowed["resourceRules"].is_null() || binds(narrowed, *entry);
                    binds(&policy["spec"]["matchConstraints"], *entry)
                        && is_within
                        && spares_none(narrowed, *entry)
                };
                let entries: Vec<_> =
                    [Entry::New, Entry::Added].into_iter().filter(is_asked).collect();
                if !entries.is_empty() {
                    all.push(Self { entries, ..Self::of(policy, binding) });
                }
            }
        }
        all
    }

    /// Whether it is asked about what comes in on a way.
    pub(super) fn is_about(&self, entry: Entry) -> bool {
        self.entries.contains(&entry)
    }

    fn of(policy: &Value, binding: &Value) -> Self {
        let spec = &policy["spec"];
        let list = |field: &str| spec[field].as_array().into_iter().flatten();
        let expression =
            |it: &Value| Expression::read(it["expression"].as_str().unwrap_or_default());
        let variable = |it: &Value| {
            let name = it["name"].as_str().unwrap_or_default().to_owned();
            (name, expression(it))
        };
        let words: String = ["matchConditions", "variables", "validations"]
            .iter()
            .map(|field| spec[*field].to_string())
            .collect();
        Self {
            name: format!(
                "ValidatingAdmissionPolicy {}",
                policy["metadata"]["name"].as_str().unwrap_or_default()
            ),
            conditions: list("matchConditions").map(expression).collect(),
            variables: list("variables").map(variable).collect(),
            validations: list("validations").map(expression).collect(),
            entries: Vec::new(),
            is_of_namespace: words.contains("amespace") || !spec["paramKind"].is_null(),
            policy: policy.clone(),
            binding: binding.clone(),
        }
    }

    /// Says whether it is asked about pods of a namespace.
    ///
    /// # Errors
    /// One of its selectors cannot be read.
    pub(super) fn reach(&self, namespace: &Labels) -> Result<Reach, String> {
        let own = reach(&self.policy["spec"]["matchConstraints"], namespace)?;
        let narrowed = reach(&self.binding["spec"]["matchResources"], namespace)?;
        Ok(own.max(narrowed))
    }

    /// Says what it comes to for a pod, which has all that an API server fills in.
    pub(super) fn say(&self, request: Request<'_>, pod: &Value, params: &[Value]) -> Said {
        let given = match self.params(request, params) {
            Ok(given) => given,
            Err(said) => return said,
        };
        let mut said = Said::default();
        for param in given {
            let one = self.say_by(request, pod, &param);
            said.refused.extend(one.refused);
            said.unsure = said.unsure.or(one.unsure);
        }
        said
    }

    fn say_by(&self, request: Request<'_>, pod: &Value, param: &Value) -> Said {
        let mut scope = scope(request, pod, param);
        let mut unsure = None;
        for (name, expression) in &self.variables {
            scope.define(name, expression);
        }
        for condition in &self.conditions {
            match condition.holds(&scope) {
                Ok(true) => {}
                Ok(false) => return Said::default(),
                Err(why) => unsure = Some(why),
            }
        }
        // Whether it is asked at all is not known then.
        if let Some(why) = unsure {
            return Said::unsure(why);
        }
        let mut said = Said::default();
        for (number, validation) in self.validations.iter().enumerate() {
            match validation.holds(&scope) {
                Ok(true) => {}
                Ok(false) => {
                    said.refused.insert(number);
                }
                Err(why) => said.unsure = said.unsure.or(Some(why)),
            }
        }
        said
    }

    /// Gives what the policy is told by its binding; null where it is told nothing.
    fn params(&self, request: Request<'_>, objects: &[Value]) -> Result<Vec<Value>, Said> {
        let kind = &self.policy["spec"]["paramKind"];
        let reference = &self.binding["spec"]["paramRef"];
        if kind.is_null() || reference.is_null() {
            return Ok(vec![Value::Null]);
        }
        if (kind["apiVersion"].as_str(), kind["kind"].as_str()) != (Some("v1"), Some("ConfigMap")) {
            let kind = kind["kind"].as_str().unwrap_or_default();
            return Err(Said::unsure(format!("what the {kind} of its binding says was not read")));
        }
        let namespace = match &reference["namespace"] {
            Value::Null => &request.namespace["metadata"]["name"],
            said => said,
        };
        let is_named = |it: &&Value| match &reference["name"] {
            Value::Null => {
                let labels: Labels =
                    serde_json::from_value(it["metadata"]["labels"].clone()).unwrap_or_default();
                super::rules::selects(&reference["selector"], &labels) == Ok(true)
            }
            name => it["metadata"]["name"] == *name,
        };
        let within = objects.iter().filter(|it| it["metadata"]["namespace"] == *namespace);
        let found: Vec<Value> = within.filter(is_named).cloned().collect();
        if found.is_empty() && reference["parameterNotFoundAction"] != "Allow" {
            return Err(Said::unsure("the ConfigMap of its binding is not there"));
        }
        Ok(found)
    }
}

/// Whether no pod gets around what is written of a policy.
fn binds(written: &Value, entry: Entry) -> bool {
    about(&written["resourceRules"], entry) == About::All && spares_none(written, entry)
}

fn spares_none(written: &Value, entry: Entry) -> bool {
    about(&written["excludeResourceRules"], entry) == About::None
}

fn denies(binding: &Value) -> bool {
    let mut actions = binding["spec"]["validationActions"].as_array().into_iter().flatten();
    actions.any(|action| action == "Deny")
}

/// Gives what expressions may name: the request that would make the pod, or add to it.
fn scope(request: Request<'_>, pod: &Value, param: &Value) -> Scope {
    let namespace = &request.namespace["metadata"]["name"];
    let resource = json!({"group": "", "version": "v1", "resource": "pods"});
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    let (operation, part, before) = match request.entry {
        Entry::New => ("CREATE", "", Value::Null),
        Entry::Added => ("UPDATE", "ephemeralcontainers", within(faultless_seen(), namespace)),
    };
    let object = within(pod, namespace);
    let mut asked = json!({
        "kind": kind, "requestKind": kind, "resource": resource, "requestResource": resource,
        "subResource": part, "requestSubResource": part,
        "namespace": namespace, "operation": operation, "dryRun": false, "options": {},
        "userInfo": {"username": request.user, "uid": "", "groups": ["system:authenticated"], "extra": {}},
    });
    if let Some(metadata) = object.get("metadata") {
        asked["name"] = metadata["name"].clone();
    }
    let mut scope = Scope::default();
    scope.bind("object", &object);
    scope.bind("oldObject", &before);
    scope.bind("request", &asked);
    scope.bind("namespaceObject", request.namespace);
    scope.bind("params", param);
    scope
}

/// Gives a pod as it is in a namespace, if it says what it is called.
fn within(pod: &Value, namespace: &Value) -> Value {
    let mut pod = pod.clone();
    if let Some(metadata) = pod.get_mut("metadata") {
        metadata["namespace"] = namespace.clone();
    }
    pod
}

/// A webhook that may have a say about new pods.
#[derive(Debug)]
pub(super) struct Hook {
    /// What people call it.
    pub(super) name: String,
    webhook: Value,
    conditions: Vec<Expression>,
}

impl Hook {
    /// Gives all of them.
    pub(super) fn all(objects: &[Value]) -> Vec<Self> {
        let kinds = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];
        let is_one = |it: &&Value| it["kind"].as_str().is_some_and(|kind| kinds.contains(&kind));
        let mut all = Vec::new();
        for object in objects.iter().filter(is_one) {
            let webhooks = object["webhooks"].as_array().into_iter().flatten();
            for webhook in webhooks.filter(|it| about(&it["rules"], Entry::New) != About::None) {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let conditions = webhook["matchConditions"].as_array().into_iter().flatten();
                all.push(Self {
                    name: format!(
                        "{} {}",
                        text(&object["kind"]),
                        text(&object["metadata"]["name"])
                    ),
                    conditions: conditions
                        .map(|it| Expression::read(it["expression"].as_str().unwrap_or_default()))
                        .collect(),
                    webhook: webhook.clone(),
                });
            }
        }
        all
    }

    /// Whether it may be asked about a pod.
    pub(super) fn may_be_asked(&self, request: Request<'_>, pod: &Value) -> bool {
        if matches!(reach(&self.webhook, request.labels), Ok(Reach::Spared)) {
            return false;
        }
        let scope = scope(request, pod, &Value::Null);
        self.conditions.iter().all(|condition| condition.holds(&scope) != Ok(false))
    }
}
