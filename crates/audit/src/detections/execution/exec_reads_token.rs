//! A command read a token or a key.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/exec-reads-token",
    title: "A command read a token or a key",
    severity: Severity::High,
    because: "the token works from elsewhere",
    attack: &["T1552.007"],
    needs: &[EXEC],
    doc: include_str!("exec_reads_token.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let command = command(scene)?;
    let is_token = command.contains("serviceaccount") && command.contains("token");
    let is_it = is_token
        || [
            "secrets/eks.amazonaws.com",
            ".kube/config",
            "/etc/kubernetes/",
            "/var/lib/kubelet/",
            "id_rsa",
            ".aws/credentials",
            "/etc/shadow",
        ]
        .iter()
        .any(|path| command.contains(path));
    is_it.then(|| "a command names a file with credentials".to_owned())
}
