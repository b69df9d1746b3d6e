//! What must not stand in the repository: places of one machine, registries, secrets. Pure.

use std::path::Path;

use super::Violation;

/// Words that bind the repository to one place, each with the way out.
///
/// They are written in two halves, so that this table does not find itself.
const BANNED: &[(&str, &str, &str)] = &[
    ("proxy.", "golang.org", "ask `go env GOPROXY`"),
    ("static.", "crates.io", "Cargo knows its registry"),
    ("index.", "crates.io", "Cargo knows its registry"),
    ("deb.", "debian.org", "read the machine's apt sources"),
    ("security.", "debian.org", "read the machine's apt sources"),
    ("archive.", "ubuntu.com", "read the machine's apt sources"),
    ("pypi", ".org", "nothing here needs it"),
    ("registry.", "npmjs.org", "nothing here needs it"),
    ("/wo", "rk/main", "this path exists on one machine only"),
    ("/wo", "rk/shared", "this path exists on one machine only"),
    ("/root/", ".cargo", "this path exists on one machine only"),
    ("/tmp/", "brief", "this path exists on one machine only"),
];

/// What begins a secret, and how much of it must follow on the same or the next line.
const SECRETS: &[(&str, &str, usize)] =
    &[("-----BEGIN ", "PRIVATE KEY-----", 40), ("AGE-SECRET-", "KEY-1", 30)];

/// Finds what must not stand in a file.
pub(crate) fn check(file: &Path, text: &str) -> Vec<Violation> {
    // Cargo writes this one, and names its registry in it.
    if file == Path::new("Cargo.lock") {
        return Vec::new();
    }
    // Bad input may well be a key where none belongs; it opens nothing.
    let is_corpus = file.components().any(|part| part.as_os_str() == "corpus");
    let lines: Vec<_> = text.lines().collect();
    let mut violations = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut report = |message| violations.push(Violation::new(file, index + 1, message));
        if let Some((word, help)) = banned(line) {
            report(format!("{word} does not belong here: {help}"));
        }
        if names_an_issue(line) {
            report("the number of an issue says nothing to a reader; say the reason".to_owned());
        }
        let next = lines.get(index + 1).copied().unwrap_or_default();
        if !is_corpus && holds_secret(line, next) {
            report("this looks like a secret key; make it in the test that needs it".to_owned());
        }
    }
    violations
}

fn banned(line: &str) -> Option<(String, &'static str)> {
    BANNED.iter().find_map(|(first, second, help)| {
        let word = format!("{first}{second}");
        line.contains(&word).then_some((word, *help))
    })
}

/// Whether a line refers to an issue of ours by its number.
fn names_an_issue(line: &str) -> bool {
    let lower = line.to_lowercase();
    ["issue #", "issues #", "fixes #", "closes #"].iter().any(|opening| {
        lower.match_indices(opening).any(|(at, _)| {
            lower[at + opening.len()..].starts_with(|next: char| next.is_ascii_digit())
        })
    })
}

fn holds_secret(line: &str, next: &str) -> bool {
    SECRETS.iter().any(|(first, second, length)| {
        let Some(at) = line.find(first) else { return false };
        let Some(end) = line[at..].find(second) else { return false };
        let rest = &line[at + end + second.len()..];
        [rest, next.trim_start()].iter().any(|text| leading_key_length(text) >= *length)
    })
}

/// How many characters at the start could be those of an encoded key.
fn leading_key_length(text: &str) -> usize {
    let is_key = |each: &char| each.is_ascii_alphanumeric() || matches!(each, '+' | '/' | '=');
    text.trim_start_matches("\\n").chars().take_while(is_key).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_line(text: &str, expected: usize) {
        assert_eq!(check(Path::new("a.md"), text).len(), expected, "{text}");
    }

    #[test]
    fn places_of_one_machine_and_registries_are_found() {
        check_line(concat!("see https://proxy.", "golang.org/x"), 1);
        check_line(concat!("cd /wo", "rk/main"), 1);
        check_line("cd /workspace/main", 0);
        check_line("the proxy of Go", 0);
    }

    #[test]
    fn numbers_of_issues_are_found() {
        check_line(concat!("as in iss", "ue #12"), 1);
        check_line("# 12 issues", 0);
        check_line("issue #twelve", 0);
    }

    #[test]
    fn keys_are_found_and_their_markers_alone_are_not() {
        let key = "A".repeat(44);
        check_line(&format!("-----BEGIN EC {}\n{key}", "PRIVATE KEY-----"), 1);
        check_line(&format!("-----BEGIN {}\\n{key}", "PRIVATE KEY-----"), 1);
        check_line("text.starts_with(\"-----BEGIN PRIVATE KEY-----\")\nand then code", 0);
        check_line(&format!("AGE-SECRET-{}{key}", "KEY-1"), 1);
        let corpus = Path::new("crates/spec/tests/corpus/secret-key.yaml");
        assert_eq!(check(corpus, &format!("AGE-SECRET-{}{key}", "KEY-1")), []);
    }

    #[test]
    fn what_cargo_writes_is_let_be() {
        let text = concat!("index.", "crates.io");
        assert_eq!(check(Path::new("Cargo.lock"), text), []);
    }
}
