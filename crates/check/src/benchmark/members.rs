//! Whether what was looked at is all of a cluster: by the machines that are declared, or else by what its API
//! tells of them. A machine that was left out makes nothing pass.
//!
//! Never here: what a machine is judged by.

use std::collections::BTreeSet;

use ringfort_facts::component::Component;
use ringfort_facts::component::kubelet::Kubelet;
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::Gap;
use serde_json::Value;

use super::Looked;

/// What the API of a cluster tells of its machines.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Members {
    nodes: Result<BTreeSet<String>, Gap>,
    servers: Result<BTreeSet<String>, Gap>,
}

impl Default for Members {
    fn default() -> Self {
        let unasked = |what: &str| Gap {
            said: format!("the API was not asked for {what}"),
            closes: "--kubeconfig of an administrator, or the cluster.yaml that names all machines"
                .to_owned(),
        };
        Self { nodes: Err(unasked("its nodes")), servers: Err(unasked("its API servers")) }
    }
}

impl Members {
    /// Reads them from the objects `Node`, and from those that publish the service `kubernetes`, to which each
    /// API server adds its own address.
    pub fn of(nodes: Result<Vec<Value>, Gap>, slices: Result<Vec<Value>, Gap>) -> Self {
        let name = |node: &Value| node["metadata"]["name"].as_str().map(str::to_owned);
        let endpoints = |slice: &Value| slice["endpoints"].as_array().cloned().unwrap_or_default();
        let addresses = |endpoint: Value| {
            let all = endpoint["addresses"].as_array().cloned().unwrap_or_default();
            all.into_iter().filter_map(|it| it.as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        Self {
            nodes: nodes.map(|all| all.iter().filter_map(name).collect()),
            servers: slices.map(|all| all.iter().flat_map(endpoints).flat_map(addresses).collect()),
        }
    }
}

impl<'a> Looked<'a> {
    /// Gives the machines that were looked at and are of the cluster, where anything tells which are: facts of one
    /// that was replaced stand for none that is there.
    pub(crate) fn members(&self) -> impl Iterator<Item = &'a Machine<'a>> {
        let names = match (self.intent, self.objects) {
            (Some(intent), _) => Some(&intent.machines),
            (None, Some(tally)) => tally.members.nodes.as_ref().ok(),
            (None, None) => None,
        };
        let is_one = move |machine: &&Machine<'_>| {
            names.is_none_or(|names| names.iter().any(|name| is_called(machine, name)))
        };
        self.machines.iter().filter(is_one)
    }
}

impl Looked<'_> {
    /// Says that these are all machines of the cluster.
    ///
    /// # Errors
    /// Nobody can say it, or one is not there.
    pub(crate) fn every_machine(&self) -> Result<(), Gap> {
        match (self.intent, self.objects) {
            (Some(intent), _) => self.sees(&intent.machines),
            (None, Some(tally)) => {
                self.sees(tally.members.nodes.as_ref().map_err(Clone::clone)?)?;
                self.every_server()
            }
            (None, None) => {
                Err(gap("whether these are all machines of the cluster is not known".to_owned()))
            }
        }
    }

    /// Says that these are all machines of the cluster, where anything tells which there are. Facts alone are
    /// judged for what they are: facts of these machines.
    ///
    /// # Errors
    /// One is not there, or what would tell of it could not be read.
    pub(crate) fn every_known_machine(&self) -> Result<(), Gap> {
        match (self.intent, self.objects) {
            (None, None) => Ok(()),
            _ => self.every_machine(),
        }
    }

    /// Says that these are all machines that run an API server.
    ///
    /// # Errors
    /// Nobody can say it, or one is not there.
    pub(crate) fn every_server(&self) -> Result<(), Gap> {
        let members = match (self.intent, self.objects) {
            (Some(_), _) | (None, None) => return self.every_machine(),
            (None, Some(tally)) => &tally.members,
        };
        let addresses = members.servers.as_ref().map_err(Clone::clone)?;
        // Facts of a control plane that was replaced stand for none that is there.
        let is_node = |machine: &Machine<'_>| match &members.nodes {
            Ok(names) => names.iter().any(|name| is_called(machine, name)),
            Err(_) => true,
        };
        let runs = |machine: &&Machine<'_>| {
            is_node(machine)
                && machine.running(Component::ApiServer).is_ok_and(|all| !all.is_empty())
        };
        let seen: BTreeSet<&str> = self.machines.iter().filter(runs).map(Machine::name).collect();
        match addresses.len() {
            0 => Err(gap("the service kubernetes names no API server".to_owned())),
            there if seen.len() < there => Err(gap(format!(
                "{} of {there} API servers were looked at: the service kubernetes is at {}",
                seen.len(),
                addresses.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            ))),
            _ => Ok(()),
        }
    }

    fn sees(&self, names: &BTreeSet<String>) -> Result<(), Gap> {
        let is_seen = |name: &&String| self.machines.iter().any(|it| is_called(it, name));
        match names.iter().find(|name| !is_seen(name)) {
            Some(name) => Err(gap(format!("{name} was not looked at"))),
            None => Ok(()),
        }
    }
}

fn gap(said: String) -> Gap {
    Gap { said, closes: "facts of every machine, and the cluster.yaml that names them".to_owned() }
}

/// Whether a machine goes by a name: its own, or the one that its kubelet is told. A kubelet writes either in small
/// letters.
fn is_called(machine: &Machine<'_>, name: &str) -> bool {
    let is_told = |kubelet: &Kubelet| {
        let told = kubelet.settings.text("hostname-override");
        told.known().is_ok_and(|seen| seen.value.eq_ignore_ascii_case(name))
    };
    machine.name().eq_ignore_ascii_case(name)
        || machine.kubelets().is_ok_and(|all| all.iter().any(is_told))
}
