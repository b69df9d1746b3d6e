//! The edge of the store: a directory that is written to, a log that is followed, and what is read of both.

mod claim;
mod collect;
mod disk;
mod follow;
mod held;
mod look;
mod store;
mod tail;
#[cfg(test)]
mod tests;

pub use claim::{Claim, ClaimError, claim, machine, public_key};
pub use collect::{CollectError, Collector, Counts, Settings, Told};
pub use disk::{Directory, Disk};
pub use follow::{Follower, Place};
pub use held::held;
pub use look::{LookError, Searched, search, verify, verify_newest};
pub use store::{AppendError, Found, Limits, Store, StoreError};
pub use tail::{Cursor, Line, Tail};
