//! Who may open a keyring: an operator's identity is an age X25519 key in a file of its own, as
//! `age-keygen` writes it, and its public half is what the keyring is sealed to.
//!
//! Never here: an identity in an argument, a variable or a message. Where the file lies may be
//! said in either.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use age::secrecy::ExposeSecret as _;
use jiff::Timestamp;
use ringfort_model::secret::Secret;
use serde::{Deserialize, Serialize};

/// The public key of an operator: `age1` and 58 more characters.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient(String);

/// Says that a text is no operator's public key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no operator's public key: `ringfort keys identity` prints one, `age1…`")]
pub struct NotARecipient {
    text: String,
}

/// An operator's identity, which opens what is sealed to its public key.
pub struct Identity {
    keys: Vec<age::x25519::Identity>,
}

/// Says what is wrong with an identity's file.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is none.
    #[error(
        "there is no operator's identity at {}: `ringfort keys init` makes one, or name another file with --identity or RINGFORT_IDENTITY_FILE",
        path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{} is an operator's identity already: it is not replaced", path.display())]
    Exists {
        /// Where it is.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("the operator's identity {} cannot be used: {source}", path.display())]
    Unusable {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others can read it.
    #[error(
        "the operator's identity {} has mode {mode:04o}, so others can read it: chmod 600 it",
        path.display()
    )]
    Open {
        /// Where it is.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds no identity of a kind that is known here. What it holds is not repeated.
    #[error(
        "{} holds no age X25519 identity (a line AGE-SECRET-KEY-1…), or something else beside it",
        path.display()
    )]
    Shape {
        /// Where it is.
        path: PathBuf,
    },
}

/// Gives the place of an operator's identity unless another is named: under the directory for
/// settings, which is `~/.config` where `XDG_CONFIG_HOME` is not an absolute path.
pub fn default_identity_path(settings: Option<PathBuf>, home: &Path) -> PathBuf {
    let settings = settings.filter(|path| path.is_absolute());
    settings.unwrap_or_else(|| home.join(".config")).join("ringfort").join("identity.txt")
}

impl Identity {
    /// Makes an identity and its file, readable by its owner alone. An existing file stays.
    ///
    /// # Errors
    /// There is a file already, or none can be written.
    pub fn make(path: &Path, now: Timestamp) -> Result<Self, IdentityError> {
        let key = age::x25519::Identity::generate();
        let text = Secret::new(format!(
            "# created: {now:.0}\n# public key: {}\n{}\n",
            key.to_public(),
            key.to_string().expose_secret()
        ));
        write_once(path, text.expose()).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => IdentityError::Exists { path: path.to_owned() },
            _ => IdentityError::Unusable { path: path.to_owned(), source },
        })?;
        Ok(Self { keys: vec![key] })
    }

    /// Makes an identity that is forgotten with this process, to say what could be done with one.
    pub fn imagine() -> Self {
        Self { keys: vec![age::x25519::Identity::generate()] }
    }

    /// Reads an identity's file, as `age-keygen` and [`Identity::make`] write it.
    ///
    /// # Errors
    /// There is no such file, others can read it, or it holds something else.
    pub fn read(path: &Path) -> Result<Self, IdentityError> {
        let text = read_private(path)?;
        let lines = text.expose().lines().map(str::trim);
        let keys = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(age::x25519::Identity::from_str)
            .collect::<Result<Vec<_>, _>>();
        match keys {
            Ok(keys) if !keys.is_empty() => Ok(Self { keys }),
            _ => Err(IdentityError::Shape { path: path.to_owned() }),
        }
    }

    /// Gives the public key of the identity, the first one if the file holds several.
    pub fn recipient(&self) -> Recipient {
        let first = self.keys.first().expect("an identity is made and read with a key");
        Recipient(first.to_public().to_string())
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.keys.iter().map(|key| key as &dyn age::Identity)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("recipient", &self.recipient()).finish_non_exhaustive()
    }
}

fn write_once(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = directory {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half an identity is none, and would be in the way of the next one.
        let _ = std::fs::remove_file(path);
    }
    written?;
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn read_private(path: &Path) -> Result<Secret<String>, IdentityError> {
    let unusable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => IdentityError::Missing { path: path.to_owned() },
        io::ErrorKind::InvalidData => IdentityError::Shape { path: path.to_owned() },
        _ => IdentityError::Unusable { path: path.to_owned(), source },
    };
    let mut file = File::open(path).map_err(unusable)?;
    let facts = file.metadata().map_err(unusable)?;
    // A pipe has no reader but this one.
    if facts.is_file() && facts.mode() & 0o077 != 0 {
        return Err(IdentityError::Open { path: path.to_owned(), mode: facts.mode() & 0o7777 });
    }
    // Room for all that is read, so that growing leaves no copies in memory.
    let mut text = String::with_capacity(LONGEST);
    let limit = u64::try_from(LONGEST).expect("a few thousand");
    (&mut file).take(limit).read_to_string(&mut text).map_err(unusable)?;
    Ok(Secret::new(text))
}

/// The most that is read of an identity's file, in bytes.
const LONGEST: usize = 16 << 10;

impl Recipient {
    /// Gives the public key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn key(&self) -> age::x25519::Recipient {
        self.0.parse().expect("a recipient is read only if age reads it")
    }
}

impl FromStr for Recipient {
    type Err = NotARecipient;

    fn from_str(text: &str) -> Result<Self, NotARecipient> {
        match text.parse::<age::x25519::Recipient>() {
            Ok(_) => Ok(Self(text.to_owned())),
            // A secret key that strayed here is not repeated.
            Err(_) if text.to_ascii_uppercase().contains("SECRET") => {
                Err(NotARecipient { text: "…".to_owned() })
            }
            Err(_) => Err(NotARecipient { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Recipient {
    type Error = NotARecipient;

    fn try_from(text: String) -> Result<Self, NotARecipient> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};

    use jiff::Timestamp;

    use super::{Identity, IdentityError, Recipient, default_identity_path};

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config/ringfort/identity.txt");
        (directory, path)
    }

    #[test]
    fn an_identity_is_made_once_private_and_in_the_format_of_age() {
        let (_directory, path) = place();
        let made = Identity::make(&path, NOW).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "# created: 2027-01-15T08:00:00Z");
        assert_eq!(lines[1], format!("# public key: {}", made.recipient()));
        assert!(lines[2].starts_with("AGE-SECRET-KEY-1") && lines.len() == 3);
        assert_eq!(Identity::read(&path).unwrap().recipient(), made.recipient());
        assert!(matches!(Identity::make(&path, NOW), Err(IdentityError::Exists { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert!(!format!("{made:?}").contains("SECRET"));
    }

    #[test]
    fn an_identity_that_others_can_read_or_that_is_none_is_refused() {
        let (_directory, path) = place();
        assert!(matches!(Identity::read(&path), Err(IdentityError::Missing { .. })));
        Identity::make(&path, NOW).unwrap();
        let check = |mode: u32, text: &str, expected: &str| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = Identity::read(&path).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        };
        let good = fs::read_to_string(&path).unwrap();
        check(0o640, &good, "mode 0640");
        check(0o604, &good, "mode 0604");
        check(0o600, "", "no age X25519 identity");
        check(0o600, "hunter2", "no age X25519 identity");
        check(0o600, &format!("{good}hunter2\n"), "no age X25519 identity");
        check(0o600, &good[..good.len() - 3], "no age X25519 identity");
    }

    #[test]
    fn settings_lie_where_the_system_says() {
        let check = |settings: Option<&str>, expected: &str| {
            let path = default_identity_path(settings.map(PathBuf::from), Path::new("/home/a"));
            assert_eq!(path, Path::new(expected));
        };
        check(None, "/home/a/.config/ringfort/identity.txt");
        check(Some("/etc/b"), "/etc/b/ringfort/identity.txt");
        check(Some("relative"), "/home/a/.config/ringfort/identity.txt");
    }

    #[test]
    fn a_recipient_is_checked_and_a_stray_secret_is_not_repeated() {
        let (_directory, path) = place();
        let good = Identity::make(&path, NOW).unwrap().recipient().to_string();
        assert_eq!(good.parse::<Recipient>().unwrap().as_str(), good);
        for bad in ["", "age1", &good[..61], &good.replace("age1", "age2")] {
            assert!(bad.parse::<Recipient>().is_err(), "{bad}");
        }
        let secret = fs::read_to_string(&path).unwrap().lines().last().unwrap().to_owned();
        let error = secret.parse::<Recipient>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
    }
}
