//! Nodes run what is still mended.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;
use ringfort_model::version::Minor;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "versions/kubelets-are-supported",
    title: "A node runs a version of Kubernetes that is still mended",
    severity: Severity::High,
    refs: &[Ref::Docs("setup/release/version-skew-policy/")],
    doc: include_str!("kubelets_are_supported.md"),
    judge: Judge::Object(&["Node"], judge),
};

fn judge(node: &Scene<'_>, sheet: &mut Sheet) {
    let status = node.root.at("status");
    let seen = status.at("nodeInfo");
    let version = seen.at("kubeletVersion");
    match version.word() {
        Field::Is(word) => match minor(word) {
            Some(minor) if minor >= Minor::ALL[0].number() => sheet.pass(&version),
            Some(_) => sheet.fail(&version, Remedy::Do("upgrade the node")),
            None => sheet.unread(&version),
        },
        Field::Absent => sheet.spare("it does not say what it runs"),
        Field::Unreadable => sheet.unread(&version),
    }
}

/// Gives the minor of a version such as `v1.36.2`.
fn minor(version: &str) -> Option<u32> {
    let rest = version.strip_prefix("v1.")?;
    rest.split(['.', '-', '+']).next()?.parse().ok()
}
