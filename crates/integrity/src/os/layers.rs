//! Looks at what containers wrote into their own roots, and at what their images have there.

mod stack;

use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::look::{Pace, Root, Stamp};
use super::scan::note;
use crate::change::{Finding, Unknown};
use crate::containerd::{self, CONTAINERS, Containers, SNAPSHOTS, Stack};
use crate::judge::Kind;
use crate::layers::Drift;
use crate::path::FilePath;
use crate::protected::Class;
use crate::state::State;

pub(super) use stack::{Found, Overlay};
use stack::{Sight, sight};

/// How often databases that are written to are read anew.
const TRIES: usize = 3;
/// No database of a machine is larger.
const MOST_BYTES: u64 = 256 << 20;
/// So many paths of one container's own directory are looked at.
const MOST_PATHS: usize = 200_000;
/// Where runtimes that are not read keep their containers, one entry each.
const OTHERS: [(&str, &str); 2] = [
    ("/var/lib/containers/storage/overlay-containers", "CRI-O or Podman"),
    ("/var/lib/docker/containers", "Docker"),
];

/// Something that a container changed in its own root.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LayerFinding {
    /// What is not as the image has it, by its path on the machine.
    #[serde(flatten)]
    pub finding: Finding,
    /// In which way, and whose root it is.
    pub drift: Drift,
    /// What the image has there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<State>,
    /// What the container has there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<State>,
}

impl LayerFinding {
    /// Puts together what was found.
    pub(super) fn of(stack: &Stack, found: Found) -> Self {
        let Found { path, inside, meaning, before, after } = found;
        let (what, severity) = (meaning.what, meaning.severity);
        let differences = meaning.differences;
        Self {
            finding: Finding { path, class: Class::Layer, severity, differences },
            drift: Drift { what, path: inside, container: stack.container.clone() },
            before,
            after,
        }
    }
}

/// What a look at the roots of all containers came to.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerScan {
    /// How many containers there are.
    pub containers: u64,
    /// How many paths that they wrote were looked at.
    pub paths: u64,
    /// How many bytes were read.
    pub bytes: u64,
    /// What is not as the images have it.
    pub findings: Vec<LayerFinding>,
    /// How much is not, also beyond what is named.
    pub findings_count: u64,
    /// What could not be compared.
    pub unknown: Vec<Unknown>,
    /// How much could not be, also beyond what is named.
    pub unknown_count: u64,
}

impl LayerScan {
    fn find(&mut self, found: LayerFinding) {
        note(found, &mut self.findings, &mut self.findings_count);
    }

    fn miss(&mut self, path: FilePath, why: impl Into<String>) {
        let unknown = Unknown { path, why: why.into() };
        note(unknown, &mut self.unknown, &mut self.unknown_count);
    }
}

/// Compares the roots of all containers below a root with their images.
///
/// # Errors
/// The root cannot be opened.
pub fn scan_layers(root: &Path, pace: Pace) -> std::io::Result<LayerScan> {
    scan_with(root, pace, sight())
}

fn scan_with(root: &Path, pace: Pace, sight: Sight) -> std::io::Result<LayerScan> {
    let mut root = Root::open(root, pace)?;
    let mut scan = LayerScan::default();
    let (containers, unknown) = load(&mut root);
    unknown.into_iter().for_each(|it| scan.miss(it.path, it.why));
    scan.containers = containers.len() as u64;
    if sight == Sight::Narrow && !containers.is_empty() {
        let why = "what hides files of images is shown to root of the machine alone";
        scan.miss(all_layers(), why);
        return Ok(scan);
    }
    for stack in &containers {
        match Overlay::of(&mut root, stack) {
            Ok(overlay) => go_through(&mut root, overlay, &mut scan),
            Err(Unknown { path, why }) => scan.miss(path, why),
        }
    }
    scan.bytes = root.bytes();
    Ok(scan)
}

fn go_through(root: &mut Root, mut overlay: Overlay, scan: &mut LayerScan) {
    let mut queue = vec![overlay.own().clone()];
    let mut seen = 0;
    while let Some(path) = queue.pop() {
        seen += 1;
        if seen > MOST_PATHS {
            let why = format!("the container wrote more than {MOST_PATHS} files");
            return scan.miss(overlay.own().clone(), why);
        }
        scan.paths += 1;
        match overlay.look(root, &path) {
            Ok(looked) => {
                for found in looked.found {
                    scan.find(LayerFinding::of(overlay.stack(), found));
                }
                if looked.kind != Some(Kind::Directory) {
                    continue;
                }
                match root.list(&path) {
                    Ok(names) => queue.extend(names.iter().filter_map(|it| path.join(it).ok())),
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => scan.miss(path, error.to_string()),
                }
            }
            Err(why) => scan.miss(path, why),
        }
    }
}

/// Reads which containers there are below a root, and what of that could not be.
pub(super) fn load(root: &mut Root) -> (Vec<Stack>, Vec<Unknown>) {
    let mut unknown = Vec::new();
    for (path, runtime) in OTHERS {
        let path = here(path);
        if root.list(&path).is_ok_and(|names| !names.is_empty()) {
            unknown.push(Unknown { path, why: format!("containers of {runtime} are not read") });
        }
    }
    if root.kind(&here(CONTAINERS)).is_none() {
        // Without what names them nothing says that layers which lie there are no containers'.
        if root.kind(&here(SNAPSHOTS)).is_some() {
            let why = "it is not there, and roots of containers may be".to_owned();
            unknown.push(Unknown { path: here(CONTAINERS), why });
        }
        return (Vec::new(), unknown);
    }
    match read(root) {
        Ok(Containers { stacks, unknown: of }) => {
            let missed = of.into_iter().map(|(id, why)| Unknown {
                path: here(CONTAINERS),
                why: format!("container {id}: {why}"),
            });
            unknown.extend(missed);
            (stacks, unknown)
        }
        Err(why) => {
            unknown.push(Unknown { path: here(CONTAINERS), why });
            (Vec::new(), unknown)
        }
    }
}

/// Reads both databases as they are at one moment: what is written meanwhile takes the place of what was.
fn read(root: &mut Root) -> Result<Containers, String> {
    let (containers, snapshots) = (here(CONTAINERS), here(SNAPSHOTS));
    let mut why = "containerd wrote to it each time while it was read".to_owned();
    for _ in 0..TRIES {
        root.begin_anew();
        let before = stamps(root);
        let first = root.read(&containers, MOST_BYTES).map_err(|error| error.to_string())?;
        let second = match before[1] {
            Some(_) => Some(root.read(&snapshots, MOST_BYTES).map_err(|error| error.to_string())?),
            None => None,
        };
        if stamps(root) != before {
            continue;
        }
        match containerd::read(&first, second.as_deref()) {
            Ok(all) => return Ok(all),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// What differs when the containers are others.
pub(super) fn stamps(root: &mut Root) -> [Option<Stamp>; 2] {
    [root.stamp(&here(CONTAINERS)), root.stamp(&here(SNAPSHOTS))]
}

/// Gives the directory in which those of all layers lie.
pub(super) fn all_layers() -> FilePath {
    here(containerd::LAYERS)
}

/// A path that is written here.
fn here(path: &str) -> FilePath {
    FilePath::new(path).expect("it is written as one here")
}

#[cfg(test)]
#[path = "layers/tests.rs"]
mod tests;
