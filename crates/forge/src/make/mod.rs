//! Makes a cluster, and keeps it made: one pass after another, each an engine with a blueprint.
//!
//! 1. *membership*: control planes that join an etcd that exists are announced, gone ones taken out;
//! 2. *keys*: every API server has its own key to sign tokens with, and its public half is noted;
//! 3. *blueprint*: everything else, rendered with what is known by then.
//!
//! A change of the key that seals goes through all of them again at each of its turns.
//!
//! What the passes learn is on the operator's disk before anything rests on it.

mod baselines;
mod broken;
mod drain;
mod judge;
mod leave;
mod memory;
mod objects;
mod passes;
mod plan;
mod rotate;
mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;

use ringfort_api::Cluster;
use ringfort_controls::access::service_account_tokens;
use ringfort_controls::audit::site::SiteFiles;
use ringfort_engine::{Goal, Refusal, Report, look_at};
use ringfort_model::addon::Addon;
use ringfort_model::blueprint::{Blueprint, Machine};
use ringfort_model::content::Content;
use ringfort_model::event::Event;
use ringfort_model::frame::{Answer, Request};
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::name::NodeName;
use ringfort_model::secret::Secret;
use ringfort_model::seen::{ContentSeen, ItemSeen, Look};
use ringfort_spec::Spec;

use crate::bundle::Bundle;
use crate::drive::fleet::{FleetError, OwnBinary};
use crate::drive::link::LinkError;
use crate::drive::supply::{Supply, SupplyError, wanted};
use crate::keyring::{Identity, Keyring, StateError};
use crate::render::{self, Broken, Materials, RenderError};

use passes::finished;

pub use baselines::Baselines;
pub use broken::{break_live, mend_live};
pub use judge::judge;
pub use memory::Memory;
pub use plan::{plan, plan_afresh};
pub use site::{NoWay, NotEntered, Preflight, Site, Ways, doors};

/// All that making a cluster takes.
pub struct Work<'a> {
    /// What the cluster should be.
    pub spec: &'a Spec,
    /// The machines, entered.
    pub site: &'a Site,
    /// The API servers, to be asked in turn.
    pub servers: BTreeMap<NodeName, Arc<Cluster>>,
    /// The bundle.
    pub bundle: &'a Bundle,
    /// This binary.
    pub own: &'a OwnBinary,
    /// The manifests of the spec's add-ons.
    pub addons: &'a [Addon],
    /// What the site adds to what is looked for in logs.
    pub site_files: &'a SiteFiles,
    /// The token that the receiver of findings asks for.
    pub findings_token: Option<&'a Secret<String>>,
    /// The operator's secrets.
    pub keyring: Keyring,
    /// Who seals them.
    pub identity: &'a Identity,
    /// What the operator remembers, and may write down.
    pub memory: Memory<'a>,
    /// The epoch that is acted in; 0 to look only.
    pub epoch: u64,
    /// The time, in seconds since 1970.
    pub now_s: i64,
    /// When the command began.
    pub start: Instant,
    /// Where paths of the spec begin.
    pub places: Places<'a>,
    /// The name by which another operator knows this one.
    pub operator: &'a str,
    /// What is broken on purpose, on throwaway machines.
    pub broken: Option<Broken>,
    /// Writes down what machines' files should be.
    pub baselines: Baselines,
}

/// Where paths of a spec begin.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The home directory.
    pub home: &'a Path,
    /// The directory of the spec.
    pub beside: &'a Path,
}

/// Says why a cluster was not made. What was done stays done, and running again goes on.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// Going on would lose data.
    #[error("going on would lose data:\n  {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Refused(Vec<Refusal>),
    /// Some of it could not be done.
    #[error("{}", unfinished(.0))]
    Unfinished(Box<Report>),
    /// A person ended the run.
    #[error("interrupted: what was under way is finished, and running again goes on from here")]
    Interrupted,
    /// Pods stay on a machine that left the spec.
    #[error(
        "{node} left the spec, but pods stay on it, so it is only kept from new ones: loosen what holds them, or wait, and run again:\n  {}", .pods.join("\n  ")
    )]
    Stays {
        /// Which machine.
        node: NodeName,
        /// The pods, each with what holds it.
        pods: Vec<String>,
    },
    /// API servers go on with another encryption configuration than they were given.
    #[error("{}", not_loaded(.servers))]
    NotLoaded {
        /// The servers.
        servers: Vec<NodeName>,
    },
    /// The blueprint cannot be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Something of the bundle could not be brought.
    #[error(transparent)]
    Supply(#[from] SupplyError),
    /// A machine could not be worked with.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The operator's state could not be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Makes the cluster as the spec says, and gives what is left to do about machines that left it.
///
/// # Errors
/// See [`MakeError`].
pub async fn make(
    work: &mut Work<'_>,
    tell: &mut dyn FnMut(Event),
    interrupts: &mut Receiver<()>,
) -> Result<Vec<String>, MakeError> {
    work.assign()?;
    work.note_machines()?;
    work.begin_rotation()?;
    work.rounds(tell, interrupts).await?;
    let left = work.leave(tell, interrupts).await?;
    work.turn_keys(tell, interrupts).await?;
    let blueprint = work.render()?;
    work.retire_objects(&blueprint, tell).await?;
    Ok(left)
}

/// Takes everything of ringfort from the machines. What the authorities signed for this cluster is good
/// for nothing in the next one: that has others. Machines that are given up are left as they are.
///
/// # Errors
/// See [`MakeError`].
pub async fn reset(
    work: &mut Work<'_>,
    given_up: &BTreeSet<NodeName>,
    tell: &mut dyn FnMut(Event),
    interrupts: &mut Receiver<()>,
) -> Result<(), MakeError> {
    let mut blueprint = work.as_it_stands().await?;
    blueprint.machines.retain(|node, _| !given_up.contains(node));
    stage(work, "reset", tell);
    finished(work.pass(Goal::Reset, &blueprint, tell, interrupts).await?)?;
    work.site.clear().await?;
    tell(Event::Remains { things: site::remains(given_up) });
    work.memory.forget(&leave::addresses(work.spec))?;
    Ok(work.memory.renew_authorities(&mut work.keyring, work.identity, work.now_s)?)
}

impl Work<'_> {
    /// Renders what the cluster should be, with what is known now.
    ///
    /// # Errors
    /// See [`RenderError`]; or a baseline cannot be signed.
    pub fn render(&self) -> Result<Blueprint, MakeError> {
        let (bundle, ringfort) = (self.bundle.lock(), self.own.digest.clone());
        let (addons, site) = (self.addons, self.site_files);
        let materials = Materials { bundle, ringfort, addons, site };
        let (spec, trust) = (self.spec, &self.memory.trust);
        let blueprint = match self.broken {
            None => render::render(spec, trust, &materials)?,
            Some(broken) => render::render_broken(broken, spec, trust, &materials)?,
        };
        self.with_baselines(marked(blueprint, spec))
    }

    /// Renders with what machines say of their keys, without making any.
    async fn as_it_stands(&mut self) -> Result<Blueprint, MakeError> {
        self.assign()?;
        let keys = marked(render::keys(self.spec, &self.memory.trust), self.spec);
        self.note_keys(&keys, &Report::default()).await?;
        self.render()
    }

    /// Gives how long the command has gone on, in seconds.
    fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    fn assign(&mut self) -> Result<(), MakeError> {
        let held = &self.memory.trust.pod_ranges;
        let ranges = self.spec.pod_ranges(held).map_err(|e| MakeError::Other(e.to_string()))?;
        if *held != ranges {
            self.memory.trust.pod_ranges = ranges;
            self.memory.save()?;
        }
        Ok(())
    }

    /// Writes down how each machine is entered, before anything is put on it.
    fn note_machines(&mut self) -> Result<(), MakeError> {
        let machines = self.spec.nodes.values().map(site::known).collect();
        if self.memory.trust.note_machines(machines) {
            self.memory.save()?;
        }
        Ok(())
    }

    /// Asks the machines for the public halves of keys that other machines must know; not those that
    /// were out of reach just now.
    async fn note_keys(&mut self, keys: &Blueprint, before: &Report) -> Result<(), MakeError> {
        let mut changed = false;
        let is_here = |node: &NodeName| !before.unreachable.contains_key(node);
        for (node, machine) in keys.machines.iter().filter(|(node, _)| is_here(node)) {
            for (id, how) in machine.items.iter().filter_map(|(id, item)| Some((id, told(item)?))) {
                changed |= match self.public_half(node, id, how).await? {
                    Some(ContentSeen::Key { id, public_pem }) => {
                        let trust = &mut self.memory.trust;
                        trust.note_service_account_key(node, &id, &public_pem, self.now_s)
                    }
                    Some(ContentSeen::TunnelKey(key)) => {
                        self.memory.trust.tunnel_keys.insert(node.clone(), key) != Some(key)
                    }
                    _ => false,
                };
            }
        }
        let is_gone = |node: &NodeName| !keys.machines.contains_key(node);
        let trust = &mut self.memory.trust;
        changed |= trust.retire_service_account_keys(is_gone, self.now_s);
        changed |= trust.forget_service_account_keys(self.now_s, TOKEN_LIFE_SECONDS);
        let known = trust.tunnel_keys.len();
        trust.tunnel_keys.retain(|node, _| !is_gone(node));
        changed |= known != trust.tunnel_keys.len();
        if changed { Ok(self.memory.save()?) } else { Ok(()) }
    }

    async fn public_half(
        &self,
        node: &NodeName,
        id: &ItemId,
        how: Look,
    ) -> Result<Option<ContentSeen>, MakeError> {
        let Some(member) = self.site.members.get(node) else { return Ok(None) };
        let looks = vec![(id.clone(), how)];
        let answer = member.link.ask(&Request::Observe { looks }, &[]).await;
        match answer.map_err(|error| MakeError::Other(error.to_string()))? {
            Answer::Observed(mut seen) => Ok(match seen.items.remove(id) {
                Some(ItemSeen::File { content, .. }) => Some(content),
                _ => None,
            }),
            _ => Err(MakeError::Other(format!("{node} answered something else"))),
        }
    }

    async fn supply(&self, blueprint: &Blueprint) -> Result<u64, MakeError> {
        let mut supply = Supply::default();
        for entry in &self.bundle.lock().entries {
            supply.add(entry.sha256.clone(), self.bundle.path(entry));
        }
        supply.add(self.own.digest.clone(), self.own.path.clone());
        let brought = blueprint.machines.iter().filter_map(|(node, machine)| {
            let link = &self.site.members.get(node)?.link;
            let (supply, wanted) = (&supply, wanted(machine));
            Some(async move {
                match supply.bring(link, &wanted).await {
                    // The pass that wants the files says which machine is out of reach.
                    Err(SupplyError::Link(LinkError::Closed { .. })) => Ok(0),
                    brought => brought,
                }
            })
        });
        let mut bytes = 0;
        for answer in futures::future::join_all(brought).await {
            bytes += answer?;
        }
        Ok(bytes)
    }
}

/// Says how to look at an item whose public half others must know.
fn told(item: &Item) -> Option<Look> {
    match &item.what {
        What::File { content: Content::PrivateKey | Content::TunnelKey, .. } => Some(look_at(item)),
        _ => None,
    }
}

/// Adds to every machine the name of the cluster that it belongs to, so that nobody takes it for
/// free, or for another cluster's.
fn marked(mut blueprint: Blueprint, spec: &Spec) -> Blueprint {
    for (name, node) in &spec.nodes {
        let machine = blueprint.machines.entry(name.clone()).or_insert_with(|| Machine {
            role: node.role,
            address: node.address,
            items: BTreeMap::new(),
        });
        let what = What::File {
            mode: FileMode(0o644),
            owner: Owner::ROOT,
            content: Content::Text(format!("{}\n", spec.name)),
            rolling: None,
        };
        let by = "ha/nodes-are-ready".to_owned();
        machine.items.insert(ItemId::file(MARK), Item { by, needs: BTreeSet::new(), what });
    }
    blueprint
}

/// How long after a server was found with another key a token of the old one may be alive: the life
/// of a token, and a month in which the server may have gone on.
const TOKEN_LIFE_SECONDS: i64 = service_account_tokens::MOST_HOURS as i64 * 3_600 + 30 * 86_400;

/// The file on a machine that names its cluster.
const MARK: &str = "/var/lib/ringfort/cluster";

fn stage(work: &Work<'_>, name: &str, tell: &mut dyn FnMut(Event)) {
    tell(Event::Stage { name: name.to_owned(), seconds: work.seconds() });
}

/// The secrets of an API identity must not outlive the run by long.
pub const IDENTITY_LIFE: Duration = Duration::from_secs(3_600);

/// Opens the encryption keys, for proofs that read what lies in etcd.
pub fn encryption_keys(keyring: &Keyring) -> BTreeMap<String, Secret<[u8; 32]>> {
    let keys = keyring.encryption();
    keys.names().into_iter().filter_map(|name| Some((name.clone(), keys.secret(&name)?))).collect()
}

fn not_loaded(servers: &[NodeName]) -> String {
    let names: Vec<&str> = servers.iter().map(NodeName::as_str).collect();
    format!(
        "API servers do not say that they have loaded the encryption keys that they were given ({}): the keys stay as they are; look at what these servers log, and run again",
        names.join(", ")
    )
}

fn unfinished(report: &Report) -> String {
    let mut lines =
        vec!["not everything could be done; running again goes on from here:".to_owned()];
    lines.extend(report.unreachable.iter().map(|(node, why)| format!("{node}: {why}")));
    lines.extend(report.failures.iter().map(remark));
    let waiting = report.waiting.len();
    if waiting > 0 {
        lines.push(format!("{waiting} things were not reached, because they wait for these"));
    }
    if report.again {
        lines.push("etcd's membership has to settle first".to_owned());
    }
    lines.join("\n  ")
}

/// Says a remark of the engine in a line.
fn remark(remark: &ringfort_engine::Remark) -> String {
    let place = remark.node.as_ref().map_or("api", |node| node.as_str());
    format!("{place}: {} (for {}): {}", remark.what, remark.by, remark.why)
}
