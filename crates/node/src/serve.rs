//! The machine's side of the conversation with an operator: requests in, answers out, steps side
//! by side.
//!
//! Who may act and what is written down before it is done is decided by the engine's node half;
//! here its effects are performed, in its order. Everything but steps is answered in order. When
//! the operator goes, steps that were begun are ended, and nothing new is begun.

mod half;
mod supply;

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Scope;

use zeroize::Zeroizing;

use ringfort_engine::node::{Effect, Input};
use ringfort_model::causes::with_causes;
use ringfort_model::frame::{Answer, Decoder, FrameError, Request, encode};
use ringfort_model::item::ItemId;
use ringfort_model::seen::{Look, Seen};
use ringfort_model::step::{Act, Outcome, Step};

use crate::act::{Actor, members};
use crate::look::{KnownDigests, Looker, etcd_data};
use crate::reach::{self, Ears};
use crate::root::Root;
use crate::store::Store;
use crate::survey;
use crate::tools::Tools;
use half::Half;
use supply::Supply;

/// Says how a conversation ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The channel failed.
    #[error("the channel to the operator failed")]
    Channel {
        /// What the system said.
        source: io::Error,
    },
    /// What came is no frame.
    #[error("what came is no frame of ringfort's: {0}")]
    Frame(#[from] FrameError),
}

/// Steps that work at once; those that only wait are not counted.
const AT_WORK: usize = 8;

/// Steps that are begun and not answered, at most.
const OPEN: usize = 256;

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Serves one operator until it says goodbye or its channel closes.
///
/// # Errors
/// The channel failed, or what came is no frame. Steps that were begun have ended.
pub fn serve(
    reader: impl Read,
    writer: impl Write + Send,
    root: &Root,
    tools: &dyn Tools,
) -> Result<(), ServeError> {
    let digests = KnownDigests::default();
    let store = Store::open(root);
    let closing = AtomicBool::new(false);
    let looker = Looker { root, tools, digests: &digests };
    let machine = Machine {
        actor: Actor::new(&looker, &store, &closing),
        looker,
        store: &store,
        voice: Voice { writer: Mutex::new(writer) },
        slots: Slots::new(AT_WORK),
        open: AtomicUsize::new(0),
    };
    std::thread::scope(|scope| {
        let supply = Supply::default();
        let mut talk =
            Talk { machine: &machine, scope, half: None, acts: false, supply, ears: None };
        let ended = listen(reader, &mut talk);
        closing.store(true, Ordering::Relaxed);
        ended
    })
}

fn listen<W: Write + Send>(
    mut reader: impl Read,
    talk: &mut Talk<'_, '_, W>,
) -> Result<(), ServeError> {
    let mut decoder = Decoder::default();
    let mut piece = Zeroizing::new(vec![0; PIECE_BYTES]);
    loop {
        let count = match reader.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(ServeError::Channel { source }),
        };
        decoder.push(&piece[..count]);
        while let Some((request, tail)) = decoder.pop()? {
            // Steps that were begun are still written down as done: the half hears no goodbye.
            if request == Request::Bye || talk.hear(request, Zeroizing::new(tail)) == Then::End {
                return Ok(());
            }
        }
    }
}

/// Whether a conversation goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    GoOn,
    End,
}

/// What a conversation works with.
struct Machine<'a, W> {
    looker: Looker<'a>,
    store: &'a Store,
    actor: Actor<'a>,
    voice: Voice<W>,
    slots: Slots,
    open: AtomicUsize,
}

/// Says answers, one at a time.
struct Voice<W> {
    writer: Mutex<W>,
}

impl<W: Write> Voice<W> {
    fn say(&self, answer: &Answer) {
        let Ok(mut writer) = self.writer.lock() else { return };
        // An operator that has gone hears nothing; reading tells us so next.
        let _ = writer.write_all(&encode(answer, &[])).and_then(|()| writer.flush());
    }
}

/// A conversation.
struct Talk<'scope, 'env, W> {
    machine: &'env Machine<'env, W>,
    scope: &'scope Scope<'scope, 'env>,
    half: Option<Arc<Half>>,
    /// Whether the operator may change the machine, and not only look.
    acts: bool,
    supply: Supply,
    /// Ports that are open for tests of other machines.
    ears: Option<Ears>,
}

impl<W: Write + Send> Talk<'_, '_, W> {
    fn hear(&mut self, request: Request, tail: Zeroizing<Vec<u8>>) -> Then {
        let machine = self.machine;
        let answer = match request {
            Request::Survey if self.half.is_some() => {
                Answer::Surveyed(Box::new(survey::take(machine.looker.root, machine.looker.tools)))
            }
            Request::Listen { address, ports } if self.half.is_some() => {
                self.ears = None;
                let (ears, closed) = Ears::open(address, &ports);
                self.ears = Some(ears);
                Answer::Listening(closed)
            }
            Request::Reach { targets } if self.half.is_some() => {
                Answer::Reached(reach::all(targets))
            }
            Request::Lacks { digests } if self.half.is_some() => {
                Answer::Lacking(machine.store.lacks(&digests))
            }
            Request::Store { digest, offset, last, packed } if self.half.is_some() => {
                let store = self.acts.then_some(machine.store);
                match self.supply.take(store, &digest, offset, last, packed, &tail) {
                    Some(answer) => answer,
                    None => return Then::GoOn,
                }
            }
            Request::Apply { seq, .. } if machine.open.load(Ordering::Relaxed) >= OPEN => {
                let why = "too many steps are open on this machine: wait for answers".to_owned();
                Answer::Applied { seq, outcome: Outcome::Failed { why } }
            }
            request => return self.pass_on(request, tail),
        };
        machine.voice.say(&answer);
        Then::GoOn
    }

    /// Passes a request on to the engine's half, which is opened by the first one.
    fn pass_on(&mut self, request: Request, secret: Zeroizing<Vec<u8>>) -> Then {
        let half = match &self.half {
            Some(half) => Arc::clone(half),
            None => match self.open(&request) {
                Ok(half) => half,
                Err(why) => {
                    self.machine.voice.say(&Answer::Refused { why });
                    return Then::End;
                }
            },
        };
        let seq = match &request {
            Request::Apply { seq, .. } => Some(*seq),
            _ => None,
        };
        let effects = half.tell(self.machine, seq, Input::Heard(request));
        self.perform(&half, effects, secret)
    }

    fn open(&mut self, request: &Request) -> Result<Arc<Half>, String> {
        let operator = match request {
            Request::Hello { epoch, operator, .. } if *epoch > 0 => Some(operator.as_str()),
            _ => None,
        };
        let half = Half::open(self.machine.looker.root, operator)?;
        self.acts = operator.is_some();
        if self.acts {
            self.machine.actor.tidy(&half.owned()).map_err(|error| with_causes(&error))?;
        }
        Ok(Arc::clone(self.half.insert(Arc::new(half))))
    }

    /// Performs what takes its time.
    fn perform(&self, half: &Arc<Half>, effects: Vec<Effect>, secret: Zeroizing<Vec<u8>>) -> Then {
        let mut secret = Some(secret);
        for effect in effects {
            let input = match effect {
                Effect::Look { looks } => Input::Looked(self.look(looks)),
                Effect::Count => Input::Counted(members(self.machine.looker.tools)),
                Effect::Perform { seq, step } => {
                    self.begin(Arc::clone(half), seq, step, secret.take().unwrap_or_default());
                    continue;
                }
                _ => return Then::End,
            };
            if !half.tell(self.machine, None, input).is_empty() {
                return Then::End;
            }
        }
        Then::GoOn
    }

    fn look(&self, looks: Vec<(ItemId, Look)>) -> Seen {
        let looker = &self.machine.looker;
        Seen {
            items: looker.all(looks),
            etcd_data: etcd_data(looker.root),
            cluster: survey::cluster(looker.root),
            ..Seen::default()
        }
    }

    /// Has a step done beside the others.
    fn begin(&self, half: Arc<Half>, seq: u64, step: Step, secret: Zeroizing<Vec<u8>>) {
        let machine = self.machine;
        machine.open.fetch_add(1, Ordering::Relaxed);
        self.scope.spawn(move || {
            tracing::debug!(seq, item = %step.item, control = step.by, "begins a step");
            let outcome = perform(&machine.actor, &machine.slots, &step, &secret);
            tracing::debug!(
                seq,
                failed = matches!(outcome, Outcome::Failed { .. }),
                "ended a step"
            );
            half.performed(machine, seq, &step, outcome);
            machine.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn perform(actor: &Actor<'_>, slots: &Slots, step: &Step, secret: &Zeroizing<Vec<u8>>) -> Outcome {
    let waits = matches!(step.act, Act::Await { .. });
    let _slot = (!waits).then(|| slots.take());
    actor.apply(step, secret)
}

/// Places for a bounded number of steps.
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

struct Slot<'a>(&'a Slots);

impl Slots {
    fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), freed: Condvar::new() }
    }

    fn take(&self) -> Slot<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.freed.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
