//! Who may act on this machine now: one operator, while its channel lives, in an epoch no older
//! than any that acted before. No clock has a say.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::FlockOperation;

use crate::files::{self, Permissions};
use crate::root::Root;

/// Says why an operator may not act.
#[derive(Debug, thiserror::Error)]
pub enum TenureError {
    /// Another operator's channel lives.
    #[error("{holder} is at work on this machine: wait until that run has ended, or end it")]
    Taken {
        /// The other's name.
        holder: String,
    },
    /// A newer epoch acted here.
    #[error(
        "epoch {offered} is over: this machine has acted in epoch {seen}: another operator went on; take its state over, then run again"
    )]
    Past {
        /// The epoch that was offered.
        offered: u64,
        /// The highest that was seen.
        seen: u64,
    },
    /// The state cannot be used.
    #[error("ringfort's state on this machine cannot be used: {why}")]
    State {
        /// What the system said.
        why: String,
    },
}

/// The right to act, held as long as it lives.
pub(crate) struct Tenure {
    _lock: File,
    /// The epoch that is acted in.
    pub(crate) epoch: u64,
    /// The highest epoch that acted before.
    pub(crate) before: u64,
}

impl Tenure {
    /// Takes the machine for an operator in an epoch.
    pub(crate) fn take(root: &Root, operator: &str, epoch: u64) -> Result<Self, TenureError> {
        let state = |error: io::Error| TenureError::State { why: error.to_string() };
        files::private_directory(&root.state("")).map_err(state)?;
        let lock = lock(root, operator)?;
        let before = last_epoch(root)?;
        if epoch < before {
            return Err(TenureError::Past { offered: epoch, seen: before });
        }
        if epoch > before {
            let text = format!("{epoch}\n");
            files::write(&root.state("epoch"), text.as_bytes(), Permissions::private())
                .map_err(state)?;
        }
        Ok(Self { _lock: lock, epoch, before })
    }
}

/// Reads the highest epoch that acted on this machine; 0 where none did.
pub(crate) fn last_epoch(root: &Root) -> Result<u64, TenureError> {
    let state = |why: String| TenureError::State { why };
    match std::fs::read_to_string(root.state("epoch")) {
        Ok(text) => {
            text.trim().parse().map_err(|_| state(format!("the epoch {text:?} is no number")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(state(error.to_string())),
    }
}

fn lock(root: &Root, operator: &str) -> Result<File, TenureError> {
    let state = |error: io::Error| TenureError::State { why: error.to_string() };
    let path = root.state("lock");
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(state)?;
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut holder = String::new();
        file.read_to_string(&mut holder).map_err(state)?;
        let holder = if holder.is_empty() { "another operator".to_owned() } else { holder };
        return Err(TenureError::Taken { holder });
    }
    let name: String = operator.chars().filter(|c| !c.is_control()).take(100).collect();
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(name.as_bytes()))
        .map_err(state)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::{Tenure, TenureError, last_epoch};
    use crate::root::Root;

    #[test]
    fn one_operator_acts_and_epochs_only_grow() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        let ann = Tenure::take(&root, "ann", 3).unwrap();
        assert_eq!((ann.before, ann.epoch, last_epoch(&root).unwrap()), (0, 3, 3));
        let refused = Tenure::take(&root, "bob", 9).map(|_| ()).unwrap_err();
        assert!(refused.to_string().starts_with("ann is at work"), "{refused}");
        drop(ann);
        let old = Tenure::take(&root, "bob", 2).map(|_| ()).unwrap_err();
        assert!(matches!(old, TenureError::Past { offered: 2, seen: 3 }));
        assert_eq!(Tenure::take(&root, "bob", 3).unwrap().before, 3);
    }
}
