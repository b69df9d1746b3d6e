//! Looks at items as they are, without opinion. Nothing is changed here, and what could not be
//! looked at says so.

mod file;
mod image;
mod unit;

pub(crate) use file::{Digests as KnownDigests, etcd_data};
pub(crate) use image::PINNED;
pub(crate) use unit::{Unit, enabled, remember, show};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ringfort_model::item::{ItemId, Probe};
use ringfort_model::mode::Owner;
use ringfort_model::seen::{ItemSeen, Look};

use crate::probe;
use crate::processes;
use crate::root::Root;
use crate::tools::Tools;
use file::Digests;

/// How long a component is waited for when it is asked.
pub(crate) const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// Looks at items of one machine.
pub(crate) struct Looker<'a> {
    pub(crate) root: &'a Root,
    pub(crate) tools: &'a dyn Tools,
    pub(crate) digests: &'a Digests,
}

impl Looker<'_> {
    /// Looks at many items; units and images are asked for all at once.
    pub(crate) fn all(&self, looks: Vec<(ItemId, Look)>) -> BTreeMap<ItemId, ItemSeen> {
        let units: Vec<String> = names(&looks, |id| match id {
            ItemId::Unit(name) => Some(name),
            _ => None,
        });
        let images = looks.iter().any(|(id, _)| matches!(id, ItemId::Image(_)));
        let mut units = unit::look(self.root, self.tools, &units);
        let images = if images { image::all(self.root, self.tools) } else { Ok(BTreeMap::new()) };
        looks
            .into_iter()
            .map(|(id, look)| {
                let seen = match &id {
                    ItemId::Unit(name) => units.remove(name).unwrap_or(ItemSeen::Absent),
                    ItemId::Image(reference) => image::one(&images, reference),
                    other => self.one(other, &look),
                };
                (id, seen)
            })
            .collect()
    }

    /// Looks at one item.
    pub(crate) fn one(&self, id: &ItemId, look: &Look) -> ItemSeen {
        match id {
            ItemId::User(name) => user(self.root, name),
            ItemId::Sysctl(name) => sysctl(self.root, name),
            ItemId::Directory(path) | ItemId::File(path) => {
                file::look(self.root, self.digests, path, look)
            }
            ItemId::Image(reference) => image::one(&image::all(self.root, self.tools), reference),
            ItemId::Unit(name) => {
                let mut seen = unit::look(self.root, self.tools, std::slice::from_ref(name));
                seen.remove(name).unwrap_or(ItemSeen::Absent)
            }
            ItemId::Serving(_) => match look {
                Look::Serving { probe, process } => serving(self.root, probe, process),
                _ => ItemSeen::Unreadable("no way to ask it was given".to_owned()),
            },
        }
    }
}

fn names(looks: &[(ItemId, Look)], pick: fn(&ItemId) -> Option<&String>) -> Vec<String> {
    let names: BTreeSet<_> = looks.iter().filter_map(|(id, _)| pick(id)).collect();
    names.into_iter().cloned().collect()
}

fn serving(root: &Root, probe: &Probe, process: &str) -> ItemSeen {
    ItemSeen::Serving {
        healthy: probe::ask(probe, root, PROBE_LIMIT).is_ok(),
        inputs: processes::inputs(root, process),
    }
}

/// Finds a kernel setting's file: dots of its name part directories.
pub(crate) fn sysctl_path(root: &Root, name: &str) -> Result<std::path::PathBuf, String> {
    root.item(&format!("/proc/sys/{}", name.replace('.', "/"))).map_err(|error| error.to_string())
}

fn sysctl(root: &Root, name: &str) -> ItemSeen {
    let path = match sysctl_path(root, name) {
        Ok(path) => path,
        Err(why) => return ItemSeen::Unreadable(why),
    };
    match std::fs::read_to_string(path) {
        Ok(value) => ItemSeen::Sysctl { value: spaced(&value) },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => ItemSeen::Absent,
        Err(error) => ItemSeen::Unreadable(error.to_string()),
    }
}

/// Writes the numbers of a setting with one space between them: the kernel uses tabs.
pub(crate) fn spaced(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads the user file itself: a static program must not load the name service.
fn user(root: &Root, name: &str) -> ItemSeen {
    let found = numbers(root, "etc/passwd", name).and_then(|user| {
        let group = numbers(root, "etc/group", name)?;
        Ok(user.zip(group))
    });
    match found {
        Ok(Some((user, group))) => match (user.first(), user.get(1), group.first()) {
            (Some(&uid), Some(&gid), Some(&own)) if gid == own => {
                ItemSeen::User { owner: Owner { uid, gid } }
            }
            _ => ItemSeen::Unreadable(format!("user {name} has another group than its own")),
        },
        Ok(None) => ItemSeen::Absent,
        Err(error) => ItemSeen::Unreadable(error.to_string()),
    }
}

/// Reads the numbers behind a name's password field, in `passwd` or `group`.
pub(crate) fn numbers(root: &Root, file: &str, name: &str) -> std::io::Result<Option<Vec<u32>>> {
    let text = std::fs::read_to_string(root.own(file))?;
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    Ok(line.map(|line| line.split(':').skip(2).map_while(|part| part.parse().ok()).collect()))
}

#[cfg(test)]
mod tests {
    use super::{spaced, sysctl, user};
    use crate::root::Root;
    use ringfort_model::mode::Owner;
    use ringfort_model::seen::ItemSeen;

    #[test]
    fn users_and_settings_are_read_from_their_files() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        for (path, text) in [
            (
                "etc/passwd",
                "root:x:0:0::/root:/bin/sh\netcd:x:2379:2379::/:/bin/false\nodd:x:5:6:::\n",
            ),
            ("etc/group", "root:x:0:\netcd:x:2379:\nodd:x:5:\n"),
            ("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n"),
        ] {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        assert_eq!(user(&root, "etcd"), ItemSeen::User { owner: Owner::ETCD });
        assert_eq!(user(&root, "etc"), ItemSeen::Absent);
        assert!(matches!(user(&root, "odd"), ItemSeen::Unreadable(_)));
        let value = "4096 131072 6291456".to_owned();
        assert_eq!(sysctl(&root, "net.ipv4.tcp_rmem"), ItemSeen::Sysctl { value });
        assert_eq!(sysctl(&root, "net.ipv4.none"), ItemSeen::Absent);
        assert!(matches!(sysctl(&root, "../x"), ItemSeen::Unreadable(_) | ItemSeen::Absent));
        assert_eq!(spaced(" 1\n"), "1");
    }
}
