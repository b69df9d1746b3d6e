//! The edge of the store: a directory that is written to, a log that is followed, and what is read of both.

mod claim;
mod collect;
mod deliver;
mod disk;
mod follow;
mod found;
mod held;
mod http;
mod listen;
mod look;
mod notes;
mod offer;
mod received;
mod send;
mod spool;
mod store;
mod tail;
mod tally;
#[cfg(test)]
mod tests;
mod timed;
mod tls;
mod unjudged;
mod witness;

pub use claim::{Claim, ClaimError, claim, hold, machine, public_key};
pub use collect::{CollectError, Collector, Counts, Settings, Told};
pub use deliver::{Deliverer, Delivery, Pace};
pub use disk::{Directory, Disk};
pub use follow::{Follower, Place};
pub use found::{FoundFollower, FoundPlace};
pub use held::{Places, held, reported};
pub use http::{Answer, Request, request};
pub use listen::{Answering, Door, DoorError};
pub use look::{LookError, Searched, search, verify, verify_newest};
pub use notes::Notes;
pub use offer::{OfferError, Offering, Peer, WITNESSED};
pub use received::{Intake, MOST_DELIVERIES, Outlet, Received};
pub use send::{Collectors, Receiver, SendError, Syslog, Webhook};
pub use spool::{Batch, Passed, Room, Spool, id_of, passed};
pub use store::{AppendError, Found, Limits, Store, StoreError};
pub use tail::{Cursor, Line, Tail};
pub use tally::{ApiServer, Asked, COUNT, Count, CountError, Counting, Missed, Missing};
pub use tls::{PATIENCE, Papers, Tls, TlsError};
pub use unjudged::Unjudged;
pub use witness::{Came, Office, SeeError, Sight, Witness};
