//! A command fetched something from the outside.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/exec-downloads",
    title: "A command fetched something from the outside",
    severity: Severity::Medium,
    because: "it is how tools are brought in",
    attack: &["T1105"],
    needs: &[EXEC],
    doc: include_str!("exec_downloads.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let command = command(scene)?;
    let is_it = ["curl ", "wget ", "fetch "].iter().any(|tool| command.contains(tool))
        && ["http://", "https://", "ftp://"].iter().any(|at| command.contains(at));
    is_it.then(|| "a command fetches something by its address".to_owned())
}
