//! The edge of the store: a directory that is written to, a log that is followed, and what is read of both.

mod claim;
mod collect;
mod deliver;
mod disk;
mod follow;
mod found;
mod held;
mod look;
mod send;
mod spool;
mod store;
mod tail;
#[cfg(test)]
mod tests;

pub use claim::{Claim, ClaimError, claim, hold, machine, public_key};
pub use collect::{CollectError, Collector, Counts, Settings, Told};
pub use deliver::{Deliverer, Delivery, Pace};
pub use disk::{Directory, Disk};
pub use follow::{Follower, Place};
pub use found::{FoundFollower, FoundPlace};
pub use held::held;
pub use look::{LookError, Searched, search, verify, verify_newest};
pub use send::{PATIENCE, Receiver, SendError, Syslog, Tls, TlsError, Webhook};
pub use spool::{Batch, Room, Spool, id_of};
pub use store::{AppendError, Found, Limits, Store, StoreError};
pub use tail::{Cursor, Line, Tail};
