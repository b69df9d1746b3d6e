//! Images come from where the site agreed on.

use ringfort_model::image::is_from;
use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "versions/agreed-registries",
    title: "An image comes from a registry that its site agreed on",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/containers/images/")],
    doc: include_str!("agreed_registries.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    sheet.spare("no registries are agreed on");
    pod.whole.objects.each_agreed(|number, agreed| {
        let registries = agreed.entry("registries");
        match registries.list() {
            Field::Absent => {}
            Field::Unreadable => sheet.unread_in(number, &registries),
            Field::Is(_) => {
                pod.each_image(|image| judge_image(image, (number, &registries), sheet));
            }
        }
    });
}

fn judge_image(image: &Place<'_>, (number, agreed): (usize, &Place<'_>), sheet: &mut Sheet) {
    let Field::Is(name) = image.word() else { return sheet.unread(image) };
    for registry in agreed.items() {
        match registry.word() {
            Field::Is(word) if is_from(name, word) => return sheet.pass(image),
            Field::Is(_) => {}
            Field::Absent | Field::Unreadable => return sheet.unread_in(number, &registry),
        }
    }
    sheet.fail(image, Remedy::Do("take the image from a registry that was agreed on"));
}
