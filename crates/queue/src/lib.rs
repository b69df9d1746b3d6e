//! Carries what collectors keep from machine to machine, through a stream of NATS JetStream: a sender on each machine
//! with a store, and any number of collectors elsewhere, each of which gets everything. What the stream acknowledged a
//! majority of its servers has; what a sender or a taker loses in a crash is sent or given once more, and known by its words.

mod carried;
mod link;
mod send;
mod take;

pub use carried::Carried;
pub use link::{Kept, Link, Queue, QueueError};
pub use send::Sender;
pub use take::{Piece, Taker};
