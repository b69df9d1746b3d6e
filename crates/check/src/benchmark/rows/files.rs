//! Section 1.1: files of control planes, who may read them and whose they are.

use std::collections::BTreeSet;

use ringfort_facts::component::Component;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Gap, Judgement};
use ringfort_model::machine::FileKind;

use super::{Ask, Kept, Row, automated, manual};
use crate::benchmark::access::{at_most, of_its_reader, of_root};
use crate::benchmark::say::{all, decide, each, not_here, spared, unknown};

const PLANES: Kept = Kept::By("ha/three-control-planes");
const CLOSED: Kept = Kept::By("node/closed-files");
const PLUGINS: Kept = Kept::By("network/pod-network");
const ETCD: Kept = Kept::By("data/etcd-own-user");
const UNPRIVILEGED: Kept = Kept::Otherwise(
    "node/components-drop-rights",
    "it belongs to the component's own user, which is not root and alone reads it",
);
const NO_ADMIN: Kept = Kept::By("access/admin-is-narrow");

/// The rows.
#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    automated("1.1.1", "The API server's static pod is root's to read alone", PLANES, Ask::Machine(|m| manifest(m, Component::ApiServer, Asks::Mode))),
    automated("1.1.2", "The API server's static pod belongs to root", PLANES, Ask::Machine(|m| manifest(m, Component::ApiServer, Asks::Owner))),
    automated("1.1.3", "The controller manager's static pod is root's to read alone", PLANES, Ask::Machine(|m| manifest(m, Component::ControllerManager, Asks::Mode))),
    automated("1.1.4", "The controller manager's static pod belongs to root", PLANES, Ask::Machine(|m| manifest(m, Component::ControllerManager, Asks::Owner))),
    automated("1.1.5", "The scheduler's static pod is root's to read alone", PLANES, Ask::Machine(|m| manifest(m, Component::Scheduler, Asks::Mode))),
    automated("1.1.6", "The scheduler's static pod belongs to root", PLANES, Ask::Machine(|m| manifest(m, Component::Scheduler, Asks::Owner))),
    automated("1.1.7", "etcd's static pod is root's to read alone", PLANES, Ask::Machine(|m| manifest(m, Component::Etcd, Asks::Mode))),
    automated("1.1.8", "etcd's static pod belongs to root", PLANES, Ask::Machine(|m| manifest(m, Component::Etcd, Asks::Owner))),
    manual("1.1.9", "Configurations of network plugins are root's to read alone", PLUGINS, Ask::Machine(|m| plugins(m, Asks::Mode))),
    manual("1.1.10", "Configurations of network plugins belong to root", PLUGINS, Ask::Machine(|m| plugins(m, Asks::Owner))),
    automated("1.1.11", "etcd's data are its own user's alone", ETCD, Ask::Machine(|m| data(m, Asks::Mode))),
    automated("1.1.12", "etcd's data belong to a user of its own", ETCD, Ask::Machine(|m| data(m, Asks::Owner))),
    automated("1.1.13", "An administrator's kubeconfig on a machine is root's to read alone", NO_ADMIN, Ask::Machine(|m| administrators(m, Asks::Mode))),
    automated("1.1.14", "An administrator's kubeconfig on a machine belongs to root", NO_ADMIN, Ask::Machine(|m| administrators(m, Asks::Owner))),
    automated("1.1.15", "The scheduler's kubeconfig is its own to read alone", PLANES, Ask::Machine(|m| kubeconfig(m, Component::Scheduler, Asks::Mode))),
    automated("1.1.16", "The scheduler's kubeconfig belongs to root", UNPRIVILEGED, Ask::Machine(|m| kubeconfig(m, Component::Scheduler, Asks::Owner))),
    automated("1.1.17", "The controller manager's kubeconfig is its own to read alone", PLANES, Ask::Machine(|m| kubeconfig(m, Component::ControllerManager, Asks::Mode))),
    automated("1.1.18", "The controller manager's kubeconfig belongs to root", UNPRIVILEGED, Ask::Machine(|m| kubeconfig(m, Component::ControllerManager, Asks::Owner))),
    automated("1.1.19", "Certificates and keys belong to root", CLOSED, Ask::Machine(|m| papers(m, None, of_root))),
    manual("1.1.20", "Nobody but root changes certificates", CLOSED, Ask::Machine(|m| papers(m, Some(Certificate), |m, path| at_most(m, path, 0o644)))),
    manual("1.1.21", "Keys are root's to read alone", CLOSED, Ask::Machine(|m| papers(m, Some(Key), |m, path| at_most(m, path, 0o600)))),
];

/// What is asked of a file.
#[derive(Clone, Copy)]
pub(super) enum Asks {
    Mode,
    Owner,
}

impl Asks {
    /// Asks it of a file that only root reads.
    pub(super) fn of(self, machine: &Machine<'_>, path: &str) -> Judgement {
        match self {
            Self::Mode => at_most(machine, path, 0o600),
            Self::Owner => of_root(machine, path),
        }
    }
}

/// Where the kubelet is told of static pods, where it does not say so itself.
const MANIFESTS: &str = "/etc/kubernetes/manifests";

fn manifest(machine: &Machine<'_>, component: Component, asks: Asks) -> Judgement {
    if machine.running(component)?.is_empty() {
        return not_here(machine, component);
    }
    let mut directories = Vec::new();
    for kubelet in machine.kubelets()? {
        directories.push(kubelet.text("staticPodPath").known()?.value.clone());
    }
    if directories.iter().all(String::is_empty) {
        return spared(format!("{component} is no static pod: the kubelet has none"));
    }
    all(directories.iter().filter(|it| !it.is_empty()).map(|directory| {
        let path = format!("{}/{component}.yaml", directory.trim_end_matches('/'));
        match machine.file(&path)? {
            Some(_) => asks.of(machine, &path),
            None => unknown(
                format!(
                    "{component} runs, and {path} is not there: which file tells of it is not known"
                ),
                format!("its static pod at {MANIFESTS}/{component}.yaml"),
            ),
        }
    }))
}

/// Where network plugins are configured.
const NET_D: &str = "/etc/cni/net.d";

fn plugins(machine: &Machine<'_>, asks: Asks) -> Judgement {
    let Some(names) = machine.below(NET_D)? else {
        return unknown(
            format!("{NET_D} is not there, and where network plugins are configured is not known"),
            format!("facts of a machine that has {NET_D}"),
        );
    };
    if names.value.is_empty() {
        return unknown(format!("{NET_D} is empty"), "facts of a machine with a network plugin");
    }
    all(names.value.iter().map(|name| {
        let path = format!("{NET_D}/{name}");
        match machine.file(&path)? {
            // A directory is asked by what is in it.
            Some(seen) if seen.value.kind == FileKind::Directory => {
                spared(format!("{path} is a directory"))
            }
            _ => asks.of(machine, &path),
        }
    }))
}

fn data(machine: &Machine<'_>, asks: Asks) -> Judgement {
    let judge = |etcd: &Settings| {
        let path = etcd.text("data-dir").known()?.value.clone();
        let place = machine.place(Component::Etcd, &path)?;
        let Some(seen) = machine.file(place)? else {
            return unknown(format!("{place} is not there"), format!("{place} as etcd has it"));
        };
        match asks {
            Asks::Mode => at_most(machine, place, 0o700),
            Asks::Owner => {
                let (user, group) = machine.names(&seen.value)?;
                let holds = (user, group) == (Some("etcd"), Some("etcd"));
                let said = format!("{place} is owned by {}", seen.value.owner);
                decide(
                    &seen,
                    holds,
                    &said,
                    &format!("run etcd as a user etcd: chown etcd:etcd {place}"),
                )
            }
        }
    };
    match machine.running(Component::Etcd)?.is_empty() {
        true => not_here(machine, Component::Etcd),
        false => each(machine, Component::Etcd, || machine.running(Component::Etcd), judge),
    }
}

/// Kubeconfigs that kubeadm leaves for administrators.
const ADMINISTRATORS: [&str; 2] =
    ["/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf"];

fn administrators(machine: &Machine<'_>, asks: Asks) -> Judgement {
    if machine.running(Component::ApiServer)?.is_empty() {
        return not_here(machine, Component::ApiServer);
    }
    all(ADMINISTRATORS.iter().map(|path| asks.of(machine, path)))
}

fn kubeconfig(machine: &Machine<'_>, component: Component, asks: Asks) -> Judgement {
    let judge = |settings: &Settings| {
        let path = settings.text("kubeconfig").known()?.value.clone();
        if path.is_empty() {
            return spared(format!("{component} has no kubeconfig"));
        }
        let place = machine.place(component, &path)?;
        match asks {
            Asks::Mode => asks.of(machine, place),
            Asks::Owner => of_its_reader(machine, component, place),
        }
    };
    match machine.running(component)?.is_empty() {
        true => not_here(machine, component),
        false => each(machine, component, || machine.running(component), judge),
    }
}

/// Where kubeadm's layout has certificates and keys.
const PKI: &str = "/etc/kubernetes/pki";

/// What a file holds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Paper {
    /// A certificate, or the public half of a key.
    Certificate,
    /// A key.
    Key,
}

use Paper::{Certificate, Key};

/// Flags that name certificates and keys, whatever those are called.
const PAPERS: [(Component, Paper, &[&str]); 4] = [
    (
        Component::ApiServer,
        Certificate,
        &[
            "client-ca-file",
            "etcd-cafile",
            "etcd-certfile",
            "kubelet-certificate-authority",
            "kubelet-client-certificate",
            "oidc-ca-file",
            "peer-ca-file",
            "proxy-client-cert-file",
            "requestheader-client-ca-file",
            SIGNERS,
            "tls-cert-file",
        ],
    ),
    (
        Component::ApiServer,
        Key,
        &[
            "etcd-keyfile",
            "kubelet-client-key",
            "proxy-client-key-file",
            "service-account-signing-key-file",
            "tls-private-key-file",
        ],
    ),
    (
        Component::Etcd,
        Certificate,
        &[
            "cert-file",
            "client-cert-file",
            "peer-cert-file",
            "peer-client-cert-file",
            "peer-trusted-ca-file",
            "trusted-ca-file",
        ],
    ),
    (
        Component::Etcd,
        Key,
        &["client-key-file", "key-file", "peer-client-key-file", "peer-key-file"],
    ),
];

/// The flag that names public halves of keys, as often as it is given.
const SIGNERS: &str = "service-account-key-file";
/// The flag that names several pairs of files in words of its own.
const PAIRS: &str = "tls-sni-cert-key";

/// Asks something of every certificate and key: of those in the directory, which their endings tell apart, and of
/// those that flags name. What etcd's flags name may be its own user's, and is asked for its mode alone.
fn papers(
    machine: &Machine<'_>,
    wanted: Option<Paper>,
    asks: impl Fn(&Machine<'_>, &str) -> Judgement,
) -> Judgement {
    let components: &[Component] = match wanted {
        None => &[Component::ApiServer],
        Some(_) => &[Component::ApiServer, Component::Etcd],
    };
    let (mut paths, mut gaps) = (BTreeSet::new(), Vec::new());
    let mut runs = false;
    for component in components {
        for settings in machine.running(*component)? {
            runs = true;
            for read in told(machine, &settings, wanted) {
                match read {
                    Ok(found) => paths.extend(found),
                    Err(gap) => gaps.push(gap),
                }
            }
        }
    }
    if !runs {
        return not_here(machine, Component::ApiServer);
    }
    match machine.below(PKI) {
        Ok(Some(names)) => {
            let inner = names.value.iter().map(|name| format!("{PKI}/{name}"));
            let ends = |path: &String| match wanted {
                None => true,
                Some(Certificate) => path.ends_with(".crt"),
                Some(Key) => path.ends_with(".key"),
            };
            paths.extend(inner.chain([PKI.to_owned()]).filter(ends));
        }
        Ok(None) => {}
        Err(gap) => gaps.push(gap),
    }
    let asked = paths.iter().map(|path| asks(machine, path));
    all(asked.chain(gaps.into_iter().map(Err)))
}

/// Finds the certificates or keys that a process was told of, flag by flag.
fn told(
    machine: &Machine<'_>,
    settings: &Settings,
    wanted: Option<Paper>,
) -> Vec<Result<Vec<String>, Gap>> {
    let is_asked = |of: Component, paper: Paper| {
        of == settings.component && wanted.is_none_or(|wanted| wanted == paper)
    };
    let rows = PAPERS.iter().filter(|(of, paper, _)| is_asked(*of, *paper));
    let flags = rows.flat_map(|(_, _, flags)| flags.iter());
    flags.map(|flag| named(machine, settings, flag)).chain([in_pairs(settings)]).collect()
}

/// Finds the files that a flag names.
fn named(machine: &Machine<'_>, settings: &Settings, flag: &str) -> Result<Vec<String>, Gap> {
    let component = settings.component;
    // What is not given names nothing, whether its default is known or not.
    let is_given = component == Component::Etcd || settings.is_given(flag)?;
    let paths = match (is_given, flag) {
        (false, _) => Vec::new(),
        (true, SIGNERS) => settings.texts(flag).known()?.value.clone(),
        (true, _) => vec![settings.text(flag).known()?.value.clone()],
    };
    let paths = paths.iter().filter(|path| !path.is_empty());
    paths.map(|path| machine.place(component, path).map(str::to_owned)).collect()
}

/// Says that no pairs of files are named, whose names are not read here.
fn in_pairs(settings: &Settings) -> Result<Vec<String>, Gap> {
    match settings.component == Component::ApiServer && settings.is_given(PAIRS)? {
        false => Ok(Vec::new()),
        true => unknown(
            format!("the files that --{PAIRS} names are not looked at"),
            "--tls-cert-file and --tls-private-key-file alone",
        ),
    }
}
