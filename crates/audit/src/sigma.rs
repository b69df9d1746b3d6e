//! Rules of Sigma about Kubernetes' audit log, made into detections of a user's own where that can be said.
//!
//! What cannot be said is refused whole: half a rule would find something else.

mod condition;
mod example;
mod field;
mod selection;

use std::collections::BTreeSet;

use ringfort_model::severity::Severity;
use serde_json::{Value, json};

use self::field::Field;
use self::selection::{Test, selection};
use crate::own;
use crate::written::Unclear;

/// What comes of a rule.
pub type Made = Result<Value, String>;

/// Whether a rule is also about what the cluster's own components do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Components {
    /// They are spared, as they are by the catalogue's detections.
    Spared,
    /// They are judged too.
    Judged,
}

/// So many examples of a kind are kept.
const MOST: usize = 4;
/// The most that is told of why a rule is asked, in characters.
const LONGEST: usize = 600;

/// Makes a detection of a rule, as it stands in a file of one's own detections, and tries it with its examples.
///
/// # Errors
/// Why it cannot be said, in one sentence.
pub fn detection(rule: &Value, components: Components) -> Made {
    of_audit_log(rule)?;
    let text = |name: &str| rule[name].as_str().map(squeezed).unwrap_or_default();
    let title = text("title");
    let name = slug(&title);
    if name.is_empty() {
        return Err("it has no title".to_owned());
    }
    let test = test(&rule["detection"])?;
    let mut one = json!({
        "id": format!("own/{name}"),
        "title": title,
        "severity": severity(rule["level"].as_str())?.to_string(),
        "because": because(&text("description"), &text("id"), &text("author")),
        "attack": attack(&rule["tags"]),
        "needs": [need(&test, components)?],
        "where": test.cel(),
        "outcome": "any",
        "examples": {"found": [], "quiet": []},
    });
    let (found, quiet) = (example::found(&test), example::quiet(&test));
    for (kind, events, wanted) in [("found", found, true), ("quiet", quiet, false)] {
        let came = own::found_among(&one, &events)?;
        let fits = events.into_iter().zip(came).filter(|(_, came)| *came == Some(wanted));
        let stories: Vec<[Value; 1]> = fits.map(|(event, _)| [event]).take(MOST).collect();
        if stories.is_empty() {
            let what = if wanted { "is found" } else { "is not" };
            return Err(format!(
                "no example that {what} can be made: write it as a detection of your own"
            ));
        }
        one["examples"][kind] = json!(stories);
    }
    let wrong = |all: Vec<Unclear>| all.into_iter().map(|it| it.why).collect::<Vec<_>>().join("; ");
    own::read(&json!({ "detections": [one] })).map(|_| one).map_err(wrong)
}

/// Whether it is a single rule, and about what API servers write down.
fn of_audit_log(rule: &Value) -> Result<(), String> {
    if rule.get("correlation").is_some() || rule.get("action").is_some() {
        return Err("it is about several rules together".to_owned());
    }
    let source = &rule["logsource"];
    let said = |name: &str| source[name].as_str().map(str::to_lowercase).unwrap_or_default();
    match (said("product").as_str(), said("service").as_str()) {
        ("kubernetes", "audit" | "") => Ok(()),
        ("", "") => Err("it does not say of which log it is".to_owned()),
        (product, service) => {
            Err(format!("it is about the log of {}", format!("{product} {service}").trim()))
        }
    }
}

/// Reads what it looks for.
fn test(detection: &Value) -> Result<Test, String> {
    let parts = detection.as_object().ok_or("it has no detection")?;
    if parts.contains_key("timeframe") {
        return Err("it counts within a time".to_owned());
    }
    let condition = match &parts.get("condition") {
        Some(Value::String(text)) => text,
        Some(Value::Array(_)) => return Err("it has several conditions".to_owned()),
        _ => return Err("it has no condition".to_owned()),
    };
    let read = |name: &str| match parts.get(name).filter(|_| name != "condition") {
        Some(part) => selection(part).map_err(|why| format!("{name}: {why}")),
        None => Err(format!("its condition names {name}, which is not there")),
    };
    let names = parts.keys().map(String::as_str).filter(|name| *name != "condition");
    condition::read(condition, &names.collect::<Vec<_>>(), &read)
}

/// Which requests have to be written down for it.
fn need(test: &Test, components: Components) -> Made {
    let only = |field: Field| test.only(&field);
    let verbs: Vec<String> = only(Field::VERB)
        .map(|verbs| verbs.into_iter().filter(|verb| VERBS.contains(&verb.as_str())).collect())
        .unwrap_or_default();
    if verbs.is_empty() && only(Field::VERB).is_some() {
        return Err("it is about verbs that Kubernetes does not have".to_owned());
    }
    let resources = match only(Field::RESOURCE) {
        None => vec!["*".to_owned()],
        Some(resources) => named(&resources, only(Field::SUBRESOURCE), only(Field::GROUP).as_ref()),
    };
    Ok(json!({
        "verbs": verbs,
        "resources": resources,
        "bodies": test.reads_object(),
        "components": components == Components::Judged,
    }))
}

/// Names resources as detections do.
fn named(
    resources: &BTreeSet<String>,
    parts: Option<BTreeSet<String>>,
    groups: Option<&BTreeSet<String>>,
) -> Vec<String> {
    let parts = parts.unwrap_or_else(|| [String::new()].into());
    let mut all = Vec::new();
    for resource in resources {
        let usual = || [group_of(resource).to_owned()].into();
        for group in groups.cloned().unwrap_or_else(usual) {
            for part in &parts {
                let dot = if group.is_empty() { "" } else { "." };
                let slash = if part.is_empty() { "" } else { "/" };
                all.push(format!("{resource}{dot}{group}{slash}{part}"));
            }
        }
    }
    all
}

const VERBS: [&str; 8] =
    ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// Groups of resources that rules name without theirs.
const GROUPS: [(&str, &[&str]); 8] = [
    (
        "admissionregistration.k8s.io",
        &[
            "mutatingwebhookconfigurations",
            "validatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
        ],
    ),
    ("apps", &["deployments", "daemonsets", "statefulsets", "replicasets"]),
    (
        "authorization.k8s.io",
        &[
            "selfsubjectaccessreviews",
            "selfsubjectrulesreviews",
            "subjectaccessreviews",
            "localsubjectaccessreviews",
        ],
    ),
    ("batch", &["jobs", "cronjobs"]),
    ("certificates.k8s.io", &["certificatesigningrequests"]),
    ("networking.k8s.io", &["networkpolicies", "ingresses"]),
    ("policy", &["poddisruptionbudgets"]),
    (
        "rbac.authorization.k8s.io",
        &["roles", "clusterroles", "rolebindings", "clusterrolebindings"],
    ),
];

/// The group that a resource is usually of; the core group where nothing else is known.
fn group_of(resource: &str) -> &'static str {
    let of = GROUPS.iter().find(|(_, resources)| resources.contains(&resource));
    of.map_or("", |(group, _)| group)
}

fn severity(level: Option<&str>) -> Result<Severity, String> {
    Ok(match level {
        Some("informational" | "low") => Severity::Low,
        Some("medium") | None => Severity::Medium,
        Some("high") => Severity::High,
        Some("critical") => Severity::Critical,
        Some(other) => return Err(format!("its level {other:?} is none of Sigma's")),
    })
}

/// Says why it is asked, and whose rule it is: its licence wants that to be told.
fn because(description: &str, id: &str, author: &str) -> String {
    let mut text: String = description.chars().take(LONGEST).collect();
    if !text.is_empty() && !text.ends_with('.') {
        text.push('.');
    }
    let by = if author.is_empty() { String::new() } else { format!(" by {author}") };
    let id = if id.is_empty() { String::new() } else { format!(" {id}") };
    format!("{text} After the Sigma rule{id}{by}.").trim().to_owned()
}

/// The techniques among its tags.
fn attack(tags: &Value) -> Vec<String> {
    let tags = tags.as_array().into_iter().flatten().filter_map(Value::as_str);
    let numbers =
        tags.filter_map(|tag| tag.to_lowercase().strip_prefix("attack.t").map(str::to_owned));
    let is_number = |text: &String| text.chars().all(|it| it.is_ascii_digit() || it == '.');
    numbers.filter(is_number).map(|number| format!("T{number}")).collect()
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn slug(title: &str) -> String {
    let words = title.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-").to_lowercase()
}

#[cfg(test)]
mod tests;
