//! Looks at how far somebody else has counted up in an object: a pod that writes is heard of that way, with no
//! clock but one's own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use ringfort_api::Cluster;
use ringfort_model::act::{Counted, WRITE_LIMIT_MS};
use ringfort_model::api_object::ObjectKey;

use crate::writer::Times;

/// The pause between two looks.
const PACE: Duration = Duration::from_millis(200);

/// Who looks at a count.
pub(crate) struct Counter<'a> {
    cluster: &'a Cluster,
    key: ObjectKey,
    readings: Mutex<Vec<Reading>>,
}

impl<'a> Counter<'a> {
    /// Will look at the `data.count` of a `ConfigMap`.
    pub(crate) fn new(cluster: &'a Cluster, namespace: &str, name: &str) -> Self {
        let key = ObjectKey {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        };
        Self { cluster, key, readings: Mutex::default() }
    }

    /// Looks until it is over.
    pub(crate) async fn look(&self, over: &AtomicBool) {
        let limit = Duration::from_millis(WRITE_LIMIT_MS);
        while !over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let seen = tokio::time::timeout(limit, self.cluster.get(&self.key)).await;
            if let Ok(Ok(Some(object))) = seen
                && let Some(count) = count(&object)
            {
                let heard = Instant::now();
                self.noted(|readings| readings.push(Reading { asked, heard, count }));
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Says whether writes were seen to be acknowledged that were sent after a time.
    pub(crate) fn goes_on(&self, since: Instant) -> bool {
        self.noted(|readings| risen(readings, since, None)).is_some_and(|writes| writes > 0)
    }

    /// Says how far it came.
    pub(crate) fn met(&self, times: &Times) -> Counted {
        self.noted(|readings| Counted {
            while_down: risen(readings, times.stopped, Some(times.started)),
            after: risen(readings, times.back, None),
        })
    }

    /// A list of readings is whole at any time.
    fn noted<T>(&self, look: impl FnOnce(&mut Vec<Reading>) -> T) -> T {
        look(&mut self.readings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn count(object: &Value) -> Option<u64> {
    object.pointer("/data/count")?.as_str()?.parse().ok()
}

/// How far the count was at some time between the question and the answer.
#[derive(Clone, Copy, Debug)]
struct Reading {
    asked: Instant,
    heard: Instant,
    count: u64,
}

/// Says how many writes were both sent and acknowledged within a time, at least; none where that was not
/// looked at twice. The first one more may have been on its way before, and of the last nobody knows
/// whether it was acknowledged.
fn risen(readings: &[Reading], from: Instant, until: Option<Instant>) -> Option<u64> {
    let is_within = |reading: &&Reading| {
        reading.asked >= from && until.is_none_or(|until| reading.heard <= until)
    };
    let mut within = readings.iter().filter(is_within);
    let (first, last) = (within.next()?, within.next_back()?);
    Some(last.count.saturating_sub(first.count).saturating_sub(2))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Reading, risen};

    #[test]
    fn what_was_sent_and_acknowledged_within_a_time_is_counted() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let check = |seen: &[(u64, u64, u64)], until_ms: Option<u64>, expected: Option<u64>| {
            let reading = |(asked, heard, count): &(u64, u64, u64)| Reading {
                asked: at(*asked),
                heard: at(*heard),
                count: *count,
            };
            let readings: Vec<Reading> = seen.iter().map(reading).collect();
            assert_eq!(risen(&readings, at(1_000), until_ms.map(at)), expected, "{seen:?}");
        };
        let four = [(900, 1_100, 3), (1_300, 1_400, 5), (2_000, 2_100, 9), (2_900, 3_100, 20)];
        check(&four, Some(3_000), Some(2));
        check(&four, None, Some(13));
        // One that was on its way before, and one of which nothing more was heard.
        check(&[(1_000, 1_100, 5), (2_000, 2_100, 7)], None, Some(0));
        check(&[(1_000, 1_100, 5), (2_000, 2_100, 5)], None, Some(0));
        // Who begins anew has not gone on.
        check(&[(1_000, 1_100, 50), (2_000, 2_100, 9)], None, Some(0));
        check(&four[..2], Some(3_000), None);
        check(&[], None, None);
    }
}
