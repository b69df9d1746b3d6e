//! Kinds of others that make no pods, as a site says in what it agreed on: nothing is asked of their objects.

use serde_json::Value;

use crate::fault::Unreadable;
use crate::kinds::{KINDS, group, is_own_group, is_plain};
use crate::place::{Field, Place};

/// Finds what is wrong with the kinds that a site declares. What Kubernetes has, or what is judged here, nobody
/// declares: that would take it out of judgement.
pub(crate) fn check(conventions: &Place<'_>, unreadable: &mut Vec<Unreadable>) {
    let spec = conventions.at("spec");
    let kinds = spec.at("kinds");
    if kinds.list() == Field::Unreadable {
        unreadable.push(wrong(&kinds, "a list of kinds must stand here, each with its group"));
    }
    for one in kinds.items() {
        let (of, kind) = (one.at("group"), one.at("kind"));
        match (of.word(), kind.word()) {
            (Field::Is(of), Field::Is(name)) => unreadable.extend(taken(&one, of, name)),
            _ => unreadable.push(wrong(&one, "a group and a kind must stand here")),
        }
    }
}

/// Says why a kind is not a site's to declare, if it is not.
fn taken(one: &Place<'_>, of: &str, name: &str) -> Option<Unreadable> {
    let is_judged = KINDS.iter().any(|kind| kind.name == name && kind.is_of(&format!("{of}/v1")));
    if is_judged || is_plain(name, &format!("{of}/v1")) {
        let why = format!("{name} of {of} is known already and is not declared: take it out");
        return Some(wrong(one, &why));
    }
    // What a newer Kubernetes has in its own groups may make pods.
    let why = "the group must be that of a custom resource, such as example.com";
    (is_own_group(of) || name.is_empty()).then(|| wrong(one, why))
}

fn wrong(place: &Place<'_>, why: &str) -> Unreadable {
    Unreadable { pointer: place.pointer(), why: why.to_owned() }
}

/// Gives the group and the name of each kind that a site declares.
pub(crate) fn kinds(conventions: &Value) -> impl Iterator<Item = (&str, &str)> {
    let kinds = conventions["spec"]["kinds"].as_array();
    kinds.into_iter().flatten().filter_map(|it| Some((it["group"].as_str()?, it["kind"].as_str()?)))
}

/// Gives the group and the name of a kind of others; of a list of them, those of what it lists.
pub(crate) fn named<'a>(kind: &'a str, object: &'a Value) -> Option<(&'a str, &'a str)> {
    let stem = kind.strip_suffix("List").unwrap_or(kind);
    Some((group(object["apiVersion"].as_str()?), stem))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check;
    use crate::place::Place;
    use crate::world::{Objects, Origin, World};

    fn site(kinds: &Value) -> Value {
        json!({"apiVersion": "check.ringfort.dev/v1", "kind": "Conventions", "metadata": {"name": "site"},
            "spec": {"kinds": kinds}})
    }

    #[test]
    fn what_is_known_already_is_nobodys_to_declare() {
        let wrong = |kinds: Value| {
            let (site, mut unreadable) = (site(&kinds), Vec::new());
            check(&Place::new("", Some(&site)), &mut unreadable);
            unreadable.len()
        };
        assert_eq!(wrong(json!([{"group": "example.com", "kind": "Widget"}])), 0);
        assert_eq!(wrong(json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway"}])), 0);
        for (group, kind) in [
            ("apps", "Deployment"),
            ("", "Pod"),
            ("extensions", "Deployment"),
            ("storage.k8s.io", "CSIDriver"),
            ("apps", "Widget"),
            ("networking.k8s.io", "Widget"),
            ("rbac.authorization.k8s.io", "Widget"),
            ("gateway.networking.k8s.io", "HTTPRoute"),
            ("extensions.agents.x-k8s.io", "SandboxTemplate"),
            ("check.ringfort.dev", "Conventions"),
            ("{{ group }}", "Widget"),
            ("example.com", ""),
        ] {
            assert_eq!(wrong(json!([{"group": group, "kind": kind}])), 1, "{group} {kind}");
        }
        assert_eq!(wrong(json!({"group": "example.com"})), 1);
        assert_eq!(wrong(json!(["Widget"])), 1);
    }

    /// How many objects are left unjudged beside what a site declares.
    fn unjudged(kinds: &Value) -> usize {
        let site = site(kinds);
        let others = [
            json!({"apiVersion": "example.com/v1", "kind": "Widget"}),
            json!({"apiVersion": "example.com/v1beta1", "kind": "WidgetList", "items": []}),
            json!({"apiVersion": "example.org/v1", "kind": "Widget"}),
        ];
        let mut objects = Objects::new(World::Closed, None);
        // Whatever comes first: what is declared holds for all.
        others.iter().chain([&site]).enumerate().for_each(|(document, it)| {
            objects.add(Origin { file: 0, document }, it);
        });
        objects.unjudged().count()
    }

    #[test]
    fn objects_of_a_declared_kind_leave_nothing_unknown() {
        assert_eq!(unjudged(&json!([])), 3);
        assert_eq!(unjudged(&json!([{"group": "example.com", "kind": "Widget"}])), 1);
        // Nothing rests on conventions that cannot be read.
        let wrong =
            json!([{"group": "example.com", "kind": "Widget"}, {"group": "", "kind": "Pod"}]);
        assert_eq!(unjudged(&wrong), 3);
    }
}
