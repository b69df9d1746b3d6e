//! A command opened a shell to the outside.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/exec-opens-reverse-shell",
    title: "A command opened a shell to the outside",
    severity: Severity::Critical,
    because: "somebody outside has a shell in the container",
    attack: &["T1059"],
    needs: &[EXEC],
    doc: include_str!("exec_opens_reverse_shell.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let command = command(scene)?;
    let is_it = is_reverse_shell(&command);
    is_it.then(|| "a command opens a shell to the outside".to_owned())
}
