//! `ringfort kubeconfig`: renews the handed-over identity of a cluster that was proved.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;

use ringfort_forge::keyring::{HeldState, Keyring, StateDirectory};
use ringfort_model::certificate::{Authority, Subject};
use ringfort_model::identity::ADMIN;
use ringfort_pki::{ClientIdentity, Endpoint, person_kubeconfig};
use ringfort_spec::{Scope, Spec, Waiver};

use super::keys::state_fault;
use super::session::{Where, now_s};
use super::{Fault, break_glass, specification};

/// Renew the kubeconfig of a cluster that was handed over
///
/// The certificate of the handed-over kubeconfig lives for hours only, as `admin.hours` of the spec
/// says. This makes a new one from the keyring, without speaking to any machine. A cluster that was
/// never proved has no kubeconfig to renew: that is what `ringfort up` is for.
///
/// With --waiver it issues the kubeconfig of an identity that a waiver for namespaces names, such as
/// that of end-to-end tests. It lives no longer than the waiver, and `ringfort up` gives the identity
/// its rights.
///
/// With --break-glass it issues an identity in the group that no role binds, for an hour, for what the
/// handed-over one may not do. Who, when and why goes on record beside the operator's state.
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
    if !state.path().join(FILE).exists() {
        return Err(Fault::usage(
            "no kubeconfig was issued yet: ringfort up makes and proves the cluster first",
        ));
    }
    let opened = state.open(&identity).map_err(state_fault)?;
    let path = match (&args.reason, &args.waiver) {
        (Some(reason), _) => unbounded(&spec, &held, &opened.keyring, reason)?,
        (None, Some(user)) => {
            let life = spec.admin.life().min(time_left(&spec, user)?);
            let client = client(&opened.keyring, &Subject::user(user), life)?;
            let file = format!("waiver-{user}.conf");
            write(&spec, &held, &opened.keyring, &Person { user, client, file: &file })?
        }
        (None, None) => issue(&spec, &held, &opened.keyring)?,
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
pub fn issue(spec: &Spec, held: &HeldState, keyring: &Keyring) -> Result<String, Fault> {
    let client = client(keyring, &Subject::user(ADMIN), spec.admin.life())?;
    write(spec, held, keyring, &Person { user: ADMIN, client, file: FILE })
}

/// Breaks the glass: what is issued is on record before it can be used.
fn unbounded(
    spec: &Spec,
    held: &HeldState,
    keyring: &Keyring,
    reason: &str,
) -> Result<String, Fault> {
    let client = client(keyring, &break_glass::subject(), break_glass::LIFE)?;
    break_glass::record(held.directory().path(), reason, &client)?;
    let (user, file) = (break_glass::USER, break_glass::FILE);
    write(spec, held, keyring, &Person { user, client, file })
}

fn client(keyring: &Keyring, subject: &Subject, life: Duration) -> Result<ClientIdentity, Fault> {
    let signer = keyring.signer(Authority::Cluster, now_s()).map_err(Fault::unable)?;
    signer.client(subject, life).map_err(Fault::unable)
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
    keyring: &Keyring,
    person: &Person<'_>,
) -> Result<String, Fault> {
    let Person { user, client, file } = person;
    let authorities = keyring.authorities().map_err(Fault::unable)?;
    let ca = &authorities[&Authority::Cluster].certificate_pem;
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
