//! Who acts on this machine, on its disk: the lock that lives as long as a channel, and the epoch
//! with the name of who acted in it. Who may act is decided by the engine.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use rustix::fs::FlockOperation;

use ringfort_engine::node::Tenure;

use crate::files::{self, Permissions};
use crate::root::Root;

/// The lock, held as long as it lives.
pub(crate) struct Lock(#[expect(dead_code, reason = "held, never read")] File);

/// Says why the lock was not taken.
pub(crate) enum NotLocked {
    /// Another channel lives, and whose it is.
    Held(String),
    /// It could not be tried.
    Unusable(io::Error),
}

impl From<io::Error> for NotLocked {
    fn from(error: io::Error) -> Self {
        Self::Unusable(error)
    }
}

impl Lock {
    /// Takes the machine for an operator.
    pub(crate) fn take(root: &Root, operator: &str) -> Result<Self, NotLocked> {
        files::private_directory(&root.state(""))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(root.state("lock"))?;
        if !lock(&file) {
            return Err(NotLocked::Held(named(&mut file)?));
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(plain(operator).as_bytes())?;
        Ok(Self(file))
    }
}

/// Locks the file, and says whether that was possible. Who only looks whether it is locked holds it for
/// a moment, and is waited for.
fn lock(file: &File) -> bool {
    (0..TRIES).any(|tried| {
        if tried > 0 {
            std::thread::sleep(PAUSE);
        }
        rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
    })
}

const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

fn named(file: &mut File) -> io::Result<String> {
    let mut holder = String::new();
    file.read_to_string(&mut holder)?;
    Ok(if holder.is_empty() { "another operator".to_owned() } else { holder })
}

/// Tells who has taken the machine at this moment.
pub(crate) fn holder(root: &Root) -> io::Result<Option<String>> {
    let mut file = match File::open(root.state("lock")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(_) => named(&mut file).map(Some),
    }
}

/// Reads who acted last; nobody where nothing is written.
pub(crate) fn read(root: &Root) -> io::Result<Tenure> {
    let text = match std::fs::read_to_string(root.state("epoch")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Tenure::default()),
        other => other?,
    };
    let (epoch, operator) = text.trim_end().split_once(' ').unwrap_or((text.trim_end(), ""));
    let epoch = epoch.parse().map_err(|_| io::Error::other("the epoch is no number"))?;
    Ok(Tenure { epoch, operator: operator.to_owned() })
}

/// Writes down who acts.
pub(crate) fn store(root: &Root, tenure: &Tenure) -> io::Result<()> {
    let text = format!("{} {}\n", tenure.epoch, plain(&tenure.operator));
    files::write(&root.state("epoch"), text.as_bytes(), Permissions::private())
}

/// Keeps a name on one line.
fn plain(operator: &str) -> String {
    operator.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::{Lock, NotLocked, read, store};
    use crate::root::Root;
    use ringfort_engine::node::Tenure;

    #[test]
    fn one_holds_the_lock_and_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        let Ok(ann) = Lock::take(&root, "ann at\nhome") else { panic!() };
        let Err(NotLocked::Held(holder)) = Lock::take(&root, "bob") else { panic!() };
        assert_eq!(holder, "ann athome");
        assert_eq!(super::holder(&root).unwrap().as_deref(), Some("ann athome"));
        drop(ann);
        assert_eq!(super::holder(&root).unwrap(), None);
        assert!(Lock::take(&root, "bob").is_ok());
    }

    #[test]
    fn who_acted_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        let _lock = Lock::take(&root, "ann");
        assert_eq!(read(&root).unwrap(), Tenure::default());
        for operator in ["", "ann", "ann on desk, run 7"] {
            let tenure = Tenure { epoch: 4, operator: operator.to_owned() };
            store(&root, &tenure).unwrap();
            assert_eq!(read(&root).unwrap(), tenure);
        }
        std::fs::write(root.state("epoch"), "x y").unwrap();
        assert!(read(&root).is_err());
    }
}
