//! The network name space of a lab, kept by a mount of its own, and threads that enter it. No other
//! name space of the host is ever changed.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use ringfort_model::net::Family;
use rustix::mount::{UnmountFlags, unmount};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::network::{
    IPV6_ON, cut_rules, hub_lines, machine_lines, port_lines, virtual_port_lines,
};
use crate::os::claim::Claim;
use crate::os::command::{run_in, run_with};
use crate::os::processes::network_of;
use crate::os::{Fault, read, unwritable};
use crate::record::Cut;
use crate::shape::Machine;

/// Makes the name space with its bridge, unless it is there.
pub(crate) fn make(hub: &Path, family: Family, claim: &Claim) -> Result<(), Fault> {
    if is_mounted(hub)? && is_whole(hub) {
        return Ok(());
    }
    end(hub)?;
    File::create(hub).map_err(|source| unwritable(hub, source))?;
    let words = [format!("--net={}", hub.display()), "true".to_owned()];
    run_with("unshare", &words, claim.shared()?)?;
    switch_on(family, hub)?;
    run_in(hub, &["ip", "-batch", "-"], &hub_lines(family)).map(drop)
}

/// Ends the name space; its bridge and ports go with it.
pub(crate) fn end(hub: &Path) -> Result<(), Fault> {
    while is_mounted(hub)? {
        unmount(hub, UnmountFlags::DETACH).map_err(|source| unwritable(hub, source.into()))?;
    }
    super::remove(hub)
}

/// Plugs in a machine whose processes are in the name space of `pid`.
pub(crate) fn plug_in(hub: &Path, machine: &Machine, pid: u32) -> Result<(), Fault> {
    unplug(hub, machine);
    switch_on(Family::of(machine.address), &network_of(pid))?;
    run_in(hub, &["ip", "-batch", "-"], &port_lines(machine, pid))?;
    run_in(&network_of(pid), &["ip", "-batch", "-"], &machine_lines(machine)).map(drop)
}

/// Lets a new name space have addresses of a family.
fn switch_on(family: Family, network: &Path) -> Result<(), Fault> {
    match family {
        Family::V4 => Ok(()),
        Family::V6 => run_in(network, &["sh", "-c", IPV6_ON], "").map(drop),
    }
}

/// Makes the port that a virtual machine's QEMU opens.
pub(crate) fn plug_in_virtual(hub: &Path, machine: &Machine) -> Result<(), Fault> {
    unplug(hub, machine);
    run_in(hub, &["ip", "-batch", "-"], &virtual_port_lines(machine)).map(drop)
}

/// Removes a machine's port: after a power cut the kernel takes its time to do so.
pub(crate) fn unplug(hub: &Path, machine: &Machine) {
    // It fails when there is no port, which is what is wanted.
    let _ = run_in(hub, &["ip", "link", "del", &machine.port()], "");
}

/// Makes the network cut where the cuts say, and nowhere else.
pub(crate) fn apply_cuts<'a>(
    hub: &Path,
    cuts: impl IntoIterator<Item = &'a Cut>,
    machines: &[Machine],
) -> Result<(), Fault> {
    run_in(hub, &["nft", "-f", "-"], &cut_rules(cuts, machines)).map(drop)
}

/// Gives what a machine's SSH server says first; an error while there is none.
pub(crate) fn ssh_greeting(hub: &Path, address: IpAddr) -> io::Result<String> {
    inside(hub, move || {
        let wait = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((address, 22)), wait)?;
        stream.set_read_timeout(Some(wait))?;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting)?;
        Ok(String::from_utf8_lossy(&greeting).into_owned())
    })
}

/// Replaces this process by a program inside the name space; returns only if that fails.
///
/// Only the calling thread changes its name space, and it is the one the new program starts from.
pub(crate) fn become_inside(hub: &Path, mut command: Command) -> Fault {
    use std::os::unix::process::CommandExt as _;

    let program = command.get_program().to_string_lossy().into_owned();
    match enter(hub) {
        Ok(()) => Fault::NotStarted { program, source: command.exec() },
        Err(source) => Fault::Refused { what: format!("enter {}", hub.display()), source },
    }
}

/// Says whether the name space is there.
pub(crate) fn is_mounted(hub: &Path) -> Result<bool, Fault> {
    let mounts = read("/proc/self/mountinfo".as_ref())?;
    let hub = hub.to_string_lossy();
    Ok(mounts.lines().any(|line| line.split(' ').nth(4) == Some(&hub)))
}

/// Says whether this process is in the name space.
pub(crate) fn is_own(hub: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let of = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    of(hub).is_some_and(|there| of("/proc/self/ns/net".as_ref()) == Some(there))
}

/// The bridge is switched on last, so one that is on says that nothing was cut short.
fn is_whole(hub: &Path) -> bool {
    let found = run_in(hub, &["ip", "-brief", "link", "show", "dev", "br0", "up"], "");
    found.is_ok_and(|text| !text.trim().is_empty())
}

/// Runs something on a thread that is in the name space and ends afterwards.
fn inside<T: Send + 'static>(
    hub: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let hub = hub.to_owned();
    let thread = thread::Builder::new().spawn(move || {
        enter(&hub)?;
        work()
    })?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread in the lab's network ended")))
}

fn enter(hub: &Path) -> io::Result<()> {
    let file = File::open(hub)?;
    Ok(move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?)
}
