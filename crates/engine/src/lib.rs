//! The engine: decides which step comes next until every machine is as the blueprint says. Both
//! halves are here, the operator's and the machine's, and so is the simulator that breaks them.
//!
//! Never here: input or output, clocks, randomness, asynchrony. Everything is told as an [`Input`]
//! and asked for as an [`Effect`]; drivers in `forge` and `node` perform effects and nothing else.

pub mod difference;
pub mod epoch;
pub mod journal;
pub mod membership;
pub mod node;
pub mod rotation;
#[cfg(any(test, feature = "sim"))]
pub mod sim;

mod foresight;
mod message;
mod mission;
mod operator;
mod refusal;
mod rounds;

pub use difference::{NotSeen, View, act_for, difference, look_at};
pub use message::{Effect, Input, ObjectAct, ObjectSeen, Planned, Remark, Remember, Report, Tick};
pub use mission::{AuthoritySeen, Circumstances, Encryption, Goal, Mission, Signing};
pub use operator::Operator;
pub use refusal::{Refusal, doubts, refusals};
pub use rounds::Rounds;
