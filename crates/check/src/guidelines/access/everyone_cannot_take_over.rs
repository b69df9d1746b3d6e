//! Who is merely known to the cluster does not get it.

use ringfort_model::judgement::Gap;
use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::subject::{each_subject, is_everybody};
use super::takeover::takes_over;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/everyone-cannot-take-over",
    title: "No right by which the cluster is taken over is given to everybody",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("everyone_cannot_take_over.md"),
    judge: Judge::Object(&["ClusterRoleBinding"], judge),
};

fn judge(binding: &Scene<'_>, sheet: &mut Sheet) {
    let answer = takes_over(binding.objects, &binding.root.at("roleRef"));
    each_subject(binding, sheet, |subject, place, sheet| match (is_everybody(subject), answer) {
        (false, _) | (true, Some(false)) => sheet.pass(place),
        (true, Some(true)) => sheet.fail(place, Remedy::LeaveOut),
        (true, None) => sheet.missing(
            place,
            Gap {
                said: format!("what is given to {} is not known", subject.name),
                closes: "give every ClusterRole".to_owned(),
            },
        ),
    });
}
