//! One run of the operator's engine: performs its effects side by side, and tells it what came of
//! each. Decides nothing.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, UnboundedSender, unbounded_channel};

use ringfort_api::{ApiError, Cluster, Extent, Looked};
use ringfort_controls::workload::addons;
use ringfort_engine::{
    Effect, Input, ObjectAct, ObjectSeen, Operator, Refusal, Remember, Report, Tick,
};
use ringfort_model::api_object::{ApiObject, Presence};
use ringfort_model::certificate::CertRequest;
use ringfort_model::content::SecretName;
use ringfort_model::event::Event;
use ringfort_model::frame::{Answer, Request};
use ringfort_model::name::NodeName;
use ringfort_model::secret::Secret;
use ringfort_model::step::{Act, Outcome, Source, Step};

use super::fleet::FleetError;
use super::link::Link;

/// Requests to an API server at a time: each takes an SSH channel.
const API_TURNS: usize = 4;
/// How long a machine may take for what is no step.
pub(crate) const LOOK_LIMIT: Duration = Duration::from_secs(90);
/// How long a machine may take for a step, beyond what the step itself allows.
const STEP_LIMIT: Duration = Duration::from_secs(300);

/// What a run needs of its surroundings.
pub struct Crew<'a> {
    /// The conversation with each machine.
    pub links: &'a BTreeMap<NodeName, Link>,
    /// Why there is none with others.
    pub missing: &'a BTreeMap<NodeName, FleetError>,
    /// Each API server, to be asked in turn until one answers.
    pub servers: &'a BTreeMap<NodeName, Arc<Cluster>>,
    /// The objects of the blueprint, by their place in it.
    pub objects: &'a [ApiObject],
    /// Signs certificates.
    pub sign: &'a dyn Fn(&CertRequest, &str) -> Result<String, String>,
    /// The secrets that steps may carry.
    pub secrets: &'a BTreeMap<SecretName, Secret<Vec<u8>>>,
    /// Keeps on disk what must not be forgotten.
    pub remember: &'a mut dyn FnMut(&Remember) -> Result<(), String>,
    /// Hears what goes on.
    pub tell: &'a mut dyn FnMut(Event),
    /// When the command began.
    pub start: Instant,
}

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// The engine came to its end.
    Finished(Report),
    /// The engine refused: going on would lose data.
    Refused(Vec<Refusal>),
    /// What must be kept could not be kept.
    NotKept(String),
}

/// Runs an engine to its end.
///
/// A word on the interrupt channel makes the engine finish what is under way and start nothing new.
pub async fn run(mut operator: Operator, crew: Crew<'_>, interrupts: &mut Receiver<()>) -> End {
    let (tell, mut hear) = unbounded_channel();
    let start = crew.start;
    let mut desk =
        Desk { crew, tell, turns: Arc::new(Semaphore::new(API_TURNS)), steps: BTreeMap::new() };
    let mut effects = Vec::new();
    operator.on(tick(start), Input::Start, &mut effects);
    loop {
        for effect in effects.drain(..) {
            if let Some(end) = desk.perform(effect) {
                return end;
            }
        }
        let input = tokio::select! {
            Some(input) = hear.recv() => input,
            Some(()) = interrupts.recv() => Input::Interrupted,
        };
        desk.announce(&input);
        operator.on(tick(start), input, &mut effects);
    }
}

struct Desk<'a> {
    crew: Crew<'a>,
    tell: UnboundedSender<Input>,
    turns: Arc<Semaphore>,
    steps: BTreeMap<u64, (Step, Instant)>,
}

impl Desk<'_> {
    fn perform(&mut self, effect: Effect) -> Option<End> {
        match effect {
            Effect::Finish(report) => return Some(End::Finished(report)),
            Effect::Refuse { refusals } => return Some(End::Refused(refusals)),
            Effect::Remember(what) => {
                if let Err(why) = (self.crew.remember)(&what) {
                    return Some(End::NotKept(why));
                }
                self.say(Input::Remembered(what));
            }
            Effect::Sign { node, seq, request, csr_pem } => {
                let result = (self.crew.sign)(&request, &csr_pem);
                self.say(Input::Signed { node, seq, result });
            }
            Effect::Observe { node, looks } => {
                self.ask(node, Request::Observe { looks }, |node, answer| match answer {
                    Answer::Observed(seen) => Some(Input::Observed { node, seen }),
                    _ => None,
                });
            }
            Effect::Members { node } => {
                self.ask(node, Request::Members, |node, answer| match answer {
                    Answer::Members(members) => Some(Input::Members { node, members }),
                    _ => None,
                });
            }
            Effect::Apply { node, seq, step } => self.apply(node, seq, step),
            Effect::Object(act) => self.object(act),
            Effect::Wake { at } => {
                let wait = Duration::from_millis(at.saturating_sub(tick(self.crew.start)));
                self.later(async move {
                    tokio::time::sleep(wait).await;
                    Input::Woke
                });
            }
        }
        None
    }

    fn say(&self, input: Input) {
        // The other end lives as long as the run.
        let _ = self.tell.send(input);
    }

    fn later(&self, input: impl Future<Output = Input> + Send + 'static) {
        let tell = self.tell.clone();
        tokio::spawn(async move {
            // The run may have ended meanwhile.
            let _ = tell.send(input.await);
        });
    }

    fn ask(&self, node: NodeName, request: Request, hear: fn(NodeName, Answer) -> Option<Input>) {
        let Some(link) = self.crew.links.get(&node).cloned() else {
            return self.say(self.missing(node));
        };
        self.later(async move {
            let unreachable = |why: String| Input::Unreachable { node: node.clone(), why };
            match tokio::time::timeout(LOOK_LIMIT, link.ask(&request, &[])).await {
                Err(_) => unreachable(give_up(&link, LOOK_LIMIT)),
                Ok(Err(error)) => unreachable(error.to_string()),
                Ok(Ok(answer)) => hear(node.clone(), answer)
                    .unwrap_or_else(|| unreachable("it answered something else".to_owned())),
            }
        });
    }

    fn missing(&self, node: NodeName) -> Input {
        let why = self.crew.missing.get(&node);
        let why = why.map_or("it was not entered".to_owned(), ToString::to_string);
        Input::Unreachable { node, why }
    }

    fn apply(&mut self, node: NodeName, seq: u64, step: Step) {
        let Some(link) = self.crew.links.get(&node).cloned() else {
            return self.say(self.missing(node));
        };
        self.steps.insert(seq, (step.clone(), Instant::now()));
        let tail = match carried(&step) {
            Some(name) => self.crew.secrets.get(&name).cloned(),
            None => None,
        };
        let limit = STEP_LIMIT + own_limit(&step);
        self.later(async move {
            let tail = tail.as_ref().map_or(&[][..], |secret| secret.expose());
            match tokio::time::timeout(limit, link.apply(seq, step, tail)).await {
                Err(_) => Input::Unreachable { node, why: give_up(&link, limit) },
                Ok(Err(error)) => Input::Unreachable { node, why: error.to_string() },
                Ok(Ok(outcome)) => Input::Applied { node, seq, outcome },
            }
        });
    }

    fn object(&self, act: ObjectAct) {
        let (ObjectAct::Look { index } | ObjectAct::Apply { index }) = act;
        let servers = self.crew.servers.clone();
        let ApiObject { by, object, presence } = self.crew.objects[index].clone();
        // Add-ons have controllers of their own.
        let extent = if by == addons::CONTROL.id { Extent::Named } else { Extent::Whole };
        let turns = Arc::clone(&self.turns);
        self.later(async move {
            let _turn = turns.acquire().await;
            match act {
                ObjectAct::Look { .. } => {
                    let seen = match first(servers.values(), |server| async {
                        server.look(&object, extent).await
                    })
                    .await
                    {
                        Ok(Looked::Absent) => ObjectSeen::Absent,
                        Ok(Looked::Same) => ObjectSeen::Same,
                        Ok(Looked::Differs(_)) => ObjectSeen::Differs,
                        Err(error) => ObjectSeen::Unknown(error.to_string()),
                    };
                    Input::ObjectLooked { index, seen }
                }
                ObjectAct::Apply { .. } => {
                    let applied =
                        first(servers.values(), |server| apply(server, &object, extent, &presence));
                    let result = applied.await.map_err(|error| error.to_string());
                    Input::ObjectApplied { index, result }
                }
            }
        });
    }

    fn announce(&mut self, input: &Input) {
        let seconds = self.crew.start.elapsed().as_secs_f64();
        match input {
            Input::Applied { node, seq, outcome } => {
                let Some((step, began)) = self.steps.remove(seq) else { return };
                let (failed, change) = match outcome {
                    Outcome::Failed { why } => (Some(why.clone()), true),
                    Outcome::Done(_) => (None, !matches!(step.act, Act::Await { .. })),
                    Outcome::Signing { .. } => (None, false),
                };
                (self.crew.tell)(Event::Step {
                    node: Some(node.clone()),
                    item: step.item.to_string(),
                    because: step.reason(),
                    by: step.by,
                    seconds,
                    took: began.elapsed().as_secs_f64(),
                    change,
                    failed,
                });
            }
            Input::ObjectApplied { index, result } => {
                let object = &self.crew.objects[*index];
                (self.crew.tell)(Event::Step {
                    node: None,
                    item: object.key().to_string(),
                    by: object.by.clone(),
                    because: "missing or changed".to_owned(),
                    seconds,
                    took: 0.0,
                    change: true,
                    failed: result.clone().err(),
                });
            }
            _ => {}
        }
    }
}

/// Closes a link that did not answer in time: what it was asked must not go on beside what it would
/// be asked again.
fn give_up(link: &Link, limit: Duration) -> String {
    let why = format!("no answer within {} s", limit.as_secs());
    link.close(&why);
    why
}

async fn apply(
    server: &Cluster,
    object: &serde_json::Value,
    extent: Extent,
    presence: &Presence,
) -> Result<(), ApiError> {
    match presence {
        Presence::Made => server.apply(object, extent).await.map(|_| ()),
        Presence::Awaited { .. } if server.apply_if_there(object).await? => Ok(()),
        Presence::Awaited { .. } => Err(ApiError::Shape { why: "it is not there yet".to_owned() }),
    }
}

/// Asks servers in turn until one answers, be it with a refusal.
pub(crate) async fn first<'a, T, F, Fut>(
    servers: impl IntoIterator<Item = &'a Arc<Cluster>>,
    mut ask: F,
) -> Result<T, ApiError>
where
    F: FnMut(&'a Cluster) -> Fut,
    Fut: Future<Output = Result<T, ApiError>>,
{
    let ask = |server: &'a Arc<Cluster>| ask(server);
    let is_silence = |error: &ApiError| matches!(error, ApiError::Unreachable { .. });
    let nobody = || Err(ApiError::Unreachable { why: "there is no server to ask".to_owned() });
    in_turn(servers, ask, is_silence).await.unwrap_or_else(nobody)
}

/// Asks servers in turn until one answers, or fails by what the next would not do better. Where all fail, the last
/// one's error is the answer; there is none without servers.
pub async fn in_turn<S, T, E, F, Fut>(
    servers: impl IntoIterator<Item = S>,
    mut ask: F,
    passes: impl Fn(&E) -> bool,
) -> Option<Result<T, E>>
where
    F: FnMut(S) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let mut last = None;
    for server in servers {
        match ask(server).await {
            Err(error) if passes(&error) => last = Some(error),
            answer => return Some(answer),
        }
    }
    last.map(Err)
}

fn carried(step: &Step) -> Option<SecretName> {
    match &step.act {
        Act::WriteFile { source: Source::Secret { name, .. }, .. } => Some(*name),
        _ => None,
    }
}

fn own_limit(step: &Step) -> Duration {
    match &step.act {
        Act::Await { seconds, .. } => Duration::from_secs(u64::from(*seconds)),
        _ => Duration::ZERO,
    }
}

fn tick(start: Instant) -> Tick {
    Tick::try_from(start.elapsed().as_millis()).unwrap_or(Tick::MAX)
}
