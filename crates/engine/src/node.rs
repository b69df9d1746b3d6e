//! The machine's half: who may act, and what is written down before it is done.
//!
//! The driver performs effects in their order, each whole before the next; [`Effect::Perform`]
//! alone may take its time while others go on. Nothing is performed whose intent is not on the
//! disk, and nothing is answered whose end is not.

use std::collections::BTreeMap;

use ringfort_model::digest::Digest;
use ringfort_model::etcd::Member;
use ringfort_model::frame::{Answer, FRAME_VERSION, Request};
use ringfort_model::item::ItemId;
use ringfort_model::journal::{Phase, Record};
use ringfort_model::seen::{Look, Seen};
use ringfort_model::step::{Act, Outcome, Step};

use crate::journal::{self, JournalError, Ledger};

/// What the machine's half is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Something was said.
    Heard(Request),
    /// Answers [`Effect::Lock`]: it is held now, or by whom it is held.
    Locked(Result<(), String>),
    /// Answers [`Effect::Look`]; owned items and the epoch are filled in here.
    Looked(Seen),
    /// Answers [`Effect::Count`].
    Counted(Option<Vec<Member>>),
    /// Answers [`Effect::Perform`].
    Performed {
        /// The step's number.
        seq: u64,
        /// What came of it.
        outcome: Outcome,
    },
}

/// What the machine's half asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Take the lock that lives as long as the channel.
    Lock {
        /// Who takes it.
        operator: String,
    },
    /// Write down who acts and in which epoch, durably.
    Store(Tenure),
    /// Append to the journal, durably.
    Append {
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Look at items.
    Look {
        /// Which, and how closely.
        looks: Vec<(ItemId, Look)>,
    },
    /// Ask etcd for its members.
    Count,
    /// Do a step.
    Perform {
        /// The step's number.
        seq: u64,
        /// The step.
        step: Step,
    },
    /// Say something to the operator; who acts at this moment is filled in by who says it.
    Say(Answer),
    /// End the conversation.
    End,
}

/// Who acted last on a machine, and in which epoch.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tenure {
    /// The epoch; 0 if nobody acted yet.
    pub epoch: u64,
    /// The operator's run, by a name that no other run has.
    pub operator: String,
}

/// The machine's half of one conversation.
#[derive(Debug)]
pub struct Node {
    ledger: Ledger,
    has_header: bool,
    tenure: Tenure,
    state: State,
    steps: BTreeMap<u64, Step>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum State {
    /// Nobody said hello.
    Silent,
    /// The lock was asked for.
    Locking(Tenure),
    /// Questions are answered, nothing is done.
    Looking,
    /// Steps are taken in this epoch.
    Acting(u64),
    /// It is over.
    Over,
}

impl Node {
    /// Begins a conversation on a machine with this journal and this tenure on its disk. Gives how
    /// many bytes of the journal are good: what follows them is to be cut first.
    ///
    /// # Errors
    /// The journal is damaged, or of another version.
    pub fn open(journal: &[u8], tenure: Tenure) -> Result<(Self, usize), JournalError> {
        let read = journal::read(journal)?;
        let ledger = Ledger::of(&read.records);
        let state = State::Silent;
        let has_header = read.good > 0;
        Ok((Self { ledger, has_header, tenure, state, steps: BTreeMap::new() }, read.good))
    }

    /// Gives what follows from the journal.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes an input and says what is to be done about it.
    pub fn on(&mut self, input: Input, out: &mut Vec<Effect>) {
        match (self.state.clone(), input) {
            (State::Over, _) => {}
            (State::Silent, Input::Heard(Request::Hello { version, epoch, operator })) => {
                self.greet(version, Tenure { epoch, operator }, out);
            }
            (State::Silent, Input::Heard(_)) => {
                self.refuse("say hello first".to_owned(), out);
            }
            (State::Locking(wanted), Input::Locked(result)) => self.locked(wanted, result, out),
            (_, Input::Heard(request)) => self.hear(request, out),
            (_, Input::Looked(seen)) => {
                out.push(Effect::Say(Answer::Observed(self.complete(seen))));
            }
            (_, Input::Counted(members)) => out.push(Effect::Say(Answer::Members(members))),
            (_, Input::Performed { seq, outcome }) => self.performed(seq, outcome, out),
            (_, Input::Locked(_)) => {}
        }
    }

    fn greet(&mut self, version: u32, wanted: Tenure, out: &mut Vec<Effect>) {
        if version != FRAME_VERSION {
            self.refuse(
                format!("speaks version {FRAME_VERSION}, not {version}: use one binary"),
                out,
            );
        } else if wanted.epoch == 0 {
            self.state = State::Looking;
            self.welcome(out);
        } else {
            out.push(Effect::Lock { operator: wanted.operator.clone() });
            self.state = State::Locking(wanted);
        }
    }

    fn locked(&mut self, wanted: Tenure, result: Result<(), String>, out: &mut Vec<Effect>) {
        if let Err(holder) = result {
            self.refuse(format!("{holder} is at work here: wait until that run has ended"), out);
            return;
        }
        let is_past = wanted.epoch < self.tenure.epoch
            || (wanted.epoch == self.tenure.epoch && wanted.operator != self.tenure.operator);
        if is_past {
            let why = format!(
                "epoch {} is over: {} acted here in epoch {}; run again",
                wanted.epoch, self.tenure.operator, self.tenure.epoch
            );
            self.refuse(why, out);
            return;
        }
        if wanted != self.tenure {
            out.push(Effect::Store(wanted.clone()));
        }
        self.state = State::Acting(wanted.epoch);
        self.welcome(out);
        self.tenure = wanted;
    }

    fn welcome(&self, out: &mut Vec<Effect>) {
        let (version, epoch) = (FRAME_VERSION, self.tenure.epoch);
        out.push(Effect::Say(Answer::Welcome { version, epoch, busy: None }));
    }

    fn refuse(&mut self, why: String, out: &mut Vec<Effect>) {
        self.state = State::Over;
        out.push(Effect::Say(Answer::Refused { why }));
        out.push(Effect::End);
    }

    fn hear(&mut self, request: Request, out: &mut Vec<Effect>) {
        match request {
            Request::Observe { looks } => out.push(Effect::Look { looks }),
            Request::Members => out.push(Effect::Count),
            Request::Apply { seq, step } => self.apply(seq, step, out),
            Request::Bye => {
                self.state = State::Over;
                out.push(Effect::End);
            }
            // Surveys and the store touch nothing that a journal speaks of: the driver answers.
            Request::Hello { .. }
            | Request::Survey
            | Request::Listen { .. }
            | Request::Reach { .. }
            | Request::Lacks { .. }
            | Request::Store { .. } => {}
        }
    }

    fn apply(&mut self, seq: u64, step: Step, out: &mut Vec<Effect>) {
        let State::Acting(epoch) = self.state else {
            let why = "epoch 0 may only look".to_owned();
            out.push(Effect::Say(Answer::Applied { seq, outcome: Outcome::Failed { why } }));
            return;
        };
        // Heard twice: it is on its way already.
        if self.steps.contains_key(&seq) {
            return;
        }
        if is_durable(&step.act) {
            self.write(epoch, &step, Phase::Intent, out);
        }
        self.steps.insert(seq, step.clone());
        out.push(Effect::Perform { seq, step });
    }

    fn performed(&mut self, seq: u64, outcome: Outcome, out: &mut Vec<Effect>) {
        let Some(step) = self.steps.remove(&seq) else { return };
        let State::Acting(epoch) = self.state else { return };
        if matches!(outcome, Outcome::Done(_)) && is_durable(&step.act) {
            let phase = if step.act == Act::Remove { Phase::Undone } else { Phase::Done };
            self.write(epoch, &step, phase, out);
        }
        out.push(Effect::Say(Answer::Applied { seq, outcome }));
    }

    fn write(&mut self, epoch: u64, step: &Step, phase: Phase, out: &mut Vec<Effect>) {
        let record = Record {
            seq: self.ledger.last.saturating_add(1),
            epoch,
            item: step.item.clone(),
            phase,
            digest: digest(step),
        };
        let mut bytes = Vec::new();
        if !self.has_header {
            bytes.extend(journal::header().into_bytes());
            self.has_header = true;
        }
        bytes.extend(journal::encode(&record));
        self.ledger.take(&record);
        out.push(Effect::Append { bytes });
    }

    fn complete(&self, seen: Seen) -> Seen {
        let epoch = self.tenure.epoch.max(self.ledger.epoch);
        Seen { owned: self.ledger.owned.clone(), epoch, ..seen }
    }
}

/// Gives the digest by which the journal knows a step. No step holds a secret.
pub fn digest(step: &Step) -> Digest {
    Digest::of(&serde_json::to_vec(step).expect("a step has string keys only"))
}

/// Says whether a step leaves something on the machine that could have to be undone.
fn is_durable(act: &Act) -> bool {
    !matches!(act, Act::Await { .. } | Act::RequestCertificate { .. } | Act::Etcd(_))
}

#[cfg(test)]
mod tests {
    use ringfort_model::mode::{FileMode, Owner};
    use ringfort_model::seen::ItemSeen;
    use ringfort_model::step::Difference;

    use super::{
        Act, Answer, Effect, FRAME_VERSION, Input, ItemId, Node, Outcome, Request, Step, Tenure,
    };

    fn hello(epoch: u64, operator: &str) -> Input {
        let operator = operator.to_owned();
        Input::Heard(Request::Hello { version: FRAME_VERSION, epoch, operator })
    }

    fn tell(node: &mut Node, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        node.on(input, &mut out);
        out
    }

    fn step(act: Act) -> Step {
        let (item, because) = (ItemId::directory("/etc/kubernetes"), Difference::Missing);
        Step { item, by: "test/control".to_owned(), because, act }
    }

    #[test]
    fn epochs_only_grow_and_belong_to_one_run() {
        let check = |before: (u64, &str), asked: (u64, &str), expected: bool| {
            let tenure = Tenure { epoch: before.0, operator: before.1.to_owned() };
            let (mut node, _) = Node::open(b"", tenure).unwrap();
            tell(&mut node, hello(asked.0, asked.1));
            let out = tell(&mut node, Input::Locked(Ok(())));
            let welcomed = |e: &Effect| matches!(e, Effect::Say(Answer::Welcome { .. }));
            assert_eq!(out.iter().any(welcomed), expected, "{before:?} {asked:?}");
        };
        check((0, ""), (1, "ann"), true);
        check((1, "ann"), (1, "ann"), true);
        check((1, "ann"), (1, "bob"), false);
        check((2, "ann"), (1, "ann"), false);
        check((2, "ann"), (3, "bob"), true);
    }

    #[test]
    fn a_second_operator_is_refused_by_the_lock() {
        let (mut node, _) = Node::open(b"", Tenure::default()).unwrap();
        tell(&mut node, hello(1, "ann"));
        let out = tell(&mut node, Input::Locked(Err("bob".to_owned())));
        assert!(matches!(&out[0], Effect::Say(Answer::Refused { why }) if why.starts_with("bob")));
        assert_eq!(out[1], Effect::End);
    }

    #[test]
    fn intent_is_written_before_and_the_end_before_the_answer() {
        let (mut node, _) = Node::open(b"", Tenure::default()).unwrap();
        tell(&mut node, hello(1, "ann"));
        tell(&mut node, Input::Locked(Ok(())));
        let act = Act::MakeDirectory { mode: FileMode(0o700), owner: Owner::ROOT };
        let asked = Input::Heard(Request::Apply { seq: 7, step: step(act) });
        let out = tell(&mut node, asked.clone());
        let [Effect::Append { bytes: intent }, Effect::Perform { seq: 7, .. }] = &out[..] else {
            panic!("{out:?}");
        };
        assert_eq!(tell(&mut node, asked), [], "a repeated request");
        let outcome = Outcome::Done(ItemSeen::Absent);
        let out = tell(&mut node, Input::Performed { seq: 7, outcome });
        let [Effect::Append { bytes: end }, Effect::Say(Answer::Applied { seq: 7, .. })] = &out[..]
        else {
            panic!("{out:?}");
        };
        let (again, good) =
            Node::open(&[intent.clone(), end.clone()].concat(), Tenure::default()).unwrap();
        assert_eq!(good, intent.len() + end.len());
        assert!(again.ledger().open.is_empty());
        assert_eq!(again.ledger().owned.len(), 1);
        let (torn, good) =
            Node::open(&[intent.clone(), end[..9].to_vec()].concat(), Tenure::default()).unwrap();
        assert_eq!((good, torn.ledger().open.len()), (intent.len(), 1));
    }

    #[test]
    fn epoch_nought_only_looks() {
        let (mut node, _) = Node::open(b"", Tenure::default()).unwrap();
        tell(&mut node, hello(0, "ann"));
        let out = tell(&mut node, Input::Heard(Request::Apply { seq: 1, step: step(Act::Remove) }));
        let Effect::Say(Answer::Applied { outcome: Outcome::Failed { .. }, .. }) = &out[0] else {
            panic!("{out:?}");
        };
    }
}
