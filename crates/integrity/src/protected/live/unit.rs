//! The paths in a unit of systemd: what it runs, and the files that it takes its environment from. Pure.

/// Where units lie.
pub(super) const DIRECTORIES: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// Gives the absolute paths that the unit of a component names, but for those that are filled in later. What the component
/// is given is seen when it runs; of what else the unit runs, it is seen here alone.
pub(super) fn paths(text: &str, component: &str) -> Vec<String> {
    let whole = text.replace("\\\n", " ");
    let lines = whole.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let settings = lines.filter_map(|line| line.split_once('='));
    let named = settings.flat_map(|(key, value)| match key.trim() {
        "EnvironmentFile" => vec![value.trim().trim_start_matches('-')],
        key if key.starts_with("Exec") => run(key, value, component),
        _ => Vec::new(),
    });
    let is_plain = |path: &&str| path.starts_with('/') && !path.contains(['%', '$', '*', '?', '[']);
    named.filter(is_plain).map(str::to_owned).collect()
}

/// Gives the words of a command that may be paths: a shell runs what stands behind it.
fn run<'t>(key: &str, value: &'t str, component: &str) -> Vec<&'t str> {
    let mut words = value.split_whitespace().map(plain);
    let Some(first) = words.next() else { return Vec::new() };
    let is_component = key == "ExecStart" && first.rsplit('/').next() == Some(component);
    [first].into_iter().chain(words.filter(|_| !is_component)).collect()
}

/// Takes the marks of systemd, and the quotes and ends of a shell's commands, from a word.
fn plain(word: &str) -> &str {
    let word = word.trim_start_matches(['"', '\'']).trim_end_matches(['"', '\'', ';']);
    word.trim_start_matches(['@', '-', ':', '+', '!', '|'])
}

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn what_a_unit_runs_and_reads_is_named() {
        let unit = "[Unit]\nDocumentation=file:/usr/share/doc\n[Service]\n# ExecStart=/no\n\
                    EnvironmentFile=-/etc/default/kubelet\nEnvironmentFile=/etc/*.env\n\
                    ExecStartPre=-/sbin/modprobe overlay\n\
                    ExecStartPre=/bin/sh -c '/srv/evil.sh; . \"/srv/env\"'\n\
                    ExecStart=!/usr/bin/kubelet --token=/secret \\\n  --a /b $ARGS --x=%h/y\n";
        let expected = [
            "/etc/default/kubelet",
            "/sbin/modprobe",
            "/bin/sh",
            "/srv/evil.sh",
            "/srv/env",
            "/usr/bin/kubelet",
        ];
        assert_eq!(paths(unit, "kubelet"), expected);
    }

    #[test]
    fn what_a_component_is_given_is_no_business_of_its_unit() {
        let check = |line: &str, expected: &[&str]| {
            assert_eq!(paths(&format!("{line}\n"), "etcd"), expected, "{line}");
        };
        check("ExecStart=/usr/bin/etcd /secret", &["/usr/bin/etcd"]);
        check("ExecStart=/srv/run.sh /usr/bin/etcd", &["/srv/run.sh", "/usr/bin/etcd"]);
        check("ExecReload=/bin/kill -HUP $MAINPID", &["/bin/kill"]);
        check("ExecStart=", &[]);
    }
}
