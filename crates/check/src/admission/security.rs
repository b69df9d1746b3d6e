//! Pod Security admission: what it refuses in a namespace, and who and what it lets through.
//!
//! It goes by the namespace's label, by what the server takes where there is none, and by the server's exemptions,
//! which go before all labels. A request may reach any of the servers, so that each has to refuse.

use std::borrow::Cow;
use std::collections::BTreeSet;

use ringfort_facts::component::Component;
use ringfort_facts::component::admission::PodSecurity;
use ringfort_facts::component::api_server::{pod_security, runs_plugin};
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::Gap;
use ringfort_model::pod_security::{Level, Policy, Version};
use ringfort_policy::Labels;
use serde_json::Value;

use super::samples::Sample;

/// What every API server asks of pods, or why that is not known.
#[derive(Debug)]
pub(crate) struct Security {
    seen: Result<Vec<Server>, Gap>,
    /// Why there may be others, which ask for less.
    unseen: Option<Gap>,
    /// Whether they ask policies besides, all of them or none.
    asks_policies: Result<bool, Gap>,
}

/// What one API server asks of pods; nothing where it does not ask at all.
type Server = Option<PodSecurity>;

/// How a pod comes through.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Way {
    /// How, for people.
    pub(super) how: String,
    /// As whom; nobody in particular where there is none.
    pub(super) user: Option<String>,
    /// By which class of runtimes, if that matters.
    pub(super) runtime_class: Option<String>,
}

/// Every way of a pod.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// What refuses it, if whoever is not exempt is refused.
    pub(super) refused: Option<String>,
    /// Ways that lead through.
    pub(super) open: Vec<Way>,
    /// Ways of which it is not known whether they do, and what would say it.
    pub(super) doubtful: Vec<(Way, Gap)>,
}

impl Way {
    fn of(how: String) -> Self {
        Self { how, ..Self::default() }
    }

    /// Gives a pod as it would be made to come this way.
    pub(super) fn change<'p>(&self, pod: &'p Value) -> Cow<'p, Value> {
        let Some(class) = &self.runtime_class else { return Cow::Borrowed(pod) };
        let mut pod = pod.clone();
        pod["spec"]["runtimeClassName"] = class.as_str().into();
        Cow::Owned(pod)
    }
}

impl Security {
    /// Takes what the servers of machines ask, and why these may not be all.
    pub(crate) fn of(machines: &[Machine<'_>], unseen: Option<Gap>) -> Self {
        let asks_policies = match &unseen {
            None => asks_policies(machines),
            Some(gap) => Err(gap.clone()),
        };
        Self { seen: servers(machines), unseen, asks_policies }
    }

    /// Servers of which nothing is known but that they ask policies.
    #[cfg(test)]
    pub(super) fn of_policies() -> Self {
        Self { asks_policies: Ok(true), ..Self::of(&[], None) }
    }

    /// Says whether servers ask policies about a pod.
    ///
    /// # Errors
    /// That is not known of all of them, or some do.
    pub(super) fn asks_policies(&self) -> Result<bool, Gap> {
        self.asks_policies.clone()
    }

    /// Gives every way of a pod into a namespace.
    pub(super) fn ways(&self, namespace: &str, labels: &Labels, pod: &Sample) -> Ways {
        let mut ways = Ways::default();
        match &self.seen {
            Ok(servers) => {
                for server in servers {
                    ways.add(server.as_ref(), namespace, labels, pod);
                }
                let how = || "another API server may let it through".to_owned();
                ways.doubtful.extend(self.unseen.clone().map(|gap| (Way::of(how()), gap)));
            }
            Err(gap) => {
                let how = "Pod Security admission may let it through".to_owned();
                match of_label(labels) {
                    // Whatever else servers are told, what a label does not refuse they do not.
                    Some(policy) if !pod.is_refused(policy) => {
                        ways.open.push(Way::of(format!("its label asks for {}", policy.level)));
                    }
                    _ => ways.doubtful.push((Way::of(how), gap.clone())),
                }
            }
        }
        ways
    }
}

impl Ways {
    fn add(
        &mut self,
        server: Option<&PodSecurity>,
        namespace: &str,
        labels: &Labels,
        pod: &Sample,
    ) {
        let Some(security) = server else {
            return self.push(Way::of("the admission plugin PodSecurity does not run".to_owned()));
        };
        let exempt = &security.exemptions;
        if exempt.namespaces.contains(namespace) {
            return self
                .push(Way::of("the server's admission configuration exempts it".to_owned()));
        }
        let policy = policy(labels, security.enforce);
        if !pod.is_refused(policy) {
            return self.push(Way::of(format!("Pod Security asks for {} there", policy.level)));
        }
        self.refused = Some(format!("Pod Security ({})", policy.level));
        for class in &exempt.runtime_classes {
            let how = format!("the server exempts the runtime class {class}");
            self.push(Way { runtime_class: Some(class.clone()), ..Way::of(how) });
        }
        // A kubelet may only stand for pods that its machine runs already.
        for user in exempt.usernames.iter().filter(|it| !it.starts_with("system:node:")) {
            let how = format!("the server exempts the user {user}");
            self.push(Way { user: Some(user.clone()), ..Way::of(how) });
        }
    }

    fn push(&mut self, way: Way) {
        if !self.open.contains(&way) {
            self.open.push(way);
        }
    }
}

fn servers(machines: &[Machine<'_>]) -> Result<Vec<Server>, Gap> {
    let mut servers = Vec::new();
    for machine in machines {
        for settings in machine.running(Component::ApiServer)? {
            servers.push(match runs_plugin(&settings, "PodSecurity").known()?.value {
                true => Some(pod_security(&settings).known()?.value.clone()),
                false => None,
            });
        }
    }
    match servers.is_empty() {
        false => Ok(servers),
        true => Err(Gap {
            said: "what API servers take for default and whom they exempt from Pod Security was not looked at"
                .to_owned(),
            closes: "facts of every control plane, by `ringfort gather`".to_owned(),
        }),
    }
}

/// The plugin without which no `ValidatingAdmissionPolicy` is asked, whatever is bound.
const POLICIES: &str = "ValidatingAdmissionPolicy";

fn asks_policies(machines: &[Machine<'_>]) -> Result<bool, Gap> {
    let mut answers = BTreeSet::new();
    for machine in machines {
        for settings in machine.running(Component::ApiServer)? {
            answers.insert(runs_plugin(&settings, POLICIES).known()?.value);
        }
    }
    let said = match (answers.contains(&true), answers.contains(&false)) {
        (true, false) => return Ok(true),
        (false, true) => return Ok(false),
        (true, true) => format!("the admission plugin {POLICIES} runs on some API servers alone"),
        (false, false) => {
            format!("whether API servers run the admission plugin {POLICIES} was not looked at")
        }
    };
    let closes = format!("facts of every control plane, each of which runs {POLICIES}");
    Err(Gap { said, closes })
}

const LEVEL: &str = "pod-security.kubernetes.io/enforce";
const VERSION: &str = "pod-security.kubernetes.io/enforce-version";

/// What a namespace asks for; what a server cannot read it takes for the strictest, and the newest.
fn policy(labels: &Labels, default: Policy) -> Policy {
    let level = labels.get(LEVEL).map(|word| word.parse().unwrap_or(Level::Restricted));
    let version = labels.get(VERSION).map(|word| word.parse().unwrap_or(Version::Latest));
    Policy { level: level.unwrap_or(default.level), version: version.unwrap_or(default.version) }
}

/// What a namespace asks for by its labels alone.
fn of_label(labels: &Labels) -> Option<Policy> {
    let latest = Policy { level: Level::Privileged, version: Version::Latest };
    labels.contains_key(LEVEL).then(|| policy(labels, latest))
}
