//! The machine's side of the conversation with an operator: requests in, answers out, steps side
//! by side.
//!
//! Everything but steps is answered in order. When the operator goes, steps that were begun are
//! ended, and nothing new is begun.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::Scope;

use zeroize::Zeroizing;

use ringfort_model::digest::Digest;
use ringfort_model::frame::{
    Answer, Decoder, FRAME_LIMIT, FRAME_VERSION, FrameError, Request, encode,
};
use ringfort_model::item::ItemId;
use ringfort_model::seen::{Look, Seen};
use ringfort_model::step::{Act, Outcome, Step};

use crate::act::{Actor, members, told};
use crate::journal::Journal;
use crate::look::{KnownDigests, Looker, etcd_data};
use crate::root::Root;
use crate::store::Store;
use crate::survey;
use crate::tenure::{Tenure, last_epoch};
use crate::tools::Tools;

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
    let voice = Voice { writer: Mutex::new(writer) };
    let slots = Slots::new(AT_WORK);
    let open = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let looker = Looker { root, tools, digests: &digests };
        let mut talk = Talk {
            looker,
            store: &store,
            closing: &closing,
            voice: &voice,
            slots: &slots,
            open: &open,
            scope,
            actor: None,
            greeted: false,
            spoilt: BTreeMap::new(),
        };
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
            if request == Request::Bye {
                return Ok(());
            }
            talk.hear(request, Zeroizing::new(tail));
        }
    }
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
    looker: Looker<'env>,
    store: &'env Store,
    closing: &'env AtomicBool,
    voice: &'env Voice<W>,
    slots: &'env Slots,
    open: &'env AtomicUsize,
    scope: &'scope Scope<'scope, 'env>,
    actor: Option<Arc<Actor<'env>>>,
    greeted: bool,
    /// Files for the store of which a piece was refused.
    spoilt: BTreeMap<Digest, String>,
}

impl<'env, W: Write + Send> Talk<'_, 'env, W> {
    fn hear(&mut self, request: Request, tail: Zeroizing<Vec<u8>>) {
        let answer = match request {
            Request::Hello { version, epoch, operator } => self.greet(version, epoch, &operator),
            Request::Apply { seq, step } => return self.begin(seq, step, tail),
            _ if !self.greeted => Err("say hello first".to_owned()),
            Request::Survey => {
                Ok(Answer::Surveyed(survey::take(self.looker.root, self.looker.tools)))
            }
            Request::Observe { looks } => self.observe(looks),
            Request::Lacks { digests } => Ok(Answer::Lacking(self.store.lacks(&digests))),
            Request::Store { digest, offset, last, packed } => {
                match self.store(&digest, offset, last, packed, &tail) {
                    Some(answer) => answer,
                    None => return,
                }
            }
            Request::Members => Ok(Answer::Members(members(self.looker.tools))),
            Request::Bye => return,
        };
        self.voice.say(&answer.unwrap_or_else(|why| Answer::Refused { why }));
    }

    fn greet(&mut self, version: u32, epoch: u64, operator: &str) -> Result<Answer, String> {
        if version != FRAME_VERSION {
            return Err(format!(
                "the operator speaks version {version}, this machine {FRAME_VERSION}: both sides must run the same binary"
            ));
        }
        if self.actor.is_some() {
            return Err("this conversation has begun: open another one".to_owned());
        }
        let before = if epoch == 0 {
            last_epoch(self.looker.root).map_err(|error| told(&error))?
        } else {
            let tenure =
                Tenure::take(self.looker.root, operator, epoch).map_err(|error| told(&error))?;
            let actor = Actor::begin(&self.looker, self.store, self.closing, tenure)
                .map_err(|error| told(&error))?;
            self.actor.insert(Arc::new(actor)).epoch_before()
        };
        self.greeted = true;
        Ok(Answer::Welcome { version: FRAME_VERSION, epoch: before })
    }

    fn observe(&self, looks: Vec<(ItemId, Look)>) -> Result<Answer, String> {
        let root = self.looker.root;
        let owned = match &self.actor {
            Some(actor) => actor.owned(),
            None => Journal::look(&root.state("journal")).map_err(|error| told(&error))?.owned,
        };
        Ok(Answer::Observed(Seen {
            items: self.looker.all(looks),
            owned,
            epoch: last_epoch(root).map_err(|error| told(&error))?,
            etcd_data: etcd_data(root),
            cluster: survey::cluster(root),
        }))
    }

    /// Takes a piece for the store; only a file's last piece is answered.
    fn store(
        &mut self,
        digest: &Digest,
        offset: u64,
        last: bool,
        packed: bool,
        piece: &[u8],
    ) -> Option<Result<Answer, String>> {
        if offset == 0 {
            self.spoilt.remove(digest);
        }
        let received = match (&self.actor, self.spoilt.get(digest)) {
            (None, _) => Err("epoch 0 only looks: nothing is stored".to_owned()),
            (_, Some(why)) => Err(why.clone()),
            _ if packed => {
                unpacked(piece).and_then(|piece| self.receive(digest, offset, last, &piece))
            }
            _ => self.receive(digest, offset, last, piece),
        };
        if let Err(why) = &received {
            self.spoilt.insert(digest.clone(), why.clone());
        }
        last.then(|| received.map(|()| Answer::Stored(digest.clone())))
    }

    fn receive(
        &self,
        digest: &Digest,
        offset: u64,
        last: bool,
        piece: &[u8],
    ) -> Result<(), String> {
        self.store.receive(digest, offset, last, piece).map_err(|error| told(&error))
    }

    /// Has a step done beside the others.
    fn begin(&self, seq: u64, step: Step, secret: Zeroizing<Vec<u8>>) {
        let refuse = |why: &str| {
            let outcome = Outcome::Failed { why: why.to_owned() };
            self.voice.say(&Answer::Applied { seq, outcome });
        };
        let Some(actor) = &self.actor else {
            return refuse("epoch 0 only looks: nothing is changed");
        };
        if self.open.fetch_add(1, Ordering::Relaxed) >= OPEN {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return refuse("too many steps are open on this machine: wait for answers");
        }
        let actor: Arc<Actor<'env>> = Arc::clone(actor);
        let (voice, slots, open) = (self.voice, self.slots, self.open);
        self.scope.spawn(move || {
            let outcome = perform(&actor, slots, &step, &secret);
            open.fetch_sub(1, Ordering::Relaxed);
            voice.say(&Answer::Applied { seq, outcome });
        });
    }
}

fn perform(actor: &Actor<'_>, slots: &Slots, step: &Step, secret: &Zeroizing<Vec<u8>>) -> Outcome {
    let waits = matches!(step.act, Act::Await { .. });
    let _slot = (!waits).then(|| slots.take());
    // A fault of our own in one step must not leave the operator without its answer.
    std::panic::catch_unwind(AssertUnwindSafe(|| actor.apply(step, secret))).unwrap_or_else(|_| {
        Outcome::Failed { why: "a fault of ringfort's own: run again, and report it".to_owned() }
    })
}

fn unpacked(piece: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let limit = FRAME_LIMIT as u64 + 1;
    let read = flate2::read::ZlibDecoder::new(piece).take(limit).read_to_end(&mut plain);
    match read {
        Ok(_) if plain.len() > FRAME_LIMIT => Err("a packed piece is too large".to_owned()),
        Ok(_) => Ok(plain),
        Err(error) => Err(format!("a packed piece cannot be unpacked: {error}")),
    }
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
        let free = self.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let free = self.freed.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(std::sync::PoisonError::into_inner) -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
