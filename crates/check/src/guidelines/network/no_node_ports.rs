//! No Service takes a port of every node.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/no-node-ports",
    title: "No Service takes a port of every node",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/services-networking/service/")],
    doc: include_str!("no_node_ports.md"),
    judge: Judge::Object(&["Service"], judge),
};

fn judge(service: &Scene<'_>, sheet: &mut Sheet) {
    let spec = service.root.at("spec");
    let kind = spec.at("type");
    sheet.expect(
        &kind,
        kind.word(),
        |it| it != Some("NodePort"),
        Remedy::WriteOneOf(&["ClusterIP"]),
    );
}
