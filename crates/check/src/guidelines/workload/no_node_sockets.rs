//! No pod speaks to the node's programs by their sockets.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::host_path::{each_of_volume, each_volume, holds_runtime};
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Place;
use crate::scene::{PodScene, Scene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-node-sockets",
    title: "No pod speaks to the programs of its node by their sockets",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("no_node_sockets.md"),
    judge: Judge::Volumes(judge, judge_volume),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    each_volume(pod, sheet, judge_source);
}

fn judge_volume(volume: &Scene<'_>, sheet: &mut Sheet) {
    each_of_volume(volume, sheet, judge_source);
}

fn judge_source(source: &Place<'_>, sheet: &mut Sheet) {
    let (kind, path) = (source.entry("type"), source.entry("path"));
    sheet.expect(&kind, kind.word(), |it| it != Some("Socket"), Remedy::LeaveOut);
    let is_socket = |it: &str| it.trim_end_matches('/').ends_with(".sock") || holds_runtime(it);
    let is_none = |it: Option<&str>| it.is_none_or(|it| !is_socket(it));
    sheet.expect(&path, path.word(), is_none, Remedy::LeaveOut);
}
