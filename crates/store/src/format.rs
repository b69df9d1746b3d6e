//! How events are kept: entries, the segment that is written to, sealed segments with their index, signed
//! checkpoints, and what is judged of all that. Pure.

pub mod checkpoint;
pub mod entry;
pub mod index;
pub mod open;
pub mod query;
pub mod reported;
pub mod sealed;
pub mod tally;
pub mod verify;
mod wire;
pub mod witness;
