//! `ringfort keys`: an operator's identity and a cluster's sealed keyring. Arguments and output
//! only; the room is `ringfort_forge::keyring`.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;
use ringfort_forge::keyring::{
    ClusterExists, Identity, IdentityError, Opened, Recipient, StateDirectory, StateError,
    default_identity_path,
};
use ringfort_model::certificate::Authority;
use ringfort_spec::Spec;
use serde::Serialize;

use super::Fault;
use super::specification::{self, SpecFile};

/// The operator's identity and the cluster's sealed keyring
///
/// A cluster's secrets lie beside its cluster.yaml in .ringfort/NAME/keyring.age, sealed to the
/// public keys of its operators. The plain `age` tool opens it as well. It may be committed.
///
/// A second operator runs `ringfort keys identity` and hands over what it prints; the first one
/// adds that to `operators:` in cluster.yaml and runs `ringfort keys seal` or `ringfort up`.
#[derive(Args)]
pub struct KeysArgs {
    #[command(flatten)]
    whose: IdentityFile,
    #[command(flatten)]
    spec: SpecFile,
    #[command(subcommand)]
    verb: Verb,
}

/// Whose key opens the keyring.
#[derive(Args)]
pub struct IdentityFile {
    /// The operator's age identity, other than ~/.config/ringfort/identity.txt
    ///
    /// The file must be readable by its owner alone. For unattended runs give them an identity of
    /// their own.
    #[arg(long, env = "RINGFORT_IDENTITY_FILE", value_name = "FILE", global = true)]
    identity: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Verb {
    /// Make an identity and a keyring, each unless it is there
    ///
    /// Exit codes: 0 both are there, 2 usage or bad input, 4 something could not be written.
    Init,
    /// Print the public key of the identity, made if it is not there
    ///
    /// Exit codes: 0 well, 2 usage, or the file holds something else, 4 it could not be written.
    Identity,
    /// Seal the keyring again, to the operators of cluster.yaml besides those it has
    ///
    /// Exit codes: 0 sealed, 2 usage or bad input, 4 it could not be written.
    Seal {
        /// An operator who shall not open it any more; replace its keys too, if trust is lost
        #[arg(long, value_name = "PUBLIC KEY")]
        remove: Vec<Recipient>,
    },
    /// Ask for a new encryption key, which the next `ringfort up` brings in
    ///
    /// It is made, given to every API server as a reader, and lets the old one rest once everything is
    /// written again with it. A run that ends early is taken up by the next one.
    ///
    /// Exit codes: 0 asked for, 2 usage or bad input, 4 it could not be written.
    Rotate,
    /// Show what everybody may know of the keyring
    ///
    /// Exit codes: 0 shown, 2 usage or bad input, 4 the state could not be read.
    Show {
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does what was asked for.
pub fn run(args: KeysArgs) -> Result<ExitCode, Fault> {
    let KeysArgs { whose, spec, verb } = args;
    match verb {
        Verb::Identity => println!("{}", whose.read_or_make()?.recipient()),
        Verb::Init => init(&spec.file, &whose)?,
        Verb::Seal { remove } => seal(&spec.file, &whose, &remove)?,
        Verb::Rotate => rotate(&spec.file, &whose)?,
        Verb::Show { json } => show(&spec.file, &whose, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl IdentityFile {
    /// Reads the identity, which has to be there.
    pub fn read(&self) -> Result<Identity, Fault> {
        Identity::read(&self.path()?).map_err(identity_fault)
    }

    /// Reads the identity or, where there is none, makes one.
    pub fn read_or_make(&self) -> Result<Identity, Fault> {
        let path = self.path()?;
        match Identity::read(&path) {
            Err(IdentityError::Missing { .. }) => {
                let made = Identity::make(&path, Timestamp::now()).map_err(identity_fault)?;
                report(&format!(
                    "made the operator's identity {}: keep a copy of it where no cluster is",
                    path.display()
                ));
                Ok(made)
            }
            other => other.map_err(identity_fault),
        }
    }

    /// Reads the identity or, where there is none, imagines one: no file is made.
    pub fn read_or_imagine(&self) -> Result<Identity, Fault> {
        match Identity::read(&self.path()?) {
            Err(IdentityError::Missing { .. }) => Ok(Identity::imagine()),
            other => other.map_err(identity_fault),
        }
    }

    fn path(&self) -> Result<PathBuf, Fault> {
        let home = || env::home_dir().filter(|home| home.is_absolute());
        match (&self.identity, home()) {
            (Some(path), _) => Ok(path.clone()),
            (None, Some(home)) => {
                let settings = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
                Ok(default_identity_path(settings, &home))
            }
            (None, None) => {
                Err(Fault::usage("HOME is not set: name the operator's identity with --identity"))
            }
        }
    }
}

/// Reads the public keys of the operators that a specification names.
pub fn operators(spec: &Spec) -> Result<BTreeSet<Recipient>, Fault> {
    spec.operators.iter().map(|text| text.parse().map_err(Fault::usage)).collect()
}

/// Sorts what went wrong with an operator's state into whose turn it is.
pub fn state_fault(error: StateError) -> Fault {
    match error {
        StateError::File { .. } | StateError::Busy { .. } => Fault::unable(error),
        _ => Fault::usage(error),
    }
}

fn identity_fault(error: IdentityError) -> Fault {
    match error {
        IdentityError::Unusable { .. } => Fault::unable(error),
        _ => Fault::usage(error),
    }
}

fn init(file: &Path, whose: &IdentityFile) -> Result<(), Fault> {
    let spec = specification::read(file)?;
    let operators = operators(&spec)?;
    let directory = StateDirectory::beside(file, &spec.name);
    let held = directory.hold().map_err(state_fault)?;
    let identity = whose.read_or_make()?;
    let now = Timestamp::now().as_second();
    let opened =
        held.open_or_create(&identity, &operators, ClusterExists::No, now).map_err(state_fault)?;
    say(&directory, &opened);
    Ok(())
}

/// Tells what was done to a keyring; nothing, if nothing was.
pub fn say(directory: &StateDirectory, opened: &Opened) {
    let keyring = directory.keyring_path().display().to_string();
    let count = opened.keyring.recipients().len();
    if opened.done.made_keyring {
        report(&format!("made the keyring {keyring}: a cluster that has lost it cannot be read"));
    }
    if opened.done.sealed_again {
        report(&format!("sealed {keyring} again: {count} operators can open it"));
    }
    if opened.done.renewed_trust {
        report(&format!("wrote {} anew from the keyring", directory.trust_path().display()));
    }
}

fn seal(file: &Path, whose: &IdentityFile, remove: &[Recipient]) -> Result<(), Fault> {
    let spec = specification::read(file)?;
    let named = operators(&spec)?;
    if let Some(both) = remove.iter().find(|recipient| named.contains(recipient)) {
        let why = format!("{both} is one of the `operators:` of {}: take it out", file.display());
        return Err(Fault::usage(why));
    }
    let directory = StateDirectory::beside(file, &spec.name);
    let held = directory.hold().map_err(state_fault)?;
    let identity = whose.read()?;
    let mut keyring = directory.open(&identity).map_err(state_fault)?.keyring;
    keyring.admit(named);
    for recipient in remove {
        if !keyring.expel(recipient) {
            return Err(Fault::usage(format!("the keyring is not sealed to {recipient}")));
        }
    }
    held.save_keyring(&keyring, &identity).map_err(state_fault)?;
    let count = keyring.recipients().len();
    report(&format!(
        "sealed {}: operators who can open it: {count}",
        directory.keyring_path().display()
    ));
    Ok(())
}

fn rotate(file: &Path, whose: &IdentityFile) -> Result<(), Fault> {
    let spec = specification::read(file)?;
    let directory = StateDirectory::beside(file, &spec.name);
    let held = directory.hold().map_err(state_fault)?;
    let identity = whose.read()?;
    let mut keyring = directory.open(&identity).map_err(state_fault)?.keyring;
    keyring.encryption_mut().want();
    held.save_keyring(&keyring, &identity).map_err(state_fault)?;
    report("a new encryption key is wanted: `ringfort up` makes it and takes the old one away");
    Ok(())
}

fn show(file: &Path, whose: &IdentityFile, json: bool) -> Result<(), Fault> {
    let spec = specification::read(file)?;
    let directory = StateDirectory::beside(file, &spec.name);
    let opened = directory.open(&whose.read()?).map_err(state_fault)?;
    let view = View::of(&opened, Timestamp::now());
    if json {
        println!("{}", serde_json::to_string_pretty(&view).map_err(Fault::unable)?);
    } else {
        println!("{}", view.table());
    }
    Ok(())
}

/// What everybody may know of a keyring.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    version: u32,
    cluster: String,
    operators: Vec<String>,
    authorities: Vec<AuthorityView>,
    encryption_keys: Vec<EncryptionKeyView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorityView {
    name: Authority,
    key_id: String,
    expires: Timestamp,
    days_left: i64,
}

#[derive(Serialize)]
struct EncryptionKeyView {
    name: String,
    made: Timestamp,
    writes: bool,
}

impl View {
    fn of(opened: &Opened, now: Timestamp) -> Self {
        let keys = opened.keyring.encryption();
        let writes = keys.names().into_iter().next();
        Self {
            version: 1,
            cluster: opened.keyring.cluster().to_string(),
            operators: opened.keyring.recipients().iter().map(Recipient::to_string).collect(),
            authorities: opened
                .trust
                .authorities
                .iter()
                .map(|(name, facts)| AuthorityView {
                    name: *name,
                    key_id: facts.key_id.clone(),
                    expires: moment(facts.not_after),
                    days_left: (facts.not_after - now.as_second()).div_euclid(86_400),
                })
                .collect(),
            encryption_keys: keys
                .made()
                .map(|(name, made)| EncryptionKeyView {
                    name: name.to_owned(),
                    made: moment(made),
                    writes: writes.as_deref() == Some(name),
                })
                .collect(),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_header(["KIND", "NAME", "STATE"]);
        for authority in &self.authorities {
            let state = match authority.days_left {
                ..0 => "expired".to_owned(),
                days => format!("{days} days left"),
            };
            table.add_row(["authority", authority.name.common_name(), &state]);
        }
        for key in &self.encryption_keys {
            let state = if key.writes { "writes" } else { "reads" };
            table.add_row(["encryption key", &key.name, state]);
        }
        for operator in &self.operators {
            table.add_row(["operator", operator, "opens the keyring"]);
        }
        table
    }
}

/// A moment outside of the calendar can only come from a file that someone else wrote.
fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

fn report(line: &str) {
    anstream::eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use super::IdentityFile;

    #[test]
    fn an_imagined_identity_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("settings/identity.txt");
        let file = IdentityFile { identity: Some(path) };
        let imagined = file.read_or_imagine().unwrap();
        assert!(!directory.path().join("settings").exists());
        let made = file.read_or_make().unwrap();
        assert_ne!(made.recipient(), imagined.recipient());
        assert_eq!(file.read_or_imagine().unwrap().recipient(), made.recipient());
    }
}
