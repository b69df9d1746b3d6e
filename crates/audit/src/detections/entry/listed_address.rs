//! A request came from an address that somebody warns of.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Fed = Fed {
    feed: Feed::ListedAddresses,
    detection: Detection {
        id: "detect/listed-address",
        title: "A request came from an address that somebody warns of",
        severity: Severity::High,
        because: "it is known for attacks on others",
        attack: &["T1078"],
        needs: &[others(&[], Of::Anything, Level::Metadata)],
        doc: include_str!("listed_address.md"),
        judge: Judge::Each(judge),
    },
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let address = scene.address().filter(|it| scene.feeds.is_listed(*it))?;
    Some(format!("a request from {address}, which is on the list of addresses to be wary of"))
}
