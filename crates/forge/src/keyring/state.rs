//! Where an operator's state of a cluster lies: `.ringfort/<cluster>/` beside `cluster.yaml`.
//!
//! `keyring.age` is sealed and `trust.json` is public, so both may be committed; a `.gitignore`
//! keeps everything else out. Files are written by whoever holds the directory's lock, aside and
//! synced before they take the place of the old ones.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ringfort_model::name::{ClusterName, NodeName};
use ringfort_model::trust::{NotTrust, TrustFacts};
use ringfort_pki::CaError;

use super::Keyring;
use super::identity::{Identity, Recipient};
use super::seal::SealError;

/// The directory of the machines' newest baselines, within that of the state.
const BASELINES: &str = "baselines";
/// The history of accepted changes, within it.
const ACCEPTED: &str = "accepted.jsonl";

/// The directory of an operator's state of a cluster, to look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StateDirectory {
    path: PathBuf,
    cluster: ClusterName,
}

/// The directory of an operator's state of a cluster, to write in: nobody else on this machine
/// holds it at the same time. Let go when dropped.
#[derive(Debug)]
pub struct HeldState {
    directory: StateDirectory,
    /// The lock lives as long as the open file.
    _lock: File,
}

/// Whether machines say that the cluster exists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClusterExists {
    /// A machine belongs to it.
    Yes,
    /// No machine does, as far as could be seen.
    No,
}

/// A cluster's keyring and trust facts, which agree with each other.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The secrets.
    pub keyring: Keyring,
    /// What is public.
    pub trust: TrustFacts,
    /// What was done to have them.
    pub done: Done,
}

/// What was done to have a keyring and trust facts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Done {
    /// The keyring was made: the cluster is new.
    pub made_keyring: bool,
    /// The keyring was sealed again, to more operators.
    pub sealed_again: bool,
    /// `trust.json` was missing beside a keyring and was written anew. What only it knew, such as
    /// retired keys of service accounts, has to be seen on machines again.
    pub renewed_trust: bool,
}

/// Says what is wrong with an operator's state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Someone else holds it.
    #[error("another ringfort works on this cluster from here ({holder}): wait for it, or stop it")]
    Busy {
        /// What the other one says of itself.
        holder: String,
    },
    /// A file cannot be read or written.
    #[error("{} cannot be {doing}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The keyring of an existing cluster is gone.
    #[error(
        "the cluster {cluster} exists, but its keyring {} is gone: put it back from a backup or another operator's copy. A new one is not made, because what the API servers stored is sealed with the old one's keys. Only if no machine was ever touched: remove {} and run again",
        keyring.display(), trust.display()
    )]
    Lost {
        /// The cluster.
        cluster: ClusterName,
        /// Where the keyring should be.
        keyring: PathBuf,
        /// Where the trust facts are, or would be.
        trust: PathBuf,
    },
    /// There is no keyring yet.
    #[error(
        "the cluster {cluster} has no keyring yet: `ringfort keys init` or `ringfort up` makes it"
    )]
    None {
        /// The cluster.
        cluster: ClusterName,
    },
    /// The keyring is another cluster's or another keyring than the one that made the cluster.
    #[error(
        "{} is not the keyring of the cluster {cluster} that trust.json knows ({why}): put the right one back",
        keyring.display()
    )]
    Different {
        /// The cluster.
        cluster: ClusterName,
        /// Where the keyring is.
        keyring: PathBuf,
        /// What differs.
        why: String,
    },
    /// The keyring cannot be opened or sealed.
    #[error("{}: {source}", keyring.display())]
    Seal {
        /// Where the keyring is.
        keyring: PathBuf,
        /// Why.
        source: SealError,
    },
    /// The trust facts cannot be read.
    #[error("{}: {source}", path.display())]
    Trust {
        /// Where they are.
        path: PathBuf,
        /// Why.
        source: NotTrust,
    },
    /// An authority is broken or cannot be made.
    #[error(transparent)]
    Authority(#[from] CaError),
}

impl StateDirectory {
    /// Names the directory that belongs to a specification's file and its cluster.
    pub fn beside(spec_file: &Path, cluster: &ClusterName) -> Self {
        let beside = spec_file.parent().unwrap_or(Path::new(""));
        let path = beside.join(".ringfort").join(cluster.as_str());
        Self { path, cluster: cluster.clone() }
    }

    /// Gives the directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the sealed keyring's path.
    pub fn keyring_path(&self) -> PathBuf {
        self.path.join("keyring.age")
    }

    /// Gives the directory of the machines' newest baselines.
    pub fn baselines(&self) -> PathBuf {
        self.path.join(BASELINES)
    }

    /// Gives the path of the history of changes that were accepted.
    pub fn accepted(&self) -> PathBuf {
        self.path.join(ACCEPTED)
    }

    /// Gives the trust facts' path.
    pub fn trust_path(&self) -> PathBuf {
        self.path.join("trust.json")
    }

    /// Reads the trust facts; `None` where there are none.
    ///
    /// # Errors
    /// They cannot be read, or are another cluster's.
    pub fn trust(&self) -> Result<Option<TrustFacts>, StateError> {
        let path = self.trust_path();
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let facts = std::str::from_utf8(&bytes)
            .map_err(|error| NotTrust::Shape { why: error.to_string() })
            .and_then(TrustFacts::read)
            .map_err(|source| StateError::Trust { path, source })?;
        if facts.cluster == self.cluster {
            Ok(Some(facts))
        } else {
            Err(self.different(format!("trust.json is of the cluster {}", facts.cluster)))
        }
    }

    /// Opens the keyring and the trust facts without changing anything.
    ///
    /// # Errors
    /// There is no keyring, it cannot be opened, or the two do not agree.
    pub fn open(&self, identity: &Identity) -> Result<Opened, StateError> {
        let trust = self.trust()?;
        match self.keyring(identity)? {
            Some(keyring) => self.agree(keyring, trust),
            None if trust.is_some() => Err(self.lost()),
            None => Err(StateError::None { cluster: self.cluster.clone() }),
        }
    }

    /// Takes the directory's lock, making the directory if need be.
    ///
    /// # Errors
    /// Someone else has it, or the directory cannot be written.
    pub fn hold(&self) -> Result<HeldState, StateError> {
        let path = self.path.join("lock");
        let failed = |source| StateError::File { path: path.clone(), doing: "written", source };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(failed)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StateError::Busy { holder: said(&mut lock) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        lock.set_len(0).map_err(failed)?;
        writeln!(lock, "process {}", std::process::id()).map_err(failed)?;
        let held = HeldState { directory: self.clone(), _lock: lock };
        held.keep_out_of_commits()?;
        Ok(held)
    }

    fn keyring(&self, identity: &Identity) -> Result<Option<Keyring>, StateError> {
        let path = self.keyring_path();
        let Some(sealed) = read(&path)? else { return Ok(None) };
        let keyring = Keyring::open(&sealed, identity)
            .map_err(|source| StateError::Seal { keyring: path, source })?;
        if keyring.cluster() == &self.cluster {
            Ok(Some(keyring))
        } else {
            Err(self.different(format!("it is of the cluster {}", keyring.cluster())))
        }
    }

    /// Sees that a keyring has all that was made with it: the same authorities and every key that
    /// may have sealed something. It may have more, if writing stopped between the two files.
    fn agree(&self, keyring: Keyring, trust: Option<TrustFacts>) -> Result<Opened, StateError> {
        let fresh = keyring.trust()?;
        let Some(mut trust) = trust else {
            let done = Done { renewed_trust: true, ..Done::default() };
            return Ok(Opened { keyring, trust: fresh, done });
        };
        for (authority, known) in &trust.authorities {
            if fresh.authorities.get(authority) != Some(known) {
                return Err(self.different(format!("the authority {authority:?} is another one")));
            }
        }
        if let Some(name) =
            trust.encryption.keys.iter().find(|n| keyring.encryption().secret(n).is_none())
        {
            return Err(self.different(format!("the encryption key {name} is missing")));
        }
        trust.authorities = fresh.authorities;
        trust.encryption = fresh.encryption;
        trust.baseline_key = fresh.baseline_key;
        Ok(Opened { keyring, trust, done: Done::default() })
    }

    fn different(&self, why: String) -> StateError {
        StateError::Different { cluster: self.cluster.clone(), keyring: self.keyring_path(), why }
    }

    fn lost(&self) -> StateError {
        StateError::Lost {
            cluster: self.cluster.clone(),
            keyring: self.keyring_path(),
            trust: self.trust_path(),
        }
    }
}

impl HeldState {
    /// Gives the directory.
    pub fn directory(&self) -> &StateDirectory {
        &self.directory
    }

    /// Opens the keyring, or makes one if the cluster is new, and lets the operators of the
    /// specification open it too. Both files are on disk when this returns.
    ///
    /// # Errors
    /// The cluster exists and its keyring is lost, different, damaged or sealed to others; a new
    /// one is not made then. Or a file cannot be written.
    pub fn open_or_create(
        &self,
        identity: &Identity,
        operators: &BTreeSet<Recipient>,
        exists: ClusterExists,
        now: i64,
    ) -> Result<Opened, StateError> {
        let trust = self.directory.trust()?;
        let mut opened = match self.directory.keyring(identity)? {
            Some(keyring) => self.directory.agree(keyring, trust.clone())?,
            None if trust.is_some() || exists == ClusterExists::Yes => {
                return Err(self.directory.lost());
            }
            None => self.create(identity, now)?,
        };
        let admitted = opened.keyring.admit(operators.iter().cloned());
        let equipped = opened.keyring.equip()?;
        opened.trust.baseline_key = opened.keyring.trust()?.baseline_key;
        if (admitted || equipped) && !opened.done.made_keyring {
            opened.done.sealed_again = true;
        }
        if opened.done.made_keyring || opened.done.sealed_again {
            self.save_keyring(&opened.keyring, identity)?;
        }
        if trust.as_ref() != Some(&opened.trust) {
            self.save_trust(&opened.trust)?;
        }
        Ok(opened)
    }

    /// Seals the keyring and puts it in the place of the old one.
    ///
    /// # Errors
    /// It cannot be sealed, or could not be opened again, or not be written.
    pub fn save_keyring(&self, keyring: &Keyring, identity: &Identity) -> Result<(), StateError> {
        let path = self.directory.keyring_path();
        let seal = |source| StateError::Seal { keyring: path.clone(), source };
        let sealed = keyring.seal(identity).map_err(seal)?;
        Keyring::open(&sealed, identity).map_err(seal)?;
        self.replace("keyring.age", &sealed, 0o600)
    }

    /// Writes the history of accepted changes in the place of the old one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_accepted(&self, history: &str) -> Result<(), StateError> {
        self.replace(ACCEPTED, history.as_bytes(), 0o644)
    }

    /// Keeps what was signed for a machine: who asks it later holds it against this, and not against what the
    /// machine says.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_baseline(&self, node: &NodeName, text: &str) -> Result<(), StateError> {
        let directory = self.directory.baselines();
        let aside = directory.join(format!(".{node}.new"));
        let mut builder = DirBuilder::new();
        let written = builder
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .and_then(|()| write_aside(&aside, text.as_bytes(), 0o600))
            .and_then(|()| fs::rename(&aside, directory.join(node.as_str())))
            .and_then(|()| File::open(&directory)?.sync_all());
        written.map_err(|source| StateError::File { path: directory, doing: "written", source })
    }

    /// Writes the trust facts in the place of the old ones.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn save_trust(&self, trust: &TrustFacts) -> Result<(), StateError> {
        self.replace("trust.json", trust.write().as_bytes(), 0o644)
    }

    /// Gives a cluster of which no machine is left other authorities. Its encryption keys stay, for old
    /// backups of etcd, and so does the key that signs evidence.
    ///
    /// # Errors
    /// They cannot be made or written. What is on disk can be opened at any time.
    pub fn renew_authorities(
        &self,
        keyring: &mut Keyring,
        trust: &mut TrustFacts,
        identity: &Identity,
        now: i64,
    ) -> Result<(), StateError> {
        // Facts that name no authority agree with the keyring before and after.
        trust.authorities.clear();
        self.save_trust(trust)?;
        keyring.renew_authorities(now)?;
        self.save_keyring(keyring, identity)?;
        trust.authorities = keyring.authorities()?;
        self.save_trust(trust)
    }

    fn create(&self, identity: &Identity, now: i64) -> Result<Opened, StateError> {
        let own = BTreeSet::from([identity.recipient()]);
        let keyring = Keyring::make(&self.directory.cluster, own, now)?;
        let trust = keyring.trust()?;
        let done = Done { made_keyring: true, ..Done::default() };
        Ok(Opened { keyring, trust, done })
    }

    fn keep_out_of_commits(&self) -> Result<(), StateError> {
        if self.directory.path.join(".gitignore").exists() {
            return Ok(());
        }
        self.replace(".gitignore", GIT_IGNORE.as_bytes(), 0o644)
    }

    fn replace(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), StateError> {
        let (directory, path) = (&self.directory.path, self.directory.path.join(name));
        let aside = directory.join(format!(".{name}.new"));
        let written = write_aside(&aside, bytes, mode)
            .and_then(|()| fs::rename(&aside, &path))
            .and_then(|()| File::open(directory)?.sync_all());
        written.map_err(|source| StateError::File { path, doing: "written", source })
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StateError::File { path: path.to_owned(), doing: "read", source }),
    }
}

fn write_aside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // What an interrupted run left, with who knows which mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn said(lock: &mut File) -> String {
    let mut text = String::new();
    // The holder may be about to write; its silence changes nothing.
    let _ = lock.take(100).read_to_string(&mut text);
    let text = text.trim();
    if text.is_empty() { "it does not say more".to_owned() } else { text.to_owned() }
}

const GIT_IGNORE: &str = "\
# keyring.age is sealed; the others named here are public. Nothing else here belongs into a commit.
*
!.gitignore
!accepted.jsonl
!evidence.pub
!keyring.age
!trust.json
";

#[cfg(test)]
mod tests;
