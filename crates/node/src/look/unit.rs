//! Units of systemd, all by two calls, and the inputs that ringfort last started them with.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use ringfort_model::digest::Digest;
use ringfort_model::seen::ItemSeen;

use crate::files::{self, Permissions};
use crate::root::Root;
use crate::tools::{ToolError, Tools, run, tell};

/// What systemd says of a unit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Unit {
    pub(crate) there: bool,
    pub(crate) enabled: bool,
    pub(crate) active: bool,
    /// It never ran, or was stopped and did not fail.
    pub(crate) at_rest: bool,
    /// Its files are not those that systemd has read.
    pub(crate) outdated: bool,
}

/// Looks at units.
pub(crate) fn look(root: &Root, tools: &dyn Tools, names: &[String]) -> BTreeMap<String, ItemSeen> {
    if names.is_empty() {
        return BTreeMap::new();
    }
    let shown = show(tools, names).map_err(|error| error.to_string());
    let seen = |at: usize, name: &str| match &shown {
        Err(why) => ItemSeen::Unreadable(why.clone()),
        Ok(units) => match units.get(at) {
            None => ItemSeen::Unreadable("systemctl said nothing of it".to_owned()),
            Some(unit) if !unit.there => ItemSeen::Absent,
            Some(unit) => ItemSeen::Unit {
                enabled: unit.enabled,
                active: unit.active,
                inputs: inputs(root, name),
            },
        },
    };
    names.iter().enumerate().map(|(at, name)| (name.clone(), seen(at, name))).collect()
}

/// Asks systemd about units, in their order.
pub(crate) fn show(tools: &dyn Tools, names: &[String]) -> Result<Vec<Unit>, ToolError> {
    let mut arguments = vec!["show", "-p", "LoadState,ActiveState,NeedDaemonReload", "--"];
    arguments.extend(names.iter().map(String::as_str));
    let mut units = read(&run(tools, "systemctl", &arguments)?);
    let there: Vec<usize> = (0..units.len()).filter(|at| units[*at].there).collect();
    let asked: Vec<&str> =
        there.iter().filter_map(|at| names.get(*at)).map(String::as_str).collect();
    for (at, enabled) in there.iter().zip(enabled(tools, &asked)?) {
        units[*at].enabled = enabled;
    }
    Ok(units)
}

/// Says of units that are there whether they start at the next boot, by what is on the disk: what
/// `show` knows of that is as old as systemd's last reading of its files.
fn enabled(tools: &dyn Tools, names: &[&str]) -> Result<Vec<bool>, ToolError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    // It fails if one of them is not enabled, and says as much of each.
    let said = tell(tools, "systemctl", &[&["is-enabled", "--"], names].concat())?;
    // A static unit is started by another at every boot.
    let states: Vec<bool> =
        said.stdout.lines().map(|state| matches!(state, "enabled" | "static")).collect();
    match states.len() == names.len() {
        true => Ok(states),
        false => Err(ToolError::Failed {
            command: "systemctl is-enabled".to_owned(),
            why: said.complaint().to_owned(),
        }),
    }
}

/// Reads blocks of `Name=value` with an empty line between them.
fn read(text: &str) -> Vec<Unit> {
    text.split("\n\n").filter(|block| !block.trim().is_empty()).map(block).collect()
}

fn block(block: &str) -> Unit {
    let value = |name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_default()
    };
    Unit {
        there: !matches!(value("LoadState"), "" | "not-found" | "masked"),
        enabled: false,
        active: matches!(value("ActiveState"), "active" | "reloading"),
        at_rest: value("ActiveState") == "inactive",
        outdated: value("NeedDaemonReload") == "yes",
    }
}

fn inputs(root: &Root, name: &str) -> Option<Digest> {
    std::fs::read_to_string(inputs_path(root, name)).ok()?.trim().parse().ok()
}

/// Remembers the inputs that a unit was started with; `None` forgets them.
pub(crate) fn remember(root: &Root, name: &str, inputs: Option<&Digest>) -> io::Result<()> {
    let path = inputs_path(root, name);
    match inputs {
        None => files::remove_if_there(&path),
        Some(inputs) => {
            path.parent().map_or(Ok(()), files::private_directory)?;
            files::write(&path, format!("{inputs}\n").as_bytes(), Permissions::private())
        }
    }
}

fn inputs_path(root: &Root, name: &str) -> PathBuf {
    // A unit's name holds no slash; one that does names no unit, and its file is never there.
    root.state("units").join(format!("{}.inputs", name.replace('/', "_")))
}

#[cfg(test)]
mod tests {
    use super::{Unit, read};
    use crate::tools::{Said, ToolError, Tools};

    #[test]
    fn units_are_read_in_order() {
        let text = "LoadState=loaded\nActiveState=active\nNeedDaemonReload=yes\n\n\
                    ActiveState=inactive\nLoadState=not-found\n\n\
                    LoadState=loaded\nActiveState=failed\n";
        let there = Unit { there: true, ..Unit::default() };
        let runs = Unit { active: true, outdated: true, ..there };
        let lacks = Unit { at_rest: true, ..Unit::default() };
        assert_eq!(read(text), [runs, lacks, there]);
        assert_eq!(read(""), []);
    }

    /// Programs of which `systemctl show` and `systemctl is-enabled` say these things.
    struct Says(&'static str, &'static str);

    impl Tools for Says {
        fn run(&self, _: &str, arguments: &[&str]) -> std::io::Result<Said> {
            let stdout = if arguments[0] == "show" { self.0 } else { self.1 };
            Ok(Said { well: true, stdout: stdout.to_owned(), stderr: String::new() })
        }
    }

    #[test]
    fn what_is_there_is_asked_for_on_the_disk() {
        let names = ["a".to_owned(), "b".to_owned()];
        let all = |shown, enabled| {
            let units = super::show(&Says(shown, enabled), &names)?;
            Ok::<_, ToolError>(units.iter().map(|unit| unit.enabled).collect::<Vec<_>>())
        };
        let both = "LoadState=loaded\n\nLoadState=loaded\n";
        assert_eq!(all(both, "disabled\nenabled\n").unwrap(), [false, true]);
        assert_eq!(
            all("LoadState=not-found\n\nLoadState=loaded\n", "static\n").unwrap(),
            [false, true]
        );
        assert!(all(both, "enabled\n").is_err(), "a unit of which nothing is said is no pass");
    }
}
