//! What a lab could leave on the host: mounts, loop devices, processes, control groups, settings of
//! the kernel, files in `/run`. Taken before and after, without asking the lab.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Everything found, one line a thing.
#[derive(Debug)]
pub struct Traces(BTreeSet<String>);

impl Traces {
    /// Looks at the host.
    pub fn taken() -> Self {
        let mut found = BTreeSet::new();
        mounts(&mut found);
        loops(&mut found);
        processes(&mut found);
        tree("group", Path::new("/sys/fs/cgroup"), 9, &mut found);
        tree("file", Path::new("/run/ringfort-lab"), 9, &mut found);
        tree("file", Path::new("/run/systemd/nspawn/propagate"), 1, &mut found);
        tree("setting", Path::new("/proc/sys"), 5, &mut found);
        Self(found)
    }

    /// Fails if there is more, or something else, than there was; labs of others may come and go.
    pub fn assert_nothing_more(&self, lab: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let now = Self::taken();
            let more: Vec<&String> =
                now.0.difference(&self.0).filter(|l| concerns(l, lab)).collect();
            if more.is_empty() {
                return;
            }
            // The kernel ends name spaces and loop devices a moment after their last process.
            assert!(Instant::now() < deadline, "left on the host: {more:#?}");
            sleep(Duration::from_millis(100));
        }
    }
}

fn concerns(line: &str, lab: &str) -> bool {
    !line.contains("ringfort-lab") || line.contains(lab)
}

fn mounts(found: &mut BTreeSet<String>) {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    found.extend(
        text.lines().filter_map(|l| l.split(' ').nth(4)).map(|place| format!("mount {place}")),
    );
}

fn loops(found: &mut BTreeSet<String>) {
    for device in fs::read_dir("/sys/block").unwrap().flatten() {
        let backing = fs::read_to_string(device.path().join("loop/backing_file"));
        found.extend(backing.map(|image| format!("loop {image}")));
    }
}

/// Only those that belong to labs: others come and go while the test runs.
fn processes(found: &mut BTreeSet<String>) {
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let words = fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        let groups = fs::read_to_string(process.path().join("cgroup")).unwrap_or_default();
        let id = process.file_name().to_string_lossy().into_owned();
        let is_own = id == std::process::id().to_string();
        if !is_own && (words.contains("ringfort-lab") || groups.contains("ringfort-lab")) {
            found.insert(format!("process {id} {} {groups}", words.replace('\0', " ")));
        }
    }
}

fn tree(kind: &str, directory: &Path, depth: u8, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(what) = fs::symlink_metadata(&path) else { continue };
        let is_setting = kind == "setting";
        if what.is_dir() {
            if !is_setting {
                found.insert(format!("{kind} {}", path.display()));
            }
            if depth > 0 {
                tree(kind, &path, depth - 1, found);
            }
        } else if is_setting
            && what.mode() & 0o600 == 0o600
            && !RESTLESS.iter().any(|n| path.ends_with(n))
        {
            let value = fs::read_to_string(&path).unwrap_or_default();
            found.insert(format!("{kind} {} {value}", path.display()));
        } else if kind == "file" {
            found.insert(format!("{kind} {}", path.display()));
        }
    }
}

/// Settings that change by themselves or act when read.
const RESTLESS: [&str; 3] = ["ns_last_pid", "stat_refresh", "drop_caches"];
