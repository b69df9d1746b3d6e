//! Nobody writes into /etc/hosts.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-host-aliases",
    title: "Names are not answered by the pod itself",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/network/customize-hosts-file-for-pods/")],
    doc: include_str!("no_host_aliases.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let aliases = pod.spec.at("hostAliases");
    let is_empty = |it: Option<&[_]>| it.is_none_or(<[_]>::is_empty);
    sheet.expect(&aliases, aliases.list(), is_empty, Remedy::LeaveOut);
}
