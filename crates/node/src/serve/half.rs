//! The engine's node half with the disk behind it: what it wants written is on the disk before
//! anything that it wants afterwards.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringfort_engine::node::{Effect, Input, Node};
use ringfort_model::frame::Answer;
use ringfort_model::item::ItemId;
use ringfort_model::step::{Act, Outcome, Step};

use super::Machine;
use crate::journal::{self, Journal};
use crate::root::Root;
use crate::tenure::{self, Lock, NotLocked};

/// The engine's half. Dropped with the last step that was begun, and the lock with it.
pub(super) struct Half {
    root: Root,
    inner: Mutex<Inner>,
}

struct Inner {
    node: Node,
    /// Open while this conversation may act.
    journal: Option<Journal>,
    /// Who acts here while this conversation only looks.
    busy: Option<String>,
    /// What came of taking the lock, to be told when the half asks for it.
    lock: Result<Option<Lock>, String>,
    /// Why nothing can be written down any more, after which nothing is done.
    broken: Option<String>,
}

impl Half {
    /// Opens the half for an operator who wants to act, or for one who only looks.
    ///
    /// The lock is taken before the journal is read, so that nobody writes to it in between.
    pub(super) fn open(root: &Root, operator: Option<&str>) -> Result<Self, String> {
        let lock = match operator.map(|operator| Lock::take(root, operator)) {
            None => Ok(None),
            Some(Ok(lock)) => Ok(Some(lock)),
            Some(Err(NotLocked::Held(holder))) => Err(holder),
            Some(Err(NotLocked::Unusable(error))) => return Err(unusable(&error)),
        };
        let tenure = tenure::read(root).map_err(|error| unusable(&error))?;
        let bytes = journal::read(root).map_err(|error| unusable(&error))?;
        let (node, good) = Node::open(&bytes, tenure)
            .map_err(|error| format!("the journal of this machine: {error}"))?;
        let journal = match &lock {
            Ok(Some(_)) => Some(Journal::open(root, good).map_err(|error| unusable(&error))?),
            _ => None,
        };
        let busy = match operator {
            None => tenure::holder(root).map_err(|error| unusable(&error))?,
            Some(_) => None,
        };
        let inner = Inner { node, journal, busy, lock, broken: None };
        Ok(Self { root: root.clone(), inner: Mutex::new(inner) })
    }

    /// Tells the half what came of a step.
    pub(super) fn performed<W: Write>(
        &self,
        machine: &Machine<'_, W>,
        seq: u64,
        step: &Step,
        outcome: Outcome,
    ) {
        let undone = step.act == Act::Remove && matches!(outcome, Outcome::Done(_));
        let forget = undone.then_some(&step.item);
        self.tell_and_forget(machine, Some(seq), Input::Performed { seq, outcome }, forget);
    }

    /// Tells the half something, performs what is to be written and said, and gives back what
    /// takes its time.
    pub(super) fn tell<W: Write>(
        &self,
        machine: &Machine<'_, W>,
        seq: Option<u64>,
        input: Input,
    ) -> Vec<Effect> {
        self.tell_and_forget(machine, seq, input, None)
    }

    /// What was kept for an item that was given back is forgotten after the journal says so, and
    /// before the operator hears of it.
    fn tell_and_forget<W: Write>(
        &self,
        machine: &Machine<'_, W>,
        seq: Option<u64>,
        input: Input,
        forget: Option<&ItemId>,
    ) -> Vec<Effect> {
        let mut inner = self.inner();
        let mut inputs = vec![input];
        let mut later = Vec::new();
        while let Some(input) = inputs.pop() {
            for effect in inner.decide(input) {
                match self.perform(&mut inner, machine, effect, forget) {
                    Ok(Came::Nothing) => {}
                    Ok(Came::Input(input)) => inputs.push(input),
                    Ok(Came::Later(effect)) => later.push(effect),
                    Err(error) => {
                        inner.broken = Some(unusable(&error));
                        break;
                    }
                }
            }
        }
        let Some(why) = inner.broken.clone() else { return later };
        machine.voice.say(&refusal(seq, why));
        vec![Effect::End]
    }

    fn perform<W: Write>(
        &self,
        inner: &mut Inner,
        machine: &Machine<'_, W>,
        effect: Effect,
        forget: Option<&ItemId>,
    ) -> io::Result<Came> {
        match effect {
            Effect::Lock { .. } => {
                let locked = inner.lock.as_ref().map(|_| ()).map_err(Clone::clone);
                return Ok(Came::Input(Input::Locked(locked)));
            }
            Effect::Store(tenure) => tenure::store(&self.root, &tenure)?,
            Effect::Append { bytes } => {
                inner.append(&bytes)?;
                forget.into_iter().for_each(|item| machine.actor.forget(item));
            }
            Effect::Say(Answer::Welcome { version, epoch, .. }) => {
                let busy = inner.busy.take();
                machine.voice.say(&Answer::Welcome { version, epoch, busy });
            }
            Effect::Say(answer) => machine.voice.say(&answer),
            slow => return Ok(Came::Later(slow)),
        }
        Ok(Came::Nothing)
    }

    /// Gives the items that the journal says are ringfort's.
    pub(super) fn owned(&self) -> BTreeSet<ItemId> {
        self.inner().node.ledger().owned.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A fault while it was held leaves it behind the disk at worst, as a crash would.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of an effect.
enum Came {
    Nothing,
    Input(Input),
    /// It takes its time and is performed by the caller.
    Later(Effect),
}

impl Inner {
    fn decide(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.broken.is_none() {
            self.node.on(input, &mut effects);
        }
        effects
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.journal {
            Some(journal) => journal.append(bytes),
            None => Err(io::Error::other("the journal is not open for writing")),
        }
    }
}

fn refusal(seq: Option<u64>, why: String) -> Answer {
    match seq {
        Some(seq) => Answer::Applied { seq, outcome: Outcome::Failed { why } },
        None => Answer::Refused { why },
    }
}

fn unusable(error: &io::Error) -> String {
    format!("ringfort's state on this machine cannot be used: {error}")
}
