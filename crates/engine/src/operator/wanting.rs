//! Orders what is there and not wanted: what needs others goes before them.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::blueprint::Machine;
use ringfort_model::item::ItemId;

/// What of the owned items stays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Keep {
    /// What the blueprint wants.
    Wanted,
    /// Nothing.
    Nothing,
}

/// Lists owned items that are not wanted, the one to remove first at the end.
pub(super) fn leftovers(owned: &BTreeSet<ItemId>, machine: &Machine, keep: Keep) -> Vec<ItemId> {
    let is_leftover = |id: &&ItemId| {
        !matches!(id, ItemId::Serving(_))
            && (keep == Keep::Nothing || !machine.items.contains_key(*id))
    };
    let mut depths = BTreeMap::new();
    let mut found: Vec<(usize, u8, ItemId)> = owned
        .iter()
        .filter(is_leftover)
        .map(|id| (depth(id, machine, &mut depths), rank(id), id.clone()))
        .collect();
    found.sort();
    found.into_iter().map(|(_, _, id)| id).collect()
}

/// Counts how many needs lie below an item; items that the blueprint no longer speaks of lie
/// on top, where their rank decides.
fn depth(id: &ItemId, machine: &Machine, known: &mut BTreeMap<ItemId, usize>) -> usize {
    let Some(item) = machine.items.get(id) else { return usize::MAX };
    if let Some(depth) = known.get(id) {
        return *depth;
    }
    // Ends the walk where needs would go round in a circle.
    known.insert(id.clone(), 0);
    let below = item.needs.iter().filter(|need| machine.items.contains_key(*need));
    let depth = below.map(|need| depth(need, machine, known) + 1).max().unwrap_or(0);
    known.insert(id.clone(), depth);
    depth
}

/// What is undone last comes first: users before directories before files before units before
/// images.
fn rank(id: &ItemId) -> u8 {
    match id {
        ItemId::User(_) => 0,
        ItemId::Sysctl(_) => 1,
        ItemId::Directory(_) => 2,
        ItemId::File(_) => 3,
        ItemId::Unit(_) => 4,
        // While the runtime still runs.
        ItemId::Image(_) => 5,
        ItemId::Serving(_) => 6,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ringfort_model::blueprint::Role;
    use ringfort_model::item::{Item, What};
    use ringfort_model::mode::{FileMode, Owner};

    use super::{Keep, Machine, leftovers};

    #[test]
    fn what_needs_others_goes_before_them() {
        let item = |needs: &[&str]| Item {
            by: "test/control".to_owned(),
            needs: needs.iter().map(|need| need.parse().unwrap()).collect(),
            what: What::Directory { mode: FileMode(0o755), owner: Owner::ROOT },
        };
        let items = BTreeMap::from([
            ("unit:containerd".parse().unwrap(), item(&["file:/bin/containerd"])),
            ("file:/bin/containerd".parse().unwrap(), item(&[])),
            ("image:pause".parse().unwrap(), item(&["unit:containerd"])),
            ("unit:kubelet".parse().unwrap(), item(&["image:pause"])),
        ]);
        let address = "10.0.0.1".parse().unwrap();
        let machine = Machine { role: Role::Worker, address, items };
        let check = |owned: &[&str], keep: Keep, expected: &[&str]| {
            let owned = owned.iter().map(|id| id.parse().unwrap()).collect();
            let order: Vec<String> =
                leftovers(&owned, &machine, keep).iter().rev().map(ToString::to_string).collect();
            assert_eq!(order, expected);
        };
        let all = ["unit:containerd", "file:/bin/containerd", "image:pause", "unit:kubelet"];
        check(
            &all,
            Keep::Nothing,
            &["unit:kubelet", "image:pause", "unit:containerd", "file:/bin/containerd"],
        );
        check(&all, Keep::Wanted, &[]);
        check(
            &["directory:/old", "file:/old/a", "unit:old", "directory:/old/deeper", "user:old"],
            Keep::Wanted,
            &["unit:old", "file:/old/a", "directory:/old/deeper", "directory:/old", "user:old"],
        );
    }
}
