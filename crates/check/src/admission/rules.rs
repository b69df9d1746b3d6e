//! Rules of admission: which requests for pods a policy or a webhook is about.

use ringfort_policy::{Labels, Selector};
use serde_json::Value;

use super::samples::Entry;

/// Whether rules are about what comes in on a way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum About {
    /// One is about all of it.
    All,
    /// One may be about some: it goes by names of pods, which whoever makes a pod chooses, or cannot be read.
    Some,
    /// None is.
    None,
}

/// Says whether the rules of a list are about what comes in on a way.
pub(super) fn about(rules: &Value, entry: Entry) -> About {
    let mut about = About::None;
    for rule in rules.as_array().into_iter().flatten() {
        match one(rule, entry) {
            About::All => return About::All,
            About::Some => about = About::Some,
            About::None => {}
        }
    }
    about
}

fn one(rule: &Value, entry: Entry) -> About {
    let (operation, resources): (&str, &[&str]) = match entry {
        Entry::New => ("CREATE", &["pods", "*", "*/*"]),
        Entry::Added => {
            ("UPDATE", &["pods/ephemeralcontainers", "pods/*", "*/ephemeralcontainers", "*/*"])
        }
    };
    let says = |field: &str, wanted: &[&str]| match &rule[field] {
        Value::Null => Some(false),
        Value::Array(words) if words.iter().all(Value::is_string) => {
            Some(words.iter().filter_map(Value::as_str).any(|word| wanted.contains(&word)))
        }
        _ => None,
    };
    let parts = [
        says("apiGroups", &["", "*"]),
        says("apiVersions", &["v1", "*"]),
        says("operations", &[operation, "*"]),
        says("resources", resources),
        Some(rule["scope"] != "Cluster"),
    ];
    let names = &rule["resourceNames"];
    let is_of_all = names.is_null() || names.as_array().is_some_and(Vec::is_empty);
    match parts.contains(&Some(false)) {
        true => About::None,
        false if is_of_all && !parts.contains(&None) => About::All,
        false => About::Some,
    }
}

/// Whether labels are selected.
///
/// # Errors
/// The selector cannot be read.
pub(super) fn selects(selector: &Value, labels: &Labels) -> Result<bool, String> {
    Ok(read(selector)?.selects(labels))
}

/// Whether a selector lets anything be left out.
pub(super) fn chooses(selector: &Value) -> bool {
    read(selector).is_ok_and(|selector| !selector.is_empty())
}

fn read(selector: &Value) -> Result<Selector, String> {
    match selector {
        Value::Null => Ok(Selector::default()),
        selector => serde_json::from_value(selector.clone())
            .map_err(|error| format!("a selector of it cannot be read: {error}")),
    }
}

/// Whether what is written of a policy, a binding or a webhook leaves a request to it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Reach {
    /// It is asked.
    Asked,
    /// It is asked, for labels of the pod, which whoever makes a pod chooses.
    ByLabels,
    /// It is not asked.
    Spared,
}

/// Says whether a pod without labels in a namespace of these labels reaches what has these selectors.
///
/// # Errors
/// One cannot be read.
pub(super) fn reach(written: &Value, namespace: &Labels) -> Result<Reach, String> {
    let (of_namespaces, of_objects) = (&written["namespaceSelector"], &written["objectSelector"]);
    let asked = selects(of_namespaces, namespace)? && selects(of_objects, &Labels::new())?;
    Ok(match asked {
        false => Reach::Spared,
        true if chooses(of_objects) => Reach::ByLabels,
        true => Reach::Asked,
    })
}

#[cfg(test)]
mod tests {
    use ringfort_policy::Labels;
    use serde_json::{Value, json};

    use super::{About, Entry, Reach, about, reach};

    #[test]
    fn only_rules_about_new_pods_count() {
        let check = |more: Value, expected: About| {
            let mut rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                "resources": ["pods"]});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(about(&json!([{}, rule]), Entry::New), expected, "{more}");
        };
        check(json!({}), About::All);
        check(json!({"resources": ["*/*"], "operations": ["*"]}), About::All);
        check(json!({"apiGroups": ["*"], "scope": "Namespaced", "resourceNames": []}), About::All);
        check(json!({"apiGroups": ["apps"]}), About::None);
        check(json!({"apiVersions": ["v2"]}), About::None);
        check(json!({"operations": ["UPDATE", "DELETE"]}), About::None);
        check(json!({"resources": ["pods/exec", "deployments"]}), About::None);
        check(json!({"scope": "Cluster"}), About::None);
        check(json!({"resourceNames": ["a"]}), About::Some);
        check(json!({"operations": [7]}), About::Some);
        check(json!({"apiGroups": "apps"}), About::Some);
        assert_eq!(about(&Value::Null, Entry::New), About::None);
    }

    #[test]
    fn what_is_added_to_a_pod_is_a_part_of_it_and_no_new_pod() {
        let check = |resource: &str, operation: &str, expected: About| {
            let rule = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": [operation],
                "resources": [resource]}]);
            assert_eq!(about(&rule, Entry::Added), expected, "{resource} {operation}");
        };
        for named in ["pods/ephemeralcontainers", "pods/*", "*/ephemeralcontainers", "*/*"] {
            check(named, "UPDATE", About::All);
        }
        check("pods/ephemeralcontainers", "*", About::All);
        check("pods/ephemeralcontainers", "CREATE", About::None);
        // It names all resources, and nothing that is below one.
        check("*", "*", About::None);
        check("pods", "UPDATE", About::None);
    }

    #[test]
    fn who_makes_a_pod_chooses_its_labels() {
        let namespace = Labels::from([("team".to_owned(), "a".to_owned())]);
        let reach = |written: Value| reach(&written, &namespace);
        assert!(matches!(reach(json!({})), Ok(Reach::Asked)));
        let team = json!({"namespaceSelector": {"matchLabels": {"team": "a"}}});
        assert!(matches!(reach(team), Ok(Reach::Asked)));
        let other = json!({"namespaceSelector": {"matchLabels": {"team": "b"}}});
        assert!(matches!(reach(other), Ok(Reach::Spared)));
        let labelled = json!({"objectSelector": {"matchLabels": {"a": "b"}}});
        assert!(matches!(reach(labelled), Ok(Reach::Spared)));
        let spared = json!({"objectSelector": {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]}});
        assert!(matches!(reach(spared), Ok(Reach::ByLabels)));
        assert!(
            reach(
                json!({"objectSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}})
            )
            .is_err()
        );
    }
}
