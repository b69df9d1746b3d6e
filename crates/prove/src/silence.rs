//! Which API servers were silent a moment ago: a proof that asks again and again would otherwise wait for one
//! that answers nothing each time anew, and never end.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ringfort_model::act::{Act, Ask, Seen};
use ringfort_model::name::NodeName;

/// Whoever took that long and came to nothing did not answer.
const LONG: Duration = Duration::from_secs(20);
/// How long a silent server is not asked.
const REST: Duration = Duration::from_secs(60);

/// The servers that were silent, and since when.
#[derive(Default)]
pub struct Silence(Mutex<BTreeMap<NodeName, Instant>>);

impl Silence {
    /// Says why an act is not even tried at this moment, if it is not.
    pub(crate) fn of(&self, act: &Act, now: Instant) -> Option<Seen> {
        let server = asked(act)?;
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner).get(server)?;
        let rests = now.duration_since(since) < REST;
        let why = format!("{server}: its API server answered nothing within {} s", LONG.as_secs());
        rests.then_some(Seen::Failed { why })
    }

    /// Forgets who was silent: what begins anew gives everybody another chance.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Notes how long an act took, and what came of it.
    pub(crate) fn note(&self, act: &Act, took: Duration, seen: &Seen, now: Instant) {
        let Some(server) = asked(act) else { return };
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen {
            Seen::Failed { .. } if took >= LONG => drop(silent.insert(server.clone(), now)),
            Seen::Failed { .. } => {}
            _ => drop(silent.remove(server)),
        }
    }
}

/// The server whose answer an act is, if it is that of one alone: what is written on a worker, a server has
/// from there.
fn asked(act: &Act) -> Option<&NodeName> {
    match act {
        Act::Ask { ask: Ask::Logs { .. }, .. } => None,
        Act::Ask { ask: Ask::Read { path }, .. } if path.contains("/proxy/") => None,
        Act::Ask { server, .. } | Act::Sweep { server, .. } => Some(server),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ringfort_model::act::{Act, Ask, Seen, Speaker};
    use ringfort_model::name::NodeName;

    use super::Silence;

    fn sweep(server: &str) -> Act {
        Act::Sweep { server: NodeName::new(server).unwrap(), paths: Vec::new() }
    }

    #[test]
    fn who_was_silent_is_let_rest_and_asked_again_later() {
        let (silence, now) = (Silence::default(), Instant::now());
        let failed = Seen::Failed { why: "no answer".to_owned() };
        let second = Duration::from_secs(1);
        silence.note(&sweep("cp2"), second, &failed, now);
        assert_eq!(silence.of(&sweep("cp2"), now), None, "a quick refusal is an answer");
        silence.note(&sweep("cp2"), 30 * second, &failed, now);
        assert!(silence.of(&sweep("cp2"), now + second).is_some());
        assert_eq!(silence.of(&sweep("cp1"), now + second), None);
        assert_eq!(silence.of(&Act::Wait { ms: 1 }, now + second), None);
        assert_eq!(silence.of(&sweep("cp2"), now + 70 * second), None);
        silence.forget();
        assert_eq!(silence.of(&sweep("cp2"), now + second), None, "it begins anew");
        silence.note(&sweep("cp2"), 30 * second, &failed, now);
        silence.note(&sweep("cp2"), 40 * second, &Seen::Done, now);
        assert_eq!(silence.of(&sweep("cp2"), now + second), None, "it answers again");
    }
    #[test]
    fn a_worker_that_is_silent_makes_no_server_silent() {
        let (silence, now) = (Silence::default(), Instant::now());
        let (server, failed) = (NodeName::new("cp1").unwrap(), Seen::Failed { why: String::new() });
        let ask = |ask| Act::Ask { server: server.clone(), speaker: Speaker::Keeper, ask };
        let logs = ask(Ask::Logs { namespace: "a".to_owned(), pod: "b".to_owned() });
        let proxy = ask(Ask::Read { path: "/api/v1/nodes/w3/proxy/configz".to_owned() });
        for act in [logs, proxy] {
            silence.note(&act, Duration::from_secs(30), &failed, now);
            assert_eq!(silence.of(&ask(Ask::Described), now), None);
        }
        silence.note(&ask(Ask::Described), Duration::from_secs(30), &failed, now);
        assert!(silence.of(&ask(Ask::Described), now).is_some());
    }
}
