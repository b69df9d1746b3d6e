//! How much a policy would write in a day, from a log that was written.

use super::{Policy, Request};
use crate::event::{Event, Level};

/// What a log says of a cluster's days.
#[derive(Debug, Default)]
pub struct Sample {
    /// Events and bytes by the rule that would decide about them.
    rules: Vec<(u64, u64)>,
    first: Option<i64>,
    last: Option<i64>,
    bare: u64,
}

/// What a policy would write in a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Events and bytes a day of each rule; nothing is written by those of level `None`, whose events are
    /// those that are saved.
    pub rules: Vec<(f64, f64)>,
    /// Events whose bodies would be written and are not in the sample, so that bytes are too few.
    pub bare: u64,
    /// The length of the sample.
    pub seconds: f64,
}

impl Sample {
    /// Adds an event, unless it is of a stage that the policy omits; `bytes` is its length as it stands in the log.
    pub fn add(&mut self, policy: &Policy, event: &Event<'_>, bytes: usize) {
        // Other policies write every request twice.
        if policy.omitted.contains(&event.stage) {
            return;
        }
        self.rules.resize(policy.rules.len(), (0, 0));
        let groups: Vec<&str> = event.user.groups.iter().map(|group| &**group).collect();
        let resource = match event.subresource() {
            "" => event.resource().to_owned(),
            part => format!("{}/{part}", event.resource()),
        };
        let request = Request {
            user: &event.user.username,
            groups: &groups,
            verb: &event.verb,
            group: event.object_ref.as_ref().map_or("", |of| of.group()),
            resource: &resource,
            namespace: event.namespace(),
            path: event.path(),
        };
        let Some((number, rule)) = policy.rule(&request) else { return };
        let sent = event.request_object.map_or(0, |body| body.get().len());
        let answered = event.response_object.map_or(0, |body| body.get().len());
        let is_write = matches!(&*event.verb, "create" | "update" | "patch");
        self.bare += u64::from(rule.level >= Level::Request && is_write && sent == 0);
        let left_out = match rule.level {
            Level::RequestResponse => 0,
            Level::Request => answered,
            Level::Metadata | Level::None => sent + answered,
        };
        self.rules[number].0 += 1;
        self.rules[number].1 += bytes.saturating_sub(left_out) as u64;
        if let Some(time) = event.microseconds() {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }

    /// Says what a day would be. Nothing, where the sample has no length.
    pub fn forecast(&self) -> Option<Forecast> {
        let seconds = (self.last? - self.first?) as f64 / 1e6;
        let days = seconds / 86_400.0;
        let a_day = |(events, bytes): &(u64, u64)| (*events as f64 / days, *bytes as f64 / days);
        (seconds > 0.0).then(|| Forecast {
            rules: self.rules.iter().map(a_day).collect(),
            bare: self.bare,
            seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::DETECTIONS;
    use crate::envelope::{Found, each};
    use crate::policy::compile;

    /// A policy that omits no stage writes of every request that it came, and that it was answered.
    #[test]
    fn what_the_policy_omits_is_not_counted() {
        let policy = compile(DETECTIONS);
        let mut sample = Sample::default();
        for second in 0..=10 {
            for stage in ["RequestReceived", "ResponseComplete"] {
                let line = format!(
                    r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"{stage}","verb":"list","user":{{"username":"eve"}},"objectRef":{{"resource":"pods"}},"requestReceivedTimestamp":"2026-01-05T00:00:{second:02}.0Z"}}"#
                );
                each(line.as_bytes(), &mut |found| {
                    let Found::Event(event) = found else { panic!("{found:?}") };
                    sample.add(&policy, event, 1_000);
                });
            }
        }
        let forecast = sample.forecast().unwrap();
        let (events, bytes) =
            forecast.rules.iter().fold((0.0, 0.0), |all, of| (all.0 + of.0, all.1 + of.1));
        assert_eq!((events.round(), bytes.round()), (11.0 * 8_640.0, 11_000.0 * 8_640.0));
    }
}
