//! Images are named by what is in them.

use ringfort_model::image::is_from;
use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::image::Image;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "versions/images-by-digest",
    title: "An image is named by its digest",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/containers/images/")],
    doc: include_str!("images_by_digest.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    pod.each_image(|image| judge_one(pod, image, sheet));
}

fn judge_one(pod: &PodScene<'_>, place: &Place<'_>, sheet: &mut Sheet) {
    let Field::Is(name) = place.word() else { return sheet.unread(place) };
    let image = Image::of(name);
    if image.digest.is_some() {
        return sheet.pass(place);
    }
    match image.tag.map_or(Some(false), |_| is_fixed(pod, name, sheet)) {
        Some(true) => sheet.pass(place),
        Some(false) => sheet.fail(place, Remedy::Do("name the image by its digest")),
        None => {}
    }
}

/// Whether the site says of the image's registry that it moves no tag; where that cannot be read, the sheet says so.
fn is_fixed(pod: &PodScene<'_>, name: &str, sheet: &mut Sheet) -> Option<bool> {
    let (mut is_fixed, mut is_read) = (false, true);
    pod.whole.objects.each_agreed(|number, agreed| {
        let registries = agreed.entry("fixedTags");
        if registries.list() == Field::Unreadable {
            sheet.unread_in(number, &registries);
            is_read = false;
        }
        for registry in registries.items() {
            match registry.word() {
                Field::Is(word) => is_fixed |= is_from(name, word),
                Field::Absent | Field::Unreadable => {
                    sheet.unread_in(number, &registry);
                    is_read = false;
                }
            }
        }
    });
    (is_fixed || is_read).then_some(is_fixed)
}
