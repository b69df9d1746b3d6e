//! What the facts of a machine mean: how each component that runs there is set, who may reach a file.
//!
//! Never here: whether that is good. What was not looked at is a gap, also where a bundle just says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use ringfort_model::audit_summary::AuditSummary;
use ringfort_model::certificate::CertSeen;
use ringfort_model::digest::Digest;
use ringfort_model::judgement::Gap;
use ringfort_model::machine::{
    ComponentFacts, FileFacts, MachineFacts, Observed, ProcessFacts, Unseen,
};
use ringfort_model::version::{KubeVersion, Minor};
use serde_json::Value;

use crate::component::Component;
use crate::component::command_line::CommandLine;
use crate::component::files::{FileSeen, Files};
use crate::component::kubelet::Kubelet;
use crate::component::settings::{Release, Settings};
use crate::fact::{Fact, Seen, Source};

/// A machine's facts, to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    facts: &'a MachineFacts,
    told: Told<'a>,
}

/// What is known of a cluster's version from elsewhere than the component that is asked about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told<'a> {
    /// Nothing.
    Nothing,
    /// It is of this minor, whatever images say.
    Minor(Minor),
    /// It is meant to be of this minor, which counts where no image says another.
    Declared(Minor),
    /// It was seen to be of this release, which is not known here.
    Foreign(&'a str),
}

impl<'a> Told<'a> {
    /// Takes what is told of a cluster together with what images of its machines say: a release that was seen on one
    /// of them and is not known here goes before all that is told.
    pub fn among(self, all: impl IntoIterator<Item = &'a MachineFacts>) -> Self {
        let of_machine = |facts: &'a MachineFacts| facts.components.iter();
        let is_foreign = |(name, facts): (&String, &'a ComponentFacts)| foreign(name, facts);
        all.into_iter().flat_map(of_machine).find_map(is_foreign).map_or(self, Self::Foreign)
    }
}

/// Gives the release of a component of Kubernetes, if it is none that is known here.
fn foreign<'a>(name: &str, facts: &'a ComponentFacts) -> Option<&'a str> {
    let Observed::Known(release) = &facts.release else { return None };
    let is_foreign = name != Component::Etcd.program() && KubeVersion::of_release(release).is_err();
    is_foreign.then_some(release.as_str())
}

impl<'a> Machine<'a> {
    /// Takes facts. A minor that is known from elsewhere, as from the API, goes before what images say, if they do
    /// not say one that is not known here.
    pub fn new(facts: &'a MachineFacts, minor: Option<Minor>) -> Self {
        Self::of(facts, minor.map_or(Told::Nothing, Told::Minor))
    }

    /// Takes facts of a machine of a cluster of which something is told.
    pub fn of(facts: &'a MachineFacts, told: Told<'a>) -> Self {
        Self { facts, told: told.among([facts]) }
    }

    /// Gives the machine's name; a machine that does not tell it has none.
    pub fn name(&self) -> &'a str {
        match &self.facts.name {
            Observed::Known(name) => name,
            _ => "a machine without a name",
        }
    }

    /// Tells how each process is set that runs a component; none where none runs.
    ///
    /// # Errors
    /// Nobody looked, or could.
    pub fn running(&self, component: Component) -> Result<Vec<Settings>, Gap> {
        let facts = self.component(component)?;
        let Some(processes) = there(&facts.processes)? else { return Ok(Vec::new()) };
        Ok(processes.iter().map(|process| self.settings(component, facts, process)).collect())
    }

    /// Tells how each kubelet that runs is set.
    ///
    /// # Errors
    /// Nobody looked, or could.
    pub fn kubelets(&self) -> Result<Vec<Kubelet>, Gap> {
        let all = self.running(Component::Kubelet)?.into_iter();
        Ok(all.map(|settings| Kubelet { settings, configz: None }).collect())
    }

    /// Names the user that each process of a component runs as.
    ///
    /// # Errors
    /// Nobody looked, or could.
    pub fn users(&self, component: Component) -> Result<Vec<u32>, Gap> {
        let Some(processes) = there(&self.component(component)?.processes)? else {
            return Ok(Vec::new());
        };
        let user = |process: &ProcessFacts| match there(&process.user)? {
            Some(user) => Ok(*user),
            None => Err(unlooked("the user of a process")),
        };
        processes.iter().map(user).collect()
    }

    fn component(&self, component: Component) -> Result<&'a ComponentFacts, Gap> {
        let name = component.program();
        self.facts.components.get(name).ok_or_else(|| unlooked(name))
    }

    fn settings(
        &self,
        component: Component,
        facts: &ComponentFacts,
        process: &ProcessFacts,
    ) -> Settings {
        let command_line = match &process.arguments {
            Observed::Known(words) => CommandLine::of_process(component, words),
            Observed::Absent => Fact::Missing(unlooked("the arguments of a process")),
            Observed::Gap(unseen) => Fact::Missing(gap(unseen)),
        };
        let environment = match &process.environment {
            Observed::Known(variables) => {
                let told = variables
                    .0
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
                Fact::seen(told.collect(), Source::CommandLine)
            }
            Observed::Absent => Fact::Missing(unlooked("the variables of a process")),
            Observed::Gap(unseen) => Fact::Missing(gap(unseen)),
        };
        Settings {
            component,
            minor: self.minor(component, facts),
            command_line,
            environment,
            files: files(facts),
        }
    }

    /// The minor of a component: as told from elsewhere, or else by the image of its static pod, or else as declared.
    fn minor(&self, component: Component, facts: &ComponentFacts) -> Release {
        let of_cluster = |minor: Minor| {
            let source = Source::Default("the cluster's version".to_owned());
            Release::Of(Seen { value: minor, source })
        };
        match self.told {
            Told::Foreign(release) => {
                return Release::Foreign(Gap {
                    said: format!(
                        "the cluster is of {release}, and what {component} takes there by default is not known here"
                    ),
                    closes: "a cluster of Kubernetes 1.35, 1.36 or 1.37".to_owned(),
                });
            }
            Told::Minor(minor) => return of_cluster(minor),
            Told::Declared(_) | Told::Nothing => {}
        }
        let release = match &facts.release {
            Observed::Known(release) if component != Component::Etcd => {
                KubeVersion::of_release(release).ok().flatten()
            }
            _ => None,
        };
        let of_image = |version: KubeVersion| {
            let source = Source::File("the image of its static pod".to_owned());
            Release::Of(Seen { value: version.minor, source })
        };
        let unseen = Gap {
            said: format!("the version of {component} is not known"),
            closes: "--kubernetes with the cluster's version".to_owned(),
        };
        match (release, self.told) {
            (Some(version), _) => of_image(version),
            (None, Told::Declared(minor)) => of_cluster(minor),
            (None, _) => Release::Unseen(unseen),
        }
    }

    /// Tells of a file on the machine; none where it is not there.
    ///
    /// # Errors
    /// Nobody looked, or could.
    pub fn file(&self, path: &str) -> Result<Option<Seen<FileFacts>>, Gap> {
        self.look(&self.facts.files, path)
    }

    /// Lists the paths below a directory of the machine, from there; none where it is not there.
    ///
    /// # Errors
    /// Nobody looked, or could.
    pub fn below(&self, path: &str) -> Result<Option<Seen<Vec<String>>>, Gap> {
        if self.facts.below.contains_key(path) {
            return self.look(&self.facts.below, path);
        }
        let above = self.facts.below.keys().find(|tree| is_below(path, tree));
        let Some(tree) = above else { return Err(unlooked(path)) };
        let Some(listed) = self.look(&self.facts.below, tree)? else { return Ok(None) };
        let inner = path[tree.len()..].trim_start_matches('/');
        let names = listed.value.iter();
        let found: Vec<String> = names
            .filter_map(|name| name.strip_prefix(inner)?.strip_prefix('/'))
            .map(str::to_owned)
            .collect();
        let is_there = listed.value.iter().any(|name| name == inner);
        Ok(is_there.then_some(Seen { value: found, source: listed.source }))
    }

    /// Tells how each process of a program was started that is no component of Kubernetes; none where it does
    /// not run.
    ///
    /// # Errors
    /// Nobody looked, or could.
    pub fn started(&self, program: &str) -> Result<Vec<&'a [String]>, Gap> {
        let facts = self.facts.components.get(program).ok_or_else(|| unlooked(program))?;
        let Some(processes) = there(&facts.processes)? else { return Ok(Vec::new()) };
        let words = |process: &'a ProcessFacts| {
            there(&process.arguments)?
                .map(Vec::as_slice)
                .ok_or_else(|| unlooked("the arguments of a process"))
        };
        processes.iter().map(words).collect()
    }

    /// Says whether a part of ringfort runs, by the words that it is started with, such as `node`, `balance`. Whoever
    /// makes pods chooses their words, so that nothing in a pod is one, nor what runs another file or as another user.
    ///
    /// # Errors
    /// Nobody looked, or could.
    pub fn runs_part(&self, part: [&str; 2]) -> Result<bool, Gap> {
        let facts = self.facts.components.get(RINGFORT).ok_or_else(|| unlooked(RINGFORT))?;
        let mut unseen = None;
        for process in there(&facts.processes)?.into_iter().flatten() {
            match is_part(process, part) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(gap) => unseen = unseen.or(Some(gap)),
            }
        }
        unseen.map_or(Ok(false), Err)
    }

    /// Tells what a setting of the kernel is; none where the kernel has no such setting.
    ///
    /// # Errors
    /// Nobody looked, or could.
    pub fn kernel(&self, name: &str) -> Result<Option<Seen<String>>, Gap> {
        let source = Source::File(format!("/proc/sys/{}", name.replace('.', "/")));
        let found = self.look(&self.facts.kernel, name)?;
        Ok(found.map(|Seen { value, .. }| Seen { value, source }))
    }

    /// Tells what a program reads at a path, one document; none where it is not there.
    ///
    /// # Errors
    /// Nobody looked, or it cannot be read.
    pub fn document(&self, program: &str, path: &str) -> Result<Option<Seen<Value>>, Gap> {
        let facts = self.facts.components.get(program).ok_or_else(|| unlooked(program))?;
        let Some(text) = self.look(&facts.texts, path)? else { return Ok(None) };
        match serde_json::from_str(&text.value) {
            Ok(value) => Ok(Some(Seen { value, source: text.source })),
            Err(error) => Err(Gap {
                said: format!("{path} cannot be read: {error}"),
                closes: format!("one document at {path}"),
            }),
        }
    }

    /// Tells what the newest part of the API server's audit log comes to; none where no log is written.
    ///
    /// # Errors
    /// Nobody looked, or could.
    pub fn audit(&self) -> Result<Option<Seen<AuditSummary>>, Gap> {
        let looked = self.facts.audit.as_ref().ok_or_else(|| unlooked("the audit log"))?;
        let seen =
            |it: &AuditSummary| Seen { value: it.clone(), source: Source::File(it.path.clone()) };
        Ok(there(looked)?.map(seen))
    }

    /// Tells of the first certificate in a file of the machine.
    ///
    /// # Errors
    /// Nobody looked, or could.
    pub fn certificate(&self, path: &str) -> Result<Option<Seen<CertSeen>>, Gap> {
        self.look(&self.facts.certificates, path)
    }

    /// Tells of the public keys of all certificates in a file of the machine.
    ///
    /// # Errors
    /// Nobody looked, or could.
    pub fn public_keys(&self, path: &str) -> Result<Option<Seen<BTreeSet<Digest>>>, Gap> {
        self.look(&self.facts.public_keys, path)
    }

    fn look<T: Clone>(
        &self,
        all: &BTreeMap<String, Observed<T>>,
        path: &str,
    ) -> Result<Option<Seen<T>>, Gap> {
        let found = all.get(path).ok_or_else(|| unlooked(path))?;
        let seen = |value: &T| Seen { value: value.clone(), source: Source::File(path.to_owned()) };
        Ok(there(found)?.map(seen))
    }

    /// Finds where on the machine a file lies that a component names.
    ///
    /// # Errors
    /// Nobody looked, or it lies nowhere there.
    pub fn place(&self, component: Component, path: &str) -> Result<&'a str, Gap> {
        let found = self.component(component)?.places.get(path).ok_or_else(|| unlooked(path))?;
        there(found)?.map(String::as_str).ok_or_else(|| Gap {
            said: format!("{path}, which {component} names, is not there"),
            closes: format!("{path} as {component} has read it"),
        })
    }

    /// Gives the names of a file's user and group, as the machine has them.
    ///
    /// # Errors
    /// Its lists of users and groups were not read.
    pub fn names(&self, file: &FileFacts) -> Result<(Option<&'a str>, Option<&'a str>), Gap> {
        let Some(accounts) = there(&self.facts.accounts)? else {
            return Err(unlooked("/etc/passwd"));
        };
        let name = |all: &'a BTreeMap<u32, String>, id| all.get(&id).map(String::as_str);
        Ok((name(&accounts.users, file.owner.uid), name(&accounts.groups, file.owner.gid)))
    }
}

/// Whether a process is a part of ringfort. Facts that were gathered before processes were told apart further say only
/// as whom it runs.
fn is_part(process: &ProcessFacts, part: [&str; 2]) -> Result<bool, Gap> {
    let words = there(&process.arguments)?.ok_or_else(|| unlooked("the arguments of a process"))?;
    if !words.iter().skip(1).map(String::as_str).take(2).eq(part) {
        return Ok(false);
    }
    let user = there(&process.user)?.ok_or_else(|| unlooked("the user of a process"))?;
    let is_told = *user == 0 || part == BALANCER && DYNAMIC.contains(user);
    let in_pod = process.in_pod.as_ref().map(there).transpose()?.flatten();
    let file = process.executable.as_ref().map(there).transpose()?.flatten();
    let is_other = |file: &String| {
        // The kernel says so of a file that was written anew since.
        let file = file.strip_suffix(" (deleted)").unwrap_or(file);
        file.rsplit('/').next() != Some(RINGFORT)
    };
    Ok(is_told && in_pod != Some(&true) && !file.is_some_and(is_other))
}

const RINGFORT: &str = "ringfort";

/// The one part of ringfort that does not run as root, but as a user that systemd makes for it, of these.
const BALANCER: [&str; 2] = ["node", "balance"];
const DYNAMIC: RangeInclusive<u32> = 61_184..=65_519;

fn is_below(path: &str, tree: &str) -> bool {
    path.strip_prefix(tree).is_some_and(|rest| rest.starts_with('/'))
}

/// Gives what was seen, none where it was looked for and is not there.
fn there<T>(observed: &Observed<T>) -> Result<Option<&T>, Gap> {
    match observed {
        Observed::Known(value) => Ok(Some(value)),
        Observed::Absent => Ok(None),
        Observed::Gap(unseen) => Err(gap(unseen)),
    }
}

fn gap(unseen: &Unseen) -> Gap {
    Gap {
        said: format!("{} could not be looked at: {}", unseen.at, unseen.why),
        closes: unseen.closes.clone(),
    }
}

fn unlooked(what: &str) -> Gap {
    Gap { said: format!("{what} was not looked at"), closes: format!("facts that tell of {what}") }
}

fn files(facts: &ComponentFacts) -> Files {
    let text = |seen: &Observed<String>| match seen {
        Observed::Known(text) => FileSeen::Text(text.clone()),
        Observed::Absent => FileSeen::Absent,
        Observed::Gap(unseen) => FileSeen::Unreadable(unseen.why.clone()),
    };
    let listed = facts.below.iter().filter_map(|(path, names)| match names {
        Observed::Known(names) => Some((path.clone(), names.clone())),
        // A directory that is not there holds no drop-ins, and no kubelet starts with one.
        Observed::Absent | Observed::Gap(_) => None,
    });
    Files {
        texts: facts.texts.iter().map(|(path, seen)| (path.clone(), text(seen))).collect(),
        directories: listed.collect(),
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::machine::MachineFacts;
    use serde_json::{Value, json};

    use super::Machine;

    fn runs(part: [&str; 2], more: &Value) -> Option<bool> {
        let mut process = json!({"arguments": {"known": ["/usr/local/bin/ringfort", part[0], part[1], "--node", "a"]},
            "environment": {"known": {}}, "user": {"known": 0}});
        process.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let ringfort = json!({"processes": {"known": [process]}, "release": "absent",
            "texts": {}, "below": {}, "places": {}});
        let facts = json!({"apiVersion": "facts.ringfort.dev/v1", "kind": "MachineFacts",
            "name": {"known": "a"}, "components": {"ringfort": ringfort}, "files": {}, "below": {},
            "certificates": {}, "kernel": {}, "accounts": "absent"});
        let facts = MachineFacts::read(&facts.to_string()).unwrap();
        Machine::new(&facts, None).runs_part(part).ok()
    }

    #[test]
    fn what_only_says_of_itself_that_it_is_a_part_of_ringfort_is_none() {
        let check = |more: Value, expected: Option<bool>| {
            assert_eq!(runs(["integrity", "watch"], &more), expected, "{more}");
        };
        let gap = json!({"gap": {"at": "/proc/7", "why": "EACCES", "closes": "root"}});
        // Facts of earlier versions.
        check(json!({}), Some(true));
        check(json!({"user": {"known": 1000}}), Some(false));
        check(json!({"user": {"known": 61_200}}), Some(false));
        check(json!({"user": gap}), None);
        check(json!({"inPod": {"known": false}}), Some(true));
        check(json!({"inPod": {"known": true}}), Some(false));
        check(json!({"inPod": gap}), None);
        for (file, expected) in [
            ("/usr/local/bin/ringfort", true),
            ("/usr/local/bin/ringfort (deleted)", true),
            ("/bin/sleep", false),
            ("/bin/not-ringfort", false),
        ] {
            check(json!({"executable": {"known": file}}), Some(expected));
        }
        check(json!({"executable": gap}), None);
    }

    #[test]
    fn the_balancer_is_root_or_a_user_that_is_made_for_it() {
        let as_user = |user: u32| runs(["node", "balance"], &json!({"user": {"known": user}}));
        assert_eq!([0, 61_200, 1000].map(as_user), [Some(true), Some(true), Some(false)]);
    }
}
