//! Section 4.1: files of kubelets and of kube-proxy.

use ringfort_facts::component::Component;
use ringfort_facts::component::kubelet::Kubelet;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::Judgement;

use super::files::Asks;
use super::{Ask, Kept, Row, automated, manual};
use crate::benchmark::access::{at_most, of_root};
use crate::benchmark::say::{all, each, not_here, spared, unknown};

const KUBELET: Kept = Kept::By("ha/nodes-are-ready");
const PROXY: Kept = Kept::By("network/services");

/// The rows.
#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    automated("4.1.1", "The kubelet's unit is root's to read alone", KUBELET, Ask::Machine(|m| units(m, Asks::Mode))),
    automated("4.1.2", "The kubelet's unit belongs to root", KUBELET, Ask::Machine(|m| units(m, Asks::Owner))),
    manual("4.1.3", "kube-proxy's kubeconfig is root's to read alone", PROXY, Ask::Machine(|m| proxy(m, Asks::Mode))),
    manual("4.1.4", "kube-proxy's kubeconfig belongs to root", PROXY, Ask::Machine(|m| proxy(m, Asks::Owner))),
    automated("4.1.5", "The kubelet's kubeconfig is root's to read alone", KUBELET, Ask::Machine(|m| named(m, kubeconfig, |m, path| Asks::Mode.of(m, path)))),
    automated("4.1.6", "The kubelet's kubeconfig belongs to root", KUBELET, Ask::Machine(|m| named(m, kubeconfig, of_root))),
    manual("4.1.7", "Nobody but root changes whom the kubelet trusts", KUBELET, Ask::Machine(|m| named(m, authority, |m, path| at_most(m, path, 0o644)))),
    manual("4.1.8", "The certificate of whom the kubelet trusts belongs to root", KUBELET, Ask::Machine(|m| named(m, authority, of_root))),
    automated("4.1.9", "The kubelet's configuration is root's to read alone", KUBELET, Ask::Machine(|m| named(m, configuration, |m, path| Asks::Mode.of(m, path)))),
    automated("4.1.10", "The kubelet's configuration belongs to root", KUBELET, Ask::Machine(|m| named(m, configuration, of_root))),
];

/// Where units may lie; of one name, the first is in force.
const UNITS: [&str; 4] = [
    "/etc/systemd/system/kubelet.service",
    "/run/systemd/system/kubelet.service",
    "/usr/lib/systemd/system/kubelet.service",
    "/lib/systemd/system/kubelet.service",
];

/// Asks it of the kubelet's unit and of every drop-in of it.
fn units(machine: &Machine<'_>, asks: Asks) -> Judgement {
    if machine.kubelets()?.is_empty() {
        return not_here(machine, Component::Kubelet);
    }
    let mut paths = Vec::new();
    for unit in UNITS {
        if machine.file(unit)?.is_some() {
            paths.push(unit.to_owned());
            break;
        }
    }
    for unit in UNITS {
        if let Some(names) = machine.below(&format!("{unit}.d"))? {
            let own = names.value.iter().filter(|name| name.ends_with(".conf"));
            paths.extend(own.map(|name| format!("{unit}.d/{name}")));
        }
    }
    match paths.is_empty() {
        true => unknown(
            "no unit of the kubelet is where units lie",
            format!("its unit at {}", UNITS[0]),
        ),
        false => all(paths.iter().map(|path| asks.of(machine, path))),
    }
}

fn proxy(machine: &Machine<'_>, asks: Asks) -> Judgement {
    let judge = |settings: &Settings| {
        let path = settings.text("kubeconfig").known()?.value.clone();
        match path.is_empty() {
            true => spared("kube-proxy has no kubeconfig"),
            false => asks.of(machine, machine.place(Component::Proxy, &path)?),
        }
    };
    match machine.running(Component::Proxy)?.is_empty() {
        true => not_here(machine, Component::Proxy),
        false => each(machine, Component::Proxy, || machine.running(Component::Proxy), judge),
    }
}

type Named = Result<Vec<String>, ringfort_model::judgement::Gap>;

/// Asks something of every file that a kubelet names in one way.
fn named(
    machine: &Machine<'_>,
    names: fn(&Kubelet) -> Named,
    asks: impl Fn(&Machine<'_>, &str) -> Judgement,
) -> Judgement {
    each(
        machine,
        Component::Kubelet,
        || machine.kubelets(),
        |kubelet| {
            let paths = names(kubelet)?;
            if paths.is_empty() {
                return spared("the kubelet names none");
            }
            all(paths.iter().map(|path| asks(machine, machine.place(Component::Kubelet, path)?)))
        },
    )
}

fn kubeconfig(kubelet: &Kubelet) -> Named {
    one(kubelet.settings.text("kubeconfig").known()?.value.clone())
}

fn authority(kubelet: &Kubelet) -> Named {
    one(kubelet.text("authentication.x509.clientCAFile").known()?.value.clone())
}

fn configuration(kubelet: &Kubelet) -> Named {
    let mut paths = one(kubelet.settings.text("config").known()?.value.clone())?;
    paths.extend(kubelet.drop_in_files()?);
    Ok(paths)
}

fn one(path: String) -> Named {
    Ok(Some(path).filter(|path| !path.is_empty()).into_iter().collect())
}
