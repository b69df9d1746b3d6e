//! `ringfort kubeconfig`: renews the handed-over identity of a cluster that was proved.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::ExitCode;

use clap::Args;

use ringfort_forge::keyring::{HeldState, Keyring, StateDirectory};
use ringfort_model::certificate::{Authority, Subject};
use ringfort_pki::{Endpoint, person_kubeconfig};
use ringfort_spec::Spec;

use super::Fault;
use super::keys::state_fault;
use super::session::{Where, now_s};
use super::specification;

/// Renew the kubeconfig of a cluster that was handed over
///
/// The certificate of the handed-over kubeconfig lives for hours only, as `admin.hours` of the spec
/// says. This makes a new one from the keyring, without speaking to any machine. A cluster that was
/// never proved has no kubeconfig to renew: that is what `ringfort up` is for.
#[derive(Args)]
pub struct KubeconfigArgs {
    #[command(flatten)]
    place: Where,
}

/// The handed-over identity.
const ADMIN: &str = "ringfort:admin";
/// The file, beside the operator's state.
const FILE: &str = "admin.conf";

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
    println!("{}", issue(&spec, &held, &opened.keyring)?);
    Ok(ExitCode::SUCCESS)
}

/// Signs an admin certificate and writes the kubeconfig, readable by its owner alone.
pub fn issue(spec: &Spec, held: &HeldState, keyring: &Keyring) -> Result<String, Fault> {
    let signer = keyring.signer(Authority::Cluster, now_s()).map_err(Fault::unable)?;
    let admin = signer.client(&Subject::user(ADMIN), spec.admin.life()).map_err(Fault::unable)?;
    let authorities = keyring.authorities().map_err(Fault::unable)?;
    let ca = &authorities[&Authority::Cluster].certificate_pem;
    let text = person_kubeconfig(&spec.name, ADMIN, &endpoints(spec), ca, &admin);
    let directory = held.directory().path();
    let (path, aside) = (directory.join(FILE), directory.join(".admin.conf.new"));
    let write = || {
        match std::fs::remove_file(&aside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(text.expose().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&aside, &path)
    };
    write()
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
