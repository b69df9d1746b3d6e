//! Which pods policies of Cilium close, and no more: whom their rules let through is not read
//! (<https://docs.cilium.io/en/stable/security/policy/>).

use ringfort_policy::{Direction, Labels, Selector};
use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::texts::Texts;

/// A `CiliumNetworkPolicy` or a `CiliumClusterwideNetworkPolicy`.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Whose pods it is about.
    about: About,
    rules: Vec<Rule>,
}

/// Whose pods a policy is about.
#[derive(Clone, Debug)]
enum About {
    /// Those of its namespace, if it says one.
    Namespace(Option<String>),
    /// Those of all namespaces.
    All,
}

/// What is closed of pods that are selected.
#[derive(Clone, Debug)]
struct Rule {
    selector: Selector,
    ingress: bool,
    egress: bool,
}

/// Reads a policy, if it is one and everything in it is understood that says what it closes.
pub(crate) fn policy(object: &Value, texts: Texts) -> Option<Policy> {
    if !object["apiVersion"].as_str()?.starts_with("cilium.io/") || texts.has_template(object) {
        return None;
    }
    let about = match object["kind"].as_str()? {
        "CiliumNetworkPolicy" => match &object["metadata"]["namespace"] {
            Value::Null => About::Namespace(None),
            Value::String(name) => About::Namespace(Some(name.clone())),
            _ => return None,
        },
        "CiliumClusterwideNetworkPolicy" => About::All,
        _ => return None,
    };
    let more = match &object["specs"] {
        Value::Null if object["spec"].is_null() => return None,
        Value::Null => &[],
        Value::Array(rules) => rules.as_slice(),
        _ => return None,
    };
    let one = (!object["spec"].is_null()).then_some(&object["spec"]);
    let mut rules = Vec::new();
    for written in one.into_iter().chain(more) {
        rules.extend(rule(written)?);
    }
    Some(Policy { about, rules })
}

impl Policy {
    /// Whether it is known whose pods it is about.
    pub(crate) fn is_placed(&self, usual: Option<&str>) -> bool {
        !matches!(self.about, About::Namespace(None)) || usual.is_some()
    }

    /// Whether it closes a way of pods with these labels. One that names no namespace is in the usual one.
    pub(crate) fn closes(
        &self,
        (namespace, usual): (&str, Option<&str>),
        labels: &Labels,
        direction: Direction,
    ) -> bool {
        let is_about = match &self.about {
            About::Namespace(of) => of.as_deref().or(usual) == Some(namespace),
            About::All => true,
        };
        let mut labels = labels.clone();
        labels.insert(NAMESPACE.to_owned(), namespace.to_owned());
        let closes = |rule: &Rule| {
            let is_closed = match direction {
                Direction::Ingress => rule.ingress,
                Direction::Egress => rule.egress,
            };
            is_closed && rule.selector.selects(&labels)
        };
        is_about && self.rules.iter().any(closes)
    }

    /// Whether it is written for a namespace: stands in it, or closes a way of all of its pods.
    pub(crate) fn governs(&self, namespace: (&str, Option<&str>)) -> bool {
        match &self.about {
            About::Namespace(of) => {
                of.as_deref().or(namespace.1) == Some(namespace.0) && !self.rules.is_empty()
            }
            About::All => [Direction::Ingress, Direction::Egress]
                .into_iter()
                .any(|direction| self.closes(namespace, &Labels::new(), direction)),
        }
    }
}

/// Reads a rule: outside nothing where it cannot be read, inside where it is about no pods.
fn rule(written: &Value) -> Option<Option<Rule>> {
    if !written["nodeSelector"].is_null() {
        return Some(None);
    }
    let selector = selector(written["endpointSelector"].as_object()?)?;
    let closed = |keys: [&str; 2], direction: &str| match &written["enableDefaultDeny"][direction] {
        Value::Bool(closed) => Some(*closed),
        Value::Null => {
            let mut is_closed = false;
            for key in keys {
                is_closed |= match &written[key] {
                    Value::Null => false,
                    Value::Array(rules) => !rules.is_empty(),
                    _ => return None,
                };
            }
            Some(is_closed)
        }
        _ => None,
    };
    let ingress = closed(["ingress", "ingressDeny"], "ingress")?;
    let egress = closed(["egress", "egressDeny"], "egress")?;
    Some(Some(Rule { selector, ingress, egress }))
}

/// Reads a selector, whose keys may begin with where a label comes from.
fn selector(written: &Map<String, Value>) -> Option<Selector> {
    let mut plain = written.clone();
    if let Some(labels) = plain.get_mut("matchLabels").and_then(Value::as_object_mut) {
        let read = labels.iter().map(|(name, value)| Some((key(name)?, value.clone())));
        *labels = read.collect::<Option<_>>()?;
    }
    for expression in
        plain.get_mut("matchExpressions").and_then(Value::as_array_mut).into_iter().flatten()
    {
        expression["key"] = key(expression["key"].as_str()?)?.into();
    }
    Selector::deserialize(Value::Object(plain)).ok()
}

/// Reads the key of a label of pods. What Cilium knows of them besides is not known here.
fn key(written: &str) -> Option<String> {
    let key = ["k8s:", "any:"].iter().find_map(|it| written.strip_prefix(it)).unwrap_or(written);
    let is_pods =
        !key.contains(':') && !key.starts_with("io.cilium.") && !Texts::Written.is_template(key);
    (is_pods && (!key.starts_with("io.kubernetes.") || key == NAMESPACE)).then(|| key.to_owned())
}

/// The label by which Cilium knows the namespace of a pod.
const NAMESPACE: &str = "io.kubernetes.pod.namespace";

#[cfg(test)]
mod tests {
    use ringfort_policy::{Direction, Labels};
    use serde_json::{Value, json};

    use super::policy;
    use crate::texts::Texts;

    fn written(kind: &str, spec: &Value) -> Value {
        json!({"apiVersion": "cilium.io/v2", "kind": kind, "metadata": {"name": "p", "namespace": "shop"},
            "spec": spec})
    }

    /// Whether a policy closes the ways in and out of a pod `app: web` of `shop`.
    #[track_caller]
    fn check(spec: &Value, expected: Option<(bool, bool)>) {
        let labels = Labels::from([("app".to_owned(), "web".to_owned())]);
        let closed = policy(&written("CiliumNetworkPolicy", spec), Texts::Written).map(|policy| {
            let closes = |direction| policy.closes(("shop", None), &labels, direction);
            (closes(Direction::Ingress), closes(Direction::Egress))
        });
        assert_eq!(closed, expected, "{spec}");
    }

    #[test]
    fn what_has_rules_is_closed_but_for_them() {
        let all = json!({});
        check(&json!({"endpointSelector": all, "ingress": [{}]}), Some((true, false)));
        check(&json!({"endpointSelector": all, "egressDeny": [{}]}), Some((false, true)));
        check(&json!({"endpointSelector": all, "ingress": []}), Some((false, false)));
        let open = json!({"endpointSelector": all, "ingress": [{}],
            "enableDefaultDeny": {"ingress": false}});
        check(&open, Some((false, false)));
        let selected =
            json!({"endpointSelector": {"matchLabels": {"k8s:app": "web"}}, "egress": [{}]});
        check(&selected, Some((false, true)));
        let other = json!({"endpointSelector": {"matchLabels": {"app": "db"}}, "egress": [{}]});
        check(&other, Some((false, false)));
        check(&json!({"nodeSelector": {}, "ingress": [{}]}), Some((false, false)));
    }

    #[test]
    fn what_is_not_understood_is_not_read() {
        check(&json!({"ingress": [{}]}), None);
        let foreign =
            json!({"endpointSelector": {"matchLabels": {"reserved:host": ""}}, "ingress": [{}]});
        check(&foreign, None);
        check(&json!({"endpointSelector": {}, "ingress": {}}), None);
        check(&json!({"endpointSelector": {}, "ingress": [{"fromCIDR": ["{{ x }}"]}]}), None);
    }

    #[test]
    fn a_policy_governs_its_namespace_and_one_of_the_cluster_those_that_it_closes_whole() {
        let some = json!({"endpointSelector": {"matchLabels": {"app": "web"}}, "ingress": [{}]});
        let all = json!({"endpointSelector": {}, "ingress": [{}]});
        for (kind, spec, namespace, expected) in [
            ("CiliumNetworkPolicy", &some, "shop", true),
            ("CiliumNetworkPolicy", &some, "den", false),
            ("CiliumClusterwideNetworkPolicy", &some, "den", false),
            ("CiliumClusterwideNetworkPolicy", &all, "den", true),
        ] {
            let policy = policy(&written(kind, spec), Texts::Written);
            let governs = policy.map(|it| it.governs((namespace, None)));
            assert_eq!(governs, Some(expected), "{kind} {spec} {namespace}");
        }
    }
}
