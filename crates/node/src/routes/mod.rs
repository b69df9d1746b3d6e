//! Keeps the routes to other nodes' pods: looks, compares with the file, and changes what differs.
//!
//! Routes stay when this program ends, so that its restart cuts nothing. It touches only what
//! carries its own protocol number, its own device, and its own table of nftables.

mod encrypted;
mod look;
mod masquerade;
mod plan;
mod wireguard;

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use ringfort_model::routes::Routes;
use ringfort_model::tunnel::TunnelKey;
use ringfort_pki::TunnelSecret;
use zeroize::Zeroizing;

use crate::notify;
use crate::root::Root;
use crate::tools::{ToolError, Tools, run as run_tool};
pub use look::LookError;
pub use plan::PlanError;
use plan::Step;

/// The device that carries packets of pods to nodes behind routers, and to all others where they are encrypted.
pub(crate) const DEVICE: &str = "ringfort0";

/// The table of nftables by which packets of pods leave the cluster, in the family that pods speak.
pub(crate) const MASQUERADE: &str = "ringfort_masquerade";

/// The number by which the kernel remembers who made a route.
const PROTOCOL: &str = "82";

/// The table of routes that packets of own pods look into first, where other machines speak through the device.
const TABLE: &str = "82";

/// The place of the rule that leads them there: before the main table's 32766.
const RULE: &str = "8200";

/// The metric of routes of last resort: behind every other.
const LAST: &str = "8200";

/// Says why routes could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file does not say where pods are.
    #[error("{path} is no file of routes")]
    Shape {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// What is there could not be looked at.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The file asks for what cannot be.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The machine's WireGuard key cannot be used.
    #[error("the WireGuard key {path} cannot be used: run ringfort up, which makes one")]
    Key {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The kernel's WireGuard refused a change.
    #[error("the kernel's WireGuard refused")]
    Tunnel {
        /// What it said.
        source: io::Error,
    },
    /// A change was refused.
    #[error(transparent)]
    Tool(#[from] ToolError),
}

/// How often what is there is compared with the file.
const CHECK: Duration = Duration::from_secs(10);

/// How often the file is looked at for changes.
const GLANCE: Duration = Duration::from_secs(1);

/// Keeps routes for ever.
///
/// # Errors
/// The first try failed. Later failures are told in the log and tried again.
pub fn keep(file: &Path, root: &Root, tools: &dyn Tools) -> Result<Infallible, RoutesError> {
    once(file, root, tools)?;
    notify::ready();
    let mut watched = Watched::begin(file.to_owned());
    loop {
        watched.wait();
        if let Err(error) = once(file, root, tools) {
            tracing::warn!(%error, "routes are not all as they should be");
        }
    }
}

/// Makes routes as the file says, and gives how many changes that took.
///
/// # Errors
/// The file is bad, or a change was refused; changes behind it were not made.
pub fn once(file: &Path, root: &Root, tools: &dyn Tools) -> Result<usize, RoutesError> {
    let path = file.display().to_string();
    let text = std::fs::read(file)
        .map_err(|source| RoutesError::Unreadable { path: path.clone(), source })?;
    let wanted: Routes =
        serde_json::from_slice(&text).map_err(|source| RoutesError::Shape { path, source })?;
    forward(root, &wanted);
    let ways = ways(root, tools, &wanted);
    // Whatever became of them: what nobody asks for any more must not stay because a route cannot be made.
    let ways_out = ways_out(tools, &wanted);
    if let (Err(_), Err(error)) = (&ways, &ways_out) {
        tracing::warn!(%error, "pods do not leave the cluster as they should either");
    }
    Ok(ways? + ways_out?)
}

/// Makes the ways to other machines' pods, and gives how many changes that took.
fn ways(root: &Root, tools: &dyn Tools, wanted: &Routes) -> Result<usize, RoutesError> {
    let key = wanted.tunnel.as_ref().map(|tunnel| Key::read(root, &tunnel.key)).transpose()?;
    let own = key.as_ref().map(|key| key.public);
    let steps = plan::plan(wanted, own, &look::present(tools, wanted)?)?;
    perform_all(tools, &steps, key.as_ref())?;
    Ok(steps.len())
}

/// Makes the way out of the cluster or takes it away, and gives how many changes that took.
fn ways_out(tools: &dyn Tools, wanted: &Routes) -> Result<usize, RoutesError> {
    let held = match masquerade::look(tools) {
        // Routes serve also where nftables cannot be asked, and most clusters never had such a table.
        Err(error) if wanted.masquerade.is_none() => {
            tracing::warn!(%error, "whether pods still leave by this machine's address cannot be seen");
            return Ok(0);
        }
        held => held?,
    };
    let steps = masquerade::plan(wanted, &held);
    perform_all(tools, &steps, None)?;
    Ok(steps.len())
}

fn perform_all(tools: &dyn Tools, steps: &[Step], key: Option<&Key>) -> Result<(), RoutesError> {
    for step in steps {
        perform(tools, step, key)?;
        tracing::info!(%step, "changed");
    }
    Ok(())
}

fn perform(tools: &dyn Tools, step: &Step, key: Option<&Key>) -> Result<(), RoutesError> {
    match (step, key) {
        (Step::Run(command), _) => {
            let mut words = command.iter().map(String::as_str);
            let program = words.next().unwrap_or_default();
            run_tool(tools, program, &words.collect::<Vec<_>>())?;
        }
        (Step::Configure(change), Some(key)) => {
            wireguard::configure(change, key.secret.bytes())
                .map_err(|source| RoutesError::Tunnel { source })?;
        }
        (Step::Configure(_), None) => return Err(PlanError::NoKey.into()),
    }
    Ok(())
}

/// The machine's own WireGuard key.
struct Key {
    secret: TunnelSecret,
    public: TunnelKey,
}

impl Key {
    fn read(root: &Root, path: &str) -> Result<Self, RoutesError> {
        let fault = |source| RoutesError::Key { path: path.to_owned(), source };
        let place = root.item(path).map_err(|error| fault(error.into()))?;
        let text = std::fs::read_to_string(place).map(Zeroizing::new);
        let text = text.map_err(|error| fault(error.into()))?;
        let secret = TunnelSecret::read(&text).map_err(|error| fault(error.into()))?;
        let public = secret.public().map_err(|error| fault(error.into()))?;
        Ok(Self { secret, public })
    }
}

/// Lets packets of pods through this machine.
fn forward(root: &Root, wanted: &Routes) {
    let setting = match wanted.own.pods.base().is_ipv4() {
        true => "proc/sys/net/ipv4/ip_forward",
        false => "proc/sys/net/ipv6/conf/all/forwarding",
    };
    let path = root.own(setting);
    let is_on = std::fs::read_to_string(&path).is_ok_and(|value| value.trim() == "1");
    if is_on {
        return;
    }
    if let Err(error) = std::fs::write(&path, "1") {
        tracing::warn!(%error, setting, "cannot be set: pods of other nodes are not reached");
    }
}

/// A file that is waited for.
struct Watched {
    file: PathBuf,
    modified: Option<SystemTime>,
}

impl Watched {
    fn begin(file: PathBuf) -> Self {
        let modified = modified(&file);
        Self { file, modified }
    }

    /// Waits until the file changes or the next comparison is due.
    fn wait(&mut self) {
        let due = Instant::now() + CHECK;
        while Instant::now() < due {
            std::thread::sleep(GLANCE);
            let modified = modified(&self.file);
            if modified != self.modified {
                self.modified = modified;
                return;
            }
        }
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|is| is.modified()).ok()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use ringfort_model::name::NodeName;
    use ringfort_model::routes::{Hop, Masquerade, RouteMode, Routes};

    use super::{LookError, RoutesError, once};
    use crate::root::Root;
    use crate::tools::{Said, Tools};

    /// A machine whose links or tables may not be seen, and which takes every change.
    #[derive(Default)]
    struct Machine {
        links: &'static str,
        tables: &'static str,
        changes: Mutex<Vec<String>>,
    }

    impl Tools for Machine {
        fn run(&self, program: &str, arguments: &[&str]) -> io::Result<Said> {
            let line = format!("{program} {}", arguments.join(" "));
            let told = match line.as_str() {
                "ip -j -d address" => self.links,
                "nft -j list table ip ringfort_masquerade" => self.tables,
                other if other.starts_with("nft -j") => ABSENT,
                other if other.starts_with("ip -j") => "[]",
                _ => {
                    self.changes.lock().unwrap().push(line);
                    ""
                }
            };
            let (well, told) = (!told.contains("Error"), told.to_owned());
            Ok(match well {
                true => Said { well, stdout: told, ..Said::default() },
                false => Said { well, stderr: told, ..Said::default() },
            })
        }
    }

    const LINKS: &str = r#"[{"ifname": "eth0", "mtu": 1500,
        "addr_info": [{"local": "10.77.0.11", "prefixlen": 24}]}]"#;
    const TABLE: &str =
        r#"{"nftables": [{"table": {"family": "ip", "name": "ringfort_masquerade"}}]}"#;
    const ABSENT: &str = "Error: No such file or directory\nlist table\n";
    const TROUBLE: &str = "Error: Could not process rule: Device or resource busy\n";

    /// Makes routes once, and gives what became of it and what was changed.
    fn kept(
        links: &'static str,
        tables: &'static str,
        is_asked: bool,
    ) -> (Result<usize, RoutesError>, Vec<String>) {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("routes.json");
        let own = Hop {
            node: NodeName::new("cp1").unwrap(),
            address: "10.77.0.11".parse().unwrap(),
            pods: "10.244.0.0/24".parse().unwrap(),
        };
        let inside = vec!["10.244.0.0/16".parse().unwrap()];
        let masquerade = is_asked.then_some(Masquerade { inside });
        let routes =
            Routes { mode: RouteMode::Auto, own, peers: Vec::new(), tunnel: None, masquerade };
        std::fs::write(&file, serde_json::to_vec(&routes).unwrap()).unwrap();
        let machine = Machine { links, tables, ..Machine::default() };
        let done = once(&file, &Root::new(room.path()), &machine);
        (done, machine.changes.into_inner().unwrap())
    }

    #[test]
    fn a_way_out_that_nobody_asks_for_goes_also_where_routes_cannot_be_made() {
        let gone = ["nft delete table ip ringfort_masquerade"];
        let (done, changes) = kept(LINKS, TABLE, false);
        assert_eq!(done.unwrap(), 1);
        assert_eq!(changes, gone);
        // The fault of the routes is told all the same, be it alone or the first of two.
        let (done, changes) = kept(TROUBLE, TABLE, false);
        assert!(matches!(done, Err(RoutesError::Look(LookError::Tool(_)))), "{done:?}");
        assert_eq!(changes, gone);
        let (done, changes) = kept("[]", TROUBLE, true);
        assert!(matches!(done, Err(RoutesError::Look(LookError::Elsewhere { .. }))), "{done:?}");
        assert_eq!(changes, [""; 0]);
    }

    #[test]
    fn a_fault_of_nftables_stops_only_who_asks_for_a_way_out() {
        let (done, changes) = kept(LINKS, TROUBLE, false);
        assert_eq!((done.unwrap(), changes.len()), (0, 0));
        let (done, _) = kept(LINKS, TROUBLE, true);
        assert!(matches!(done, Err(RoutesError::Look(LookError::Tool(_)))), "{done:?}");
        let (done, changes) = kept(LINKS, ABSENT, true);
        assert_eq!((done.unwrap(), changes.len()), (1, 1));
    }
}
