//! Programs cannot be changed while they run.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/read-only-root",
    title: "A container cannot change the files of its image",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/configure-pod-container/security-context/")],
    doc: include_str!("read_only_root.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    if pod.is_for_windows() {
        return sheet.spare("Windows cannot run so");
    }
    let flag = container.security.at("readOnlyRootFilesystem");
    sheet.expect(&flag, flag.boolean(), |it| it == Some(true), Remedy::Write(true));
}
