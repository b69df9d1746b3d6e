//! A command asked the metadata service of the cloud.

use ringfort_model::metadata::ENDPOINTS;

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
    let is_named = OTHERWISE.iter().any(|host| command.contains(host))
        || ENDPOINTS.iter().any(|it| command.contains(&it.address.to_string()));
    is_named.then(|| "a command asks the metadata service of the cloud".to_owned())
}

/// What else these addresses are called.
const OTHERWISE: [&str; 4] =
    ["metadata.google.internal", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376"];
