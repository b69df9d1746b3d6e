//! Secrets are files, not variables.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "data/secrets-as-files",
    title: "A secret reaches a container as a file",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/configuration/secret/")],
    doc: include_str!("secrets_as_files.md"),
    judge: Judge::Container(judge),
};

fn judge(_: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    let variables = container.place.at("env");
    sheet.pass(&variables);
    for variable in variables.items() {
        let from = variable.at("valueFrom");
        let secret = from.at("secretKeyRef");
        if secret.value() != Field::Absent {
            sheet.fail(&secret, Remedy::Do("mount the Secret as a volume"));
        }
    }
    for source in container.place.at("envFrom").items() {
        let secret = source.at("secretRef");
        if secret.value() != Field::Absent {
            sheet.fail(&secret, Remedy::Do("mount the Secret as a volume"));
        }
    }
}
