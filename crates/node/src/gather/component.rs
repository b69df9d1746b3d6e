//! The components that run on this machine: their arguments, and the files that those name as they see them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde_json::Value;

use ringfort_facts::component::Component;
use ringfort_facts::component::command_line::CommandLine;
use ringfort_facts::control_group;
use ringfort_facts::manifest::{self, Document};
use ringfort_model::machine::{ComponentFacts, Observed, ProcessFacts, Unseen, Variables};

use super::door::Door;
use super::{MOST_BELOW, MOST_BYTES, list, redact};
use crate::root::Root;

/// Programs that are looked for.
pub(super) const COMPONENTS: [&str; 12] = [
    "antrea-agent",
    "calico-node",
    "cilium-agent",
    "containerd",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-router",
    "kube-scheduler",
    "kubelet",
    RINGFORT,
];
/// The program that enforces network policies on machines that ringfort made, among other things.
const RINGFORT: &str = "ringfort";
/// What it enforces by, and what it connects pods by.
const OWN: [&str; 2] = ["/etc/kubernetes/network-policy.json", "/etc/kubernetes/routes.json"];
/// Where the runtime finds how pods are connected.
const NETWORKS: &str = "/etc/cni/net.d";

/// Flags that name configuration files: those of a component, and those that its judges read.
const CONFIGURATIONS: [(Component, &[&str]); 5] = [
    (
        Component::ApiServer,
        &[
            "admission-control-config-file",
            "audit-policy-file",
            "authentication-config",
            "authorization-config",
            ENCRYPTION,
        ],
    ),
    (Component::Scheduler, &["config"]),
    (Component::Proxy, &["config"]),
    (Component::Kubelet, &["config"]),
    (Component::Etcd, &["config-file"]),
];
const ENCRYPTION: &str = "encryption-provider-config";
/// The kubelet's flag for drop-ins.
const DROP_INS: &str = "config-dir";
/// Where static pods are told of.
const MANIFESTS: &str = "/etc/kubernetes/manifests";

/// A process of a component, and where `/proc` tells of it.
struct Running {
    directory: PathBuf,
    facts: ProcessFacts,
}

/// Takes the facts of all components, and names the files of the machine that they name.
pub(super) fn all(
    root: &Root,
    machine: &Door,
) -> (BTreeMap<String, ComponentFacts>, BTreeSet<String>) {
    let (mut running, hidden) = processes(root);
    let mut named = BTreeSet::new();
    let component = |program: &&str| {
        let found = running.remove(*program).unwrap_or_default();
        let facts = Taken::of(program, &found, machine, &mut named).facts(&found, &hidden);
        ((*program).to_owned(), facts)
    };
    (COMPONENTS.iter().map(component).collect(), named)
}

/// Finds the processes of components, and says why there may be others.
fn processes(root: &Root) -> (BTreeMap<String, Vec<Running>>, Option<Unseen>) {
    let own = root.own("proc");
    let gap = |at: &Path, why: &io::Error| Unseen {
        at: shown(root, at),
        why: why.to_string(),
        closes: "run it as root, on the machine itself".to_owned(),
    };
    let mut running: BTreeMap<String, Vec<Running>> = BTreeMap::new();
    let entries = match fs::read_dir(&own) {
        Ok(entries) => entries,
        Err(error) => return (running, Some(gap(&own, &error))),
    };
    // Where the first process does not show, the kernel hides those of others.
    let first = own.join("1");
    let mut hidden = fs::metadata(&first).err().map(|error| gap(&first, &error));
    for entry in entries {
        let directory = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                hidden.get_or_insert_with(|| gap(&own, &error));
                continue;
            }
        };
        let name = directory.file_name().unwrap_or_default().as_encoded_bytes();
        if !name.iter().all(u8::is_ascii_digit) {
            continue;
        }
        match words(&directory.join("cmdline")) {
            Ok(words) => {
                let program = words.first().and_then(|word| word.rsplit('/').next());
                let known = program.filter(|it| COMPONENTS.contains(it)).map(str::to_owned);
                let Some(program) = known else { continue };
                let mut facts = process(&directory, words);
                if program == RINGFORT {
                    identify(&directory, &mut facts);
                }
                running.entry(program).or_default().push(Running { directory, facts });
            }
            Err(error) if is_gone(&error) => {}
            Err(error) => {
                hidden.get_or_insert_with(|| gap(&directory, &error));
            }
        }
    }
    running.values_mut().for_each(|all| all.sort_by(|a, b| a.directory.cmp(&b.directory)));
    (running, hidden)
}

fn shown(root: &Root, path: &Path) -> String {
    format!("/{}", path.strip_prefix(root.path()).unwrap_or(path).display())
}

/// Whether a process has ended meanwhile.
fn is_gone(error: &io::Error) -> bool {
    let is_dead = error.raw_os_error() == Some(Errno::SRCH.raw_os_error());
    is_dead || error.kind() == io::ErrorKind::NotFound
}

/// Reads words that end with zeros.
fn words(path: &Path) -> io::Result<Vec<String>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("larger than {MOST_BYTES} bytes")));
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.strip_suffix('\0').unwrap_or(&text).split('\0').map(str::to_owned).collect())
}

fn process(directory: &Path, words: Vec<String>) -> ProcessFacts {
    let environment = self::words(&directory.join("environ")).map(|pairs| {
        let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
        Variables(pairs.map(|(name, value)| redact::variable(name, value)).collect())
    });
    let user = fs::read_to_string(directory.join("status")).and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let user = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        user.ok_or_else(|| io::Error::other("it names no user"))
    });
    ProcessFacts {
        arguments: Observed::Known(redact::arguments(words)),
        environment: seen(&directory.join("environ"), environment),
        user: seen(&directory.join("status"), user),
        in_pod: None,
        executable: None,
    }
}

/// Tells of a process of ringfort what it cannot choose itself, as it can its words: whether it is in a pod, and which
/// file it runs.
fn identify(directory: &Path, facts: &mut ProcessFacts) {
    let (groups, executable) = (directory.join("cgroup"), directory.join("exe"));
    let in_pod = fs::read_to_string(&groups).map(|text| control_group::is_in_pod(&text));
    facts.in_pod = Some(seen(&groups, in_pod));
    let file = fs::read_link(&executable).map(|path| path.to_string_lossy().into_owned());
    facts.executable = Some(seen(&executable, file));
}

fn seen<T>(at: &Path, read: io::Result<T>) -> Observed<T> {
    match read {
        Ok(value) => Observed::Known(value),
        Err(error) => Observed::Gap(Unseen {
            at: at.display().to_string(),
            why: error.to_string(),
            closes: "run it as root, with the right to trace processes".to_owned(),
        }),
    }
}

/// What the processes of a component name.
#[derive(Default)]
struct Taken {
    release: Option<Observed<String>>,
    texts: BTreeMap<String, Observed<String>>,
    below: BTreeMap<String, Observed<Vec<String>>>,
    places: BTreeMap<String, Observed<String>>,
}

impl Taken {
    fn of(
        program: &str,
        running: &[Running],
        machine: &Door,
        named: &mut BTreeSet<String>,
    ) -> Self {
        let mut taken = Self::default();
        match program {
            RINGFORT => {
                for path in OWN {
                    let read = document(machine, path, redact::configuration);
                    taken.texts.insert(path.to_owned(), read);
                }
            }
            "containerd" => taken.networks(machine),
            _ => {}
        }
        let component = Component::ALL.into_iter().find(|it| it.program() == program);
        let Some(component) = component else { return taken };
        taken.release = Some(release(program, machine));
        for process in running {
            let Observed::Known(words) = &process.facts.arguments else { continue };
            let view = Door::process(&process.directory);
            let mut paths = absolute(words);
            taken.configurations(component, words, &view, &mut paths);
            for path in paths {
                let place = place(&view, machine, &path);
                if let Observed::Known(on_machine) = &place {
                    named.insert(on_machine.clone());
                }
                taken.places.insert(path, place);
            }
        }
        taken
    }

    fn configurations(
        &mut self,
        component: Component,
        words: &[String],
        view: &Door,
        paths: &mut BTreeSet<String>,
    ) {
        let line = CommandLine::of_process(component, words);
        let Ok(line) = line.known().map(|seen| &seen.value) else { return };
        let given = |name: &str| line.given(name).ok().flatten()?.last().cloned();
        let flags = CONFIGURATIONS.iter().filter(|(of, _)| *of == component);
        for name in flags.flat_map(|(_, names)| *names) {
            let Some(path) = given(name).filter(|path| path.starts_with('/')) else { continue };
            let read = match *name {
                ENCRYPTION => document(view, &path, |it| redact::encryption(&it)),
                _ => document(view, &path, redact::configuration),
            };
            if let Observed::Known(text) = &read {
                paths.extend(inner_paths(text));
                if *name == "admission-control-config-file" {
                    self.beside(view, &path, text);
                }
            }
            self.texts.insert(path, read);
        }
        let directory = given(DROP_INS).filter(|_| component == Component::Kubelet);
        if let Some(directory) = directory.filter(|path| path.starts_with('/')) {
            self.drop_ins(view, directory.trim_end_matches('/'), &directory);
        }
    }

    /// Reads how pods are connected; the runtime takes the first of the files.
    fn networks(&mut self, machine: &Door) {
        let listed = list(machine, NETWORKS);
        if let Observed::Known(names) = &listed {
            for name in names {
                let path = format!("{NETWORKS}/{name}");
                if matches!(machine.is_directory(&path), Observed::Known(false)) {
                    let read = document(machine, &path, redact::configuration);
                    self.texts.insert(path, read);
                }
            }
        }
        self.below.insert(NETWORKS.to_owned(), listed);
    }

    /// Reads the configurations that an admission configuration names.
    fn beside(&mut self, view: &Door, own: &str, text: &str) {
        let Ok(whole) = serde_json::from_str::<Value>(text) else { return };
        let plugins = whole["plugins"].as_array().into_iter().flatten();
        for path in plugins.filter_map(|plugin| plugin["path"].as_str()).filter(|it| !it.is_empty())
        {
            let path = match (path.starts_with('/'), own.rsplit_once('/')) {
                (false, Some((directory, _))) => format!("{directory}/{path}"),
                _ => path.to_owned(),
            };
            let read = document(view, &path, redact::configuration);
            self.texts.insert(path, read);
        }
    }

    fn drop_ins(&mut self, view: &Door, directory: &str, named: &str) {
        let listed = list(view, directory);
        if let Observed::Known(names) = &listed {
            for name in names.iter().filter(|name| name.ends_with(".conf")).take(MOST_BELOW) {
                let path = format!("{directory}/{name}");
                let read = document(view, &path, redact::configuration);
                self.texts.insert(path, read);
            }
        }
        self.below.insert(named.to_owned(), listed);
    }

    fn facts(self, running: &[Running], hidden: &Option<Unseen>) -> ComponentFacts {
        let processes = match (running, hidden) {
            // One that is seen may not be all, and is all the same judged.
            ([], Some(unseen)) => Observed::Gap(unseen.clone()),
            ([], None) => Observed::Absent,
            (all, _) => Observed::Known(all.iter().map(|it| it.facts.clone()).collect()),
        };
        ComponentFacts {
            processes,
            release: self.release.unwrap_or(Observed::Absent),
            texts: self.texts,
            below: self.below,
            places: self.places,
        }
    }
}

/// Names the absolute paths that arguments name, between `=` and commas.
fn absolute(words: &[String]) -> BTreeSet<String> {
    let values = words.iter().skip(1).map(|word| match word.split_once('=') {
        Some((name, value)) if name.starts_with('-') => value,
        _ => word.as_str(),
    });
    let paths = values.flat_map(|value| value.split(',')).filter(|path| is_path(path));
    paths.map(str::to_owned).collect()
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.len() > 1 && text.len() < 4096
}

/// Names the absolute paths in a configuration.
fn inner_paths(text: &str) -> BTreeSet<String> {
    fn walk(value: &Value, paths: &mut BTreeSet<String>) {
        match value {
            Value::String(text) if is_path(text) && !text.contains(char::is_whitespace) => {
                paths.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, paths)),
            Value::Object(fields) => fields.values().for_each(|value| walk(value, paths)),
            _ => {}
        }
    }
    let mut paths = BTreeSet::new();
    if let Ok(value) = serde_json::from_str(text) {
        walk(&value, &mut paths);
    }
    paths
}

/// Reads the one document of a file and gives of it what may be told.
fn document(view: &Door, path: &str, keep: impl FnOnce(Value) -> Value) -> Observed<String> {
    let gap = |why: String| {
        let closes = format!("one document at {path} that can be read");
        Observed::Gap(Unseen { at: path.to_owned(), why, closes })
    };
    let text = match view.text(path) {
        Observed::Known(text) => text,
        other => return other,
    };
    // What a parser complains of may be a part of a secret.
    let Ok(mut documents) = manifest::read(&text) else { return gap("no YAML".to_owned()) };
    match (documents.pop().map(Document::into_value), documents.is_empty()) {
        (Some(value), true) => Observed::Known(keep(value).to_string()),
        _ => gap("not one document".to_owned()),
    }
}

/// Finds where on the machine a file lies that a process names.
fn place(view: &Door, machine: &Door, path: &str) -> Observed<String> {
    match (view.place(path), machine.place(path)) {
        (Observed::Known(own), Observed::Known(there)) if own == there => {
            Observed::Known(path.to_owned())
        }
        (Observed::Known(_), _) => Observed::Gap(Unseen {
            at: path.to_owned(),
            why: "the process sees another file there than the machine does".to_owned(),
            closes: "a volume that is mounted at the path that it has on the machine".to_owned(),
        }),
        (Observed::Absent, _) => Observed::Absent,
        (Observed::Gap(unseen), _) => Observed::Gap(unseen),
    }
}

/// Reads the release of a component from the image of its static pod.
fn release(program: &str, machine: &Door) -> Observed<String> {
    let names = match machine.names(MANIFESTS, MOST_BELOW) {
        Observed::Known(names) => names,
        Observed::Absent => return Observed::Absent,
        Observed::Gap(unseen) => return Observed::Gap(unseen),
    };
    let mut found = Observed::Absent;
    for name in names {
        let path = format!("{MANIFESTS}/{name}");
        let text = match machine.text(&path) {
            Observed::Known(text) => text,
            Observed::Absent => continue,
            Observed::Gap(unseen) => return Observed::Gap(unseen),
        };
        let documents = manifest::read(&text).unwrap_or_default();
        let release = documents.iter().find_map(|it| of_image(it.value(), program));
        if let Some(release) = release {
            found = Observed::Known(release);
        }
    }
    found
}

fn of_image(pod: &Value, program: &str) -> Option<String> {
    let containers = pod.pointer("/spec/containers")?.as_array()?;
    let own = containers.iter().find(|it| it["name"] == program)?;
    let image = own["image"].as_str()?;
    let (_, tag) = image.split('@').next()?.rsplit('/').next()?.split_once(':')?;
    Some(tag.to_owned())
}
