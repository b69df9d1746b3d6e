//! A request came out of Tor.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Fed = Fed {
    feed: Feed::TorExits,
    detection: Detection {
        id: "detect/tor-exit",
        title: "A request came out of Tor",
        severity: Severity::High,
        because: "nobody who is meant to be there hides where they come from",
        attack: &["T1090.003"],
        needs: &[others(&[], Of::Anything, Level::Metadata)],
        doc: include_str!("tor_exit.md"),
        judge: Judge::Each(judge),
    },
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let address = scene.address().filter(|it| scene.feeds.is_tor_exit(*it))?;
    Some(format!("a request that Tor let out at {address}"))
}
