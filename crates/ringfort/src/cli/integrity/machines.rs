//! Asks the agents of a cluster's machines over SSH, or the one of this machine.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ringfort_controls::paths::PROGRAMS;
use ringfort_forge::keyring::StateDirectory;
use ringfort_forge::make::doors;
use ringfort_host::{Door, Host};
use ringfort_integrity::history;
use ringfort_model::blueprint::Role;
use ringfort_model::name::NodeName;
use ringfort_model::trust::TrustFacts;
use ringfort_spec::{Node, Spec, nearest};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::cli::Fault;
use crate::cli::session::{beside, home};
use crate::cli::specification::{self, SpecFile};

/// Whose agents are asked.
#[derive(Args)]
pub struct Whose {
    #[command(flatten)]
    pub spec: SpecFile,
    /// Ask this machine of the cluster alone
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// Ask the agent of the machine that this runs on, by its directory
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = super::STATE, conflicts_with = "node")]
    pub here: Option<PathBuf>,
}

/// What a machine said, or why it said nothing.
pub type Said = (String, Result<Vec<u8>, String>);

/// How long a machine may take to answer.
pub const ANSWER: Duration = Duration::from_secs(60);

/// Runs ringfort with these words on each machine that is asked.
///
/// # Errors
/// The specification or the name of the machine is wrong.
pub fn ask(whose: &Whose, words: &str) -> Result<Vec<Said>, Fault> {
    let spec = specification::read(&whose.spec.file)?;
    if let Some(node) = &whose.node {
        require(&spec, node)?;
    }
    let is_asked = |node: &Node| whose.node.as_deref().is_none_or(|it| it == node.name.as_str());
    ask_those(&whose.spec, &spec, words, is_asked)
}

/// Runs ringfort with these words on each control plane.
///
/// # Errors
/// The specification is wrong.
pub fn ask_control_planes(file: &SpecFile, words: &str) -> Result<Vec<Said>, Fault> {
    let spec = specification::read(&file.file)?;
    ask_those(file, &spec, words, |node| node.role == Role::ControlPlane)
}

fn ask_those(
    file: &SpecFile,
    spec: &Spec,
    words: &str,
    is_asked: impl Fn(&Node) -> bool,
) -> Result<Vec<Said>, Fault> {
    let doors = doors(spec, &home()?, beside(&file.file));
    let is_asked = |name: &NodeName| spec.nodes.get(name).is_some_and(&is_asked);
    let asked: Vec<_> = doors.iter().filter(|(name, _)| is_asked(name)).collect();
    let runtime = Runtime::new().map_err(Fault::blind)?;
    let command = format!("{PROGRAMS}/ringfort {words}");
    runtime.block_on(async {
        let mut said = Vec::new();
        for (name, door) in asked {
            said.push((name.to_string(), run(door, &command, &[], ANSWER).await));
        }
        Ok(said)
    })
}

/// Finds a machine of a specification.
///
/// # Errors
/// There is none of that name.
pub fn require(spec: &Spec, node: &str) -> Result<(), Fault> {
    let names: Vec<&str> = spec.nodes.keys().map(|name| name.as_str()).collect();
    if names.contains(&node) {
        return Ok(());
    }
    let way_out = match nearest(node, &names) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", names.join(", ")),
    };
    Err(Fault::usage(format!("the specification has no node {node:?}: {way_out}")))
}

/// Runs a command on a machine for so long at most. One that finds something ends with 1, which is an answer
/// too.
pub async fn run(
    door: &Door,
    command: &str,
    input: &[u8],
    longest: Duration,
) -> Result<Vec<u8>, String> {
    let host = Host::enter(door).await.map_err(|error| error.to_string())?;
    let output = timeout(longest, host.run(command, input)).await;
    let output = output
        .map_err(|_| format!("no answer within {} s", longest.as_secs()))?
        .map_err(|error| error.to_string())?;
    if output.stdout.is_empty() && !output.ok() {
        return Err(output.complaint());
    }
    Ok(output.stdout)
}

/// What the operator keeps of a cluster.
pub struct Kept {
    pub state: StateDirectory,
    pub trust: TrustFacts,
}

/// Reads what the operator keeps.
///
/// # Errors
/// There is nothing yet, or it cannot be read.
pub fn kept(spec_file: &SpecFile) -> Result<Kept, Fault> {
    let spec = specification::read(&spec_file.file)?;
    let state = StateDirectory::beside(&spec_file.file, &spec.name);
    let trust = state.trust().map_err(Fault::usage)?;
    let none =
        || Fault::usage(format!("nothing is known of the cluster {} here: ringfort up", spec.name));
    Ok(Kept { trust: trust.ok_or_else(none)?, state })
}

impl Kept {
    /// Gives the public half of the key that signs baselines.
    ///
    /// # Errors
    /// There is none yet.
    pub fn key(&self) -> Result<&str, Fault> {
        let none = "no key signs baselines yet: ringfort up makes one";
        self.trust.baseline_key.as_deref().ok_or_else(|| Fault::usage(none))
    }

    /// Gives the history of what was accepted, as it stands and as it is believed.
    ///
    /// # Errors
    /// It cannot be read, or somebody changed it.
    pub fn accepted(&self) -> Result<(String, Vec<history::Accepted>), Fault> {
        let path = self.state.accepted();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Fault::blind(format!("{}: {error}", path.display()))),
        };
        if text.is_empty() {
            return Ok((text, Vec::new()));
        }
        let refused = |error| Fault::blind(format!("{}: {error}", path.display()));
        let all = history::read(&text, self.key()?).map_err(refused)?;
        Ok((text, all))
    }
}
