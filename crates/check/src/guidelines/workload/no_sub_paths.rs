//! No part of a volume is mounted by its path.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-sub-paths",
    title: "No part of a volume is mounted by its path",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/storage/volumes/")],
    doc: include_str!("no_sub_paths.md"),
    judge: Judge::Container(judge),
};

fn judge(_: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    let mounts = container.place.at("volumeMounts");
    sheet.pass(&mounts);
    for mount in mounts.items() {
        for key in ["subPath", "subPathExpr"] {
            let path = mount.at(key);
            sheet.expect(&path, path.text(), |it| it.is_none_or(str::is_empty), Remedy::LeaveOut);
        }
    }
}
