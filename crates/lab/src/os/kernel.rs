//! Settings of the kernel, which all machines of all labs share with the host. They are saved when
//! the first lab comes and put back when the last one goes; in between, machines may change them as
//! a machine of metal would change its own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::name::LabName;
use crate::os::claim::Claim;
use crate::os::command::run;
use crate::os::{
    Fault, make_directory, names_in, read, remove, remove_empty, remove_written, write_kernel,
    write_whole,
};
use crate::places::Places;

/// Gives what the host's kernel calls itself; nothing if it does not say.
pub(crate) fn release() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}

/// Registers a lab, which must not be at home in two places; sets what kubelet demands.
///
/// Returns where a lab of this name is at home already, if that is elsewhere.
pub(crate) fn register(
    places: &Places,
    lab: &LabName,
    home: &Path,
) -> Result<Option<PathBuf>, Fault> {
    let _claim = Claim::wait_for(places.run())?;
    if let Some(other) = home_of(places, lab)?.filter(|other| other != home) {
        return Ok(Some(other));
    }
    let saved = places.run().join(SAVED);
    if !saved.exists() {
        let values = serde_json::to_string(&settings()).expect("all keys are texts");
        write_whole(&saved, values.as_bytes())?;
    }
    make_directory(&places.run_of(lab))?;
    write_whole(&places.run_of(lab).join(HOME), home.to_string_lossy().as_bytes())?;
    demanded().try_for_each(|(path, value)| set(&path, value))?;
    // Machines have no modules of their own; preflight says it where the kernel has none either.
    let _ = run("modprobe", &["-q", "br_netfilter"]);
    Ok(None)
}

/// Finds where a registered lab is at home.
pub(crate) fn home_of(places: &Places, lab: &LabName) -> Result<Option<PathBuf>, Fault> {
    let file = places.run_of(lab).join(HOME);
    if file.exists() { Ok(Some(PathBuf::from(read(&file)?))) } else { Ok(None) }
}

/// Lists the registered labs.
pub(crate) fn registered(places: &Places) -> Result<Vec<LabName>, Fault> {
    Ok(names_in(places.run())?.iter().filter_map(|name| name.parse().ok()).collect())
}

/// Takes a lab off the register; the last one puts the settings back.
///
/// Returns the settings that could not be put back.
pub(crate) fn unregister(places: &Places, lab: &LabName) -> Result<Vec<PathBuf>, Fault> {
    if !places.run().exists() {
        return Ok(Vec::new());
    }
    let _claim = Claim::wait_for(places.run())?;
    remove(&places.run_of(lab))?;
    if !registered(places)?.is_empty() {
        return Ok(Vec::new());
    }
    let saved = places.run().join(SAVED);
    let left = if saved.exists() { put_back(&read(&saved)?) } else { Vec::new() };
    remove_written(&saved)?;
    remove_empty(places.run());
    Ok(left)
}

fn put_back(saved: &str) -> Vec<PathBuf> {
    // A torn file cannot be: it was renamed into place.
    let saved: BTreeMap<PathBuf, String> = serde_json::from_str(saved).unwrap_or_default();
    let differs =
        |(path, value): &(PathBuf, String)| fs::read_to_string(path).is_ok_and(|now| now != *value);
    let restored = saved.into_iter().filter(differs);
    restored.filter_map(|(path, value)| set(&path, value.trim_end()).err().map(|_| path)).collect()
}

/// Writes a setting unless it has the value: some refuse even to be written what they hold.
fn set(path: &Path, value: &str) -> Result<(), Fault> {
    if fs::read_to_string(path).is_ok_and(|now| now.trim_end() == value) {
        return Ok(());
    }
    write_kernel(path, value)
}

/// Reads every setting that machines could change: those not tied to a name space of their own.
fn settings() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for part in ["abi", "debug", "fs", "kernel", "user", "vm"] {
        collect(&Path::new("/proc/sys").join(part), &mut found);
    }
    found
}

fn collect(directory: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for name in names_in(directory).unwrap_or_default() {
        let path = directory.join(&name);
        let Ok(kind) = fs::symlink_metadata(&path) else { continue };
        if kind.is_dir() {
            collect(&path, found);
        } else if kind.mode() & 0o600 == 0o600 && !RESTLESS.contains(&name.as_str()) {
            // What cannot be read as text cannot be put back either.
            let _ = fs::read_to_string(&path).map(|value| found.insert(path, value));
        }
    }
}

fn demanded() -> impl Iterator<Item = (PathBuf, &'static str)> {
    DEMANDED.into_iter().map(|(name, value)| (Path::new("/proc/sys").join(name), value))
}

/// What kubelet demands with `protectKernelDefaults` and does not set then
/// (<https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/>), and limits of each user
/// that root of all machines shares: seven machines reach the usual 128 watchers.
const DEMANDED: [(&str, &str); 8] = [
    ("fs/inotify/max_user_instances", "8192"),
    ("fs/inotify/max_user_watches", "1048576"),
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// What changes by itself, or does something when it is read.
const RESTLESS: [&str; 3] = ["ns_last_pid", "stat_refresh", "drop_caches"];

const SAVED: &str = ".settings.json";
const HOME: &str = "home";
