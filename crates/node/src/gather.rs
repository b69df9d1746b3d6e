//! Takes the facts of this machine: components that run, their files, modes and owners, kernel settings.
//!
//! It changes nothing, asks nobody over the network, and leaves secrets where they are. What cannot be looked
//! at becomes a gap that names the path and what would open it; it is never taken for absent.

mod audit;
mod component;
mod door;
mod redact;

use std::collections::{BTreeMap, BTreeSet};

use ringfort_facts::certificate;
use ringfort_model::certificate::CertSeen;
use ringfort_model::kernel::OF_KUBELETS;
use ringfort_model::machine::{
    Accounts, FACTS_API_VERSION, FACTS_KIND, FileKind, MachineFacts, Observed, Unseen,
};

use crate::root::Root;
use component::COMPONENTS;
use door::Door;

/// Files that a benchmark names, whether somebody's arguments name them or not.
const FILES: [&str; 16] = [
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/super-admin.conf",
    "/etc/kubernetes/controller-manager.conf",
    "/etc/kubernetes/scheduler.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/kube-proxy.conf",
    "/etc/kubernetes/manifests/etcd.yaml",
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    "/etc/kubernetes/manifests/kube-controller-manager.yaml",
    "/etc/kubernetes/manifests/kube-scheduler.yaml",
    "/etc/systemd/system/kubelet.service",
    "/run/systemd/system/kubelet.service",
    "/usr/lib/systemd/system/kubelet.service",
    "/lib/systemd/system/kubelet.service",
    "/var/lib/etcd",
    "/var/lib/kubelet/config.yaml",
];

/// Directories of which all that is below is looked at.
pub const TREES: [&str; 8] = [
    "/etc/kubernetes",
    "/etc/cni/net.d",
    "/etc/etcd",
    "/var/lib/kubelet/pki",
    "/etc/systemd/system/kubelet.service.d",
    "/run/systemd/system/kubelet.service.d",
    "/usr/lib/systemd/system/kubelet.service.d",
    "/lib/systemd/system/kubelet.service.d",
];

/// Kernel settings that are looked at beside those of kubelets.
const KERNEL: [&str; 3] =
    ["kernel.randomize_va_space", "net.bridge.bridge-nf-call-iptables", "net.ipv4.ip_forward"];

/// No larger file is read.
pub(crate) const MOST_BYTES: u64 = 1 << 20;
/// No more entries are looked at below one directory.
const MOST_BELOW: usize = 4096;
/// No directory is followed deeper.
const MOST_DEPTH: usize = 16;

/// Takes the facts.
pub fn take(root: &Root) -> MachineFacts {
    let machine = Door::machine(root);
    let (components, named) = component::all(root, &machine);
    let mut paths: BTreeSet<String> = FILES.iter().map(|path| (*path).to_owned()).collect();
    paths.extend(named);
    let mut below = BTreeMap::new();
    for tree in TREES {
        let listed = list(&machine, tree);
        paths.insert(tree.to_owned());
        if let Observed::Known(names) = &listed {
            paths.extend(names.iter().map(|name| format!("{tree}/{name}")));
        }
        below.insert(tree.to_owned(), listed);
    }
    let certificates = certificates(&machine, &paths);
    let key = |certificate: CertSeen| certificate.public_key;
    let keys = |all: Vec<CertSeen>| all.into_iter().map(key).collect();
    let audit = audit::newest(root, &components);
    MachineFacts {
        api_version: FACTS_API_VERSION.to_owned(),
        kind: FACTS_KIND.to_owned(),
        name: machine.text("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()),
        components,
        files: files(&machine, &paths),
        below,
        public_keys: each(&certificates, keys),
        certificates: each(&certificates, |mut all| all.swap_remove(0)),
        kernel: kernel(&machine),
        accounts: accounts(&machine),
        audit: Some(audit),
    }
}

/// Names the components that are looked for.
pub fn programs() -> impl Iterator<Item = &'static str> {
    COMPONENTS.iter().copied()
}

/// Looks at files, and at every directory that leads to one: who may enter those may matter more.
fn files(
    machine: &Door,
    paths: &BTreeSet<String>,
) -> BTreeMap<String, Observed<ringfort_model::machine::FileFacts>> {
    let ways = paths.iter().flat_map(|path| parents(path).map(str::to_owned));
    let all: BTreeSet<String> = ways.chain(paths.iter().cloned()).collect();
    all.into_iter()
        .map(|path| {
            let seen = machine.about(&path);
            (path, seen)
        })
        .collect()
}

/// Names the directories above a path, from the root down.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    let slashes = path.char_indices().filter(|(_, letter)| *letter == '/');
    slashes.map(|(at, _)| if at == 0 { "/" } else { &path[..at] })
}

/// Lists the paths of all files and directories below one.
fn list(machine: &Door, tree: &str) -> Observed<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), 0)];
    while let Some((inner, depth)) = open.pop() {
        let at = format!("{tree}{inner}");
        let names = match machine.names(&at, MOST_BELOW) {
            Observed::Known(names) => names,
            Observed::Absent if inner.is_empty() => return Observed::Absent,
            // It went away meanwhile.
            Observed::Absent => continue,
            Observed::Gap(unseen) => return Observed::Gap(unseen),
        };
        for name in names {
            let path = format!("{inner}/{name}");
            if found.len() >= MOST_BELOW || depth >= MOST_DEPTH {
                return Observed::Gap(too_much(tree));
            }
            found.push(path[1..].to_owned());
            match machine.is_directory(&format!("{tree}{path}")) {
                Observed::Known(true) => open.push((path, depth + 1)),
                Observed::Known(false) | Observed::Absent => {}
                Observed::Gap(unseen) => return Observed::Gap(unseen),
            }
        }
    }
    found.sort();
    Observed::Known(found)
}

fn too_much(tree: &str) -> Unseen {
    Unseen {
        at: tree.to_owned(),
        why: format!("more than {MOST_BELOW} files, or deeper than {MOST_DEPTH} directories"),
        closes: format!("a smaller {tree}"),
    }
}

/// Reads the certificates of every file that ends like one; there is one in each at least.
fn certificates(
    machine: &Door,
    paths: &BTreeSet<String>,
) -> BTreeMap<String, Observed<Vec<CertSeen>>> {
    let is_one = |path: &&String| path.ends_with(".crt") || path.ends_with(".pem");
    let read = |path: &String| {
        let seen = match machine.text(path) {
            Observed::Known(text) => match certificate::read_all(text.as_bytes()) {
                Ok(certificates) => Observed::Known(certificates),
                Err(error) => Observed::Gap(Unseen {
                    at: path.clone(),
                    why: error.to_string(),
                    closes: format!("a certificate in {path}"),
                }),
            },
            Observed::Absent => Observed::Absent,
            Observed::Gap(unseen) => Observed::Gap(unseen),
        };
        (path.clone(), seen)
    };
    paths.iter().filter(is_one).map(read).collect()
}

/// Reads what was seen of each file as something else.
fn each<T: Clone, U>(
    all: &BTreeMap<String, Observed<T>>,
    read: impl Fn(T) -> U,
) -> BTreeMap<String, Observed<U>> {
    all.iter().map(|(path, seen)| (path.clone(), seen.clone().map(&read))).collect()
}

/// Reads settings of the kernel: those that a kubelet compares, and the others.
fn kernel(machine: &Door) -> BTreeMap<String, Observed<String>> {
    let names = OF_KUBELETS.iter().map(|(name, _)| *name).chain(KERNEL);
    names.map(|name| (name.to_owned(), setting(machine, name))).collect()
}

fn setting(machine: &Door, name: &str) -> Observed<String> {
    let text = machine.text(&format!("/proc/sys/{}", name.replace('.', "/")));
    text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Reads names of users and groups from the machine's own files; nobody else is asked.
fn accounts(machine: &Door) -> Observed<Accounts> {
    let entries = |text: &str| -> BTreeMap<u32, String> {
        let entry = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            Some((fields.nth(1)?.parse().ok()?, name.to_owned()))
        };
        // Of two names of a number, the first is what tools show.
        let mut read = BTreeMap::new();
        text.lines().filter_map(entry).for_each(|(id, name)| {
            read.entry(id).or_insert(name);
        });
        read
    };
    match (machine.text("/etc/passwd"), machine.text("/etc/group")) {
        (Observed::Known(users), Observed::Known(groups)) => {
            Observed::Known(Accounts { users: entries(&users), groups: entries(&groups) })
        }
        (Observed::Gap(unseen), _) | (_, Observed::Gap(unseen)) => Observed::Gap(unseen),
        _ => Observed::Absent,
    }
}

/// Whether something is a directory, as it was seen.
fn is_directory(facts: &ringfort_model::machine::FileFacts) -> bool {
    facts.kind == FileKind::Directory
}

#[cfg(test)]
mod tests;
