//! Units of systemd, all by one call, and the inputs that ringfort last started them with.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use ringfort_model::digest::Digest;
use ringfort_model::seen::ItemSeen;

use crate::files::{self, Permissions};
use crate::root::Root;
use crate::tools::{ToolError, Tools, run};

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
    let properties = "LoadState,ActiveState,UnitFileState,NeedDaemonReload";
    let mut arguments = vec!["show", "-p", properties, "--"];
    arguments.extend(names.iter().map(String::as_str));
    Ok(read(&run(tools, "systemctl", &arguments)?))
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
        // A static unit is started by another at every boot.
        enabled: matches!(value("UnitFileState"), "enabled" | "static"),
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

    #[test]
    fn units_are_read_in_order() {
        let text = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\
                    NeedDaemonReload=yes\n\n\
                    ActiveState=inactive\nLoadState=not-found\nUnitFileState=\n\n\
                    LoadState=loaded\nActiveState=failed\nUnitFileState=disabled\n";
        let there = Unit { there: true, ..Unit::default() };
        let runs = Unit { enabled: true, active: true, outdated: true, ..there };
        let lacks = Unit { at_rest: true, ..Unit::default() };
        assert_eq!(read(text), [runs, lacks, there]);
        assert_eq!(read(""), []);
    }
}
