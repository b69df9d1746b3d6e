//! No program is a release by which strangers come in.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::PodScene;

use super::image::Image;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "versions/no-known-holes",
    title: "No image is a release with a published hole by which strangers come in",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/containers/images/")],
    doc: include_str!("no_known_holes.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    pod.each_image(|image| judge_one(image, sheet));
}

fn judge_one(place: &Place<'_>, sheet: &mut Sheet) {
    match place.word() {
        Field::Is(name) if is_open(name) => {
            sheet.fail(place, Remedy::Do("run a release that its makers still mend"));
        }
        Field::Is(_) => sheet.pass(place),
        Field::Absent | Field::Unreadable => sheet.unread(place),
    }
}

/// Whether an image names a release with one of the holes. A tag that is no release says nothing.
fn is_open(name: &str) -> bool {
    let path = name.split('@').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let program = last.split(':').next().unwrap_or_default();
    let Some(release) = Image::of(name).tag.and_then(release) else { return false };
    HOLES.iter().any(|hole| hole.program == program && (hole.since..hole.mended).contains(&release))
}

/// Reads a tag such as `v2.1.8`.
fn release(tag: &str) -> Option<Release> {
    let mut parts = tag.strip_prefix('v').unwrap_or(tag).split('.').map(|it| it.parse().ok());
    let release = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(release)
}

type Release = (u32, u32, u32);

/// Releases of a program with a hole: from the first until the one that is mended.
struct Hole {
    program: &'static str,
    since: Release,
    mended: Release,
}

const fn hole(program: &'static str, since: Release, mended: Release) -> Hole {
    Hole { program, since, mended }
}

/// CVE-2022-24348 of Argo CD, CVE-2022-47633 of Kyverno and CVE-2022-39328 of Grafana.
const HOLES: [Hole; 4] = [
    hole("argocd", (0, 0, 0), (2, 1, 9)),
    hole("argocd", (2, 2, 0), (2, 2, 4)),
    hole("grafana", (9, 2, 0), (9, 2, 4)),
    hole("kyverno", (1, 8, 3), (1, 8, 5)),
];

#[cfg(test)]
mod tests {
    use super::is_open;

    #[test]
    fn a_release_is_open_until_it_is_mended() {
        for (name, expected) in [
            ("argocd:v2.1.8", true),
            ("quay.io/argoproj/argocd:v2.2.0", true),
            ("quay.io/argoproj/argocd:v2.1.9", false),
            ("quay.io/argoproj/argocd:v2.1", false),
            ("quay.io/argoproj/argocd:v2.1.0-rc1", false),
            ("example.com/myargocd:v1.8.7", false),
            ("ghcr.io/kyverno/kyverno:v1.8.4", true),
            ("ghcr.io/kyverno/kyverno:v1.8.5", false),
            ("argocd", false),
        ] {
            assert_eq!(is_open(name), expected, "{name}");
        }
    }
}
