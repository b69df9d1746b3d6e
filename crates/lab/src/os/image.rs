//! Disks of virtual machines: made from directories without mounting anything, and only as large as
//! what is in them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::os::command::run;
use crate::os::{Fault, names_in, remove, unwritable};
use crate::virtual_machine::{Acceleration, Image, trial};

/// Makes an image from a root that has a kernel in it.
pub(crate) fn make(root: &Path, image: &Image) -> Result<(), Fault> {
    let boot = root.join("boot");
    for (start, place) in [("vmlinuz-", image.kernel()), ("initrd.img-", image.initial_root())] {
        let name = names_in(&boot)?.into_iter().rfind(|name| name.starts_with(start));
        let path = boot.join(name.unwrap_or_else(|| start.to_owned()));
        fs::copy(&path, &place).map_err(|source| Fault::Unreadable { path, source })?;
    }
    disk_of(root, &image.disk(), DISK_BYTES)
}

/// Makes a disk of what all machines of a lab see, once.
pub(crate) fn make_store(store: &Path, disk: &Path) -> Result<(), Fault> {
    if disk.exists() {
        return Ok(());
    }
    let aside = super::aside(disk);
    let bytes = bytes_below(store)?;
    disk_of(store, &aside, bytes + bytes / 10 + ROOM_BYTES)?;
    fs::rename(&aside, disk).map_err(|source| unwritable(disk, source))
}

/// Copies an image's disk for one machine; holes stay holes.
pub(crate) fn copy(image: &Image, disk: &Path) -> Result<(), Fault> {
    let words = ["--sparse=always", "--reflink=auto"].map(String::from);
    let paths = [image.disk(), disk.to_owned()].map(|path| path.to_string_lossy().into_owned());
    run("cp", &[words, paths].concat()).map(drop)
}

/// Finds out how this host executes virtual machines, by starting one: that there is a `/dev/kvm`
/// does not say that a kernel gets far with it.
pub(crate) fn acceleration(image: &Image) -> Acceleration {
    let words = trial(image, Acceleration::Kvm);
    let works = words.split_first().is_some_and(|(program, rest)| run(program, rest).is_ok());
    if works { Acceleration::Kvm } else { Acceleration::Emulation }
}

fn disk_of(directory: &Path, disk: &Path, bytes: u64) -> Result<(), Fault> {
    remove(disk)?;
    let made = fs::File::create(disk).and_then(|file| file.set_len(bytes));
    made.map_err(|source| unwritable(disk, source))?;
    let features = "lazy_itable_init=1,lazy_journal_init=1";
    let mut words = ["-q", "-F", "-m", "0", "-E", features, "-d"].map(String::from).to_vec();
    words.extend([directory, disk].map(|path| path.to_string_lossy().into_owned()));
    run("mkfs.ext4", &words).map(drop)
}

fn bytes_below(directory: &Path) -> Result<u64, Fault> {
    let mut bytes = 0;
    let mut left: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for name in names_in(&directory)? {
            let path = directory.join(name);
            let found = fs::symlink_metadata(&path)
                .map_err(|source| Fault::Unreadable { path: path.clone(), source })?;
            bytes += found.size();
            if found.is_dir() {
                left.push(path);
            }
        }
    }
    Ok(bytes)
}

const DISK_BYTES: u64 = 16 << 30;
/// What a file system takes for itself.
const ROOM_BYTES: u64 = 64 << 20;
