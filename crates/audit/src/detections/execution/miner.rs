//! A miner of coins was started.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/miner",
    title: "A miner of coins was started",
    severity: Severity::High,
    because: "it takes what the cluster has, and shows that somebody else is in it",
    attack: &["T1496"],
    needs: &[POD_WRITTEN],
    doc: include_str!("miner.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    pod.container(
        |container| {
            let words = ["command", "args"].into_iter().flat_map(|key| container.at(key).texts());
            let mut all = std::iter::once(container.at("image").text()).chain(words);
            all.any(|text| word_in(text, &MINERS).is_some())
        },
        "runs a miner",
    )
}

/// Parts of the names of miners, and of what they are told.
const MINERS: [&str; 8] = [
    "xmrig",
    "minerd",
    "stratum+tcp://",
    "stratum+ssl://",
    "ethminer",
    "cpuminer",
    "nicehash",
    "kinsing",
];
