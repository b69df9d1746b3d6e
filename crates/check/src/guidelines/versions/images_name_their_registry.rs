//! Images say where they come from.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::image::Image;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "versions/images-name-their-registry",
    title: "An image says which registry it comes from",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/containers/images/")],
    doc: include_str!("images_name_their_registry.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    pod.each_image(|place| {
        Image::judge(
            place,
            sheet,
            |image| image.registry.is_some(),
            Remedy::Do("write the registry before the name"),
        );
    });
}
