//! Objects say of themselves what their site agreed on.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::admission;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::kinds::NAMES;
use crate::place::{Field, Place};
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/agreed-metadata",
    title: "An object has the labels and annotations that its site agreed on",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/overview/working-with-objects/common-labels/")],
    doc: include_str!("agreed_metadata.md"),
    judge: Judge::Object(&NAMES, judge),
};

fn judge(scene: &Scene<'_>, sheet: &mut Sheet) {
    sheet.spare("nothing is agreed on for such objects");
    let kind = scene.object.kind;
    let own = scene.metadata;
    scene.objects.each_agreed(|number, agreed| {
        for part in ["labels", "annotations"] {
            let asked = agreed.entry(part);
            if matches!(asked.list(), Field::Unreadable) {
                sheet.unread_in(number, &asked);
            }
            for one in asked.items() {
                let one = Agreed { number, one: &one };
                one.judge(kind.name, &own.at(part), sheet);
                // The template of a pod is the pod itself.
                if kind.template.is_some_and(|template| !template.is_empty()) {
                    scene.with_template(|template| {
                        one.judge("Pod", &template.at("metadata").at(part), sheet);
                    });
                }
            }
        }
    });
}

/// One thing that is agreed on, and the number of the object that says so.
struct Agreed<'a> {
    number: usize,
    one: &'a Place<'a>,
}

impl Agreed<'_> {
    /// Judges the labels or annotations of an object of a kind.
    fn judge(&self, kind: &str, entries: &Place<'_>, sheet: &mut Sheet) {
        let (kinds, key, like) = (self.one.at("kinds"), self.one.at("key"), self.one.entry("like"));
        match is_among(&kinds, kind) {
            Some(true) => {}
            Some(false) => return,
            None => return sheet.unread_in(self.number, &kinds),
        }
        let Field::Is(name) = key.word() else { return sheet.unread_in(self.number, &key) };
        let entry = entries.entry(name);
        match (entry.word(), like.word()) {
            (_, Field::Unreadable) => sheet.unread_in(self.number, &like),
            (Field::Unreadable, _) => sheet.unread(&entry),
            (Field::Absent, _) => sheet.fail(&entry, INSTEAD),
            (Field::Is(_), Field::Absent) => sheet.pass(&entry),
            (Field::Is(word), Field::Is(pattern)) => match admission::matches(pattern, word) {
                Ok(true) => sheet.pass(&entry),
                Ok(false) => sheet.fail(&entry, INSTEAD),
                Err(_) => sheet.unread_in(self.number, &like),
            },
        }
    }
}

/// Whether a kind is in a list; nothing where that cannot be read.
fn is_among(kinds: &Place<'_>, kind: &str) -> Option<bool> {
    let mut answer = matches!(kinds.list(), Field::Is(_)).then_some(false);
    for item in kinds.items() {
        match item.word() {
            Field::Is(word) if word == kind => return Some(true),
            Field::Is(_) => {}
            Field::Absent | Field::Unreadable => answer = None,
        }
    }
    answer
}

const INSTEAD: Remedy = Remedy::Do("write what the site agreed on");
