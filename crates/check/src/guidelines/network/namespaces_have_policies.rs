//! Namespaces have network policies.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;
use ringfort_model::judgement::Gap;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/namespaces-have-policies",
    title: "A namespace has a network policy",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/services-networking/network-policies/")],
    doc: include_str!("namespaces_have_policies.md"),
    judge: Judge::Object(&["Namespace"], judge),
};

fn judge(namespace: &Scene<'_>, sheet: &mut Sheet) {
    let (objects, name) = (namespace.objects, namespace.object.as_namespace());
    let place = namespace.metadata.at("name");
    if objects.policies(name).iter().any(|policy| policy.read.is_some())
        || objects.is_governed_by_others(name)
    {
        return sheet.pass(&place);
    }
    if let Err(gap) = objects.complete("NetworkPolicy", name) {
        return sheet.missing(&place, gap);
    }
    match objects.foreign_policy() {
        Some(kind) => {
            let said = format!("what {kind} closes is not known");
            sheet.missing(&place, Gap { said, closes: "write a NetworkPolicy".to_owned() });
        }
        None if objects.policies(name).is_empty() => {
            sheet.absent("NetworkPolicy", &place, Remedy::Do("write a NetworkPolicy for it"));
        }
        None => sheet.missing(
            &place,
            Gap {
                said: "its network policy cannot be read".to_owned(),
                closes: "write what Kubernetes takes".to_owned(),
            },
        ),
    }
}
