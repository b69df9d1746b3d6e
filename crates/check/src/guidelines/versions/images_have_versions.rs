//! Images are named with a version.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::image::Image;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "versions/images-have-versions",
    title: "An image is named with a version",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/containers/images/")],
    doc: include_str!("images_have_versions.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    pod.each_image(|place| {
        Image::judge(
            place,
            sheet,
            |image| image.digest.is_some() || image.tag.is_some_and(|tag| tag != "latest"),
            Remedy::Do("write a version or a digest"),
        );
    });
}
