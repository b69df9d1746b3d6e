//! The enforcer's one loop: hears, decides, tells the kernel, and only then lets a pod begin.
//!
//! What the kernel holds outlives this process, so a restart opens nothing. What is not known is
//! closed: an address of the node's ranges that no pod is known to have gets no packet.

mod guard;
mod shown;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfort_api::{ApiError, Cluster, Identity};
use ringfort_model::network_policy::{BRIDGE, Enforcement};
use ringfort_model::secret::Secret;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::RUN;
use super::attached::Attachments;
use super::door::{Call, Called, Reply, listen, serve};
use super::kept::Kept;
use super::listen::{Ear, Heard};
use super::meddling::Meddlings;
use super::nft::{Nft, NftError};
use super::refused::Refusal;
use super::state::{Kind, News, State};
use shown::Counters;
use tally::Tally;

use ringfort_policy::{Home, Place, RuleSet, TABLE, World, change, replace, settle};

/// What an enforcer needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file that says what is the node's and what is closed by itself.
    pub file: PathBuf,
    /// The API server.
    pub server: SocketAddr,
    /// The name that its certificate carries.
    pub server_name: String,
    /// The certificate of its authority.
    pub ca: PathBuf,
    /// The enforcer's own certificate.
    pub certificate: PathBuf,
    /// The key of it.
    pub key: PathBuf,
}

/// What an enforcer tells whoever started it.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Once: pods may be started.
    pub ready: fn(),
    /// Again and again: it goes on.
    pub alive: fn(),
}

/// Says why an enforcer could not begin, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum EnforceError {
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// Which.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file does not say what is the node's.
    #[error("{path} does not say which pods are this node's")]
    Shape {
        /// Which.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The identity is none.
    #[error("the identity cannot be used")]
    Identity(#[from] ApiError),
    /// Something of the machine is not as it must be.
    #[error("{what}")]
    Machine {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel's rules cannot be made.
    #[error("the rules cannot be made")]
    Rules(#[from] NftError),
    /// What the loop lives from has ended.
    #[error("{0} ended")]
    Ended(&'static str),
}

/// How long pods that ran before the enforcer may stay as they are until the API was heard.
const GRACE: Duration = Duration::from_secs(5);
/// How long a new pod waits for its rules.
const ATTACH: Duration = Duration::from_secs(20);
/// Of how many pods it is remembered how long they waited.
const REMEMBERED: usize = 100;
/// How many times as long as rules took to make nothing is made anew, and for how long at most.
const REST: u32 = 4;
const LONGEST_REST: Duration = Duration::from_secs(2);
/// How often what was refused is read and told.
const TELL: Duration = Duration::from_secs(10);
/// How often it is looked whether the kernel still holds the rules.
const LOOK: Duration = Duration::from_secs(10);
/// The pause between two tries to put back what somebody else changes.
const PUT_BACK: Duration = Duration::from_millis(100);

/// The directory of the files that say whose addresses are whose.
pub(super) fn pods_directory() -> PathBuf {
    Path::new(RUN).join("pods")
}

/// Enforces policies on this node for ever.
///
/// # Errors
/// It could not begin, or something that it rests on ended.
pub fn enforce(settings: &Settings, told: Told) -> Result<Infallible, EnforceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let machine = |what| move |source| EnforceError::Machine { what, source };
    runtime.map_err(machine("the runtime cannot be made"))?.block_on(run(settings, told))
}

async fn run(settings: &Settings, to: Told) -> Result<Infallible, EnforceError> {
    let machine = |what| move |source| EnforceError::Machine { what, source };
    let told = told(&settings.file)?;
    let identity = Identity {
        authority_pem: read(&settings.ca)?,
        certificate_pem: read(&settings.certificate)?,
        key_pem: Secret::new(read(&settings.key)?),
    };
    let attachments =
        Attachments::read(&pods_directory()).map_err(machine("who has which address"))?;
    let ear = Ear::open().map_err(machine("changes of the kernel's rules cannot be heard"))?;
    let door = listen().map_err(machine("the door for the network plugin cannot be opened"))?;
    let mut hears =
        Hears { news: watch(settings, &identity)?, touches: hear(ear), calls: answer(door) };
    let around = Around {
        nft: Nft::new("nft"),
        kept: Kept::new(Path::new(RUN)),
        bridged: PathBuf::from("/proc/sys/net/bridge"),
        runs_pods: Path::new("/sys/class/net").join(BRIDGE).exists(),
    };
    let mut enforcer = Enforcer::new(&told, attachments, around);
    enforcer.begin(&mut hears).await?;
    tracing::info!(node = enforcer.home.node, "rules are in force");
    (to.ready)();
    enforcer.go_on(&mut hears, to.alive).await
}

fn told(path: &Path) -> Result<Enforcement, EnforceError> {
    serde_json::from_str(&read(path)?)
        .map_err(|source| EnforceError::Shape { path: path.display().to_string(), source })
}

fn read(path: &Path) -> Result<String, EnforceError> {
    fs::read_to_string(path)
        .map_err(|source| EnforceError::Unreadable { path: path.display().to_string(), source })
}

/// What the loop hears.
struct Hears {
    news: mpsc::UnboundedReceiver<(Kind, News)>,
    touches: mpsc::UnboundedReceiver<Heard>,
    calls: mpsc::Receiver<Called>,
}

fn watch(
    settings: &Settings,
    identity: &Identity,
) -> Result<mpsc::UnboundedReceiver<(Kind, News)>, EnforceError> {
    let (tell, news) = mpsc::unbounded_channel();
    for kind in Kind::all() {
        let cluster = Cluster::open_watching(settings.server, &settings.server_name, identity)?;
        tokio::spawn(super::hear::hear(cluster, kind, tell.clone()));
    }
    Ok(news)
}

fn hear(ear: Ear) -> mpsc::UnboundedReceiver<Heard> {
    let (tell, touches) = mpsc::unbounded_channel();
    let table = TABLE.rsplit(' ').next().unwrap_or(TABLE);
    std::thread::spawn(move || {
        if let Err(error) = ear.hear(table, |heard| tell.send(heard).is_ok()) {
            tracing::error!(%error, "changes of the kernel's rules are not heard any more");
        }
    });
    touches
}

fn answer(door: tokio::net::UnixListener) -> mpsc::Receiver<Called> {
    let (calls, called) = mpsc::channel(64);
    tokio::spawn(serve(door, calls));
    called
}

/// A pod that waits for its rules.
struct Waiting {
    place: Place,
    uid: String,
    since: Instant,
    answer: oneshot::Sender<Reply>,
}

/// What of the machine the enforcer acts on.
struct Around {
    nft: Nft,
    kept: Kept,
    /// The settings of what the kernel makes of packets that cross a bridge.
    bridged: PathBuf,
    /// Whether pods may run here already.
    runs_pods: bool,
}

struct Enforcer {
    around: Around,
    state: State,
    home: Home,
    attachments: Attachments,
    /// What the kernel holds, as far as it is known.
    applied: Option<RuleSet>,
    /// How often rules have changed: who refuses what is looked up anew then.
    changes: u64,
    dirty: bool,
    /// Whether what changed is a pod of this node.
    is_urgent: bool,
    /// When rules may be made anew for what is not urgent.
    rested: Instant,
    /// Whether the rules were made of what the API told.
    decided: bool,
    /// Whether the kernel may hold less than it should, because putting back failed.
    lost: bool,
    /// Why packets between pods of this machine are not judged, if so.
    unbridged: Option<String>,
    waiting: Vec<Waiting>,
    /// How long the last pods waited, in milliseconds.
    waited: VecDeque<u64>,
    /// Own transactions, and those that were heard of.
    made: u64,
    heard: u64,
    /// What was found of others who changed what is enforced.
    meddlings: Meddlings,
    told: BTreeSet<Refusal>,
    /// Whose refusals were told last.
    told_of: Option<IpAddr>,
    /// How many packets the kernel counted at last, and before it began anew.
    counted: Counters,
    carried: Counters,
    /// What each policy refused.
    tally: Tally,
}

impl Enforcer {
    fn new(told: &Enforcement, attachments: Attachments, around: Around) -> Self {
        let home = Home {
            node: told.node.to_string(),
            ranges: told.pods.clone(),
            all: told.all_pods.clone(),
            attached: attachments.by_address(),
        };
        let meddlings = around.kept.meddlings();
        let mut world = World::new(told.defaults.clone());
        let ranges = told.node_pods.iter();
        world.ranges = ranges.map(|(node, ranges)| (node.to_string(), ranges.clone())).collect();
        Self {
            around,
            state: State::new(world),
            home,
            attachments,
            applied: None,
            changes: 0,
            dirty: false,
            is_urgent: false,
            rested: Instant::now(),
            decided: false,
            lost: false,
            unbridged: None,
            waiting: Vec::new(),
            waited: VecDeque::new(),
            made: 0,
            heard: 0,
            meddlings,
            told: BTreeSet::new(),
            told_of: None,
            counted: Counters::new(),
            carried: Counters::new(),
            tally: Tally::default(),
        }
    }

    /// Makes the first rules. Where pods run already and nothing was enforced, they go on as they are
    /// until the API was heard, so that nothing is cut that policies allow; a machine that just
    /// started has no such pods, and begins closed.
    async fn begin(&mut self, hears: &mut Hears) -> Result<(), EnforceError> {
        self.bridged();
        let mut enforced = self.is_enforced().await;
        // What was enforced and is neither there nor kept was lost in the middle of a change: nobody knows which
        // pods may go on as they are.
        if !enforced && self.around.kept.has_begun() {
            tracing::warn!(
                "rules were in force and are gone: all ways are closed until the API is heard"
            );
            self.close().await?;
            enforced = true;
        }
        if enforced || self.around.runs_pods {
            let grace = sleep(GRACE);
            tokio::pin!(grace);
            while !self.state.is_complete() {
                tokio::select! {
                    () = &mut grace => break,
                    Some((kind, news)) = hears.news.recv() => {
                        self.state.take(kind, news, Instant::now());
                    }
                    Some(touch) = hears.touches.recv(), if enforced => self.touched(touch).await,
                }
            }
        }
        self.dirty = true;
        if self.state.is_complete() {
            match self.settle().await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::error!(%error, "the first rules could not be made"),
            }
        }
        // Rules of a process before this one are better than none, and none are better than open.
        if !enforced {
            self.close().await?;
        }
        Ok(())
    }

    async fn go_on(&mut self, hears: &mut Hears, alive: fn()) -> Result<Infallible, EnforceError> {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tell = interval(TELL);
        tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                news = hears.news.recv() => {
                    let (kind, news) = news.ok_or(EnforceError::Ended("hearing of the API"))?;
                    self.take(kind, news);
                    while let Ok((kind, news)) = hears.news.try_recv() {
                        self.take(kind, news);
                    }
                }
                () = sleep_until(self.rested), if self.dirty && self.rests() => {}
                call = hears.calls.recv() => {
                    let (call, answer) = call.ok_or(EnforceError::Ended("the door"))?;
                    self.called(call, answer).await;
                }
                touch = hears.touches.recv() => {
                    let touch = touch.ok_or(EnforceError::Ended("hearing of the kernel"))?;
                    self.touched(touch).await;
                }
                _ = tell.tick() => self.tell().await,
                // What was heard of already is put back by whoever takes it.
                _ = look.tick() => {
                    if hears.touches.is_empty() {
                        self.look().await;
                    }
                }
                _ = seconds.tick() => {
                    alive();
                    self.dirty |= self.state.passed(Instant::now());
                    self.give_up_late();
                    if self.lost {
                        self.put_back().await;
                    }
                }
            }
            if self.dirty && !self.rests() && self.state.is_complete() {
                // What fails is tried again with the next second, and pods wait meanwhile.
                match self.settle().await {
                    Ok(()) => {}
                    Err(error) => {
                        tracing::error!(%error, "rules could not be made; no new pod is let in");
                        sleep(PUT_BACK).await;
                    }
                }
            }
        }
    }

    /// Takes news of an object.
    fn take(&mut self, kind: Kind, news: News) {
        let is_own =
            matches!(&news, News::Pod(_, pod) if pod.node.as_ref() == Some(&self.home.node));
        let changed = self.state.take(kind, news, Instant::now());
        self.dirty |= changed;
        self.is_urgent |= changed && is_own;
    }

    /// Says whether what changed waits until the machine has had rest from the last time: whoever may change one pod's
    /// labels again and again must not keep it busy. Nobody waits for that, and no pod of its own goes on by old rules.
    fn rests(&self) -> bool {
        self.waiting.is_empty() && !self.is_urgent && Instant::now() < self.rested
    }

    /// Makes the kernel's rules what they should be, and lets pods begin that waited for it.
    async fn settle(&mut self) -> Result<(), NftError> {
        let begun = Instant::now();
        let settled = self.decide().await;
        self.rested = Instant::now() + (begun.elapsed() * REST).min(LONGEST_REST);
        self.is_urgent = false;
        settled
    }

    async fn decide(&mut self) -> Result<(), NftError> {
        // What a namespace's policies come to may be less than it was.
        self.state.world.outgrown.clear();
        let (rules, outgrown) = settle(&self.state.world, &self.home);
        self.state.world.outgrown = outgrown;
        let script = match &self.applied {
            Some(applied) if !self.lost => change(applied, &rules),
            _ => Some(replace(&rules)),
        };
        self.changes += u64::from(script.is_some());
        if let Some(script) = script
            && let Err(error) = self.apply(&script).await
        {
            tracing::warn!(%error, "a change was refused: all rules are made anew");
            self.applied = None;
            self.apply(&replace(&rules)).await?;
        }
        self.applied = Some(rules);
        (self.dirty, self.decided, self.lost) = (false, true, false);
        self.forget_gone();
        self.answer_waiting();
        Ok(())
    }

    async fn apply(&mut self, script: &str) -> Result<(), NftError> {
        if let Err(error) = self.around.kept.forget() {
            tracing::error!(%error, "rules that were kept cannot be forgotten");
        }
        self.around.nft.apply(script).await?;
        self.made += 1;
        if let Err(error) = self.around.kept.begin() {
            tracing::error!(%error, "that rules are in force cannot be written down");
        }
        if script.starts_with("add table") {
            self.carry();
        }
        Ok(())
    }

    fn answer_waiting(&mut self) {
        if self.state.is_behind().is_some() || self.unbridged.is_some() {
            return;
        }
        let World { pods, namespaces, .. } = &self.state.world;
        let is_known = |waiting: &mut Waiting| {
            namespaces.contains_key(&waiting.place.namespace)
                && pods.get(&waiting.place).is_some_and(|pod| pod.uid == waiting.uid)
        };
        for waiting in self.waiting.extract_if(.., is_known) {
            if self.waited.len() == REMEMBERED {
                self.waited.pop_front();
            }
            let waited = waiting.since.elapsed().as_millis();
            self.waited.push_back(u64::try_from(waited).unwrap_or(u64::MAX));
            // A plugin that was killed meanwhile asks again.
            let _ = waiting.answer.send(Reply::Done);
        }
    }

    fn give_up_late(&mut self) {
        let now = Instant::now();
        let is_late = |waiting: &mut Waiting| now.duration_since(waiting.since) >= ATTACH;
        for waiting in self.waiting.extract_if(.., is_late) {
            let why = match (&self.unbridged, self.state.is_behind()) {
                (Some(why), _) => why.clone(),
                (None, Some(behind)) => {
                    format!("policies may have changed and are not heard of: {behind}")
                }
                (None, None) => {
                    format!("the API has not told of pod {} and its namespace yet", waiting.place)
                }
            };
            tracing::warn!(pod = %waiting.place, "not let in: {why}");
            let _ = waiting.answer.send(Reply::Failed(why));
        }
    }

    async fn called(&mut self, call: Call, answer: oneshot::Sender<Reply>) {
        let reply = match call {
            Call::Attach(attachment) => {
                let place = Place::new(attachment.namespace.clone(), attachment.name.clone());
                let uid = attachment.uid.clone();
                match self.attachments.add(attachment) {
                    Ok(()) => {
                        self.home.attached = self.attachments.by_address();
                        self.dirty = true;
                        let since = Instant::now();
                        self.waiting.push(Waiting { place, uid, since, answer });
                        return;
                    }
                    Err(error) => Reply::Failed(format!("it cannot be written down: {error}")),
                }
            }
            Call::Detach { container } => match self.attachments.remove(&container) {
                Ok(known) => {
                    self.home.attached = self.attachments.by_address();
                    self.dirty |= known;
                    Reply::Done
                }
                Err(error) => Reply::Failed(format!("it cannot be forgotten: {error}")),
            },
            Call::Status => Reply::Done,
            Call::Show => match self.shown().await {
                Ok(shown) => Reply::Shown(Box::new(shown)),
                Err(error) => Reply::Failed(error.to_string()),
            },
        };
        let _ = answer.send(reply);
    }
}
