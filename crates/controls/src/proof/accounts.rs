//! Accounts that controllers make. On a new cluster they make them one after the other, for some seconds: what needs
//! one is refused for want of it until then, which shows nothing of who should refuse it.

use ringfort_model::act::{Ask, Next, Seen};
use ringfort_model::api_object::ObjectKey;

use super::each::until_told;
use super::{Course, Scene};

/// Looks before an account is missed, and the pause between two: twenty seconds.
const LOOKS: (usize, u64) = (40, 500);

/// Waits until accounts are there, each by its namespace and name. What is tried afterwards says what is missing.
pub(crate) fn await_made(
    course: &mut Course<'_>,
    scene: &Scene,
    accounts: &[(&str, &str)],
) -> Result<(), Next> {
    let look = |(namespace, name): &(&str, &str)| {
        scene.ask(Ask::Get(ObjectKey {
            api_version: "v1".to_owned(),
            kind: "ServiceAccount".to_owned(),
            namespace: Some((*namespace).to_owned()),
            name: (*name).to_owned(),
        }))
    };
    let is_there = |seen: &Seen| matches!(seen, Seen::Object(_));
    until_told(course, LOOKS, || accounts.iter().map(look).collect(), is_there).map(|_| ())
}

#[cfg(test)]
mod tests {
    use ringfort_model::act::{Act, Next, Seen, Transcript};
    use serde_json::json;

    use super::{LOOKS, await_made};
    use crate::proof::{Scene, course, pass};

    /// Says how many acts are done before a proof goes on, where looks at its one account come to these in turn, and to
    /// the last of them from then on.
    fn acts_before(looks: &[Seen]) -> usize {
        let scene = Scene::sample();
        let next = |transcript: &Transcript| {
            course(transcript, |course| {
                await_made(course, &scene, &[("kube-system", "default")])?;
                Ok(pass("it went on".to_owned(), course.so_far()))
            })
        };
        let (mut transcript, mut seen) = (Vec::new(), looks.iter());
        let mut last = &Seen::Absent;
        loop {
            let Next::Do(acts) = next(&transcript) else { return transcript.len() };
            for act in acts {
                let came = match act {
                    Act::Wait { .. } => Seen::Done,
                    _ => {
                        last = seen.next().unwrap_or(last);
                        last.clone()
                    }
                };
                transcript.push((act, came));
            }
        }
    }

    #[test]
    fn an_account_is_waited_for_and_not_for_ever() {
        let made = || Seen::Object(json!({"kind": "ServiceAccount"}));
        assert_eq!(acts_before(&[made()]), 1);
        assert_eq!(acts_before(&[Seen::Absent, Seen::Absent, made()]), 5);
        assert_eq!(acts_before(&[Seen::Absent]), 2 * LOOKS.0 - 1);
        // A server that does not answer is asked once.
        assert_eq!(acts_before(&[Seen::Failed { why: "no answer".to_owned() }]), 1);
    }
}
