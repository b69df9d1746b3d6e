//! Who holds a right that rows ask about: everybody to whom a binding gives a role that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ringfort_model::judgement::{Evidence, Gap, Judgement};
use serde_json::Value;

use super::own;
use super::{Looked, Tally, say};
use crate::grants;
use crate::guideline::Judge;
use crate::guidelines::find;
use crate::world::Object;

/// Somebody who holds a right.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Holder {
    /// Who.
    pub subject: Subject,
    /// The binding that gives it, as `KIND NAMESPACE/NAME` or `KIND NAME`.
    pub by: String,
    /// The role that it gives, written in the same way.
    pub role: String,
    /// Whether Kubernetes itself gives it to a part of itself.
    pub own: bool,
}

/// Somebody whom a binding names.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Subject {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: String,
    /// The namespace of an account.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// Who holds which right, by the guideline that looks for it.
#[derive(Debug, Default)]
pub(super) struct Holders {
    of: BTreeMap<&'static str, BTreeSet<Holder>>,
    /// What the rules of the roles are that they hold.
    rules: BTreeMap<String, Value>,
    gap: BTreeMap<&'static str, Gap>,
}

/// A role that a binding names: its kind, its namespace and its name.
type RoleName<'a> = (&'a str, Option<&'a str>, &'a str);

impl Holders {
    /// Finds all of them.
    pub(super) fn among<'o, 'v: 'o>(objects: impl Iterator<Item = &'o Object<'v>> + Clone) -> Self {
        let is = |object: &&Object<'_>, kinds: [&str; 2]| kinds.contains(&object.kind.name);
        let roles: BTreeMap<RoleName<'_>, &Value> = objects
            .clone()
            .filter(|it| is(it, ["Role", "ClusterRole"]))
            .map(|it| ((it.kind.name, it.namespace(), it.name()), it.value))
            .collect();
        let mut holders = Self::default();
        for binding in objects.filter(|it| is(it, ["RoleBinding", "ClusterRoleBinding"])) {
            for guideline in super::rows().filter_map(|row| row.rights()).flatten() {
                holders.add(guideline, binding, &roles);
            }
        }
        holders
    }

    fn add(
        &mut self,
        guideline: &'static str,
        binding: &Object<'_>,
        roles: &BTreeMap<RoleName<'_>, &Value>,
    ) {
        let text = |at: &str| binding.value.pointer(at).and_then(Value::as_str);
        let (kind, name) = (text("/roleRef/kind"), text("/roleRef/name"));
        let (Some(kind), Some(name)) = (kind, name) else {
            return self.unread(guideline, format!("{} names no role", full_name(binding)));
        };
        let namespace = binding.namespace().filter(|_| kind == "Role");
        // A role that is not there gives nothing yet, and what it will give nobody knows.
        let Some(role) = roles.get(&(kind, namespace, name)) else { return };
        match gives(guideline, name, role) {
            Some(false) => return,
            Some(true) => {}
            None => {
                return self
                    .unread(guideline, format!("the rules of {kind} {name} cannot be read"));
            }
        }
        let role_name = role_of(binding.value);
        self.rules.entry(role_name.clone()).or_insert_with(|| role["rules"].clone());
        for subject in subjects_of(binding.value) {
            let Some(subject) = subject else {
                self.unread(guideline, format!("{} names somebody unreadable", full_name(binding)));
                continue;
            };
            let own = own::is_own_binding(binding.value, role, &subject);
            let by = full_name(binding);
            let holder = Holder { subject, by, role: role_name.clone(), own };
            self.of.entry(guideline).or_default().insert(holder);
        }
    }

    fn unread(&mut self, guideline: &'static str, said: String) {
        let closes = "a role and a binding that can be read".to_owned();
        self.gap.entry(guideline).or_insert(Gap { said, closes });
    }
}

/// Names the role that a binding gives, as [`full_name`] does.
pub(super) fn role_of(binding: &Value) -> String {
    let text = |at: &str| binding.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let (kind, name) = (text("/roleRef/kind"), text("/roleRef/name"));
    match (kind, text("/metadata/namespace")) {
        ("Role", namespace) => format!("{kind} {namespace}/{name}"),
        _ => format!("{kind} {name}"),
    }
}

/// Gives whom a binding names; nothing for somebody who cannot be read.
pub(super) fn subjects_of(binding: &Value) -> impl Iterator<Item = Option<Subject>> {
    binding["subjects"].as_array().into_iter().flatten().map(subject)
}

/// Gives the rules of a role without the fields that say nothing.
pub(super) fn rules_of(rules: &Value) -> impl Iterator<Item = Value> {
    let is_said =
        |value: &Value| !value.is_null() && value.as_array().is_none_or(|words| !words.is_empty());
    let plain = move |rule: &Value| match rule {
        Value::Object(fields) => {
            let said = fields.iter().filter(|(_, value)| is_said(value));
            said.map(|(key, value)| (key.clone(), value.clone())).collect()
        }
        rule => rule.clone(),
    };
    rules.as_array().into_iter().flatten().map(plain)
}

fn subject(value: &Value) -> Option<Subject> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    Some(Subject { kind: text("kind")?, namespace: text("namespace"), name: text("name")? })
}

/// Whether a role gives the right that a guideline looks for; nothing where that cannot be read.
fn gives(guideline: &str, name: &str, role: &Value) -> Option<bool> {
    match find(guideline)?.judge {
        Judge::Grants(grants) => grants::gives(grants, &role["rules"]),
        // Who is bound to this role may do everything, whatever it is called.
        _ => match grants::gives(&[grants::EVERYTHING], &role["rules"]) {
            Some(false) => Some(name == "cluster-admin"),
            answer => answer,
        },
    }
}

/// Names an object in full.
pub(super) fn full_name(object: &Object<'_>) -> String {
    match object.namespace() {
        Some(namespace) => format!("{} {namespace}/{}", object.kind.name, object.name()),
        None => format!("{} {}", object.kind.name, object.name()),
    }
}

/// Says of which role or binding it cannot be read whether it gives a right that these look for.
pub(super) fn unknown(guidelines: &[&'static str], tally: &Tally) -> Option<Gap> {
    guidelines.iter().find_map(|id| tally.holders.gap.get(id)).cloned()
}

/// How many holders are named before the rest is counted.
const NAMED: usize = 3;

/// Asks that everybody who holds a right is meant to.
pub(super) fn judge(guidelines: &[&'static str], looked: &Looked<'_>) -> Judgement {
    let Some(tally) = looked.objects else { return say::no_objects() };
    let Some(intent) = looked.intent else {
        return say::unknown(
            "who is meant to have this right is declared nowhere",
            "the cluster.yaml of the cluster, by --cluster or --spec",
        );
    };
    let (mut strangers, mut count) = (Vec::new(), 0);
    for guideline in guidelines {
        for holder in tally.holders.of.get(guideline).into_iter().flatten() {
            count += 1;
            let is_meant = holder.own
                || intent.brings(holder, &tally.holders.rules[&holder.role])
                || holder.subject.kind == "User" && intent.means(guideline, &holder.subject.name);
            if !is_meant {
                strangers.push(format!("{} by {}", holder.subject, holder.by));
            }
        }
    }
    if !strangers.is_empty() {
        let more = strangers.len().saturating_sub(NAMED);
        strangers.truncate(NAMED);
        let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
        let said = format!("held by who is not declared to: {}{rest}", strangers.join(", "));
        return Ok(say::fail(
            said,
            "take the binding away, bring it by an add-on, or waive it in cluster.yaml",
        ));
    }
    if let Some(gap) = unknown(guidelines, tally) {
        return Err(gap);
    }
    let said = format!(
        "{count} hold it by bindings, all of them parts of Kubernetes or declared by cluster.yaml and ringfort's profile"
    );
    match Evidence::from_seen(said, (0..tally.bindings).collect()) {
        Some(evidence) => Ok(ringfort_model::judgement::Decided::Pass(evidence)),
        None => say::unknown("no binding was listed", "the right to list bindings"),
    }
}
