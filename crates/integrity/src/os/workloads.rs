//! Names the pods that processes run in: by what a runtime keeps of each container, and by the token that a kubelet
//! mounts into the pod.
//!
//! The thread that answers the kernel never comes here: whoever runs a program waits for no name.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use ringfort_model::secret::Secret;
use rustix::fs::{Mode, OFlags, fstat, open};

use super::look::{Root, kind};
use crate::cgroup::{Place, is_id, is_uid};
use crate::judge::Kind;
use crate::path::FilePath;
use crate::workload::{Account, Names, Runtime, Workload, read_account, read_names};

/// Where containerd keeps what each container was made from, a directory each, as long as it runs.
const CONTAINERS: &str = "/run/containerd/io.containerd.runtime.v2.task/k8s.io";
/// Where each runtime keeps it, in a directory of the container's id, and in which file of that.
const RUNTIMES: [(Runtime, &str, &str); 4] = [
    (Runtime::Containerd, CONTAINERS, "config.json"),
    (Runtime::Crio, "/run/containers/storage/overlay-containers", "userdata/config.json"),
    (Runtime::Crio, "/var/lib/containers/storage/overlay-containers", "userdata/config.json"),
    (Runtime::Docker, "/var/lib/docker/containers", "config.v2.json"),
];
/// Where the kubelet keeps what it mounts into pods, a directory each.
const PODS: &str = "/var/lib/kubelet/pods";
/// So many containers are known; the oldest is forgotten for the next.
const MOST: usize = 1_000;
/// A container's `config.json` is not read where it is larger: what its environment holds is in it.
const MOST_CONFIG_BYTES: u64 = 4 << 20;
/// No token is larger.
const MOST_TOKEN_BYTES: u64 = 32 << 10;
/// A pod that has more projected volumes is not searched for a token.
const MOST_VOLUMES: usize = 64;
/// So many accounts are told, where tokens of a pod are of more than one.
const MOST_ACCOUNTS: usize = 4;
/// What could not be said is asked for again after so long.
const AGAIN: Duration = Duration::from_secs(10);

/// What is known of containers, also when they are gone.
#[derive(Debug, Default)]
pub(super) struct Workloads {
    known: BTreeMap<Key, Kept>,
    order: VecDeque<Key>,
}

/// A pod's uid, and a container's id.
type Key = (String, String);

#[derive(Debug)]
struct Kept {
    workload: Workload,
    at: Instant,
}

impl Kept {
    /// Says whether nothing is left to be asked for.
    fn is_whole(&self) -> bool {
        match &self.workload {
            Workload::Named(names) => !matches!(names.account, Account::Unknown(_)),
            Workload::Unknown(_) => false,
        }
    }
}

impl Workloads {
    /// Names the pod that a process runs in; nothing, where it is in none.
    pub(super) fn of(&mut self, root: &mut Root, place: &Place, now: Instant) -> Option<Workload> {
        let uid = place.pod.as_ref()?;
        let Some(id) = &place.container else {
            return Some(Workload::Unknown("its control group is no container's".to_owned()));
        };
        let key = (uid.clone(), id.clone());
        let known = self.known.get(&key);
        let is_fresh = |kept: &Kept| now.saturating_duration_since(kept.at) < AGAIN;
        if let Some(kept) = known.filter(|kept| kept.is_whole() || is_fresh(kept)) {
            return Some(kept.workload.clone());
        }
        let workload = match (look(root, uid, id), known) {
            // What was known of a container that is gone by now stays.
            (Workload::Unknown(_), Some(kept)) => kept.workload.clone(),
            (new, _) => new,
        };
        self.keep(key, Kept { workload: workload.clone(), at: now });
        Some(workload)
    }

    fn keep(&mut self, key: Key, kept: Kept) {
        if self.known.insert(key.clone(), kept).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

fn look(root: &mut Root, uid: &str, id: &str) -> Workload {
    // They become parts of paths.
    if !is_uid(uid) || !is_id(id) {
        return Workload::Unknown("its control group is no container's of Kubernetes".to_owned());
    }
    // A directory on the way may be another by now.
    root.begin_anew();
    match names(root, uid, id) {
        Ok(names) => {
            let account = account(root, uid, &names.namespace).unwrap_or_else(Account::Unknown);
            Workload::Named(Names { account, ..names })
        }
        Err(why) => Workload::Unknown(why),
    }
}

fn names(root: &mut Root, uid: &str, id: &str) -> Result<Names, String> {
    for (runtime, directory, name) in RUNTIMES {
        let path = path(format!("{directory}/{id}/{name}"))?;
        match read(root, &path, MOST_CONFIG_BYTES) {
            Ok(json) => {
                let read = read_names(json.expose(), uid, runtime);
                return read.map_err(|why| format!("{path}: {why}"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{path}: {error}")),
        }
    }
    Err("it is gone, or of a runtime that is not known here: containerd and CRI-O have no config.json of it, and Docker \
         has no config.v2.json"
        .to_owned())
}

/// Says which account the tokens of a pod are of. Those that the kubelet itself makes are all of the pod's own; others
/// that are projected as `token` need not be.
fn account(root: &mut Root, uid: &str, namespace: &str) -> Result<Account, String> {
    let pod = path(format!("{PODS}/{uid}"))?;
    if root.kind(&pod) != Some(Kind::Directory) {
        return Err(format!("the kubelet has no directory {pod}"));
    }
    let projected = path(format!("{PODS}/{uid}/volumes/kubernetes.io~projected"))?;
    let volumes = match root.list(&projected) {
        Ok(volumes) if volumes.is_empty() => return Ok(Account::NoProjectedToken),
        Ok(volumes) if volumes.len() <= MOST_VOLUMES => volumes,
        Ok(_) => return Err(format!("{projected}: more than {MOST_VOLUMES} are there")),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Account::NoProjectedToken),
        Err(error) => return Err(format!("{projected}: {error}")),
    };
    let (mut named, mut faults) = (BTreeSet::<String>::new(), Vec::<String>::new());
    for name in &volumes {
        let volume = projected.join(name).map_err(|error| error.to_string())?;
        let fault = |why: &str| format!("{volume}/token: {why}");
        match token(root, &volume) {
            Ok(None) => {}
            Ok(Some(token)) => match read_account(token.expose(), namespace, uid) {
                Ok(account) => named.extend([account]),
                Err(why) => faults.push(fault(why)),
            },
            Err(error) => faults.push(fault(&error.to_string())),
        }
    }
    if named.len() > 1 {
        return Err(different(&named));
    }
    match (named.pop_first(), faults.into_iter().next()) {
        (Some(account), _) => Ok(Account::Named(account)),
        (None, Some(fault)) => Err(fault),
        (None, None) => {
            Err("none of its projected volumes has a file `token`; it may be called otherwise"
                .into())
        }
    }
}

/// Tells between which accounts nobody can choose: a made-up token beside the pod's own hides no account.
fn different(named: &BTreeSet<String>) -> String {
    let some: Vec<&str> = named.iter().take(MOST_ACCOUNTS).map(String::as_str).collect();
    let more = match named.len().saturating_sub(MOST_ACCOUNTS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("its tokens are of different accounts: {}{more}", some.join(", "))
}

/// Reads the token in a projected volume, whose files are links to where `..data` leads; none, where it has none.
fn token(root: &mut Root, volume: &FilePath) -> io::Result<Option<Secret<Vec<u8>>>> {
    let data = volume.join(b"..data").map_err(io::Error::other)?;
    let to = root.target(&data).ok_or_else(|| io::Error::other("the volume is not filled"))?;
    if to.contains(&b'/') {
        return Err(io::Error::other("`..data` leads out of the volume"));
    }
    let path = volume.join(&to).and_then(|content| content.join(b"token"));
    match read(root, &path.map_err(io::Error::other)?, MOST_TOKEN_BYTES) {
        Ok(token) => Ok(Some(token)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a small file that may hold secrets: none of it is left in memory afterwards. It is no link, and holds no more
/// than so many bytes.
fn read(root: &mut Root, path: &FilePath, most_bytes: u64) -> io::Result<Secret<Vec<u8>>> {
    let place = root.place(path)?;
    let stat = fstat(&place)?;
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if kind(&stat) != Kind::File || size > most_bytes {
        return Err(io::Error::other(format!("it is no file of at most {most_bytes} bytes")));
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = open(format!("/proc/self/fd/{}", place.as_raw_fd()), flags, Mode::empty())?;
    // With room for all of it, no part is moved and left where it was.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    File::from(opened).take(size).read_to_end(&mut bytes)?;
    Ok(Secret::new(bytes))
}

fn path(text: String) -> Result<FilePath, String> {
    FilePath::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
#[path = "workloads/tests.rs"]
mod tests;
