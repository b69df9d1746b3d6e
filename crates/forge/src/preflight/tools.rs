//! Judges the programs that belong to a machine's own system: those that ringfort calls, and those
//! that what is in the bundle calls, in the versions that the bundle's lock names.

use std::collections::BTreeMap;

use ringfort_model::bundle::HostTool;

/// Programs that ringfort calls, and Debian's packages that have them.
pub(super) const TOOLS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("nft", "nftables"),
    ("systemctl", "systemd"),
    ("useradd", "passwd"),
];

/// Says what is missing or too old among the programs that a machine reports.
pub(super) fn lacks(has: &BTreeMap<String, String>, bundle: &[HostTool]) -> Vec<String> {
    let own = TOOLS
        .iter()
        .filter(|(tool, _)| !has.contains_key(*tool))
        .map(|(tool, package)| format!("{tool} is not installed: apt-get install {package}"));
    own.chain(bundle.iter().filter_map(|tool| unfit(has.get(&tool.name), tool))).collect()
}

fn unfit(said: Option<&String>, tool: &HostTool) -> Option<String> {
    let HostTool { name, at_least, why } = tool;
    let Some(said) = said else {
        let is_told = TOOLS.iter().any(|(own, _)| own == name);
        return (!is_told).then(|| format!("{name} is not installed ({why})"));
    };
    let least = at_least.as_deref()?;
    match numbers(said) {
        found if found.is_empty() => Some(format!(
            "the version of {name} could not be read: at least {least} is needed ({why})"
        )),
        found if found < numbers(least) => {
            Some(format!("{name} is too old ({said}): at least {least} is needed ({why})"))
        }
        _ => None,
    }
}

/// Takes the first version out of what a program says of itself.
fn numbers(said: &str) -> Vec<u32> {
    let from = said.find(|c: char| c.is_ascii_digit()).unwrap_or(said.len());
    let end = |c: char| !c.is_ascii_digit() && c != '.';
    let version = said[from..].split(end).next().unwrap_or_default();
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, HostTool, TOOLS, lacks};

    fn check(name: &str, said: Option<&str>, at_least: Option<&str>, expected: Option<&str>) {
        let mut has: BTreeMap<_, _> =
            TOOLS.iter().map(|(tool, _)| ((*tool).to_owned(), String::new())).collect();
        match said {
            Some(said) => drop(has.insert(name.to_owned(), said.to_owned())),
            None => drop(has.remove(name)),
        }
        let wanted = HostTool {
            name: name.to_owned(),
            at_least: at_least.map(str::to_owned),
            why: "for a test".to_owned(),
        };
        let found = lacks(&has, &[wanted]);
        let expected: Vec<&str> = expected.into_iter().collect();
        assert_eq!(found, expected, "{name} {said:?} {at_least:?}");
    }

    #[test]
    fn a_program_is_there_and_new_enough() {
        check("nft", Some("nftables v1.1.3 (Commodore Bullmoose #4)"), Some("1.0.1"), None);
        check("nft", Some("nftables v1.0.1 (Fearless Fosdick #3)"), Some("1.0.1"), None);
        check("systemctl", Some("systemd 257 (257.9-1~deb13u1)"), Some("247"), None);
        check("mount", Some(""), None, None);
        check("umount", Some("umount from util-linux 2.41"), None, None);
    }

    #[test]
    fn what_is_missing_too_old_or_mute_is_told_once() {
        let old = "nft is too old (nftables v0.9.8): at least 1.0.1 is needed (for a test)";
        check("nft", Some("nftables v0.9.8"), Some("1.0.1"), Some(old));
        let mute = "the version of nft could not be read: at least 1.0.1 is needed (for a test)";
        check("nft", Some("no version"), Some("1.0.1"), Some(mute));
        check("nft", None, Some("1.0.1"), Some("nft is not installed: apt-get install nftables"));
        check("umount", None, None, Some("umount is not installed (for a test)"));
    }
}
