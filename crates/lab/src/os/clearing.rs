//! Clears a lab away by its name alone, from what the kernel shows: this works after any crash and
//! with a torn record. What does not carry the lab's name is never touched.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, unmount};

use crate::name::LabName;
use crate::os::command::run;
use crate::os::processes::supervisors;
use crate::os::{Fault, hub, kernel, placing, power, read, remove, remove_empty, remove_written};
use crate::places::{Home, Places};

/// Ends everything of a lab and removes its files; returns what is left nevertheless.
pub(crate) fn clear(places: &Places, lab: &LabName, home: &Home) -> Result<Vec<String>, Fault> {
    let mut left = end_machines(lab)?;
    hub::end(&places.hub_of(lab))?;
    unmount_below(home.path())?;
    detach_loops(home.path())?;
    left.extend(remove_files(home)?);
    remove_empty(places.state());
    let settings = kernel::unregister(places, lab)?;
    left.extend(settings.iter().map(|path| format!("setting {}", path.display())));
    Ok(left)
}

fn end_machines(lab: &LabName) -> Result<Vec<String>, Fault> {
    let found = supervisors(lab)?;
    power::pull_plug(&found)?;
    let groups = placing::groups_of(lab)?.into_iter().filter(|group| !placing::clear(group));
    let mut left: Vec<String> = groups.map(|path| format!("group {}", path.display())).collect();
    let alive = supervisors(lab)?;
    left.extend(alive.iter().map(|found| format!("process {}", found.pid)));
    for machine in found {
        let mark = lab.machine_mark(&machine.machine);
        remove_empty(&Path::new("/run/systemd/nspawn/propagate").join(mark));
    }
    Ok(left)
}

/// Machines mount in views of their own, so there is nothing here unless someone looked inside.
fn unmount_below(directory: &Path) -> Result<(), Fault> {
    let mounts = read("/proc/self/mountinfo".as_ref())?;
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let mut below: Vec<PathBuf> = places.filter(|place| place.starts_with(directory)).collect();
    below.reverse();
    for place in below {
        let refused = |e: rustix::io::Errno| super::unwritable(&place, e.into());
        unmount(place.as_path(), UnmountFlags::DETACH).map_err(refused)?;
    }
    Ok(())
}

/// Loop devices let go of their image with the last mount; one that a crash kept is detached.
fn detach_loops(directory: &Path) -> Result<(), Fault> {
    for name in super::names_in("/sys/block".as_ref())? {
        let backing = Path::new("/sys/block").join(&name).join("loop/backing_file");
        let Ok(image) = fs::read_to_string(backing) else { continue };
        if Path::new(image.trim_end()).starts_with(directory) {
            run("losetup", &["-d".to_owned(), format!("/dev/{name}")])?;
        }
    }
    Ok(())
}

/// Removes the files that are the lab's; a directory with files of others stays.
fn remove_files(home: &Home) -> Result<Option<String>, Fault> {
    remove(&home.machines())?;
    remove(&home.keys())?;
    remove_written(&home.store_disk())?;
    remove_written(&home.record())?;
    let gone = remove_empty(home.path());
    Ok((!gone)
        .then(|| format!("directory {} with files that are not the lab's", home.path().display())))
}
