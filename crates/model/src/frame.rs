//! What the operator and a machine say to each other over one SSH channel.
//!
//! A frame is a length (u32, big endian), a length of its JSON head (u32), the head, and a tail of
//! raw bytes. The version is said first by both and must be equal.

use std::net::IpAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::etcd::Member;
use crate::item::ItemId;
use crate::reach::{Port, Reach, Target};
use crate::seen::{Look, Seen};
use crate::step::{Outcome, Step};

/// Version of the frames. Operator and machine run the same binary, so no other is read.
pub const FRAME_VERSION: u32 = 1;

/// The largest frame that is read, in bytes.
pub const FRAME_LIMIT: usize = 8 << 20;

/// What the operator says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Begins: nothing else is heard before. The machine refuses an older epoch than it has seen
    /// and a second operator while the first one's channel lives.
    Hello {
        /// Version of the frames.
        version: u32,
        /// The epoch that the operator acts in; 0 to look without acting.
        epoch: u64,
        /// The operator's name, for messages to another one.
        operator: String,
    },
    /// Asks what a machine is like, before anything is changed.
    Survey,
    /// Opens these ports for the tests of other machines, instead of those of the last such
    /// request; none to close them all. They are closed with the channel as well.
    Listen {
        /// The machine's address in the cluster.
        address: IpAddr,
        /// The ports.
        ports: Vec<Port>,
    },
    /// Asks whether other machines are reached.
    Reach {
        /// Their addresses and ports.
        targets: Vec<Target>,
    },
    /// Asks what is there.
    Observe {
        /// What to look at.
        looks: Vec<(ItemId, Look)>,
    },
    /// Asks which of these files the machine's store lacks.
    Lacks {
        /// The digests.
        digests: Vec<Digest>,
    },
    /// Brings a piece of a file for the store; the piece is the frame's tail.
    Store {
        /// The whole file's digest.
        digest: Digest,
        /// Where the piece begins, in bytes.
        offset: u64,
        /// Whether the file ends with it.
        last: bool,
        /// Whether the tail is compressed (zlib).
        packed: bool,
    },
    /// Has a step done. A secret, where the step needs one, is the frame's tail.
    Apply {
        /// A number to answer with.
        seq: u64,
        /// The step.
        step: Step,
    },
    /// Asks for etcd's members.
    Members,
    /// Ends the conversation.
    Bye,
}

/// What a machine says.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Answers `Hello`.
    Welcome {
        /// Version of the frames.
        version: u32,
        /// The epoch that the machine has seen before.
        epoch: u64,
        /// Who acts there at this moment, for one who only looks.
        busy: Option<String>,
    },
    /// Answers `Survey` with facts about the machine.
    Surveyed(Box<crate::survey::Survey>),
    /// Answers `Listen` with the ports that could not be opened, and why each.
    Listening(Vec<(Port, String)>),
    /// Answers `Reach`.
    Reached(Vec<(Target, Reach)>),
    /// Answers `Observe`.
    Observed(Seen),
    /// Answers `Lacks`.
    Lacking(Vec<Digest>),
    /// Answers the last piece of a `Store`.
    Stored(Digest),
    /// Answers `Apply`.
    Applied {
        /// The step's number.
        seq: u64,
        /// What came of it.
        outcome: Outcome,
    },
    /// Answers `Members`; `None` where etcd does not answer.
    Members(Option<Vec<Member>>),
    /// Refuses the last request.
    Refused {
        /// Why, and what to do.
        why: String,
    },
}

/// Says what is wrong with received bytes. The conversation cannot go on after it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// A frame announces more than is read.
    #[error("a frame announces {announced} bytes, but {FRAME_LIMIT} is the most")]
    TooLong {
        /// The announced length.
        announced: usize,
    },
    /// The lengths do not fit each other.
    #[error("a frame of {total} bytes announces a head of {head}")]
    Lengths {
        /// Length of the frame.
        total: usize,
        /// Length of its head.
        head: usize,
    },
    /// The head is none of ours.
    #[error("a frame's head is not understood: {why}")]
    Head {
        /// What is wrong with it.
        why: String,
    },
}

/// Writes a frame: its head as JSON, its tail as it is.
pub fn encode(head: &impl Serialize, tail: &[u8]) -> Vec<u8> {
    let head = serde_json::to_vec(head).expect("the nouns of a frame have string keys only");
    let total = 4 + head.len() + tail.len();
    let mut bytes = Vec::with_capacity(4 + total);
    bytes.extend(length(total));
    bytes.extend(length(head.len()));
    bytes.extend(head);
    bytes.extend(tail);
    bytes
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes()
}

/// Cuts received bytes into frames.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    read: usize,
}

impl Decoder {
    /// Takes what was received.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.read > 0 {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Gives the next whole frame; `None` until there is one.
    ///
    /// # Errors
    /// The bytes are no frame; nothing after them can be trusted.
    pub fn pop<T: DeserializeOwned>(&mut self) -> Result<Option<(T, Vec<u8>)>, FrameError> {
        let bytes = &self.bytes[self.read..];
        let Some(total) = number(bytes, 0) else { return Ok(None) };
        if total > FRAME_LIMIT {
            return Err(FrameError::TooLong { announced: total });
        }
        let Some(head) = number(bytes, 4) else { return Ok(None) };
        if head.checked_add(4).is_none_or(|least| least > total) {
            return Err(FrameError::Lengths { total, head });
        }
        if bytes.len() < 4 + total {
            return Ok(None);
        }
        let value = serde_json::from_slice(&bytes[8..8 + head])
            .map_err(|error| FrameError::Head { why: error.to_string() })?;
        let tail = bytes[8 + head..4 + total].to_vec();
        self.read += 4 + total;
        Ok(Some((value, tail)))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(four)).ok()
}

#[cfg(test)]
mod tests {
    use super::{Decoder, FrameError, Request, encode};

    #[test]
    fn frames_survive_any_cutting() {
        let mut bytes = encode(&Request::Survey, b"");
        bytes.extend(encode(&Request::Members, b"tail"));
        for size in 1..bytes.len() {
            let mut decoder = Decoder::default();
            let mut heard = Vec::new();
            for piece in bytes.chunks(size) {
                decoder.push(piece);
                while let Some(frame) = decoder.pop::<Request>().unwrap() {
                    heard.push(frame);
                }
            }
            let said = [(Request::Survey, vec![]), (Request::Members, b"tail".to_vec())];
            assert_eq!(heard, said, "pieces of {size}");
        }
    }

    #[test]
    fn bad_bytes_are_refused() {
        let check = |bytes: &[u8], expected: fn(&FrameError) -> bool| {
            let mut decoder = Decoder::default();
            decoder.push(bytes);
            let error = decoder.pop::<Request>().unwrap_err();
            assert!(expected(&error), "{error:?}");
        };
        check(&[0xff; 8], |e| matches!(e, FrameError::TooLong { .. }));
        check(&[0, 0, 0, 3, 0, 0, 0, 0], |e| matches!(e, FrameError::Lengths { .. }));
        check(&[0, 0, 0, 8, 0, 0, 0, 5], |e| matches!(e, FrameError::Lengths { .. }));
        check(b"\0\0\0\x06\0\0\0\x02{}", |e| matches!(e, FrameError::Head { .. }));
    }
}
