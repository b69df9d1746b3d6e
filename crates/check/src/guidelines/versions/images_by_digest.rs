//! Images are named by what is in them.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::image::Image;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "versions/images-by-digest",
    title: "An image is named by its digest",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/containers/images/")],
    doc: include_str!("images_by_digest.md"),
    judge: Judge::Container(judge),
};

fn judge(_: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    let place = container.place.at("image");
    Image::judge(
        &place,
        sheet,
        |image| image.digest.is_some(),
        Remedy::Do("name the image by its digest"),
    );
}
