//! What LimitRanges say of the containers of a namespace.

use serde_json::Value;

use crate::fault::Remedy;
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;

/// Asks that a LimitRange of a namespace says defaults and bounds of a resource.
pub(super) fn says(resource: &'static str, namespace: &Scene<'_>, sheet: &mut Sheet) {
    let name = namespace.object.as_namespace();
    let mut ranges = namespace.objects.within("LimitRange", name).peekable();
    if ranges.peek().is_none() {
        let place = namespace.metadata.at("name");
        return match namespace.objects.complete("LimitRange", name) {
            Ok(()) => sheet.absent("LimitRange", &place, Remedy::Do("write a LimitRange for it")),
            Err(gap) => sheet.missing(&place, gap),
        };
    }
    for (number, range) in ranges {
        let root = range.root();
        let spec = root.at("spec");
        let limits = spec.at("limits");
        let Some(item) =
            limits.items().find(|item| item.at("type").word() == Field::Is("Container"))
        else {
            sheet.fail_in(number, &limits, Remedy::Do("write an item of type Container"));
            continue;
        };
        for part in ["default", "defaultRequest", "max"] {
            let amounts = item.at(part);
            let amount = amounts.entry(resource);
            match amount.value() {
                Field::Absent => sheet.fail_in(number, &amount, Remedy::Do("write an amount")),
                Field::Is(Value::String(text)) if amount.texts().is_template(text) => {
                    sheet.unread_in(number, &amount);
                }
                Field::Is(_) => sheet.pass(namespace.metadata),
                Field::Unreadable => sheet.unread_in(number, &amount),
            }
        }
    }
}
