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
/// Proofs at a time that begin with no pods, beside all that do. Each asks every server dozens of things at once,
/// and they are answered in the order in which they were asked: with all proofs begun together, each step of one
/// that makes pods, waits for them and goes on waited behind hundreds of tries of others, and those are the
/// proofs with the most steps. So many keep all servers and machines busy meanwhile, though some of them wait.
const BESIDE_PODS: usize = 8;
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

/// Makes proofs side by side, and tells each as it is made: all that begin with pods, and of the others some at
/// a time.
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
    let turns = Semaphore::new(BESIDE_PODS);
    let (first, mut others): (Vec<&(_, Proof)>, Vec<_>) =
        proofs.iter().partition(|(_, proof)| makes_pods(&begin(proof, scene)));
    // What asks for much at once has few steps more, and what begins with little goes on for longer.
    others.sort_by_cached_key(|(_, proof)| begin(proof, scene).len());
    let first = first.into_iter().map(|row| (row, None::<&Semaphore>));
    let others = others.into_iter().map(|row| (row, Some(&turns)));
    let mut making: FuturesUnordered<_> = first
        .chain(others)
        .map(|((control, proof), turns)| in_turn(turns, make(control, proof, scene, site, &halt)))
        .collect();
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

/// Gives what a proof does first.
fn begin(proof: &Proof, scene: &Scene) -> Vec<Act> {
    match (proof.next)(scene, &[]) {
        Next::Do(acts) => acts,
        Next::Done(_) => Vec::new(),
    }
}

/// Whether a proof begins with pods: what is waited for longest is begun first.
fn makes_pods(begin: &[Act]) -> bool {
    let makes_pod = |act: &Act| {
        let Act::Ask { ask: Ask::Create(object), .. } = act else { return false };
        object["kind"] == "Pod"
    };
    begin.iter().any(makes_pod)
}

/// Makes a proof once it has a turn, if it needs one. Who is halted meanwhile ends as soon as it has.
async fn in_turn(turns: Option<&Semaphore>, make: impl Future<Output = Made>) -> Made {
    let _turn = match turns {
        Some(turns) => turns.acquire().await.ok(),
        None => None,
    };
    make.await
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
    use std::time::Duration;

    use ringfort_controls::{Phase, Proof, Scene};
    use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
    use ringfort_model::judgement::{Decided, Evidence};
    use serde_json::json;
    use tokio::sync::mpsc::channel;

    use super::{BESIDE_PODS, Site, prove, replay, unfinished};

    fn gentle(next: fn(&Scene, &Transcript) -> Next) -> Proof {
        Proof { phase: Phase::Gentle, next, sabotage: &[] }
    }

    fn waits(_: &Scene, _: &Transcript) -> Next {
        Next::Do(vec![Act::Wait { ms: 86_400_000 }])
    }

    #[test]
    fn proofs_end_as_soon_as_they_are_interrupted() {
        let proof = gentle(waits);
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

    fn ask(scene: &Scene, ask: Ask) -> Act {
        Act::Ask { server: scene.control_planes[0].clone(), speaker: Speaker::Keeper, ask }
    }

    fn makes_a_pod(scene: &Scene, transcript: &Transcript) -> Next {
        match transcript.len() {
            0 => Next::Do(vec![ask(scene, Ask::Create(json!({"kind": "Pod"})))]),
            1 => Next::Do(vec![Act::Wait { ms: 5 }]),
            _ => Next::Done(unfinished("there is no server".to_owned())),
        }
    }

    /// Is not done for a day.
    fn makes_a_pod_and_waits(scene: &Scene, transcript: &Transcript) -> Next {
        match transcript.len() {
            0 => makes_a_pod(scene, transcript),
            _ => waits(scene, transcript),
        }
    }

    /// Is done at once, since there is no server.
    fn asks_once(scene: &Scene, transcript: &Transcript) -> Next {
        match transcript.len() {
            0 => Next::Do(vec![ask(scene, Ask::Described)]),
            _ => Next::Done(unfinished("there is no server".to_owned())),
        }
    }

    /// The same, with more to begin with.
    fn asks_twice(scene: &Scene, transcript: &Transcript) -> Next {
        match transcript.len() {
            0 => Next::Do(vec![ask(scene, Ask::Described), ask(scene, Ask::Described)]),
            _ => Next::Done(unfinished("there is no server".to_owned())),
        }
    }

    #[test]
    fn what_makes_pods_is_held_up_by_nobody_and_others_are_made_some_at_a_time() {
        let mut proofs = vec![("test/long", gentle(waits)); BESIDE_PODS];
        proofs.push(("test/behind", gentle(asks_twice)));
        // As many with pods as would fill all turns, and one more.
        proofs.extend(vec![("test/long-pod", gentle(makes_a_pod_and_waits)); BESIDE_PODS + 1]);
        proofs.push(("test/pod", gentle(makes_a_pod)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut told = Vec::new();
        runtime.block_on(async {
            let (press, mut interrupts) = channel(1);
            let (scene, site) = (Scene::sample(), Site::default());
            let tell = |made: super::Made| {
                told.push(made.control);
                let _ = press.try_send(());
            };
            let ended = prove(&proofs, &scene, &site, &mut interrupts, tell);
            let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
            assert!(ended.unwrap().is_err(), "the long ones were brought to their end");
        });
        // What stands behind as many long ones as have turns was not even begun.
        assert_eq!(told, ["test/pod"]);
        // What has a turn is made.
        let mut told = Vec::new();
        runtime.block_on(async {
            let (_press, mut interrupts) = channel(1);
            let (scene, site) = (Scene::sample(), Site::default());
            let all = vec![("test/any", gentle(asks_twice)); 3 * BESIDE_PODS];
            let tell = |made: super::Made| told.push(made.control);
            prove(&all, &scene, &site, &mut interrupts, tell).await.unwrap();
        });
        assert_eq!(told.len(), 3 * BESIDE_PODS);
    }

    #[test]
    fn of_the_others_what_begins_with_little_is_made_first() {
        let mut proofs = vec![("test/two", gentle(asks_twice)); BESIDE_PODS];
        proofs.extend(vec![("test/one", gentle(asks_once)); 2]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut told = Vec::new();
        runtime.block_on(async {
            let (_press, mut interrupts) = channel(1);
            let (scene, site) = (Scene::sample(), Site::default());
            let tell = |made: super::Made| told.push(made.control);
            prove(&proofs, &scene, &site, &mut interrupts, tell).await.unwrap();
        });
        assert_eq!(told[..2], ["test/one"; 2]);
    }

    fn twice(_: &Scene, transcript: &Transcript) -> Next {
        match transcript.len() {
            0 | 1 => Next::Do(vec![Act::Wait { ms: transcript.len() as u64 }]),
            _ => Next::Done(Ok(Decided::Pass(Evidence::from_seen("twice", vec![0, 1]).unwrap()))),
        }
    }

    #[test]
    fn a_transcript_is_judged_again_only_as_it_was_made() {
        let proof = gentle(twice);
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
