//! Switches machines on and off. A machine is one process tree with mounts and a network of its own
//! that end with it, so that pulling the plug leaves nothing to tidy but its control groups.

use std::fs::{self, File, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::boot::{Body, SEED, Start, seed_files};
use crate::name::LabName;
use crate::os::command::run;
use crate::os::processes::{Kind, Supervisor, init_of, is_alive, signal, supervisors};
use crate::os::{Fault, hub, image, keys, make_directory, placing, remove, unwritable};
use crate::places::{Home, MachineHome, Places};
use crate::shape::Machine;
use crate::virtual_machine::{self, Image, VirtualMachines};

/// How a machine is switched off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Off {
    /// Its power button is pressed: systemd stops what runs.
    Graceful,
    /// Its plug is pulled: everything in it ends at once, without warning. The host goes on, so
    /// what a machine wrote without syncing is not lost as it would be on metal.
    Hard,
}

/// Makes what a machine needs before its first start; does nothing afterwards.
pub(crate) fn prepare(
    lab: &LabName,
    machine: &Machine,
    home: &Home,
    made: Option<&VirtualMachines>,
    store: Option<&Path>,
) -> Result<(), Fault> {
    let place = home.machine(&machine.name);
    if place.disk_image().exists() {
        return Ok(());
    }
    for remains in [place.upper(), place.scratch(), place.seed()] {
        remove(&remains)?;
    }
    for directory in [place.upper(), place.scratch(), place.root(), place.disk(), place.seed()] {
        make_directory(&directory)?;
        set_mode(&directory, 0o755)?;
    }
    lay_seed(lab, machine, home, &place)?;
    if made.is_some() {
        for file in virtual_machine::seed_files(machine, store.map(|_| SEED)) {
            lay(&place.seed().join(file.path), &file.content, 0o644)?;
        }
    }
    File::create(place.fresh()).map_err(|source| unwritable(&place.fresh(), source))?;
    make_disk(&place, made)
}

/// Starts a machine and returns its supervisor as soon as it boots.
pub(crate) fn start(start: &Start<'_>, hub: &Path) -> Result<u32, Fault> {
    let mut child = at_the_gate(start)?;
    let pid = child.id();
    let let_in = wait_at_gate(&mut child, start.home)
        .and_then(|()| placing::place(pid, start.lab, start.machine))
        .and_then(|()| match start.body {
            Body::Container { .. } => hub::plug_in(hub, start.machine, pid),
            Body::Virtual { .. } => hub::plug_in_virtual(hub, start.machine),
        })
        .and_then(|()| open_gate(&mut child));
    // The gate ends if its line never comes. Someone must wait for it either way.
    drop(child.stdin.take());
    thread::spawn(move || child.wait());
    let_in.map(|()| pid)
}

/// Waits until a machine's SSH server answers; says whether it did.
pub(crate) fn wait_for_ssh(hub: &Path, machine: &Machine, pid: u32, longest: Duration) -> bool {
    let deadline = Instant::now() + longest;
    while Instant::now() < deadline && is_alive(pid) {
        if hub::ssh_greeting(hub, machine.address).is_ok_and(|greeting| greeting == "SSH-") {
            return true;
        }
        thread::sleep(PAUSE);
    }
    false
}

/// Switches a machine off and tidies its control groups; does nothing to one that is off.
pub(crate) fn stop(
    places: &Places,
    lab: &LabName,
    machine: &Machine,
    off: Off,
) -> Result<(), Fault> {
    let found = supervisors(lab)?.into_iter().filter(|found| found.machine == machine.name);
    let found: Vec<Supervisor> = found.collect();
    if off == Off::Graceful {
        press_button(&found, &places.orders_of(lab, &machine.name));
    }
    pull_plug(&found)?;
    for group in placing::groups_of(lab)? {
        placing::clear(&group.join(machine.name.as_str()));
    }
    hub::unplug(&places.hub_of(lab), machine);
    Ok(())
}

/// Ends the supervisors of a machine and everything in it at once.
pub(crate) fn pull_plug(supervisors: &[Supervisor]) -> Result<(), Fault> {
    for kind in [Kind::Gate, Kind::Emulator] {
        of_kind(supervisors, kind).for_each(|pid| signal(pid, Signal::KILL));
    }
    for life in of_kind(supervisors, Kind::Life) {
        // The kernel ends all processes of a machine with its first one.
        if let Some(init) = init_of(life)? {
            signal(init, Signal::KILL);
        }
    }
    for life in of_kind(supervisors, Kind::Life) {
        if !ends_within(life, LONGEST_END) {
            signal(life, Signal::KILL);
        }
    }
    for supervisor in supervisors {
        ends_within(supervisor.pid, LONGEST_END);
    }
    Ok(())
}

/// Gives the end of what a machine wrote to its console.
pub(crate) fn console_end(home: &MachineHome) -> String {
    let bytes = fs::read(home.console()).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join(" | ")
}

/// Asks systemd in the machine to stop, and waits for it.
fn press_button(supervisors: &[Supervisor], orders: &Path) {
    for life in of_kind(supervisors, Kind::Life) {
        signal(life, Signal::TERM);
        ends_within(life, LONGEST_SHUTDOWN);
    }
    for emulator in of_kind(supervisors, Kind::Emulator) {
        // One that takes no orders has its plug pulled afterwards, as it would on metal.
        if order(orders, "system_powerdown").is_ok() {
            ends_within(emulator, LONGEST_VIRTUAL_SHUTDOWN);
        }
    }
}

/// Gives QEMU an order, and waits until it has been read.
fn order(orders: &Path, word: &str) -> io::Result<()> {
    let mut socket = UnixStream::connect(orders)?;
    socket.set_read_timeout(Some(LONGEST_END))?;
    socket.write_all(format!("{word}\n").as_bytes())?;
    let mut said = Vec::new();
    let mut some = [0; 256];
    // It repeats what it reads, and asks for more when it has done it.
    while said.windows(PROMPT.len()).filter(|part| part == &PROMPT).count() < 2 {
        match socket.read(&mut some)? {
            0 => break,
            count => said.extend_from_slice(&some[..count]),
        }
    }
    Ok(())
}

fn of_kind(supervisors: &[Supervisor], kind: Kind) -> impl Iterator<Item = u32> {
    supervisors.iter().filter(move |found| found.kind == kind).map(|found| found.pid)
}

fn ends_within(pid: u32, longest: Duration) -> bool {
    let deadline = Instant::now() + longest;
    while is_alive(pid) {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(PAUSE);
    }
    true
}

fn at_the_gate(start: &Start<'_>) -> Result<Child, Fault> {
    let words = start.command();
    let (program, arguments) = words.split_first().expect("a command has a program");
    let path = start.home.console();
    let console = File::create(&path).map_err(|source| unwritable(&path, source))?;
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "1")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(console)
        .spawn()
        .map_err(|source| Fault::NotStarted { program: program.clone(), source })
}

fn wait_at_gate(child: &mut Child, home: &MachineHome) -> Result<(), Fault> {
    let mut said = String::new();
    let pipe = child.stdout.take().expect("standard output is a pipe");
    let read = BufReader::new(pipe).read_line(&mut said);
    if read.is_ok() && said.trim() == "ready" {
        return Ok(());
    }
    let program = "the way into the machine".to_owned();
    Err(Fault::Failed { program, status: "ended early".to_owned(), said: console_end(home) })
}

fn open_gate(child: &mut Child) -> Result<(), Fault> {
    let pipe = child.stdin.as_mut().expect("standard input is a pipe");
    pipe.write_all(b"go\n")
        .map_err(|source| Fault::Refused { what: "let the machine in".to_owned(), source })
}

fn lay_seed(
    lab: &LabName,
    machine: &Machine,
    home: &Home,
    place: &MachineHome,
) -> Result<(), Fault> {
    let seed = place.seed();
    let host_key = home.host_key(&machine.name);
    for (directory, mode) in
        [("etc", 0o755), ("etc/ssh", 0o755), ("root", 0o700), ("root/.ssh", 0o700)]
            .into_iter()
            .chain([("etc/systemd", 0o755), ("etc/systemd/network", 0o755)])
    {
        make_directory(&seed.join(directory))?;
        set_mode(&seed.join(directory), mode)?;
    }
    for file in seed_files(lab, machine) {
        lay(&seed.join(file.path), &file.content, 0o644)?;
    }
    lay(&seed.join("root/.ssh/authorized_keys"), &keys::public_half(&home.identity())?, 0o600)?;
    lay(&seed.join("etc/ssh/ssh_host_ed25519_key.pub"), &keys::public_half(&host_key)?, 0o644)?;
    lay(&seed.join("etc/ssh/ssh_host_ed25519_key"), &super::read(&host_key)?, 0o600)
}

fn lay(path: &Path, content: &str, mode: u32) -> Result<(), Fault> {
    super::write_whole(path, content.as_bytes())?;
    set_mode(path, mode)
}

/// Makes the image of the machine's own file system; it takes room only as it fills. A virtual
/// machine has all it is on it.
fn make_disk(place: &MachineHome, made: Option<&VirtualMachines>) -> Result<(), Fault> {
    let aside = place.disk_image().with_extension("making");
    if let Some(made) = made {
        image::copy(&Image::new(made.image.clone()), &aside)?;
        return rename(&aside, &place.disk_image());
    }
    let made = File::create(&aside).and_then(|file| file.set_len(DISK_BYTES));
    made.map_err(|source| unwritable(&aside, source))?;
    let features = "lazy_itable_init=1,lazy_journal_init=1";
    run("mkfs.ext4", &["-q", "-F", "-m", "0", "-E", features, &aside.to_string_lossy()])?;
    rename(&aside, &place.disk_image())
}

fn rename(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::rename(from, to).map_err(|source| unwritable(to, source))
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Fault> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|e| unwritable(path, e))
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(60);
const LONGEST_VIRTUAL_SHUTDOWN: Duration = Duration::from_secs(180);
const PROMPT: &[u8] = b"(qemu)";
const LONGEST_END: Duration = Duration::from_secs(3);
const DISK_BYTES: u64 = 16 << 30;
