//! Reads the host's own package sources, so that the base system comes from where the host's
//! packages come from. Pure. Only the sources of the distribution itself are looked for.

use std::path::PathBuf;

/// Where packages of the distribution come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Mirror {
    /// The address.
    pub(crate) address: String,
    /// The suite, such as `bookworm`.
    pub(crate) suite: String,
    /// The keys its index is signed with, if the source names them.
    pub(crate) keyring: Option<PathBuf>,
}

/// Gives the code name of the distribution out of `/etc/os-release`.
pub(crate) fn code_name(os_release: &str) -> Option<&str> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim_matches('"')).filter(|name| !name.is_empty())
}

/// Finds the mirror of a suite in the texts of source files of either format.
pub(crate) fn mirror_in<'a>(
    files: impl IntoIterator<Item = &'a str>,
    suite: &str,
) -> Option<Mirror> {
    files.into_iter().flat_map(|text| text.split("\n\n")).find_map(|stanza| {
        stanza_mirror(stanza, suite).or_else(|| stanza.lines().find_map(|l| line_mirror(l, suite)))
    })
}

/// Reads a stanza of the format of `*.sources` files.
fn stanza_mirror(stanza: &str, suite: &str) -> Option<Mirror> {
    let field = |name: &str| {
        let lines = stanza.lines().filter(|line| !line.starts_with('#'));
        let value = |line: &'_ str| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        lines.filter_map(value).next()
    };
    let has = |name: &str, word: &str| {
        field(name).is_some_and(|value| value.split_whitespace().any(|found| found == word))
    };
    let off = field("Enabled").is_some_and(|value| value == "no");
    if off || !has("Types", "deb") || !has("Suites", suite) || !has("Components", "main") {
        return None;
    }
    let address = field("URIs")?.split_whitespace().next()?.to_owned();
    let keyring = field("Signed-By").filter(|value| value.starts_with('/')).map(PathBuf::from);
    Some(Mirror { address, suite: suite.to_owned(), keyring })
}

/// Reads a line of the format of `*.list` files.
fn line_mirror(line: &str, suite: &str) -> Option<Mirror> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let (address, found) = (words.next()?, words.next()?);
    if found != suite || !words.any(|component| component == "main") {
        return None;
    }
    let signed = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    let keyring = signed.filter(|value| value.starts_with('/')).map(PathBuf::from);
    Some(Mirror { address: address.to_owned(), suite: suite.to_owned(), keyring })
}

#[cfg(test)]
mod tests {
    use super::{code_name, mirror_in};

    fn check(files: &[&str], expected: Option<(&str, Option<&str>)>) {
        let found = mirror_in(files.iter().copied(), "bookworm");
        let found = found.map(|m| (m.address, m.keyring.map(|k| k.display().to_string())));
        let expected = expected.map(|(a, k)| (a.to_owned(), k.map(str::to_owned)));
        assert_eq!(found, expected, "{files:?}");
    }

    #[test]
    fn reads_stanzas() {
        let stanza = "Types: deb\n# Suites: sid\nURIs: http://mirror.example/debian\n\
                      Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n";
        check(&[stanza], Some(("http://mirror.example/debian", Some("/k.gpg"))));
        check(&[&format!("{stanza}Enabled: no\n")], None);
        check(&[&stanza.replace("Types: deb", "Types: deb-src")], None);
    }

    #[test]
    fn passes_over_security_updates_and_other_vendors() {
        let security = "Types: deb\nURIs: http://s.example\nSuites: bookworm-security\n\
                        Components: main\n\nTypes: deb\nURIs: http://main.example\n\
                        Suites: bookworm\nComponents: main\n";
        let vendor = "deb https://vendor.example/apt tool-bookworm main\n";
        check(&[vendor, security], Some(("http://main.example", None)));
    }

    #[test]
    fn reads_lines() {
        let line = "# deb http://old.example bookworm main\n\
                    deb [arch=amd64 signed-by=/k.asc] http://new.example/ bookworm main contrib";
        check(&[line], Some(("http://new.example/", Some("/k.asc"))));
        check(&["deb http://m.example bookworm main"], Some(("http://m.example", None)));
        check(&["deb http://m.example bookworm contrib", "deb [broken", ""], None);
    }

    #[test]
    fn knows_the_distribution() {
        assert_eq!(code_name("ID=debian\nVERSION_CODENAME=bookworm\n"), Some("bookworm"));
        assert_eq!(code_name("VERSION_CODENAME=\"noble\"\n"), Some("noble"));
        assert_eq!(code_name("ID=arch\n"), None);
    }
}
