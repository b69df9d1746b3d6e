//! What is asked of every probe.

use crate::fault::Remedy;
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene, Stage};

/// Judges whether a container that runs as long as its pod has a probe.
pub(super) fn judge(pod: &PodScene<'_>, container: &Container<'_>, name: &str, sheet: &mut Sheet) {
    if pod.ends() || container.stage != Stage::Always {
        return sheet.spare("it is meant to come to an end");
    }
    let probe = container.place.at(name);
    let is_set = |it: Option<&serde_json::Map<_, _>>| it.is_some_and(|it| !it.is_empty());
    sheet.expect(&probe, probe.object(), is_set, Remedy::Do("write a probe"));
}
