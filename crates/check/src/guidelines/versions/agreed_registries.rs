//! Images come from where the site agreed on.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::{Container, PodScene};

use super::image::Image;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "versions/agreed-registries",
    title: "An image comes from a registry that its site agreed on",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/containers/images/")],
    doc: include_str!("agreed_registries.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    sheet.spare("no registries are agreed on");
    for (number, agreed) in pod.whole.objects.of_kind("Conventions") {
        let root = Place::new(&agreed.pointer, Some(agreed.value));
        let spec = root.at("spec");
        let registries = spec.entry("registries");
        match registries.list() {
            Field::Absent => continue,
            Field::Unreadable => sheet.unread_in(number, &registries),
            Field::Is(_) => judge_image(&container.place.at("image"), (number, &registries), sheet),
        }
    }
}

fn judge_image(image: &Place<'_>, (number, agreed): (usize, &Place<'_>), sheet: &mut Sheet) {
    let Field::Is(name) = image.word() else { return sheet.unread(image) };
    let whole = match Image::of(name).registry {
        Some(_) => name.to_owned(),
        None => format!("docker.io/{name}"),
    };
    for registry in agreed.items() {
        match registry.word() {
            Field::Is(word) if is_from(&whole, word) => return sheet.pass(image),
            Field::Is(_) => {}
            Field::Absent | Field::Unreadable => return sheet.unread_in(number, &registry),
        }
    }
    sheet.fail(image, Remedy::Do("take the image from a registry that was agreed on"));
}

/// Whether an image is below a registry, or a path of one.
fn is_from(image: &str, registry: &str) -> bool {
    let rest = image.strip_prefix(registry.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::is_from;

    #[test]
    fn a_registry_is_meant_whole() {
        for (image, registry, expected) in [
            ("docker.io/nginx", "docker.io", true),
            ("docker.io/nginx", "docker.io/", true),
            ("docker.io.evil.com/nginx", "docker.io", false),
            ("example.com/team/web", "example.com/team", true),
            ("example.com/teams/web", "example.com/team", false),
            ("localhost:5000/web", "localhost", false),
        ] {
            assert_eq!(is_from(image, registry), expected, "{image} {registry}");
        }
    }
}
