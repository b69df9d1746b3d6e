//! `ringfort kubeconfig`: renews the handed-over identity of a cluster that was proved.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;

use ringfort_forge::keyring::{HeldState, Keyring, Opened, StateDirectory};
use ringfort_model::certificate::{Authority, Subject};
use ringfort_model::identity::ADMIN;
use ringfort_pki::{ClientIdentity, Endpoint, Signer, person_kubeconfig};
use ringfort_spec::{Scope, Spec, Waiver};

use super::hand_over::HandedOver;
use super::keys::state_fault;
use super::session::{Where, now_s};
use super::{Fault, break_glass, hand_over, specification};

/// Renew the kubeconfig of a cluster that was handed over
///
/// The certificate of the handed-over kubeconfig lives for hours only, as `admin.hours` of the spec
/// says. This makes a new one from the keyring, without speaking to any machine. A cluster that was
/// never proved, or of which a later run did not prove everything, has no kubeconfig to renew: that is
/// what `ringfort up` is for.
///
/// With --waiver it issues the kubeconfig of an identity that a waiver for namespaces names, such as
/// that of end-to-end tests. It lives no longer than the waiver, and `ringfort up` gives the identity
/// its rights.
///
/// With --break-glass it issues an identity in the group that no role binds, for an hour, for what the
/// handed-over one may not do, and where proofs fail. Who, when and why goes on record beside the
/// operator's state.
///
/// Exit codes: 0 written, 2 usage or bad input, or the cluster was never handed over, 4 a later run did not prove
/// everything, or something could not be done.
#[derive(Args)]
pub struct KubeconfigArgs {
    #[command(flatten)]
    place: Where,
    /// The user of a waiver for namespaces, instead of the handed-over identity
    #[arg(long, value_name = "USER", conflicts_with = "break_glass")]
    waiver: Option<String>,
    /// An identity without bounds, for an hour and on record
    #[arg(long, requires = "reason")]
    break_glass: bool,
    /// What the glass is broken for
    #[arg(long, value_name = "TEXT", requires = "break_glass", value_parser = break_glass::reason)]
    reason: Option<String>,
}

/// The file, beside the operator's state.
pub const FILE: &str = "admin.conf";

/// Runs the command.
pub fn run(args: &KubeconfigArgs) -> Result<ExitCode, Fault> {
    let file = &args.place.spec.file;
    let spec = specification::read(file)?;
    let identity = args.place.whose.read()?;
    let state = StateDirectory::beside(file, &spec.name);
    let held = state.hold().map_err(Fault::unable)?;
    let Opened { keyring, trust, .. } = state.open(&identity).map_err(state_fault)?;
    let path = match (&args.reason, &args.waiver) {
        (Some(reason), _) => {
            let signer = PeopleSigner::open(&keyring, hand_over::once(&trust)?)?;
            unbounded(&spec, &held, &signer, reason)?
        }
        (None, Some(user)) => {
            let signer = PeopleSigner::open(&keyring, hand_over::stands(&trust)?)?;
            let life = spec.admin.life().min(time_left(&spec, user)?);
            let client = signer.client(&Subject::user(user), life)?;
            let file = format!("waiver-{user}.conf");
            write(&spec, &held, &signer, &Person { user, client, file: &file })?
        }
        (None, None) => issue(&spec, &held, &keyring, hand_over::stands(&trust)?)?,
    };
    println!("{path}");
    Ok(ExitCode::SUCCESS)
}

/// Gives the time until the last waiver of a user ends: with the last second of its last day.
fn time_left(spec: &Spec, user: &str) -> Result<Duration, Fault> {
    let names = |waiver: &&Waiver| matches!(&waiver.scope, Scope::Namespaces { user: theirs, .. } if theirs == user);
    let Some(expires) = spec.waivers.iter().filter(names).map(|waiver| waiver.expires).max() else {
        let ended = spec.ended.iter().filter(names).map(|waiver| waiver.expires).max();
        return Err(Fault::usage(match ended {
            Some(on) => format!("the waiver of {user} ended on {on}: its owner decides again"),
            None => format!("no waiver of the specification is for namespaces of {user}"),
        }));
    };
    let midnight = expires.tomorrow().and_then(|next| next.to_zoned(TimeZone::system()));
    let end_s = midnight.map_err(Fault::usage)?.timestamp().as_second();
    Ok(Duration::from_secs(u64::try_from(end_s - now_s()).unwrap_or(0)))
}

/// Signs an admin certificate and writes the kubeconfig, readable by its owner alone.
pub fn issue(
    spec: &Spec,
    held: &HeldState,
    keyring: &Keyring,
    shown: HandedOver,
) -> Result<String, Fault> {
    let signer = PeopleSigner::open(keyring, shown)?;
    let client = signer.client(&Subject::user(ADMIN), spec.admin.life())?;
    write(spec, held, &signer, &Person { user: ADMIN, client, file: FILE })
}

/// Breaks the glass: what is issued is on record before it can be used.
fn unbounded(
    spec: &Spec,
    held: &HeldState,
    signer: &PeopleSigner,
    reason: &str,
) -> Result<String, Fault> {
    let client = signer.client(&break_glass::subject(), break_glass::LIFE)?;
    break_glass::record(held.directory().path(), reason, &client)?;
    let (user, file) = (break_glass::USER, break_glass::FILE);
    write(spec, held, signer, &Person { user, client, file })
}

/// Signs for people, of a cluster that was handed over.
struct PeopleSigner {
    signer: Signer,
    authority_pem: String,
}

impl PeopleSigner {
    fn open(keyring: &Keyring, _: HandedOver) -> Result<Self, Fault> {
        let signer = keyring.signer(Authority::Cluster, now_s()).map_err(Fault::unable)?;
        let authorities = keyring.authorities().map_err(Fault::unable)?;
        let authority_pem = authorities[&Authority::Cluster].certificate_pem.clone();
        Ok(Self { signer, authority_pem })
    }

    fn client(&self, subject: &Subject, life: Duration) -> Result<ClientIdentity, Fault> {
        self.signer.client(subject, life).map_err(Fault::unable)
    }
}

/// Whom a kubeconfig is for.
struct Person<'a> {
    user: &'a str,
    client: ClientIdentity,
    file: &'a str,
}

fn write(
    spec: &Spec,
    held: &HeldState,
    signer: &PeopleSigner,
    person: &Person<'_>,
) -> Result<String, Fault> {
    let Person { user, client, file } = person;
    let ca = &signer.authority_pem;
    let text = person_kubeconfig(&spec.name, user, &endpoints(spec), ca, client);
    let directory = held.directory().path();
    let (path, aside) = (directory.join(file), directory.join(format!(".{file}.new")));
    let make = || {
        match std::fs::remove_file(&aside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(text.expose().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&aside, &path)
    };
    make()
        .map_err(|error| Fault::unable(format!("{} cannot be written: {error}", path.display())))?;
    Ok(path.display().to_string())
}

/// Removes every kubeconfig from an operator's state.
///
/// # Errors
/// One stays.
pub fn remove_all(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_kubeconfig) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Says whether a file of an operator's state is a kubeconfig, or one that was being written.
fn is_kubeconfig(name: &str) -> bool {
    let whole = name.strip_prefix('.').and_then(|name| name.strip_suffix(".new")).unwrap_or(name);
    let is_of_waiver = whole.starts_with("waiver-") && whole.ends_with(".conf");
    is_of_waiver || [FILE, break_glass::FILE].contains(&whole)
}

fn endpoints(spec: &Spec) -> Vec<Endpoint> {
    if let Some(endpoint) = &spec.endpoint {
        let server = format!("https://{endpoint}");
        return vec![Endpoint { context: spec.name.to_string(), server }];
    }
    let one = |node: &ringfort_spec::Node| Endpoint {
        context: format!("{}-{}", spec.name, node.name),
        server: format!("https://{}", std::net::SocketAddr::new(node.address, 6443)),
    };
    spec.control_planes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{endpoints, remove_all};
    use crate::cli::specification::sample;

    /// The contexts and servers of a kubeconfig, of a specification with more lines behind it.
    fn ways(more: &str) -> Vec<(String, String)> {
        endpoints(&sample(more)).into_iter().map(|it| (it.context, it.server)).collect()
    }

    fn check(more: &str, expected: &[(&str, &str)]) {
        let found = ways(more);
        let found: Vec<_> = found.iter().map(|(name, at)| (name.as_str(), at.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn there_is_a_context_for_each_control_plane_or_one_for_the_endpoint() {
        let each = [
            ("harbour-cp-10-0-0-11", "https://10.0.0.11:6443"),
            ("harbour-cp-10-0-0-12", "https://10.0.0.12:6443"),
            ("harbour-cp-10-0-0-13", "https://10.0.0.13:6443"),
        ];
        check("", &each);
        check("endpoint: 10.0.0.5:443\n", &[("harbour", "https://10.0.0.5:443")]);
        check("endpoint: api.example.com:6443\n", &[("harbour", "https://api.example.com:6443")]);
    }

    #[test]
    fn kubeconfigs_go_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let kept =
            [".gitignore", "break-glass.log", "evidence.tar", "keyring.age", "my-waiver-a.conf"];
        let gone = ["admin.conf", ".admin.conf.new", "waiver-e2e.conf", "break-glass.conf"];
        kept.iter()
            .chain(&gone)
            .for_each(|name| fs::write(directory.path().join(name), "").unwrap());
        remove_all(directory.path()).unwrap();
        let entries = fs::read_dir(directory.path()).unwrap();
        let mut left: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, kept);
    }
}
