//! Units of systemd, all by two calls, and the inputs that ringfort last started them with.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use ringfort_model::digest::Digest;
use ringfort_model::seen::ItemSeen;

use crate::files::{self, Permissions};
use crate::misread;
use crate::root::Root;
use crate::tools::{ToolError, Tools, run, tell};

/// What systemd says of a unit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Unit {
    pub(crate) there: bool,
    pub(crate) active: bool,
    /// It never ran since systemd knows it, or ended well.
    pub(crate) idle: bool,
    /// Systemd has not read its files as they are, or has read those of the machine's own system that
    /// ours take the place of.
    pub(crate) outdated: bool,
}

/// Looks at units.
pub(crate) fn look(root: &Root, tools: &dyn Tools, names: &[String]) -> BTreeMap<String, ItemSeen> {
    if names.is_empty() {
        return BTreeMap::new();
    }
    let units = match show(tools, names) {
        Ok(units) => units,
        Err(error) => {
            let unreadable =
                |name: &String| (name.clone(), ItemSeen::Unreadable(error.to_string()));
            return names.iter().map(unreadable).collect();
        }
    };
    let named = names.iter().zip(&units);
    let there: Vec<&str> =
        named.filter(|(_, unit)| unit.there).map(|(name, _)| name.as_str()).collect();
    let mut states = enabled(tools, &there).into_iter();
    let mut seen = |at: usize, name: &str| match units.get(at) {
        None => ItemSeen::Unreadable("systemctl said nothing of it".to_owned()),
        Some(unit) if !unit.there => ItemSeen::Absent,
        Some(unit) => match states.next() {
            Some(Ok(enabled)) => {
                ItemSeen::Unit { enabled, active: unit.active, inputs: inputs(root, name) }
            }
            Some(Err(error)) => ItemSeen::Unreadable(error.to_string()),
            None => ItemSeen::Unreadable("systemctl said nothing of it".to_owned()),
        },
    };
    names.iter().enumerate().map(|(at, name)| (name.clone(), seen(at, name))).collect()
}

/// Asks systemd about units, in their order.
pub(crate) fn show(tools: &dyn Tools, names: &[String]) -> Result<Vec<Unit>, ToolError> {
    let properties = "LoadState,ActiveState,FragmentPath,NeedDaemonReload";
    let mut arguments = vec!["show", "-p", properties, "--"];
    arguments.extend(names.iter().map(String::as_str));
    Ok(read(&run(tools, "systemctl", &arguments)?))
}

/// Says of units whether they start at the next boot, by what is on the disk: what `show` knows of
/// that is as old as systemd's last reading of its files.
pub(crate) fn enabled(tools: &dyn Tools, names: &[&str]) -> Vec<Result<bool, ToolError>> {
    if names.is_empty() {
        return Vec::new();
    }
    // A static unit is started by another at every boot.
    let starts = |state: &str| matches!(state, "enabled" | "static");
    // It fails if one of them is not enabled, and says as much of each.
    let said = tell(tools, "systemctl", &[&["is-enabled", "--"], names].concat());
    match (said, names) {
        (Ok(said), _) if said.stdout.lines().count() == names.len() => {
            said.stdout.lines().map(|state| Ok(starts(state))).collect()
        }
        // What has no file does not start.
        (Ok(said), [_]) if said.stderr.contains("No such file") => vec![Ok(false)],
        (Ok(said), [_]) => vec![Err(ToolError::Failed {
            command: "systemctl is-enabled".to_owned(),
            why: said.complaint().to_owned(),
        })],
        (Err(error), [_]) => vec![Err(error)],
        // Older ones end at the first that has no file.
        _ => one_by_one(tools, names),
    }
}

fn one_by_one(tools: &dyn Tools, names: &[&str]) -> Vec<Result<bool, ToolError>> {
    names.iter().flat_map(|name| enabled(tools, &[name])).collect()
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
        active: matches!(value("ActiveState"), "active" | "reloading"),
        idle: value("ActiveState") == "inactive",
        outdated: value("NeedDaemonReload") == "yes"
            || !value("FragmentPath").starts_with("/etc/systemd/system/"),
    }
}

fn inputs(root: &Root, name: &str) -> Option<Digest> {
    if misread::is_noted(root, name) {
        return None;
    }
    std::fs::read_to_string(inputs_path(root, name)).ok()?.trim().parse().ok()
}

/// Remembers the inputs that a unit was started with; `None` forgets them.
pub(crate) fn remember(root: &Root, name: &str, inputs: Option<&Digest>) -> io::Result<()> {
    let path = inputs_path(root, name);
    match inputs {
        None => files::remove_if_there(&path),
        Some(inputs) => {
            path.parent().map_or(Ok(()), files::private_directory)?;
            files::write(&path, format!("{inputs}\n").as_bytes(), Permissions::private())?;
            misread::forget_note(root, name)
        }
    }
}

fn inputs_path(root: &Root, name: &str) -> PathBuf {
    // A unit's name holds no slash; one that does names no unit, and its file is never there.
    root.state("units").join(format!("{}.inputs", name.replace('/', "_")))
}

#[cfg(test)]
mod tests {
    use super::{Unit, enabled, read};
    use crate::tools::{Said, ToolError, Tools};

    #[test]
    fn units_are_read_in_order() {
        let text = "LoadState=loaded\nActiveState=active\nNeedDaemonReload=yes\n\
                    FragmentPath=/etc/systemd/system/a.service\n\n\
                    ActiveState=inactive\nLoadState=not-found\nFragmentPath=\n\n\
                    LoadState=loaded\nActiveState=failed\nNeedDaemonReload=no\n\
                    FragmentPath=/etc/systemd/system/c.service\n\n\
                    LoadState=loaded\nActiveState=active\nNeedDaemonReload=no\n\
                    FragmentPath=/lib/systemd/system/containerd.service\n";
        let unit = |there, active, outdated| Unit { there, active, idle: false, outdated };
        let gone = Unit { idle: true, ..unit(false, false, true) };
        let vendors = unit(true, true, true);
        assert_eq!(read(text), [unit(true, true, true), gone, unit(true, false, false), vendors]);
        assert_eq!(read(""), []);
    }

    /// What `systemctl is-enabled` says of units as version 252 does; of `gone` there is no file.
    struct Version252;

    impl Tools for Version252 {
        fn run(&self, _: &str, arguments: &[&str]) -> std::io::Result<Said> {
            let (mut stdout, mut stderr) = (String::new(), String::new());
            for name in &arguments[2..] {
                match *name {
                    "gone" => {
                        stderr =
                            "Failed to get unit file state for gone: No such file or directory"
                                .to_owned();
                        break;
                    }
                    "mute" => {
                        stderr = "Failed to connect to bus".to_owned();
                        break;
                    }
                    state => stdout.push_str(&format!("{state}\n")),
                }
            }
            Ok(Said { well: stdout.contains("enabled") && stderr.is_empty(), stdout, stderr })
        }
    }

    #[test]
    fn what_starts_at_boot_is_asked_of_the_disk_and_no_answer_is_no_pass() {
        let asked = |names: &[&str]| -> Vec<Option<bool>> {
            enabled(&Version252, names).into_iter().map(Result::ok).collect()
        };
        assert_eq!(asked(&["disabled", "static"]), [Some(false), Some(true)]);
        assert_eq!(asked(&["masked", "disabled"]), [Some(false), Some(false)]);
        assert_eq!(asked(&["enabled", "gone", "enabled"]), [Some(true), Some(false), Some(true)]);
        assert_eq!(asked(&["mute", "enabled"]), [None, Some(true)]);
        let error: ToolError = enabled(&Version252, &["mute"]).remove(0).unwrap_err();
        assert!(error.to_string().contains("Failed to connect"), "{error}");
    }
}
