//! What a role or a binding says, sentence by sentence: the same whatever the order and the form in which it says it.
//! Each sentence is words with one blank between, so that no two things are one sentence.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// What a role or a binding says.
pub type Sentences = BTreeSet<String>;

/// Says that an object says something that no role or binding of upstream's does.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this says what Kubernetes' own never does, in {0}")]
pub struct Unlike(&'static str);

/// Gives what a role or a binding says: the labels by which roles of upstream's gather it, its rights, by which label
/// it gathers others, and which role it gives to whom.
///
/// # Errors
/// It says something that none of upstream's does.
pub fn sentences(object: &Value) -> Result<Sentences, Unlike> {
    let mut said = labels(&object["metadata"]["labels"])?;
    for (field, value) in object.as_object().into_iter().flatten() {
        match field.as_str() {
            "apiVersion" | "kind" | "metadata" => {}
            _ if value.is_null() => {}
            "rules" => said.append(&mut rules(value)?),
            "aggregationRule" => said.extend([gathers(value)?]),
            "roleRef" => said.extend([gives(value)?]),
            "subjects" => said.append(&mut subjects(value)?),
            _ => return Err(Unlike("a field of the object")),
        }
    }
    Ok(said)
}

/// How the labels begin by which upstream's roles gather others.
const GATHERED: &str = "rbac.authorization.k8s.io/aggregate-to-";

fn labels(labels: &Value) -> Result<Sentences, Unlike> {
    let of = |(label, value): (&String, &Value)| {
        let is_gathered = label.starts_with(GATHERED) && value == "true";
        is_gathered.then(|| word(label, "labels").map(|label| format!("labelled {label}")))
    };
    labels.as_object().into_iter().flatten().filter_map(of).collect()
}

/// What may stand in a rule.
const RULE: [&str; 5] = ["apiGroups", "nonResourceURLs", "resourceNames", "resources", "verbs"];

fn rules(rules: &Value) -> Result<Sentences, Unlike> {
    let mut said = Sentences::new();
    for rule in rules.as_array().ok_or(Unlike("rules"))? {
        let fields = rule.as_object().ok_or(Unlike("rules"))?;
        if !fields.keys().all(|field| RULE.contains(&field.as_str())) {
            return Err(Unlike("a field of a rule"));
        }
        let (urls, resources) = (words(rule, "nonResourceURLs")?, resources(rule)?);
        for verb in words(rule, "verbs")? {
            let about = urls.iter().copied().chain(resources.iter().map(String::as_str));
            said.extend(about.map(|about| format!("may {verb} {about}")));
        }
    }
    Ok(said)
}

/// Gives what a rule is about but for URLs: the group, the resource, and the name where there is one.
fn resources(rule: &Value) -> Result<Vec<String>, Unlike> {
    let mut about = Vec::new();
    let (kinds, names) = (words(rule, "resources")?, words(rule, "resourceNames")?);
    for group in list(rule, "apiGroups")? {
        let group = match group {
            "" => CORE,
            CORE => return Err(Unlike("apiGroups")),
            group => word(group, "apiGroups")?,
        };
        for kind in &kinds {
            match names.as_slice() {
                [] => about.push(format!("{group} {kind}")),
                names => about.extend(names.iter().map(|name| format!("{group} {kind} {name}"))),
            }
        }
    }
    Ok(about)
}

/// What stands for the group whose name is empty. No group is called so.
const CORE: &str = "core";

/// Says by which label a role gathers others, each of which has it as upstream's do.
fn gathers(rule: &Value) -> Result<String, Unlike> {
    let labels = rule.pointer("/clusterRoleSelectors/0/matchLabels").and_then(Value::as_object);
    let label = labels.and_then(|labels| labels.keys().next());
    let label = label.ok_or(Unlike("aggregationRule"))?;
    let own = json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]});
    match *rule == own {
        true => Ok(format!("gathers {}", word(label, "aggregationRule")?)),
        false => Err(Unlike("aggregationRule")),
    }
}

const GROUP: &str = "rbac.authorization.k8s.io";

fn gives(role: &Value) -> Result<String, Unlike> {
    let text = |field: &'static str| word(role[field].as_str().unwrap_or_default(), "roleRef");
    let (kind, name) = (text("kind")?, text("name")?);
    match *role == json!({"apiGroup": GROUP, "kind": kind, "name": name}) {
        true => Ok(format!("gives {kind} {name}")),
        false => Err(Unlike("roleRef")),
    }
}

fn subjects(subjects: &Value) -> Result<Sentences, Unlike> {
    subjects.as_array().ok_or(Unlike("subjects"))?.iter().map(subject).collect()
}

/// Says to whom a role is given: an account of a namespace, or who is known by a name.
fn subject(subject: &Value) -> Result<String, Unlike> {
    let text = |field: &str| word(subject[field].as_str().unwrap_or_default(), "subjects");
    let (kind, name) = (text("kind")?, text("name")?);
    let (form, said) = if subject["namespace"].is_null() {
        (json!({"apiGroup": GROUP, "kind": kind, "name": name}), format!("to {kind} {name}"))
    } else {
        let namespace = text("namespace")?;
        let account = json!({"kind": "ServiceAccount", "name": name, "namespace": namespace});
        (account, format!("to ServiceAccount {namespace} {name}"))
    };
    if form == *subject { Ok(said) } else { Err(Unlike("subjects")) }
}

/// Gives the texts of a list; none where nothing is said.
fn list<'a>(rule: &'a Value, field: &'static str) -> Result<Vec<&'a str>, Unlike> {
    let items: &[Value] = match &rule[field] {
        Value::Null => &[],
        Value::Array(items) => items.as_slice(),
        _ => return Err(Unlike(field)),
    };
    items.iter().map(|item| item.as_str().ok_or(Unlike(field))).collect()
}

fn words<'a>(rule: &'a Value, field: &'static str) -> Result<Vec<&'a str>, Unlike> {
    list(rule, field)?.into_iter().map(|text| word(text, field)).collect()
}

/// Takes a text for a word of a sentence: it has no blank, and no comma, which stands between words in the table.
fn word<'a>(text: &'a str, field: &'static str) -> Result<&'a str, Unlike> {
    let is_apart = |letter: char| letter.is_whitespace() || letter == ',';
    match text.is_empty() || text.contains(is_apart) {
        true => Err(Unlike(field)),
        false => Ok(text),
    }
}
