//! A hook or probe runs a command.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/command-in-hook",
    title: "A hook or probe runs a command",
    severity: Severity::Low,
    because: "it runs beside what the image is known for",
    attack: &["T1546"],
    needs: &[POD_WRITTEN],
    doc: include_str!("command_in_hook.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let pod = scene.pod()?;
    pod.container(
        |container| {
            let lifecycle = container.at("lifecycle");
            let hooks = ["postStart", "preStop"].map(|hook| lifecycle.at(hook));
            let is_shell = |hook: &&Node<'_>| {
                hook.along(&["exec", "command"])
                    .texts()
                    .any(|word| word.contains("://") || is_reverse_shell(word))
            };
            hooks.iter().any(is_shell)
                || ["livenessProbe", "readinessProbe", "startupProbe"]
                    .iter()
                    .any(|probe| is_shell(&container.at(probe)))
        },
        "has a hook or a probe that reaches out",
    )
}
