//! The store that is looked at: the one that is named, or this machine's own; and its events, one after the other.

use std::path::{Path, PathBuf};

use clap::Args;

use ringfort_audit::event::Event;
use ringfort_controls::paths::AUDIT_STORE;
use ringfort_store::format::entry::Kind;
use ringfort_store::format::query::{Hit, Query, time};
use ringfort_store::os::search;

use crate::cli::Fault;

/// Which store.
#[derive(Args)]
pub(super) struct StoreArg {
    /// Where it is kept; on a control plane that `ringfort up` made, /var/lib/ringfort-audit if nothing is said
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

impl StoreArg {
    /// Gives the store that was named, or this machine's own.
    pub(super) fn path(&self) -> Result<PathBuf, Fault> {
        or_own(self.store.as_deref(), Path::new(AUDIT_STORE))
    }
}

fn or_own(named: Option<&Path>, own: &Path) -> Result<PathBuf, Fault> {
    match named {
        Some(named) => Ok(named.to_owned()),
        None if own.is_dir() => Ok(own.to_owned()),
        None => Err(Fault::usage(format!(
            "there is no {} here: run this on a control plane, or say with --store DIR where it is kept",
            own.display()
        ))),
    }
}

/// A time from which on something is wanted, in microseconds of the Unix epoch.
pub(super) fn since(text: &str) -> Result<i64, String> {
    time(text, jiff::Timestamp::now()).map_err(|error| error.to_string())
}

/// How much was read of a store.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReadOf {
    /// Events.
    pub(super) events: u64,
    /// Lines that cannot be read, and parts of the store that cannot be.
    pub(super) unreadable: u64,
}

/// Visits the events of a store from a time on.
pub(super) fn events(
    store: &Path,
    since: Option<i64>,
    visit: &mut dyn FnMut(&Event<'_>),
) -> Result<ReadOf, Fault> {
    let mut read = ReadOf::default();
    let query = Query::everything_since(since);
    let searched = search(store, &query, &mut |entry, hit| {
        // Also where there is an event in it: something else is as well.
        read.unreadable += u64::from(entry.kind == Kind::Unreadable);
        if let Hit::Event(event) = hit {
            read.events += 1;
            visit(event);
        }
        true
    });
    read.unreadable += searched.map_err(Fault::blind)?.unreadable;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::or_own;

    #[test]
    fn the_machines_own_store_is_looked_at_where_there_is_one() {
        let own = tempfile::tempdir().unwrap();
        let (here, named) = (own.path(), Path::new("/x"));
        assert_eq!(or_own(Some(named), here).unwrap(), named);
        assert_eq!(or_own(None, here).unwrap(), here);
        let none = or_own(None, &here.join("none")).unwrap_err().to_string();
        assert!(none.contains("--store DIR"), "{none}");
    }
}
