//! No volume is a path that leads to the node itself.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::host_path::{each_host_path, each_of_volume, is_of_system};
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Place;
use crate::scene::{PodScene, Scene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-sensitive-host-paths",
    title: "No volume is a path that leads to the node itself",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("no_sensitive_host_paths.md"),
    judge: Judge::Volumes(judge, judge_volume),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    each_host_path(pod, sheet, judge_path);
}

fn judge_volume(volume: &Scene<'_>, sheet: &mut Sheet) {
    each_of_volume(volume, sheet, |source, sheet| judge_path(&source.entry("path"), sheet));
}

fn judge_path(path: &Place<'_>, sheet: &mut Sheet) {
    let is_good = |path: Option<&str>| path.is_some_and(|path| !is_of_system(path));
    let instead = Remedy::Do("use a volume that is no path of the node");
    sheet.expect(path, path.word(), is_good, instead);
}
