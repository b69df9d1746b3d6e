//! Takes leave of machines that the spec no longer names: their pods move, their node goes, and what
//! ringfort put on them is taken away if they can be entered.
//!
//! A control plane's member of etcd is taken out before, with the membership.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use ringfort_api::ApiError;
use ringfort_engine::Goal;
use ringfort_model::api_object::ObjectKey;
use ringfort_model::blueprint::{Blueprint, Machine};
use ringfort_model::event::Event;
use ringfort_model::frame::{Answer, Request};
use ringfort_model::known::KnownMachine;
use ringfort_model::name::NodeName;

use super::drain::{Lodger, lodgers};
use super::{MakeError, Site, Work, finished, site, stage};
use crate::drive::fleet;
use crate::drive::run::first;

/// How long pods may take to move from a node: their own time to end, and what budgets ask for.
const DRAIN_LIMIT: Duration = Duration::from_secs(300);
/// The pause between two looks at pods that move.
const DRAIN_PAUSE: Duration = Duration::from_secs(1);
/// The control that wants no other node than those of the spec.
pub(super) const BY: &str = "ha/nodes-are-ready";
/// What a machine is called where it is all of its items.
pub(super) const MACHINE: &str = "machine";
const NOT_IN_SPEC: &str = "not in cluster.yaml";

/// One thing that goes because nobody wants it any more.
#[derive(Clone, Debug)]
pub(super) struct Parting {
    /// The machine, or none for what is done through the API.
    node: Option<NodeName>,
    /// What goes.
    item: String,
    because: &'static str,
}

impl Parting {
    pub(super) fn of_node(name: &NodeName) -> Self {
        Self { node: None, item: node_key(name).to_string(), because: NOT_IN_SPEC }
    }

    fn of_machine(name: &NodeName) -> Self {
        Self { node: Some(name.clone()), item: MACHINE.to_owned(), because: NOT_IN_SPEC }
    }

    pub(super) fn of_object(key: &ObjectKey) -> Self {
        Self { node: None, item: key.to_string(), because: "not in the blueprint" }
    }

    /// Tells of it.
    pub(super) fn event(&self, seconds: f64, took: f64, failed: Option<String>) -> Event {
        Event::Step {
            node: self.node.clone(),
            item: self.item.clone(),
            by: BY.to_owned(),
            because: self.because.to_owned(),
            seconds,
            took,
            change: true,
            failed,
        }
    }
}

impl Work<'_> {
    /// Takes leave of every machine that the spec no longer names; gives what is left to do, a line
    /// for each machine.
    pub(super) async fn leave(
        &mut self,
        tell: &mut dyn FnMut(Event),
        interrupts: &mut Receiver<()>,
    ) -> Result<Vec<String>, MakeError> {
        let mut undone = Vec::new();
        let left = self.left();
        if left.is_empty() {
            return Ok(undone);
        }
        stage(self, "machines that left the spec", tell);
        for gone in &left {
            self.leave_one(gone, &mut undone, tell, interrupts).await?;
        }
        Ok(undone)
    }

    async fn leave_one(
        &mut self,
        gone: &KnownMachine,
        undone: &mut Vec<String>,
        tell: &mut dyn FnMut(Event),
        interrupts: &mut Receiver<()>,
    ) -> Result<(), MakeError> {
        let began = Instant::now();
        let node = self.node_of(gone).await?;
        if node.is_some() {
            self.drain(gone, interrupts).await?;
        }
        // Its kubelet stops first, so that it does not come back as a node.
        let entered = match self.is_to_be_entered(gone) {
            true => self.reset_left(gone, tell, interrupts).await?,
            false => Ok(()),
        };
        let spent = |work: &Self| (work.seconds(), began.elapsed().as_secs_f64());
        if node.is_some() {
            let key = node_key(&gone.name);
            first(self.servers.values(), |server| server.delete(&key))
                .await
                .map_err(unasked(&gone.name))?;
            let (seconds, took) = spent(self);
            tell(Parting::of_node(&gone.name).event(seconds, took, None));
        }
        match entered {
            Ok(()) if gone.given_up.is_some() => {}
            Ok(()) => {
                self.memory.trust.machines.remove(gone);
                self.memory.save()?;
            }
            Err(why) => {
                let (seconds, took) = spent(self);
                tell(Parting::of_machine(&gone.name).event(seconds, took, Some(why.clone())));
                undone.push(not_entered(gone, &why));
            }
        }
        Ok(())
    }

    pub(super) fn left(&self) -> Vec<KnownMachine> {
        self.memory.trust.left(&addresses(self.spec))
    }

    /// A machine that the spec names otherwise is no longer the one that left.
    pub(super) fn is_to_be_entered(&self, gone: &KnownMachine) -> bool {
        let is_taken = self.spec.nodes.values().any(|node| node.address == gone.address);
        gone.given_up.is_none() && !is_taken
    }

    /// Reads the node of a machine that left, unless the spec has another machine of that name.
    pub(super) async fn node_of(&self, gone: &KnownMachine) -> Result<Option<Value>, MakeError> {
        if self.spec.nodes.contains_key(&gone.name) {
            return Ok(None);
        }
        let key = node_key(&gone.name);
        first(self.servers.values(), |server| server.get(&key)).await.map_err(unasked(&gone.name))
    }

    /// Moves every pod from a node, in the time that budgets give. Where no kubelet ends pods, they
    /// go with their node; one that dies meanwhile is no longer waited for.
    async fn drain(
        &self,
        gone: &KnownMachine,
        interrupts: &mut Receiver<()>,
    ) -> Result<(), MakeError> {
        let (name, node_name) = (&gone.name, gone.name.as_str());
        first(self.servers.values(), |server| server.cordon(node_name))
            .await
            .map_err(unasked(name))?;
        let until = Instant::now() + DRAIN_LIMIT;
        loop {
            let node = self.node_of(gone).await?;
            let pods = first(self.servers.values(), |server| server.pods_on(node_name)).await;
            let lodgers = lodgers(node.as_ref(), &pods.map_err(unasked(name))?);
            if lodgers.is_empty() {
                return Ok(());
            }
            let mut lines = Vec::new();
            for lodger in &lodgers {
                let said = match lodger.goes {
                    true => "is ending".to_owned(),
                    false => match self.evict(lodger).await {
                        Ok(()) => "is ending".to_owned(),
                        Err(error) => error.to_string(),
                    },
                };
                lines.push(format!("{}/{}: {said}", lodger.namespace, lodger.name));
            }
            if Instant::now() >= until {
                return Err(MakeError::Stays { node: name.clone(), pods: lines });
            }
            tokio::select! {
                () = tokio::time::sleep(DRAIN_PAUSE) => {}
                Some(()) = interrupts.recv() => return Err(MakeError::Interrupted),
            }
        }
    }

    async fn evict(&self, lodger: &Lodger) -> Result<(), ApiError> {
        let (namespace, name) = (lodger.namespace.as_str(), lodger.name.as_str());
        first(self.servers.values(), |server| server.evict(namespace, name)).await
    }

    /// Takes everything of ringfort from a machine that left, or gives why it could not be entered.
    async fn reset_left(
        &mut self,
        gone: &KnownMachine,
        tell: &mut dyn FnMut(Event),
        interrupts: &mut Receiver<()>,
    ) -> Result<Result<(), String>, MakeError> {
        let site = match self.enter_left(gone).await {
            Ok(site) => site,
            Err(why) => return Ok(Err(why)),
        };
        if !self.is_ours(&site).await? {
            return Ok(Ok(()));
        }
        let blueprint = self.nothing_on(gone);
        finished(self.pass_over(&site, Goal::Reset, &blueprint, tell, interrupts).await?)?;
        site.clear().await?;
        Ok(Ok(()))
    }

    /// Enters a machine that left.
    pub(super) async fn enter_left(&self, gone: &KnownMachine) -> Result<Site, String> {
        let door = site::door(gone, self.places.home, self.places.beside);
        let doors = BTreeMap::from([(gone.name.clone(), door)]);
        let mut members = BTreeMap::new();
        for (node, entered) in fleet::enter(&doors, self.own, self.epoch, self.operator).await {
            members.insert(node, entered.map_err(|error| error.to_string())?);
        }
        Ok(Site { members, missing: BTreeMap::new() })
    }

    /// The blueprint that wants nothing on a machine that left.
    pub(super) fn nothing_on(&self, gone: &KnownMachine) -> Blueprint {
        let machine = Machine { role: gone.role, address: gone.address, items: BTreeMap::new() };
        Blueprint {
            cluster: self.spec.name.clone(),
            kubernetes: String::new(),
            machines: BTreeMap::from([(gone.name.clone(), machine)]),
            objects: Vec::new(),
        }
    }

    /// Says whether machines still have something of this cluster: one that was set up anew has not.
    pub(super) async fn is_ours(&self, site: &Site) -> Result<bool, MakeError> {
        for member in site.members.values() {
            let asked = member.link.ask(&Request::Observe { looks: Vec::new() }, &[]).await;
            let Answer::Observed(seen) = asked.map_err(|e| MakeError::Other(e.to_string()))? else {
                return Err(MakeError::Other(format!(
                    "{} answered something else",
                    member.link.node()
                )));
            };
            let ours = self.spec.name.as_str();
            if seen.cluster.as_deref() == Some(ours)
                || (seen.cluster.is_none() && !seen.owned.is_empty())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Gives the address of each machine of a spec.
pub(super) fn addresses(spec: &ringfort_spec::Spec) -> BTreeMap<NodeName, IpAddr> {
    spec.nodes.iter().map(|(name, node)| (name.clone(), node.address)).collect()
}

fn node_key(name: &NodeName) -> ObjectKey {
    ObjectKey {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        namespace: None,
        name: name.to_string(),
    }
}

fn unasked(name: &NodeName) -> impl Fn(ApiError) -> MakeError {
    move |error| {
        MakeError::Other(format!("{name} left the spec, but its node is still there: {error}"))
    }
}

fn not_entered(gone: &KnownMachine, why: &str) -> String {
    let KnownMachine { name, address, .. } = gone;
    format!(
        "{name} ({address}) left the cluster, but was not reset, since it could not be entered: {why}. \
         It still holds a kubelet's certificate, good until its end. Run up again when it answers, \
         or give it up for good: ringfort up --give-up {name}"
    )
}
