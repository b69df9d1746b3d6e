//! ConfigMaps hold no secrets.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::secret::{is_secret_name, is_secret_value};
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, is_template};
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "data/no-secrets-in-config-maps",
    title: "A ConfigMap holds no secret",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/configuration/secret/")],
    doc: include_str!("no_secrets_in_config_maps.md"),
    judge: Judge::Object(&["ConfigMap"], judge),
};

fn judge(scene: &Scene<'_>, sheet: &mut Sheet) {
    let data = scene.root.at("data");
    sheet.pass(&data);
    for (key, entry) in data.fields() {
        let is_secret = match entry.text() {
            Field::Is("") | Field::Absent => false,
            Field::Is(value) => is_secret_name(key) || is_secret_value(value),
            Field::Unreadable => true,
        };
        match is_secret {
            true if entry.text() == Field::Unreadable => sheet.unread(&entry),
            true => sheet.fail_covered(&entry, Remedy::Do("put it into a Secret")),
            false if is_template(key) => sheet.unread(&entry),
            false => {}
        }
    }
}
