//! Virtual machines as values: which of a lab's machines are virtual, what they are made of, and
//! QEMU's command line for one. Pure; `os::power` carries it out.
//!
//! An ordinary machine has a kernel of its own, and with it control groups of version 2, AppArmor,
//! modules and every capability. A machine in nspawn has none of these; a virtual one has all.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ringfort_model::name::NodeName;
use ringfort_model::net::Family;
use serde::{Deserialize, Serialize};

use crate::boot::SeedFile;
use crate::shape::{Machine, hub, prefix_bits};

/// The virtual machines of a lab.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VirtualMachines {
    /// Which of the lab's machines they are.
    pub(crate) names: BTreeSet<NodeName>,
    /// The memory of each.
    pub(crate) memory_mebibytes: u32,
    /// Who executes their instructions.
    pub(crate) acceleration: Acceleration,
    /// The directory of what they are made from.
    pub(crate) image: PathBuf,
}

/// Who executes the instructions of a virtual machine.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Acceleration {
    /// The processor, by the host's kernel.
    Kvm,
    /// QEMU, about ten times slower.
    Emulation,
}

impl Acceleration {
    fn words(self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Self::Emulation => ["-accel", "tcg,thread=multi", "-cpu", "max"],
        }
    }
}

/// What stands in an image's directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Image(PathBuf);

impl Image {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Gives the kernel.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.0.join("vmlinuz")
    }

    /// Gives the first file system, which has the modules that find the real one.
    pub(crate) fn initial_root(&self) -> PathBuf {
        self.0.join("initrd.img")
    }

    /// Gives the disk that each machine gets a copy of.
    pub(crate) fn disk(&self) -> PathBuf {
        self.0.join("disk.ext4")
    }
}

/// One virtual machine on the lab's bridge.
#[derive(Clone, Debug)]
pub(crate) struct Emulator<'a> {
    pub(crate) mark: String,
    pub(crate) machine: &'a Machine,
    pub(crate) made: &'a VirtualMachines,
    pub(crate) disk: PathBuf,
    /// The disk of what all machines see read-only.
    pub(crate) store: Option<PathBuf>,
    /// The socket on which QEMU takes orders.
    pub(crate) orders: PathBuf,
}

impl Emulator<'_> {
    /// Gives QEMU's command line.
    pub(crate) fn command(&self) -> Vec<String> {
        let image = Image::new(self.made.image.clone());
        let mut words: Vec<String> =
            vec![PROGRAM.to_owned(), "-name".to_owned(), self.mark.clone()];
        words.extend(COMMON.map(String::from));
        words.extend(self.made.acceleration.words().map(String::from));
        let option = |name: &str, value: String| [name.to_owned(), value];
        words.extend(option("-m", self.made.memory_mebibytes.to_string()));
        words.extend(option("-kernel", text(&image.kernel())));
        words.extend(option("-initrd", text(&image.initial_root())));
        words.extend(option("-append", KERNEL_WORDS.to_owned()));
        words.extend(option("-drive", disk(&self.disk, "")));
        if let Some(store) = &self.store {
            words.extend(option("-drive", disk(store, ",readonly=on")));
        }
        let (port, hardware) = (self.machine.port(), self.machine.hardware_address());
        let tap = format!("tap,id=net,ifname={port},script=no,downscript=no");
        words.extend(option("-netdev", tap));
        words.extend(option("-device", format!("virtio-net-pci,netdev=net,mac={hardware}")));
        words.extend(option("-monitor", format!("unix:{},server=on,wait=off", text(&self.orders))));
        words
    }
}

/// Gives the words that try a way of executing: the kernel alone, which finds no disk, panics and
/// ends QEMU by that. A kernel that hangs says that this way does not work here.
pub(crate) fn trial(image: &Image, acceleration: Acceleration) -> Vec<String> {
    let mut words: Vec<String> = ["timeout", TRIAL_SECONDS, PROGRAM].map(String::from).to_vec();
    words.extend(["-display", "none", "-nodefaults", "-no-reboot", "-m", "256"].map(String::from));
    words.extend(acceleration.words().map(String::from));
    words.extend(["-kernel".to_owned(), text(&image.kernel())]);
    words.extend(["-append".to_owned(), "panic=-1".to_owned()]);
    words
}

/// Lists what a virtual machine's disk has that a container gets from the lab: its address, and
/// the place of what all machines see.
pub(crate) fn seed_files(machine: &Machine, seed: Option<&str>) -> Vec<SeedFile> {
    let file = |path: &str, content: String| SeedFile { path: PathBuf::from(path), content };
    let hardware = machine.hardware_address();
    let seed = seed.map(|seed| format!("/dev/vdb {seed} ext4 ro,nofail 0 0\n"));
    vec![
        file(
            "etc/systemd/network/10-lab.network",
            format!("[Match]\nMACAddress={hardware}\n\n{}", network(machine)),
        ),
        file("etc/fstab", format!("/dev/vda / ext4 defaults 0 1\n{}", seed.unwrap_or_default())),
    ]
}

/// An address of IPv6 is used at once, as a container's is.
fn network(machine: &Machine) -> String {
    let family = Family::of(machine.address);
    let (hub, bits) = (hub(family), prefix_bits(family));
    let address = format!("{}/{bits}", machine.address);
    match family {
        Family::V4 => format!(
            "[Network]\nAddress={address}\nGateway={hub}\nLinkLocalAddressing=no\n\
             IPv6AcceptRA=no\n"
        ),
        Family::V6 => format!(
            "[Network]\nGateway={hub}\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\n\n\
             [Address]\nAddress={address}\nDuplicateAddressDetection=none\n"
        ),
    }
}

/// The program that is a virtual machine.
pub(crate) const PROGRAM: &str = "qemu-system-x86_64";

fn disk(path: &Path, more: &str) -> String {
    // The host goes on when a machine's plug is pulled, so what reached QEMU is not lost.
    format!("file={},if=virtio,format=raw,cache=unsafe,discard=unmap{more}", text(path))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// What all virtual machines have in common: two processors, which a control plane needs at least,
/// a console, a source of chance, and nothing of a desktop's.
const COMMON: [&str; 14] = [
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-machine",
    "q35",
    "-smp",
    "2",
    "-rtc",
    "base=utc,clock=host",
    "-serial",
    "stdio",
    "-device",
    "virtio-rng-pci",
];

/// The link is called as in every other machine of the lab.
const KERNEL_WORDS: &str = "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet panic=10";

/// A kernel that starts needs about two seconds to find no disk.
const TRIAL_SECONDS: &str = "10";

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ringfort_model::net::Family;

    use super::{Acceleration, Emulator, Image, VirtualMachines, seed_files, trial};
    use crate::shape::Shape;

    fn command(acceleration: Acceleration, store: Option<&str>) -> String {
        let machine = &Shape::new(1, 0).unwrap().machines()[0];
        let made = &VirtualMachines {
            names: [machine.name.clone()].into(),
            memory_mebibytes: 2048,
            acceleration,
            image: PathBuf::from("/image"),
        };
        let mark = "ringfort-lab.a.cp1".to_owned();
        let (disk, orders) = (PathBuf::from("/m/disk"), PathBuf::from("/run/a/cp1.orders"));
        let store = store.map(PathBuf::from);
        Emulator { mark, machine, made, disk, store, orders }.command().join(" ")
    }

    #[test]
    fn a_machine_is_on_the_bridge_under_its_own_hardware_address() {
        let words = command(Acceleration::Emulation, None);
        for part in [
            "qemu-system-x86_64 -name ringfort-lab.a.cp1 ",
            "-m 2048 ",
            "-kernel /image/vmlinuz -initrd /image/initrd.img ",
            "-drive file=/m/disk,if=virtio,format=raw,cache=unsafe,discard=unmap -netdev ",
            "-netdev tap,id=net,ifname=v-cp1,script=no,downscript=no ",
            "-device virtio-net-pci,netdev=net,mac=02:00:0a:4d:00:0b ",
            "-monitor unix:/run/a/cp1.orders,server=on,wait=off",
        ] {
            assert!(words.contains(part), "{part} in {words}");
        }
    }

    #[test]
    fn a_store_is_the_second_disk_and_read_only() {
        let store = "-drive file=/s,if=virtio,format=raw,cache=unsafe,discard=unmap,readonly=on";
        let words = command(Acceleration::Emulation, Some("/s"));
        let (first, second) = (words.find("/m/disk").unwrap(), words.find(store).unwrap());
        assert!(first < second);
    }

    #[test]
    fn the_processor_is_used_where_it_can_be() {
        assert!(command(Acceleration::Kvm, None).contains("-accel kvm -cpu host"));
        assert!(command(Acceleration::Emulation, None).contains("-accel tcg,thread=multi"));
    }

    #[test]
    fn a_trial_ends_by_itself() {
        let words = trial(&Image::new(PathBuf::from("/image")), Acceleration::Kvm).join(" ");
        assert!(words.starts_with("timeout 10 qemu-system-x86_64 "), "{words}");
        assert!(words.contains(" -no-reboot ") && words.ends_with(" -append panic=-1"), "{words}");
    }

    #[test]
    fn a_machine_gives_itself_its_address() {
        let machine = &Shape::new(1, 0).unwrap().machines()[0];
        let files = seed_files(machine, Some("/seed"));
        let network = &files[0].content;
        assert!(network.contains("MACAddress=02:00:0a:4d:00:0b\n"), "{network}");
        assert!(network.contains("Address=10.77.0.11/24\nGateway=10.77.0.1\n"), "{network}");
        let six = &Shape::new(1, 0).unwrap().over(Family::V6).machines()[0];
        let six = seed_files(six, None)[0].content.clone();
        let address = "[Address]\nAddress=fd00:10:77::11/64\nDuplicateAddressDetection=none\n";
        assert!(six.contains("Gateway=fd00:10:77::1\n") && six.ends_with(address), "{six}");
        assert!(files[1].content.contains("/dev/vdb /seed ext4 ro,nofail "));
        assert!(
            !seed_files(machine, None)[1].content.contains("vdb"),
            "its boot would wait for it"
        );
    }
}
