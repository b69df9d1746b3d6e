//! What is shown to the outside speaks TLS.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/ingress-by-tls",
    title: "What an Ingress shows to the outside speaks TLS",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/services-networking/ingress/")],
    doc: include_str!("ingress_by_tls.md"),
    judge: Judge::Object(&["Ingress"], judge),
};

fn judge(ingress: &Scene<'_>, sheet: &mut Sheet) {
    let spec = ingress.root.at("spec");
    let tls = spec.at("tls");
    let is_set = |it: Option<&[_]>| it.is_some_and(|it| !it.is_empty());
    sheet.expect(
        &tls,
        tls.list(),
        is_set,
        Remedy::Do("name hosts and the Secret of their certificate"),
    );
}
