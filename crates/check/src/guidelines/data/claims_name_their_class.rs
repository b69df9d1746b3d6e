//! Claims say what keeps their data.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::Scene;
use crate::world::Namespace;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "data/claims-name-their-class",
    title: "A claim of storage names a class that is there",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/storage/storage-classes/")],
    doc: include_str!("claims_name_their_class.md"),
    judge: Judge::Object(&["PersistentVolumeClaim", "StatefulSet"], judge),
};

fn judge(scene: &Scene<'_>, sheet: &mut Sheet) {
    let spec = scene.root.at("spec");
    if scene.object.kind.name == "PersistentVolumeClaim" {
        return judge_claim(scene, &spec, sheet);
    }
    sheet.spare("it claims no storage");
    let claims = spec.at("volumeClaimTemplates");
    if matches!(claims.list(), Field::Unreadable) {
        sheet.unread(&claims);
    }
    claims.items().for_each(|claim| judge_claim(scene, &claim.at("spec"), sheet));
}

fn judge_claim(scene: &Scene<'_>, claim: &Place<'_>, sheet: &mut Sheet) {
    let place = claim.at("storageClassName");
    match place.word() {
        Field::Unreadable => sheet.unread(&place),
        Field::Absent => sheet.fail(&place, Remedy::Do("name the class")),
        // It takes a volume that somebody made.
        Field::Is("") => sheet.pass(&place),
        Field::Is(name) => match scene.objects.find("StorageClass", Namespace::Beside, name) {
            Some(_) => sheet.pass(&place),
            None => match scene.objects.complete("StorageClass", Namespace::Beside) {
                Ok(()) => sheet.fail(&place, Remedy::Do("name a class that is there")),
                Err(gap) => sheet.missing(&place, gap),
            },
        },
    }
}
