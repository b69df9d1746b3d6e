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
            let all = [container.at("image").text()]
                .into_iter()
                .chain(words)
                .collect::<Vec<_>>()
                .join(" ");
            let all = all.to_ascii_lowercase();
            [
                "xmrig",
                "minerd",
                "stratum+tcp://",
                "stratum+ssl://",
                "ethminer",
                "cpuminer",
                "nicehash",
                "kinsing",
            ]
            .iter()
            .any(|it| all.contains(it))
        },
        "runs a miner",
    )
}
