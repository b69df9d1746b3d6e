//! A command asked the metadata service of the cloud.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/exec-asks-metadata",
    title: "A command asked the metadata service of the cloud",
    severity: Severity::High,
    because: "it hands out the credentials of the machine",
    attack: &["T1552.005"],
    needs: &[EXEC],
    doc: include_str!("exec_asks_metadata.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let command = command(scene)?;
    let is_it = [
        "169.254.169.254",
        "metadata.google.internal",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fd00:c1::a9fe:a9fe",
        "fd00:42::42",
        "100.100.100.200",
        "168.63.129.16",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
    ]
    .iter()
    .any(|host| command.contains(host));
    is_it.then(|| "a command asks the metadata service of the cloud".to_owned())
}
