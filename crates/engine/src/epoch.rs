//! Chooses the epoch that a run acts in, and refuses a run that knows less than was done already.
//!
//! Each machine grants an epoch only above those it has seen, and an operator writes its epoch down
//! before the first machine grants it. So a machine that has seen a later one was worked on from
//! another copy of the operator's state, and this copy does not know what was done.

use std::collections::BTreeMap;

use ringfort_model::name::NodeName;

use crate::refusal::Refusal;

/// Gives the epoch of a run: above the one that is remembered and all that machines have seen.
/// `None` is remembered where the facts are lost, which the engine judges by what it finds.
///
/// # Errors
/// Names every machine on which a later run acted than is remembered.
pub fn next(remembered: Option<u64>, seen: &BTreeMap<NodeName, u64>) -> Result<u64, Vec<Refusal>> {
    let is_later = |epoch: u64| remembered.is_some_and(|here| epoch > here);
    let refusals: Vec<Refusal> = seen
        .iter()
        .filter(|(_, epoch)| is_later(**epoch))
        .map(|(node, epoch)| Refusal::of_stale_facts(node, *epoch, remembered.unwrap_or(0)))
        .collect();
    let highest = seen.values().copied().chain(remembered).max().unwrap_or(0);
    if refusals.is_empty() { Ok(highest.saturating_add(1)) } else { Err(refusals) }
}

#[cfg(test)]
mod tests {
    use super::{NodeName, next};

    #[test]
    fn an_epoch_is_above_all_and_a_stale_copy_gets_none() {
        let check = |remembered: Option<u64>, seen: &[u64], expected: Result<u64, usize>| {
            let name = |number: usize| NodeName::new(format!("cp{number}")).unwrap();
            let seen = seen.iter().enumerate().map(|(n, epoch)| (name(n), *epoch)).collect();
            let found = next(remembered, &seen).map_err(|refusals| refusals.len());
            assert_eq!(found, expected, "{remembered:?} {seen:?}");
        };
        check(Some(0), &[], Ok(1));
        check(Some(3), &[3, 3, 0], Ok(4));
        check(Some(3), &[1, 2], Ok(4));
        check(Some(3), &[4, 3, 5], Err(2));
        check(None, &[4, 3, 5], Ok(6));
    }
}
