//! Nobody runs an older image than the one that is meant.

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
    id: "versions/images-are-pulled",
    title: "A container runs the image that the registry has",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/containers/images/")],
    doc: include_str!("images_are_pulled.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    pod.each_container(|container| {
        let place = container.place;
        judge_one((&place.at("imagePullPolicy"), &place.at("image")), sheet);
    });
    pod.each_image_volume(|volume| {
        judge_one((&volume.at("pullPolicy"), &volume.at("reference")), sheet);
    });
}

fn judge_one((policy, image): (&Place<'_>, &Place<'_>), sheet: &mut Sheet) {
    match (policy.word(), image.word()) {
        (Field::Is("Always"), _) => sheet.pass(policy),
        (Field::Unreadable, _) => sheet.unread(policy),
        (Field::Absent, Field::Is(name)) if Image::of(name).is_fixed_or_newest() => {
            sheet.pass(policy);
        }
        (Field::Absent, Field::Unreadable | Field::Absent) => sheet.unread(image),
        _ => sheet.fail(policy, Remedy::WriteOneOf(&["Always"])),
    }
}
