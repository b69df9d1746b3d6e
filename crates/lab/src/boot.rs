//! How a machine is started, as values: the command line, and the files its first boot finds.
//! Pure; `os::power` carries it out.

use std::path::{Path, PathBuf};

use ringfort_model::digest::Digest;

use crate::name::LabName;
use crate::places::MachineHome;
use crate::shape::Machine;
use crate::virtual_machine::Emulator;

/// Who places a machine in control groups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Placement {
    /// The lab does, in every hierarchy of version 1.
    ByLab,
    /// The host's systemd does, in a scope of its own.
    BySystemd,
}

/// What a machine is started from.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    pub(crate) lab: &'a LabName,
    pub(crate) machine: &'a Machine,
    pub(crate) home: &'a MachineHome,
    pub(crate) body: Body<'a>,
}

/// What a machine is.
#[derive(Clone, Debug)]
pub(crate) enum Body<'a> {
    /// A container with the host's kernel.
    Container {
        /// Its base system.
        base: &'a Path,
        /// What it sees read-only.
        store: Option<&'a Path>,
        /// Who places it in control groups.
        placement: Placement,
    },
    /// A virtual machine with a kernel of its own.
    Virtual {
        /// Its QEMU.
        emulator: Emulator<'a>,
        /// The lab's network, in which that runs.
        hub: PathBuf,
    },
}

/// The word by which a machine that is about to become one is known among the host's processes.
pub(crate) const GATE: &str = "ringfort-lab-gate";

impl Start<'_> {
    /// Gives the whole command: a session of its own, name spaces of its own, the gate, the machine.
    ///
    /// A container has a network of its own; QEMU is in the lab's, and only its machine is not.
    pub(crate) fn command(&self) -> Vec<String> {
        let mut words = vec!["setsid".to_owned()];
        match &self.body {
            Body::Container { base, store, placement } => {
                words.extend(["unshare", "--net"].map(String::from));
                words.extend(gate(include_str!("gate.sh"), self.home));
                words.push(text(base));
                words.extend(self.nspawn(*store, *placement));
            }
            Body::Virtual { emulator, hub } => {
                words.extend(["nsenter".to_owned(), format!("--net={}", text(hub))]);
                words.push("unshare".to_owned());
                words.extend(gate(include_str!("virtual_gate.sh"), self.home));
                words.extend(emulator.command());
            }
        }
        words
    }

    fn nspawn(&self, store: Option<&Path>, placement: Placement) -> Vec<String> {
        let mut words: Vec<String> = NSPAWN.map(String::from).to_vec();
        words.push(format!("--directory={}", text(&self.home.root())));
        words.push(machine_option(self.lab, self.machine));
        words.push(format!("--hostname={}", self.machine.name));
        if placement == Placement::ByLab {
            words.push("--keep-unit".to_owned());
        }
        let disk = self.home.disk();
        for (part, path) in ON_DISK {
            words.push(format!("--bind={}:{path}", text(&disk.join(part))));
        }
        if let Some(store) = store {
            words.push(format!("--bind-ro={}:{SEED}", text(store)));
        }
        words
    }
}

fn gate(script: &str, home: &MachineHome) -> Vec<String> {
    let mut words = ["--mount", "--propagation", "private", "sh", "-c"].map(String::from).to_vec();
    words.extend([script.to_owned(), GATE.to_owned(), text(home.path())]);
    words
}

/// Names the option by which a machine is found among the host's processes.
pub(crate) fn machine_option(lab: &LabName, machine: &Machine) -> String {
    format!("--machine={}", lab.machine_mark(&machine.name))
}

/// A file that the first boot of a machine finds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SeedFile {
    /// The path below the root.
    pub(crate) path: PathBuf,
    /// Its bytes.
    pub(crate) content: String,
}

/// Lists the files that make the base system this machine, other than its keys.
///
/// Peers are not in `/etc/hosts` and there is no resolver, so that what relies on names fails here
/// rather than at a user's.
pub(crate) fn seed_files(lab: &LabName, machine: &Machine) -> Vec<SeedFile> {
    let name = &machine.name;
    let id = Digest::of(lab.machine_mark(name).as_bytes());
    let file = |path: &str, content: String| SeedFile { path: PathBuf::from(path), content };
    vec![
        file("etc/hostname", format!("{name}\n")),
        file("etc/hosts", format!("127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost\n")),
        file("etc/machine-id", format!("{}\n", &id.as_str()[..32])),
        file("etc/resolv.conf", String::new()),
    ]
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Where a machine sees the directory that all machines were given.
pub const SEED: &str = "/var/lib/ringfort/seed";

/// The parts of a machine that lie on its own file system: container runtimes cannot stack an
/// overlay on an overlay, and marks on a file system must meet one machine only.
const ON_DISK: [(&str, &str); 4] = [
    ("containerd", "/var/lib/containerd"),
    ("kubelet", "/var/lib/kubelet"),
    ("etcd", "/var/lib/etcd"),
    ("pods", "/var/log/pods"),
];

/// What every machine has in common. The capabilities and calls are those of a machine of metal,
/// as far as a container can have them; `SIGTERM` to nspawn is the power button.
const NSPAWN: [&str; 13] = [
    "--quiet",
    "--boot",
    "--settings=no",
    "--register=no",
    "--network-namespace-path=/proc/self/ns/net",
    "--capability=all",
    "--system-call-filter=@keyring bpf perf_event_open fanotify_init fanotify_mark",
    "--bind=/dev/kmsg",
    "--console=pipe",
    "--link-journal=no",
    "--resolv-conf=off",
    "--timezone=off",
    "--kill-signal=SIGRTMIN+4",
];

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Body, GATE, Placement, Start, seed_files};
    use crate::places::Home;
    use crate::shape::Shape;

    fn command(store: Option<&Path>, placement: Placement) -> Vec<String> {
        let lab = "a".parse().unwrap();
        let machine = &Shape::new(1, 0).unwrap().machines()[0];
        let home = &Home::new(PathBuf::from("/labs/a")).machine(&machine.name);
        let body = Body::Container { base: Path::new("/base"), store, placement };
        Start { lab: &lab, machine, home, body }.command()
    }

    #[test]
    fn the_gate_comes_before_nspawn_and_knows_where_to_mount() {
        let words = command(None, Placement::ByLab);
        let gate = words.iter().position(|word| word == GATE).unwrap();
        assert_eq!(words[..4], ["setsid", "unshare", "--net", "--mount"]);
        assert_eq!(words[gate + 1..gate + 4], ["/labs/a/machines/cp1", "/base", "--quiet"]);
        assert!(words.contains(&"--machine=ringfort-lab.a.cp1".to_owned()));
    }

    #[test]
    fn a_store_is_seen_read_only() {
        let bind = "--bind-ro=/bundle:/var/lib/ringfort/seed".to_owned();
        assert!(command(Some(Path::new("/bundle")), Placement::ByLab).contains(&bind));
        assert!(!command(None, Placement::ByLab).contains(&bind));
    }

    #[test]
    fn the_hosts_systemd_places_machines_where_it_can() {
        let keep = "--keep-unit".to_owned();
        assert!(command(None, Placement::ByLab).contains(&keep));
        assert!(!command(None, Placement::BySystemd).contains(&keep));
    }

    #[test]
    fn machines_of_two_labs_have_ids_of_their_own() {
        let machine = &Shape::new(1, 0).unwrap().machines()[0];
        let id = |lab: &str| seed_files(&lab.parse().unwrap(), machine)[2].content.clone();
        assert_eq!(id("a").len(), 33);
        assert_ne!(id("a"), id("b"));
    }

    #[test]
    fn a_machine_keeps_no_copy_of_a_labs_network() {
        let unmounted = format!("case $where in {}/*)", crate::places::RUN);
        for gate in [include_str!("gate.sh"), include_str!("virtual_gate.sh")] {
            assert!(gate.contains(&unmounted));
        }
    }
}
