//! What a person may try when the demo is up: a `kubectl` that reaches the machines, and commands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// Writes a small script that runs `kubectl` where the machines can be reached.
pub(crate) fn write_kubectl(
    script: &Path,
    inside: &[&Path],
    kubectl: &Path,
    kubeconfig: &Path,
) -> Result<PathBuf> {
    let inside: Vec<_> = inside.iter().map(|word| quoted(word)).collect();
    let (inside, kubectl, kubeconfig) = (inside.join(" "), quoted(kubectl), quoted(kubeconfig));
    let text = format!("#!/bin/sh\nexec {inside} {kubectl} --kubeconfig {kubeconfig} \"$@\"\n");
    fs::write(script, text)
        .and_then(|()| fs::set_permissions(script, fs::Permissions::from_mode(0o755)))
        .map_err(|source| Failure::at("write", script, &source))?;
    Ok(script.to_owned())
}

/// The last words of the demo: where the kubeconfig is and what to try next.
pub(crate) fn farewell(
    root: &Path,
    kubeconfig: &Path,
    kubectl: &Path,
    ringfort: &Path,
    lab: &str,
) -> String {
    let here = |path: &Path| quoted(path.strip_prefix(root).unwrap_or(path));
    let (kubeconfig, kubectl, ringfort) = (here(kubeconfig), here(kubectl), here(ringfort));
    format!(
        "\nkubeconfig: {kubeconfig}\n\n\
         Worth trying next, from this directory:\n\n  \
         {kubectl} get nodes -o wide\n  \
         {kubectl} apply -f examples/sample.yaml && {kubectl} -n sample rollout status deployment/hello\n  \
         {ringfort} lab stop {lab} cp2 --hard && {kubectl} get nodes\n\n\
         The last one pulls the plug of a control plane; `{ringfort} lab start {lab}` puts it back.\n\
         cargo xtask demo --down takes it all away."
    )
}

/// A path as one word of the shell.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |each: char| each.is_ascii_alphanumeric() || "/._-+=:@".contains(each);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        assert_eq!(quoted(Path::new(path)), expected);
    }

    #[test]
    fn paths_are_one_word_of_the_shell_each() {
        check("/srv/demo/kubectl", "/srv/demo/kubectl");
        check("/srv/my demo", "'/srv/my demo'");
        check("it's", "'it'\\''s'");
        check("", "''");
    }

    #[test]
    fn paths_of_the_checkout_are_shown_from_its_root() {
        let text = farewell(
            Path::new("/srv/ringfort"),
            Path::new("/srv/ringfort/.ringfort/demo/admin.conf"),
            Path::new("/srv/ringfort/.ringfort/demo/kubectl"),
            Path::new("/cache/ringfort"),
            "demo",
        );
        assert!(text.contains("\nkubeconfig: .ringfort/demo/admin.conf\n"), "{text}");
        assert!(text.contains("\n  /cache/ringfort lab stop demo cp2 --hard "), "{text}");
    }
}
