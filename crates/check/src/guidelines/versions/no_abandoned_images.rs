//! No image is of a program or a registry that its makers gave up.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "versions/no-abandoned-images",
    title: "No image comes from where nobody mends it any more",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/containers/images/")],
    doc: include_str!("no_abandoned_images.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    pod.each_image(|image| judge_one(image, sheet));
}

fn judge_one(place: &Place<'_>, sheet: &mut Sheet) {
    match place.word() {
        Field::Is(name) if is_abandoned(name) => {
            sheet.fail(place, Remedy::Do("use what its makers point to instead"));
        }
        Field::Is(_) => sheet.pass(place),
        Field::Absent | Field::Unreadable => sheet.unread(place),
    }
}

fn is_abandoned(name: &str) -> bool {
    let name = name.split('@').next().unwrap_or_default();
    let (path, last) = name.rsplit_once('/').unwrap_or(("", name));
    let whole = format!("/{path}/{}", last.split(':').next().unwrap_or_default());
    REGISTRIES.iter().any(|it| name.starts_with(it))
        || PROGRAMS.iter().any(|it| whole.ends_with(it))
}

/// Kubernetes' old registry: nothing came to it after April 2023.
const REGISTRIES: [&str; 1] = ["k8s.gcr.io/"];

/// Programs that are mended no more: ingress-nginx retired in March 2026, and was `nginx-ingress-controller` before;
/// Kubernetes Dashboard was archived in January 2026.
const PROGRAMS: [&str; 3] =
    ["/ingress-nginx/controller", "/kubernetesui/dashboard", "/nginx-ingress-controller"];
