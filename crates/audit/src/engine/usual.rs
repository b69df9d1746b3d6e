//! What callers usually do, as far as detections learned it, so that it outlives the run that did. Whoever keeps it
//! hands it to the next run: what was learned in days would else be learned anew after every start, and everything
//! that is done meanwhile be taken for usual.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::known::{Known, MOST, State, THINGS};
use crate::scene::number;

/// What is kept of one detection: callers, since when each is known, and what it does.
type Callers = Vec<(u64, i64, Vec<u64>)>;

/// What all of them learned.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Usual {
    version: u32,
    /// How a known word is numbered: by another numbering nothing of this would be found again.
    numbered: u64,
    detections: BTreeMap<String, Callers>,
}

const VERSION: u32 = 1;
const WORD: &str = "ringfort";
/// So much is kept of one detection at most: who is known longest comes first.
const MOST_KEPT: usize = 1 << 17;

impl Engine {
    /// Gives what callers usually do, as text to be kept.
    pub fn usual(&self) -> String {
        let learned = self.detections.iter().zip(&self.states).filter_map(|(detection, state)| {
            let State::First(of) = state else { return None };
            Some((detection.id.to_owned(), callers(of)))
        });
        let (version, numbered) = (VERSION, number(&[WORD]));
        let usual = Usual { version, numbered, detections: learned.collect() };
        serde_json::to_string(&usual).expect("numbers are plain data")
    }

    /// Takes what an earlier run learned, before anything is judged. Says whether it was understood.
    #[must_use]
    pub fn learned(&mut self, text: &[u8]) -> bool {
        let Ok(Usual { version, numbered, mut detections }) = serde_json::from_slice(text) else {
            return false;
        };
        if version != VERSION || numbered != number(&[WORD]) {
            return false;
        }
        for (detection, state) in self.detections.iter().zip(&mut self.states) {
            let State::First(of) = state else { continue };
            for (whose, since, mut things) in detections.remove(detection.id).unwrap_or_default() {
                things.truncate(THINGS);
                if of.len() < MOST {
                    of.insert(whose, Known { since, things });
                }
            }
        }
        true
    }
}

fn callers(of: &BTreeMap<u64, Known>) -> Callers {
    let mut callers: Vec<(&u64, &Known)> = of.iter().collect();
    callers.sort_by_key(|(whose, known)| (known.since, **whose));
    let mut room = MOST_KEPT;
    let fits = |(_, known): &(&u64, &Known)| {
        let is_room = known.things.len() <= room;
        room = room.saturating_sub(known.things.len());
        is_room
    };
    let kept = callers.into_iter().take_while(fits);
    kept.map(|(whose, known)| (*whose, known.since, known.things.clone())).collect()
}

#[cfg(test)]
mod tests {
    use crate::detections::DETECTIONS;
    use crate::engine::Engine;
    use crate::envelope::{Found, each};

    /// What is found when somebody enters a namespace on a day.
    fn found(engine: &mut Engine, day: u32, namespace: &str) -> Vec<String> {
        let line = format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{day}-{namespace}","stage":"ResponseComplete","verb":"create","user":{{"username":"eve"}},"objectRef":{{"resource":"pods","subresource":"exec","namespace":"{namespace}","name":"p"}},"requestURI":"/x","responseStatus":{{"code":101}},"requestReceivedTimestamp":"2026-01-{day:02}T10:00:00.000001Z"}}"#
        );
        let mut findings = Vec::new();
        each(line.as_bytes(), &mut |found| {
            let Found::Event(event) = found else { panic!("{found:?}") };
            assert_eq!(engine.judge(event, &mut findings), None);
        });
        let ids = findings.into_iter().map(|finding| finding.detection.into_owned());
        ids.filter(|id| id == "detect/first-exec").collect()
    }

    #[test]
    fn what_is_usual_is_known_to_the_next_run_and_what_is_new_is_found() {
        let mut engine = Engine::new(DETECTIONS);
        assert!(found(&mut engine, 1, "web").is_empty());
        let usual = engine.usual();
        let mut next = Engine::new(DETECTIONS);
        assert!(next.learned(usual.as_bytes()));
        assert_eq!(next.usual(), usual);
        assert!(found(&mut next, 3, "web").is_empty(), "it did so before");
        assert_eq!(found(&mut next, 3, "shop").len(), 1);
        // Without it a newcomer's first day begins.
        assert!(found(&mut Engine::new(DETECTIONS), 3, "shop").is_empty());
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let usual = Engine::new(DETECTIONS).usual();
        let mut engine = Engine::new(DETECTIONS);
        for text in ["", "{}", &usual[..40], &usual.replace("\"version\":1", "\"version\":2")] {
            assert!(!engine.learned(text.as_bytes()), "{text}");
        }
        let renumbered = usual.replacen("\"numbered\":", "\"numbered\":1", 1);
        assert!(!engine.learned(renumbered.as_bytes()));
    }
}
