//! What comes from the node cannot be changed.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/host-paths-read-only",
    title: "What comes from the node cannot be changed by a pod",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/storage/volumes/")],
    doc: include_str!("host_paths_read_only.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    let mounts = container.place.at("volumeMounts");
    sheet.pass(&mounts);
    for mount in mounts.items() {
        match is_host_path(pod, mount.at("name").word()) {
            Some(false) => {}
            Some(true) => {
                let flag = mount.at("readOnly");
                sheet.expect(&flag, flag.boolean(), |it| it == Some(true), Remedy::Write(true));
            }
            None => sheet.unread(&mount.at("name")),
        }
    }
}

/// Whether the volume of a name is a path of the node; nothing where that cannot be read.
fn is_host_path(pod: &PodScene<'_>, name: Field<&str>) -> Option<bool> {
    let Field::Is(name) = name else { return None };
    let mut answer = Some(false);
    for volume in pod.spec.at("volumes").items() {
        match volume.at("name").word() {
            Field::Is(it) if it == name => {
                return Some(volume.at("hostPath").value() != Field::Absent);
            }
            Field::Is(_) => {}
            Field::Absent | Field::Unreadable => answer = None,
        }
    }
    answer
}
