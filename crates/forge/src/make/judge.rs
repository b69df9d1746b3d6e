//! Judges whose machines these are, before one of them is told that somebody acts: who has another
//! cluster's keyring must not end the turn of those who have the right one.

use std::collections::BTreeMap;

use futures::future::join_all;

use ringfort_engine::{Goal, doubts, look_at};
use ringfort_model::blueprint::Machine;
use ringfort_model::content::Content;
use ringfort_model::frame::{Answer, Request};
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::seen::Look;

use super::{MakeError, Work};

/// Refuses machines of others, and keys that are not those of this cluster. Nothing is changed.
///
/// # Errors
/// See [`MakeError`].
pub async fn judge(work: &mut Work<'_>, goal: Goal) -> Result<(), MakeError> {
    work.assign()?;
    let blueprint = work.render()?;
    let asked = blueprint.machines.iter().filter_map(|(node, machine)| {
        let link = &work.site.members.get(node)?.link;
        let looks = telling(machine);
        Some(async move { (node, link.ask(&Request::Observe { looks }, &[]).await) })
    });
    let mut seen = BTreeMap::new();
    for (node, answer) in join_all(asked).await {
        // The passes, which look again, say which machine has fallen silent.
        if let Ok(Answer::Observed(found)) = answer {
            seen.insert(node.clone(), found);
        }
    }
    match doubts(goal, &blueprint, &seen, &work.circumstances(goal)) {
        found if found.is_empty() => Ok(()),
        found => Err(MakeError::Refused(found)),
    }
}

/// Picks what tells of a cluster's keys: certificates, which name who signed them, and the list of
/// the keys that data is sealed with.
fn telling(machine: &Machine) -> Vec<(ItemId, Look)> {
    let tells = |item: &Item| match &item.what {
        What::File { content, .. } => {
            matches!(content, Content::Issued(_) | Content::Secret { .. })
        }
        _ => false,
    };
    let items = machine.items.iter().filter(|(_, item)| tells(item));
    items.map(|(id, item)| (id.clone(), look_at(item))).collect()
}
