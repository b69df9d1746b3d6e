//! Shows a store's checkpoints to a witness as they are sealed, and keeps what the witness signed. While the witness is
//! away they wait where they are: in the store.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfort_pki::Ed25519Public;
use serde::Deserialize;

use super::claim::public_key;
use super::disk::Disk;
use super::http::ask;
use super::look::{LookError, names, of, read};
use super::notes::Notes;
use super::store::{name, numbers};
use super::tls::Tls;
use super::witness::{CHECKPOINTS, Last, MOST_SHOWN, SEEN, Saw, Shown};
use crate::format::checkpoint::{Signed, VERSION, hex, unhex};
use crate::format::witness::Note;

/// A witness, and how it is reached.
pub struct Peer {
    /// The machine.
    pub machine: String,
    /// Where it listens.
    pub at: SocketAddr,
    /// How it is known.
    pub tls: Tls,
}

/// Why checkpoints were not seen.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// The store, or what is kept of witnesses.
    #[error(transparent)]
    Look(#[from] LookError),
    /// What the witness signed cannot be kept, or what was kept is unreadable.
    #[error("what a witness signed cannot be kept: {0}")]
    Notes(#[source] io::Error),
    /// Nobody was reached, or somebody who is not believed.
    #[error("{at} cannot be spoken to: {source}")]
    Reach {
        /// Where.
        at: SocketAddr,
        /// What is wrong.
        source: io::Error,
    },
    /// The witness does not sign.
    #[error("{machine} does not countersign: {said}")]
    Refused {
        /// The witness.
        machine: String,
        /// Why not.
        said: String,
    },
    /// The witness cannot, for now.
    #[error("{machine} cannot witness: {said}")]
    Unable {
        /// The witness.
        machine: String,
        /// Why not.
        said: String,
    },
    /// The answer is none.
    #[error("{machine} answers otherwise than a witness")]
    Answer {
        /// The witness.
        machine: String,
    },
}

/// The file of what was seen, where the machine keeps it that is witnessed.
pub const WITNESSED: &str = "witnessed";

/// Shows what there is of a store to its witness.
pub struct Offering<D> {
    store: PathBuf,
    notes: Notes<D>,
    peer: Peer,
    /// The newest that this witness signed.
    through: Option<u64>,
    /// What it signed last.
    newest: Option<Signed>,
    /// Whether it was asked since this run began: it may have forgotten, or know more than is there.
    is_asked: bool,
    /// What was refused last.
    refused: Option<(String, String)>,
}

impl<D: Disk> Offering<D> {
    /// Begins with what was signed before.
    ///
    /// # Errors
    /// That cannot be read.
    pub fn new(store: &Path, mut notes: Notes<D>, peer: Peer) -> Result<Self, OfferError> {
        let (mut newest, mut refused) = (None, None);
        for note in notes.read(WITNESSED).map_err(OfferError::Notes)? {
            if note.machine != peer.machine {
                continue;
            }
            match note.refused {
                Some(why) => refused = Some((note.signed.digest(), why)),
                None => newest = Some(note.signed),
            }
        }
        let (store, through) = (store.to_owned(), newest.as_ref().and_then(segment));
        Ok(Self { store, notes, peer, through, newest, is_asked: false, refused })
    }

    /// The witness.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Shows what the witness has not signed. Gives the newest that it signed now, if any.
    ///
    /// # Errors
    /// It was not seen, and still waits.
    pub fn offer(&mut self, now: i64) -> Result<Option<u64>, OfferError> {
        let all = match names(&self.store) {
            Ok(names) => numbers(&names, "checkpoint"),
            // Nothing was collected yet.
            Err(_) if !self.store.is_dir() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(newest) = all.last().copied() else { return Ok(None) };
        if self.is_asked && self.through == Some(newest) {
            return Ok(None);
        }
        let store = &self.store;
        let key = public_key(store).map_err(|error| OfferError::Look(of(store)(error)))?;
        let last: Last = self.ask(("GET", &format!("{SEEN}{}", hex(&key.0))), b"")?;
        // Who forgot goes on from the newest, which names all before it; who knows more has to see that it is not there.
        let mut from = last.segment.map_or(newest, |last| (last + 1).min(newest));
        while from <= newest {
            let until = newest.min(from + MOST_SHOWN as u64 - 1);
            self.show(key, from..=until, now)?;
            from = until + 1;
        }
        self.is_asked = true;
        Ok(Some(newest))
    }

    fn show(
        &mut self,
        key: Ed25519Public,
        segments: std::ops::RangeInclusive<u64>,
        now: i64,
    ) -> Result<(), OfferError> {
        let mut checkpoints = Vec::new();
        for segment in segments.clone() {
            let path = self.store.join(name(segment, "checkpoint"));
            let signed = read(&path)?.as_deref().and_then(Signed::read).ok_or_else(|| {
                OfferError::Look(of(&path)(io::Error::other("there is no checkpoint in it")))
            })?;
            checkpoints.push(signed);
        }
        let shown = Shown { version: VERSION, key: hex(&key.0), checkpoints };
        let body = serde_json::to_vec(&shown).map_err(|error| OfferError::Notes(error.into()))?;
        let saw: Saw = match self.ask(("POST", CHECKPOINTS), &body) {
            Err(OfferError::Refused { machine, said }) => {
                self.note_refusal(key, &shown, &said, now)?;
                return Err(OfferError::Refused { machine, said });
            }
            answer => answer?,
        };
        let mut notes = self.signed(key, shown.checkpoints, &saw, now)?;
        notes.retain(|note| self.newest.as_ref() != Some(&note.signed));
        self.notes.add(WITNESSED, &notes).map_err(OfferError::Notes)?;
        self.newest = notes.pop().map(|note| note.signed).or(self.newest.take());
        (self.through, self.refused) = (Some(*segments.end()), None);
        Ok(())
    }

    /// Gives what a witness signed, if it did.
    fn signed(
        &self,
        key: Ed25519Public,
        checkpoints: Vec<Signed>,
        saw: &Saw,
        now: i64,
    ) -> Result<Vec<Note>, OfferError> {
        let answer = || OfferError::Answer { machine: self.peer.machine.clone() };
        let witness = unhex(&saw.witness).map(Ed25519Public).ok_or_else(answer)?;
        if saw.signatures.len() != checkpoints.len() {
            return Err(answer());
        }
        let pairs = checkpoints.into_iter().zip(&saw.signatures);
        let notes = pairs.map(|(mut signed, signature)| {
            signed.witnesses = vec![signature.clone()];
            let is_its_own = signature.witness == STANDARD.encode(witness.0);
            let seen = signed.seen_by(&witness).filter(|_| is_its_own);
            seen.map(|_| Note::new(now, &self.peer.machine, key, signed)).ok_or_else(answer)
        });
        notes.collect()
    }

    fn note_refusal(
        &mut self,
        key: Ed25519Public,
        shown: &Shown,
        said: &str,
        now: i64,
    ) -> Result<(), OfferError> {
        let Some(newest) = shown.checkpoints.last() else { return Ok(()) };
        let refused = Some((newest.digest(), said.to_owned()));
        if self.refused != refused {
            let note = Note::new(now, &self.peer.machine, key, newest.clone());
            let note = Note { refused: Some(said.to_owned()), ..note };
            self.notes.add(WITNESSED, &[note]).map_err(OfferError::Notes)?;
            self.refused = refused;
        }
        Ok(())
    }

    fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        what: (&str, &str),
        body: &[u8],
    ) -> Result<T, OfferError> {
        let Peer { machine, at, tls } = &self.peer;
        let reach = |source| OfferError::Reach { at: *at, source };
        let (status, answer) = ask(tls, *at, what, body).map_err(reach)?;
        if !status.starts_with("200") {
            let said = serde_json::from_slice::<Said>(&answer).map(|it| it.said);
            let is_refused = status.starts_with("409");
            let said = said.unwrap_or(status);
            let said = said.chars().filter(|it| !it.is_control()).take(300).collect();
            let machine = machine.clone();
            return Err(match is_refused {
                true => OfferError::Refused { machine, said },
                false => OfferError::Unable { machine, said },
            });
        }
        let read = serde_json::from_slice(&answer).ok();
        read.ok_or_else(|| OfferError::Answer { machine: machine.clone() })
    }
}

#[derive(Deserialize)]
struct Said {
    said: String,
}

fn segment(signed: &Signed) -> Option<u64> {
    #[derive(Deserialize)]
    struct Number {
        segment: u64,
    }
    serde_json::from_str::<Number>(&signed.statement).ok().map(|it| it.segment)
}
