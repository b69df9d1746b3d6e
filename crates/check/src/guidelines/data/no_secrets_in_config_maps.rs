//! ConfigMaps hold no secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfort_model::judgement::Gap;
use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::secret::{Shapes, is_secret_name};
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
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
    let shapes = Shapes::of(scene.objects, sheet);
    for (key, entry) in data.fields() {
        let is_secret = match entry.text() {
            Field::Is("") | Field::Absent => false,
            Field::Is(_) if is_secret_name(key) => true,
            Field::Is(value) => match shapes.fit(value) {
                Ok(fits) => fits,
                Err(gap) => {
                    sheet.missing(&entry, gap);
                    false
                }
            },
            Field::Unreadable => true,
        };
        match is_secret {
            true if entry.text() == Field::Unreadable => sheet.unread(&entry),
            true => sheet.fail_covered(&entry, Remedy::Do("put it into a Secret")),
            false if data.texts().is_template(key) => sheet.unread(&entry),
            false => {}
        }
    }
    let binary = scene.root.at("binaryData");
    binary.fields().for_each(|(key, entry)| judge_binary(key, &entry, &shapes, sheet));
}

/// Judges what stands in base64. What is no text is looked at by nobody here: it may be a key in any form.
fn judge_binary(key: &str, entry: &Place<'_>, shapes: &Shapes, sheet: &mut Sheet) {
    let bytes = match entry.word() {
        Field::Is(text) if !entry.texts().is_template(key) => {
            let flat: String = text.split_ascii_whitespace().collect();
            STANDARD.decode(flat).ok()
        }
        Field::Absent => return,
        Field::Is(_) | Field::Unreadable => None,
    };
    let Some(bytes) = bytes else { return sheet.unread(entry) };
    let is_named = !bytes.is_empty() && is_secret_name(key);
    let is_secret = is_named
        || shapes.fit(&String::from_utf8_lossy(&bytes)).unwrap_or_else(|gap| {
            sheet.missing(entry, gap);
            false
        });
    let is_text = std::str::from_utf8(&bytes).is_ok_and(|text| !text.contains('\0'));
    if is_secret {
        sheet.fail_covered(entry, Remedy::Do("put it into a Secret"));
    } else if !is_text {
        let said = "what this holds is no text, and may be a key".to_owned();
        let closes = "put it into a Secret, or into an image if it is none".to_owned();
        sheet.missing(entry, Gap { said, closes });
    }
}
