//! A namespace has a quota.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/quota",
    title: "A namespace has a quota of processor time and memory",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/policy/resource-quotas/")],
    doc: include_str!("quota.md"),
    judge: Judge::Object(&["Namespace"], judge),
};

fn judge(namespace: &Scene<'_>, sheet: &mut Sheet) {
    let name = namespace.object.as_namespace();
    let mut quotas = namespace.objects.within("ResourceQuota", name).peekable();
    let place = namespace.metadata.at("name");
    if quotas.peek().is_none() {
        return match namespace.objects.complete("ResourceQuota", name) {
            Ok(()) => {
                sheet.absent("ResourceQuota", &place, Remedy::Do("write a ResourceQuota for it"));
            }
            Err(gap) => sheet.missing(&place, gap),
        };
    }
    for (number, quota) in quotas {
        let root = quota.root();
        let spec = root.at("spec");
        let hard = spec.at("hard");
        for [of_all, requests, limits] in KEYS {
            let amounts = [hard.entry(of_all), hard.entry(requests), hard.entry(limits)];
            if amounts.iter().any(|amount| matches!(amount.value(), Field::Is(_))) {
                sheet.pass(&place);
            } else if amounts.iter().any(|amount| amount.value() == Field::Unreadable) {
                sheet.unread_in(number, &hard);
            } else {
                sheet.fail_in(number, &amounts[0], Remedy::Do("write an amount"));
            }
        }
    }
}

const KEYS: [[&str; 3]; 2] =
    [["cpu", "requests.cpu", "limits.cpu"], ["memory", "requests.memory", "limits.memory"]];
