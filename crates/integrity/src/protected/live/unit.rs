//! The paths in a unit of systemd: what it runs, and the files that it takes its environment from. Pure.

/// Where units lie.
pub(super) const DIRECTORIES: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// Gives the absolute paths that a unit names, but for those that are filled in later. What programs are given is seen
/// when they run.
pub(super) fn paths(text: &str) -> Vec<String> {
    let whole = text.replace("\\\n", " ");
    let lines = whole.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let settings = lines.filter_map(|line| line.split_once('='));
    let named = settings.filter_map(|(key, value)| match key.trim() {
        "EnvironmentFile" => Some(value.trim().trim_start_matches('-')),
        key if key.starts_with("Exec") => value.split_whitespace().next().map(program),
        _ => None,
    });
    let is_plain = |path: &&str| path.starts_with('/') && !path.contains(['%', '$', '*', '?', '[']);
    named.filter(is_plain).map(str::to_owned).collect()
}

/// Takes the marks of systemd and the quotes from a program.
fn program(word: &str) -> &str {
    word.trim_matches(['"', '\'']).trim_start_matches(['@', '-', ':', '+', '!', '|'])
}

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn what_a_unit_runs_and_reads_is_named() {
        let unit = "[Unit]\nDocumentation=file:/usr/share/doc\n[Service]\n# ExecStart=/no\n\
                    EnvironmentFile=-/etc/default/kubelet\nEnvironmentFile=/etc/*.env\n\
                    ExecStartPre=-/sbin/modprobe overlay\n\
                    ExecStart=!/usr/bin/kubelet --token=/secret \\\n  --a /b $ARGS --x=%h/y\n";
        let expected = ["/etc/default/kubelet", "/sbin/modprobe", "/usr/bin/kubelet"];
        assert_eq!(paths(unit), expected);
    }
}
