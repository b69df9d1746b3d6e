//! No Service takes addresses of others.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/services-without-external-ips",
    title: "No Service takes addresses that the cluster does not give",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/services-networking/service/")],
    doc: include_str!("services_without_external_ips.md"),
    judge: Judge::Object(&["Service"], judge),
};

fn judge(service: &Scene<'_>, sheet: &mut Sheet) {
    let spec = service.root.at("spec");
    let addresses = spec.at("externalIPs");
    let is_empty = |it: Option<&[_]>| it.is_none_or(<[_]>::is_empty);
    sheet.expect(&addresses, addresses.list(), is_empty, Remedy::LeaveOut);
}
