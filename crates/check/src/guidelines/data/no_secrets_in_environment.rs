//! No secret is written into the environment.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::secret::{Shapes, is_secret_name};
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::{Container, PodScene};
use ringfort_model::judgement::Gap;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "data/no-secrets-in-environment",
    title: "No secret is written into the environment",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/configuration/secret/")],
    doc: include_str!("no_secrets_in_environment.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    let variables = container.place.at("env");
    sheet.pass(&variables);
    if variables.items().next().is_some() {
        let shapes = Shapes::of(pod.whole.objects, sheet);
        variables.items().for_each(|variable| judge_one(&variable, &shapes, sheet));
    }
}

fn judge_one(variable: &Place<'_>, shapes: &Shapes, sheet: &mut Sheet) {
    let (name, value, from) = (variable.at("name"), variable.at("value"), variable.at("valueFrom"));
    let is_named = match name.word() {
        Field::Is(word) => is_secret_name(word),
        Field::Absent | Field::Unreadable => return sheet.unread(&name),
    };
    match value.text() {
        Field::Is(text) if !text.is_empty() => {
            let is_secret = is_named && value.word() != Field::Unreadable && !is_reference(text);
            let fits = if is_secret { Ok(true) } else { shapes.fit(text) };
            match fits {
                Ok(true) => sheet.fail(&name, Remedy::Do(FROM_SECRET)),
                _ if is_named && value.word() == Field::Unreadable => sheet.unread(&value),
                Ok(false) => {}
                Err(gap) => sheet.missing(&value, gap),
            }
        }
        Field::Unreadable => sheet.unread(&value),
        _ if is_named && from.at("configMapKeyRef").value() != Field::Absent => {
            let said = "the value stands in a ConfigMap, and may be a secret".to_owned();
            let closes = FROM_SECRET.to_owned();
            sheet.missing(&from, Gap { said, closes });
        }
        _ => {}
    }
}

const FROM_SECRET: &str = "take the value from a Secret";

/// Whether a value is another variable's.
fn is_reference(value: &str) -> bool {
    value.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')')).is_some()
}
