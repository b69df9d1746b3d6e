//! Judges whose machines these are, before one of them is told that somebody acts: who has another
//! cluster's keyring must not end the turn of those who have the right one.

use std::collections::BTreeMap;

use futures::future::join_all;

use ringfort_engine::{Goal, doubts, look_at};
use ringfort_model::blueprint::Machine;
use ringfort_model::content::{Content, SecretName};
use ringfort_model::frame::{Answer, Request};
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::seen::Look;

use super::{MakeError, Work};
use crate::drive::run::LOOK_LIMIT;

/// Refuses machines of others, and keys that are not those of this cluster. Nothing is changed.
///
/// # Errors
/// See [`MakeError`].
pub async fn judge(work: &mut Work<'_>, goal: Goal) -> Result<(), MakeError> {
    work.assign()?;
    let blueprint = work.render()?;
    let asked = blueprint.machines.iter().filter_map(|(node, machine)| {
        let link = &work.site.members.get(node)?.link;
        // Whoever empties machines needs no keys.
        let looks = if goal == Goal::Reset { Vec::new() } else { telling(machine) };
        Some(async move {
            let request = Request::Observe { looks };
            (node, tokio::time::timeout(LOOK_LIMIT, link.ask(&request, &[])).await)
        })
    });
    let mut seen = BTreeMap::new();
    for (node, answer) in join_all(asked).await {
        // Of a machine that said nothing nobody knows whose it is.
        let why = match answer {
            Ok(Ok(Answer::Observed(found))) => {
                seen.insert(node.clone(), found);
                continue;
            }
            Ok(Ok(_)) => "it answered something else".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", LOOK_LIMIT.as_secs()),
        };
        return Err(MakeError::Other(format!("{node}: {why}: nothing was changed, run again")));
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
            let keys = SecretName::EncryptionConfiguration;
            matches!(content, Content::Issued(_))
                || matches!(content, Content::Secret { name, .. } if *name == keys)
        }
        _ => false,
    };
    let items = machine.items.iter().filter(|(_, item)| tells(item));
    items.map(|(id, item)| (id.clone(), look_at(item))).collect()
}
