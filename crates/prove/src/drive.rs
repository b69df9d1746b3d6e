//! Makes proofs: does what they ask for, and writes the transcript.
//!
//! Acts that a proof asks for at once are done side by side, but a `Wait` holds up those behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

use ringfort_api::Cluster;
use ringfort_controls::{Proof, Scene};
use ringfort_host::Host;
use ringfort_model::act::{Act, Ask, Next, Seen};
use ringfort_model::judgement::{Gap, Judgement};
use ringfort_model::name::NodeName;
use ringfort_model::secret::Secret;

use crate::dial::Papers;
use crate::halt::Halt;
use crate::perform::{hush, one};
use crate::silence::Silence;

/// The ways into a cluster that proofs need.
#[derive(Default)]
pub struct Site {
    /// The way into each machine.
    pub hosts: BTreeMap<NodeName, Arc<Host>>,
    /// Each API server, by its control plane, as ringfort's own identity.
    pub servers: BTreeMap<NodeName, Arc<Cluster>>,
    /// Each API server, as nobody.
    pub strangers: BTreeMap<NodeName, Arc<Cluster>>,
    /// The API through each machine's balancer, as ringfort's own identity.
    pub balancers: BTreeMap<NodeName, Arc<Cluster>>,
    /// The keyring's encryption keys by name.
    pub keys: BTreeMap<String, Secret<[u8; 32]>>,
    /// What is shown to ports, and who is trusted there.
    pub papers: Papers,
    /// How much is done on one machine at a time: sshd allows ten sessions a connection
    /// (`MaxSessions`), and tunnels to the API take some.
    pub turns: BTreeMap<NodeName, Semaphore>,
    /// The API servers that do not answer.
    pub silence: Silence,
    /// Where ringfort's own program of this version lies on machines.
    pub program: &'static str,
}

/// Sessions of proofs on one machine at a time.
pub const TURNS_EACH: usize = 3;
/// How often a proof may ask for more before it is given up.
const MOST_TURNS: usize = 2_000;

/// Proofs were ended early, and what they had under way is undone.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("interrupted while proofs were made; what they had stopped is started again")]
pub struct Interrupted;

/// A proof that was made.
pub struct Made {
    /// The control's id.
    pub control: &'static str,
    /// What is said of it.
    pub judgement: Judgement,
    /// What that rests on.
    pub transcript: Vec<(Act, Seen)>,
    /// When each act began and ended, in milliseconds since the proof did.
    pub times_ms: Vec<(u64, u64)>,
}

/// What a proof has done so far.
struct Course {
    begun: Instant,
    transcript: Vec<(Act, Seen)>,
    times_ms: Vec<(u64, u64)>,
}

impl Course {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Makes proofs side by side, and tells each as it is made.
///
/// # Errors
/// A word on the interrupt channel ends all of them early.
pub async fn prove(
    proofs: &[(&'static str, Proof)],
    scene: &Scene,
    site: &Site,
    interrupts: &mut Receiver<()>,
    mut tell: impl FnMut(Made),
) -> Result<(), Interrupted> {
    let (call, halt) = Halt::new();
    site.silence.forget();
    let mut proofs: Vec<_> = proofs.iter().collect();
    proofs.sort_by_key(|(_, proof)| !waits_for_pods(proof, scene));
    let mut making: FuturesUnordered<_> =
        proofs.into_iter().map(|(id, proof)| make(id, proof, scene, site, &halt)).collect();
    let mut interrupted = false;
    loop {
        tokio::select! {
            made = making.next() => match made {
                Some(made) if !interrupted => tell(made),
                Some(_) => {}
                None => break,
            },
            // What is under way hears it, and ends in good order.
            Some(()) = interrupts.recv(), if !interrupted => {
                interrupted = true;
                let _ = call.send(true);
            }
        }
    }
    if interrupted { Err(Interrupted) } else { Ok(()) }
}

/// Whether a proof begins with pods: what is waited for longest is begun first.
fn waits_for_pods(proof: &Proof, scene: &Scene) -> bool {
    let makes_pod = |act: &Act| {
        let Act::Ask { ask: Ask::Create(object), .. } = act else { return false };
        object["kind"] == "Pod"
    };
    matches!((proof.next)(scene, &[]), Next::Do(acts) if acts.iter().any(makes_pod))
}

async fn make(
    control: &'static str,
    proof: &Proof,
    scene: &Scene,
    site: &Site,
    halt: &Halt,
) -> Made {
    let mut course = Course { begun: Instant::now(), transcript: Vec::new(), times_ms: Vec::new() };
    let mut judgement = unfinished(format!("the proof asked for more than {MOST_TURNS} times"));
    for _ in 0..MOST_TURNS {
        if halt.is_called() {
            judgement = unfinished("the proof was interrupted".to_owned());
            break;
        }
        match (proof.next)(scene, &course.transcript) {
            Next::Done(done) => {
                judgement = done;
                break;
            }
            Next::Do(acts) => perform(site, acts, &mut course, halt).await,
        }
    }
    let Course { transcript, times_ms, .. } = course;
    hush(site, &transcript).await;
    Made { control, judgement, transcript, times_ms }
}

fn unfinished(said: String) -> Judgement {
    Err(Gap { said, closes: "ringfort prove".to_owned() })
}

async fn perform(site: &Site, acts: Vec<Act>, course: &mut Course, halt: &Halt) {
    let mut acts = acts.into_iter().peekable();
    while acts.peek().is_some() {
        let mut together = Vec::new();
        while let Some(act) = acts.next_if(|act| !matches!(act, Act::Wait { .. })) {
            together.push(act);
        }
        if let Some(wait) = acts.next_if(|_| together.is_empty()) {
            together.push(wait);
        }
        let seen = join_all(together.iter().map(|act| timed(site, act, course, halt))).await;
        for (act, (seen, times_ms)) in together.into_iter().zip(seen) {
            course.transcript.push((act, seen));
            course.times_ms.push(times_ms);
        }
    }
}

async fn timed(site: &Site, act: &Act, course: &Course, halt: &Halt) -> (Seen, (u64, u64)) {
    let begun_ms = course.now_ms();
    let seen = one(site, act, halt).await;
    (seen, (begun_ms, course.now_ms()))
}

/// Judges a recorded transcript: says what the proof says of it, which must be its judgement, and that
/// it asks for the acts that were recorded.
///
/// # Errors
/// The transcript is not what this proof asks for, and where.
pub fn replay(
    proof: &Proof,
    scene: &Scene,
    transcript: &[(Act, Seen)],
) -> Result<Judgement, String> {
    let mut at = 0;
    loop {
        match (proof.next)(scene, &transcript[..at]) {
            Next::Done(judgement) if at == transcript.len() => return Ok(judgement),
            Next::Done(_) => {
                return Err(format!("it is judged after {at} acts of {}", transcript.len()));
            }
            Next::Do(acts) if acts.is_empty() => {
                return Err(format!("it asks for nothing after {at} acts"));
            }
            Next::Do(acts) => {
                for act in acts {
                    match transcript.get(at) {
                        Some((recorded, _)) if *recorded == act => at += 1,
                        Some(_) => return Err(format!("act {at} is not what the proof asks for")),
                        None => return Err(format!("it ends before act {at}")),
                    }
                }
            }
        }
    }
}

/// The machines on which a count was begun and not heard.
pub(crate) fn listening(transcript: &[(Act, Seen)]) -> BTreeSet<&NodeName> {
    let mut listening = BTreeSet::new();
    for (act, _) in transcript {
        match act {
            Act::Listen { node, .. } => drop(listening.insert(node)),
            Act::Hear { node } => drop(listening.remove(node)),
            _ => {}
        }
    }
    listening
}

/// The machines on which something is refused.
pub(crate) fn refusing<'a>(transcript: &'a [(Act, Seen)]) -> BTreeSet<&'a NodeName> {
    let node = |(act, _): &'a (Act, Seen)| match act {
        Act::Refuse { node, .. } => Some(node),
        _ => None,
    };
    transcript.iter().filter_map(node).collect()
}

/// The machines that were lost on purpose and not given back.
pub(crate) fn lost(transcript: &[(Act, Seen)]) -> BTreeSet<&NodeName> {
    let mut lost = BTreeSet::new();
    for (act, _) in transcript {
        match act {
            Act::Lose { node } => drop(lost.insert(node)),
            Act::Regain { node } => drop(lost.remove(node)),
            _ => {}
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use ringfort_controls::{Phase, Proof, Scene};
    use ringfort_model::act::{Act, Next, Seen, Transcript};
    use ringfort_model::judgement::{Decided, Evidence};
    use tokio::sync::mpsc::channel;

    use super::{Site, prove, replay};

    fn waits(_: &Scene, _: &Transcript) -> Next {
        Next::Do(vec![Act::Wait { ms: 86_400_000 }])
    }

    #[test]
    fn proofs_end_as_soon_as_they_are_interrupted() {
        let proof = Proof { phase: Phase::Gentle, next: waits, sabotage: &[] };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let ended = runtime.block_on(async {
            let (press, mut interrupts) = channel(1);
            press.send(()).await.unwrap();
            let (scene, site) = (Scene::sample(), Site::default());
            let proofs = [("test/one", proof), ("test/two", proof)];
            prove(&proofs, &scene, &site, &mut interrupts, |_| panic!("nothing was made")).await
        });
        assert!(ended.is_err());
    }

    fn twice(_: &Scene, transcript: &Transcript) -> Next {
        match transcript.len() {
            0 | 1 => Next::Do(vec![Act::Wait { ms: transcript.len() as u64 }]),
            _ => Next::Done(Ok(Decided::Pass(Evidence::from_seen("twice", vec![0, 1]).unwrap()))),
        }
    }

    #[test]
    fn a_transcript_is_judged_again_only_as_it_was_made() {
        let proof = Proof { phase: Phase::Gentle, next: twice, sabotage: &[] };
        let waited = |ms| (Act::Wait { ms }, Seen::Done);
        let check = |transcript: &[(Act, Seen)], well: bool| {
            assert_eq!(
                replay(&proof, &Scene::sample(), transcript).is_ok(),
                well,
                "{transcript:?}"
            );
        };
        check(&[waited(0), waited(1)], true);
        check(&[waited(0)], false);
        check(&[waited(1), waited(0)], false);
        check(&[waited(0), waited(1), waited(2)], false);
    }
}
