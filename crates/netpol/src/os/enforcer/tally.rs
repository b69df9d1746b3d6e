//! How much each policy refused of each pod, as far as the kernel remembers single connections.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::super::refused::Refusal;

/// How many are told apart who refused packets of one way of a pod; what all others refused is counted as one. Whoever
/// may write policies must not fill the memory of machines with their names.
const APART: usize = 100;
const OTHERS: &str = "others";

/// Packets that were refused, by who refused them.
#[derive(Default)]
pub(super) struct Tally {
    /// Connections that the kernel remembers.
    flows: BTreeMap<Refusal, Flow>,
    packets: BTreeMap<(String, IpAddr), BTreeMap<String, u64>>,
}

/// What is known of a connection.
struct Flow {
    /// Who refused it.
    by: String,
    /// After how many changes of rules that was looked up.
    changes: u64,
    /// The packets that were counted already.
    counted: u64,
}

impl Tally {
    /// Counts what the kernel remembers now, some of it first. Who refuses a connection is looked up once for as long
    /// as rules are the same; what there is no time for is counted at a later look.
    pub(super) fn take(
        &mut self,
        refused: &BTreeMap<Refusal, u64>,
        first: &[(&Refusal, u64)],
        changes: u64,
        mut look_up: impl FnMut(&Refusal) -> Option<String>,
    ) {
        self.flows.retain(|refusal, _| refused.contains_key(refusal));
        let all = refused.iter().map(|(refusal, packets)| (refusal, *packets));
        // What came first is counted already where it comes again.
        for (refusal, packets) in first.iter().copied().chain(all) {
            let known = self.flows.get(refusal);
            let counted = known.map_or(0, |flow| flow.counted);
            // Where it was forgotten in between, the kernel counts anew.
            let more = packets.checked_sub(counted).unwrap_or(packets);
            if known.is_none_or(|flow| flow.changes != changes && more > 0) {
                let Some(by) = look_up(refusal) else { continue };
                self.flows.insert(refusal.clone(), Flow { by, changes, counted });
            }
            let Some(flow) = self.flows.get_mut(refusal) else { continue };
            flow.counted = packets;
            let of_pod = self.packets.entry((refusal.way.clone(), refusal.own)).or_default();
            let is_apart = of_pod.len() + 1 < APART || of_pod.contains_key(&flow.by);
            let by = if is_apart { flow.by.as_str() } else { OTHERS };
            *of_pod.entry(by.to_owned()).or_default() += more;
        }
    }

    /// Says who refused a connection, if that was looked up.
    pub(super) fn by(&self, refusal: &Refusal) -> Option<&str> {
        self.flows.get(refusal).map(|flow| flow.by.as_str())
    }

    /// Gives what was counted for a way of a pod with an address.
    pub(super) fn of(&self, way: &str, own: IpAddr) -> impl Iterator<Item = (&String, u64)> {
        let of_it = self.packets.get(&(way.to_owned(), own)).into_iter().flatten();
        of_it.map(|(by, packets)| (by, *packets))
    }

    /// Forgets addresses that are nobody's any more.
    pub(super) fn retain(&mut self, all: &BTreeSet<(String, IpAddr)>) {
        self.packets.retain(|of, _| all.contains(of));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::super::refused::Refusal;
    use super::super::tests::{POD, refusal};
    use super::{APART, OTHERS, Tally};

    /// So many packets of the connections to ports from 1 on.
    fn refused(packets: &[u64]) -> BTreeMap<Refusal, u64> {
        (1..).map(refusal).zip(packets.iter().copied()).filter(|(_, it)| *it > 0).collect()
    }

    /// What was counted of the pod, by who refused it.
    fn counted(tally: &Tally) -> Vec<(String, u64)> {
        let of_it = tally.of("ingress", POD.parse().unwrap());
        of_it.map(|(by, packets)| (by.clone(), packets)).collect()
    }

    #[test]
    fn packets_are_counted_once_for_whom_they_were_refused_by() {
        let mut tally = Tally::default();
        let mut count = |packets: [u64; 3]| {
            let by = |refusal: &Refusal| Some(format!("policy {}", refusal.port % 2));
            tally.take(&refused(&packets), &[], 0, by);
            counted(&tally).into_iter().map(|(_, packets)| packets).collect::<Vec<_>>()
        };
        assert_eq!(count([3, 4, 5]), [4, 8]);
        assert_eq!(count([4, 4, 5]), [4, 9], "what was counted is not counted again");
        // The kernel forgot two of them, and one began anew.
        assert_eq!(count([0, 2, 5]), [6, 9]);
        assert_eq!(count([1, 2, 5]), [6, 10]);
    }

    #[test]
    fn who_refuses_a_connection_is_looked_up_once_for_as_long_as_rules_are_the_same() {
        let (mut tally, mut asked) = (Tally::default(), 0);
        let mut count = |packets: u64, changes: u64| {
            tally.take(&refused(&[packets]), &[], changes, |_| {
                asked += 1;
                Some(format!("policy {changes}"))
            });
            (asked, counted(&tally))
        };
        let by = |policy: &str, packets: u64| (policy.to_owned(), packets);
        assert_eq!(count(1, 0), (1, vec![by("policy 0", 1)]));
        assert_eq!(count(3, 0), (1, vec![by("policy 0", 3)]));
        assert_eq!(count(3, 1), (1, vec![by("policy 0", 3)]), "nothing more was refused");
        assert_eq!(count(4, 1), (2, vec![by("policy 0", 3), by("policy 1", 1)]));
    }

    #[test]
    fn what_there_is_no_time_for_is_counted_later_and_what_is_told_comes_first() {
        let all = refused(&[1, 2, 4]);
        let last = all.last_key_value().map(|(refusal, packets)| (refusal, *packets)).unwrap();
        let mut tally = Tally::default();
        let mut take = |times: usize| {
            let mut left = times;
            tally.take(&all, &[last], 0, |refusal| {
                left = left.checked_sub(1)?;
                Some(format!("policy {}", refusal.port))
            });
            counted(&tally)
        };
        let by = |policy: &str, packets: u64| (policy.to_owned(), packets);
        assert!(take(0).is_empty());
        assert_eq!(take(1), [by("policy 3", 4)]);
        assert_eq!(take(9), [by("policy 1", 1), by("policy 2", 2), by("policy 3", 4)]);
        assert_eq!(tally.by(last.0), Some("policy 3"));
    }

    #[test]
    fn no_more_are_told_apart_than_are_remembered() {
        let mut tally = Tally::default();
        let mut count = |packets: u64| {
            let by = |refusal: &Refusal| Some(format!("policy {}", refusal.port));
            tally.take(&refused(&[packets; APART + 20]), &[], 0, by);
            let counted = counted(&tally);
            let others = counted.iter().find(|(by, _)| by == OTHERS).map(|(_, packets)| *packets);
            (counted.len(), others)
        };
        assert_eq!(count(1), (APART, Some(21)));
        assert_eq!(count(2), (APART, Some(42)));
    }
}
