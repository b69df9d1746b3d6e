//! Label selectors, with all operators.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// What labels must be: all requirements at once. Without any, everything is selected.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "Written")]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// One thing that labels must be.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Requirement {
    In(String, BTreeSet<String>),
    NotIn(String, BTreeSet<String>),
    Exists(String),
    Absent(String),
}

/// Says why a selector is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotASelector {
    /// The operator is none of Kubernetes.
    #[error("{operator:?} is no operator: In, NotIn, Exists and DoesNotExist are")]
    Operator {
        /// What was written.
        operator: String,
    },
    /// Values stand where none may, or none where some must.
    #[error("the operator {operator} on {key:?} takes {wants}")]
    Values {
        /// The operator.
        operator: &'static str,
        /// The label's key.
        key: String,
        /// What it takes.
        wants: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    #[serde(default)]
    match_labels: Option<Labels>,
    #[serde(default)]
    match_expressions: Option<Vec<Expression>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expression {
    key: String,
    operator: String,
    #[serde(default)]
    values: Option<BTreeSet<String>>,
}

impl Selector {
    /// Selects what carries a label.
    pub fn label(key: &str, value: &str) -> Self {
        let values = BTreeSet::from([value.to_owned()]);
        Self { requirements: vec![Requirement::In(key.to_owned(), values)] }
    }

    /// Selects what both select.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.requirements.extend(other.requirements);
        self
    }

    /// Says whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Says whether labels are as required.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|each| each.holds(labels))
    }

    /// Gives the keys of the labels that it depends on.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.requirements.iter().map(Requirement::key)
    }

    /// Gives labels of which one must be there: what an index of labels can answer.
    pub fn one_of(&self) -> Option<(&str, &BTreeSet<String>)> {
        let sets = self.requirements.iter().filter_map(|each| match each {
            Requirement::In(key, values) => Some((key.as_str(), values)),
            _ => None,
        });
        sets.min_by_key(|(_, values)| values.len())
    }
}

impl Requirement {
    fn key(&self) -> &str {
        match self {
            Self::In(key, _) | Self::NotIn(key, _) | Self::Exists(key) | Self::Absent(key) => key,
        }
    }

    fn holds(&self, labels: &Labels) -> bool {
        match self {
            Self::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => {
                !labels.get(key).is_some_and(|value| values.contains(value))
            }
            Self::Exists(key) => labels.contains_key(key),
            Self::Absent(key) => !labels.contains_key(key),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, requirement) in self.requirements.iter().enumerate() {
            if at > 0 {
                f.write_str(" and ")?;
            }
            let values = |values: &BTreeSet<String>| {
                values.iter().map(String::as_str).collect::<Vec<_>>().join(" or ")
            };
            match requirement {
                Requirement::In(key, of) => write!(f, "{key}={}", values(of))?,
                Requirement::NotIn(key, of) => write!(f, "{key} not {}", values(of))?,
                Requirement::Exists(key) => write!(f, "a label {key}")?,
                Requirement::Absent(key) => write!(f, "no label {key}")?,
            }
        }
        Ok(())
    }
}

impl TryFrom<Written> for Selector {
    type Error = NotASelector;

    fn try_from(written: Written) -> Result<Self, NotASelector> {
        let labels = written.match_labels.unwrap_or_default();
        let mut requirements: Vec<Requirement> =
            labels.into_iter().map(|(key, value)| Requirement::In(key, [value].into())).collect();
        for each in written.match_expressions.unwrap_or_default() {
            requirements.push(requirement(each)?);
        }
        requirements.sort();
        requirements.dedup();
        Ok(Self { requirements })
    }
}

fn requirement(written: Expression) -> Result<Requirement, NotASelector> {
    let Expression { key, operator, values } = written;
    let values = values.unwrap_or_default();
    let (operator, takes_values) = match operator.as_str() {
        "In" => ("In", true),
        "NotIn" => ("NotIn", true),
        "Exists" => ("Exists", false),
        "DoesNotExist" => ("DoesNotExist", false),
        _ => return Err(NotASelector::Operator { operator }),
    };
    if values.is_empty() == takes_values {
        let wants = if takes_values { "one value or more" } else { "no values" };
        return Err(NotASelector::Values { operator, key, wants });
    }
    Ok(match operator {
        "In" => Requirement::In(key, values),
        "NotIn" => Requirement::NotIn(key, values),
        "Exists" => Requirement::Exists(key),
        _ => Requirement::Absent(key),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Labels, Selector};

    #[track_caller]
    fn check(selector: Value, labels: &[(&str, &str)], expected: bool) {
        let selector: Selector = serde_json::from_value(selector).unwrap();
        let labels: Labels =
            labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(selector.selects(&labels), expected, "{selector:?} of {labels:?}");
    }

    #[test]
    fn every_operator_says_what_kubernetes_says() {
        let expression = |operator: &str, values: &[&str]| {
            let mut written = json!({"key": "a", "operator": operator});
            if !values.is_empty() {
                written["values"] = json!(values);
            }
            json!({ "matchExpressions": [written] })
        };
        check(json!({}), &[], true);
        check(json!({"matchLabels": {"a": "1"}}), &[("a", "1"), ("b", "2")], true);
        check(json!({"matchLabels": {"a": "1", "b": "2"}}), &[("a", "1")], false);
        check(expression("In", &["1", "2"]), &[("a", "2")], true);
        check(expression("In", &["1", "2"]), &[("a", "3")], false);
        check(expression("In", &["1"]), &[], false);
        check(expression("NotIn", &["1"]), &[("a", "2")], true);
        check(expression("NotIn", &["1"]), &[("a", "1")], false);
        check(expression("NotIn", &["1"]), &[], true);
        check(expression("Exists", &[]), &[("a", "")], true);
        check(expression("Exists", &[]), &[("b", "")], false);
        check(expression("DoesNotExist", &[]), &[("b", "")], true);
        check(expression("DoesNotExist", &[]), &[("a", "")], false);
    }

    #[test]
    fn what_contradicts_itself_selects_nothing() {
        let both = json!({
            "matchLabels": {"a": "1"},
            "matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}],
        });
        check(both.clone(), &[("a", "1")], false);
        check(both, &[], false);
    }

    #[track_caller]
    fn refused(selector: Value, expected: &str) {
        let error = serde_json::from_value::<Selector>(selector).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn a_bad_selector_is_refused() {
        let of = |operator, values: &[&str]| json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]});
        refused(of("Gt", &["1"]), "\"Gt\" is no operator");
        refused(of("In", &[]), "takes one value or more");
        refused(of("Exists", &["1"]), "takes no values");
        refused(json!({"matchlabels": {}}), "unknown field");
    }
}
