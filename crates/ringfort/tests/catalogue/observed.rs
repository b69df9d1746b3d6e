//! A blueprint as if it had been converged and looked at: facts of its machines and what the API then lists.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_check::admission::{Admitting, KINDS};
use ringfort_check::benchmark::Tally;
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::manifest;
use ringfort_model::blueprint::{Blueprint, Machine};
use ringfort_model::certificate::{CertSeen, Subject};
use ringfort_model::content::Content;
use ringfort_model::digest::Digest;
use ringfort_model::item::{ItemId, What};
use ringfort_model::machine::{
    Accounts, ComponentFacts, FACTS_API_VERSION, FACTS_KIND, FileFacts, FileKind, MachineFacts,
    Observed, ProcessFacts, Variables,
};
use ringfort_model::mode::{FileMode, Owner};
use ringfort_node::gather::TREES;
use serde_json::{Value, json};

const ROOT: Owner = Owner { uid: 0, gid: 0 };
/// Programs that run from units, with what `ringfort gather` calls them.
const UNITS: [(&str, &str); 10] = [
    ("containerd", "containerd"),
    ("kube-proxy", "kube-proxy"),
    ("kubelet", "kubelet"),
    ("ringfort-balance", "ringfort"),
    ("ringfort-collect", "ringfort"),
    ("ringfort-integrity", "ringfort"),
    ("ringfort-policy", "ringfort"),
    ("ringfort-report", "ringfort"),
    ("ringfort-routes", "ringfort"),
    ("ringfort-witness", "ringfort"),
];
/// Kernel settings that `ringfort gather` asks for, as a kernel has them that nobody set.
const KERNEL: [(&str, &str); 6] = [
    ("kernel.keys.root_maxbytes", "25000000"),
    ("kernel.keys.root_maxkeys", "1000000"),
    ("kernel.panic", "0"),
    ("kernel.panic_on_oops", "0"),
    ("vm.overcommit_memory", "0"),
    ("vm.panic_on_oom", "0"),
];
const STATIC_PODS: [&str; 4] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
const OTHERS: [&str; 4] = ["antrea-agent", "calico-node", "cilium-agent", "kube-router"];
/// Files that are looked at though nobody names them.
const LOOKED_FOR: [&str; 6] = [
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/super-admin.conf",
    "/etc/systemd/system/kubelet.service",
    "/lib/systemd/system/kubelet.service",
    "/run/systemd/system/kubelet.service",
    "/usr/lib/systemd/system/kubelet.service",
];
/// The encryption configuration is a secret; what `ringfort gather` tells of it is its providers.
const SEALED: &str = r#"{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
    "resources": [{"resources": ["*.*"], "providers": [{"secretbox": {}}]}]}"#;

/// Gives the facts of every machine.
pub(crate) fn machines(blueprint: &Blueprint) -> Vec<MachineFacts> {
    blueprint.machines.iter().map(|(name, machine)| facts(name.as_str(), machine)).collect()
}

fn facts(name: &str, machine: &Machine) -> MachineFacts {
    let mut files = files(machine);
    let mut components = BTreeMap::new();
    for pod in STATIC_PODS {
        components.insert(pod.to_owned(), static_pod(machine, pod));
    }
    let mut started: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
    for (unit, program) in UNITS {
        let path = format!("/etc/systemd/system/{unit}.service");
        let line = text(machine, &path).and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("ExecStart=")).map(str::to_owned)
        });
        let words = line.map(|line| line.split(' ').map(str::to_owned).collect());
        started.entry(program).or_default().extend::<Option<Vec<String>>>(words);
    }
    for (program, started) in started {
        components.insert(program.to_owned(), component(machine, started, 0));
    }
    for program in OTHERS {
        components.insert(program.to_owned(), component(machine, Vec::new(), 0));
    }
    let fixed = [
        ("ringfort", "/etc/kubernetes/network-policy.json"),
        ("ringfort", "/etc/kubernetes/routes.json"),
        ("containerd", "/etc/cni/net.d/10-ringfort.conflist"),
    ];
    for (program, path) in fixed {
        let read = document(machine, path).map_or(Observed::Absent, Observed::Known);
        components.get_mut(program).unwrap().texts.insert(path.to_owned(), read);
    }
    // etcd makes it when it starts, as the user that it runs as.
    if let Some(Observed::Known(above)) = files.get("/var/lib/etcd").cloned() {
        files.insert("/var/lib/etcd/data".to_owned(), Observed::Known(above));
    }
    let mut below: BTreeMap<_, _> =
        TREES.iter().map(|tree| ((*tree).to_owned(), listed(&files, tree))).collect();
    for path in LOOKED_FOR {
        files.entry(path.to_owned()).or_insert(Observed::Absent);
    }
    below.retain(|_, seen| !matches!(seen, Observed::Gap(_)));
    let certificates = certificates(machine);
    let keys = |seen: Observed<CertSeen>| seen.map(|it| BTreeSet::from([it.public_key]));
    MachineFacts {
        api_version: FACTS_API_VERSION.to_owned(),
        kind: FACTS_KIND.to_owned(),
        name: Observed::Known(name.to_owned()),
        components,
        public_keys: certificates
            .iter()
            .map(|(path, seen)| (path.clone(), keys(seen.clone())))
            .collect(),
        certificates,
        files,
        below,
        kernel: kernel(machine),
        accounts: Observed::Known(accounts(machine)),
        audit: None,
    }
}

fn kernel(machine: &Machine) -> BTreeMap<String, Observed<String>> {
    let mut kernel: BTreeMap<String, String> =
        KERNEL.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for (id, item) in &machine.items {
        if let (ItemId::Sysctl(name), What::Sysctl { value }) = (id, &item.what) {
            kernel.insert(name.clone(), value.clone());
        }
    }
    kernel.into_iter().map(|(name, value)| (name, Observed::Known(value))).collect()
}

fn text<'m>(machine: &'m Machine, path: &str) -> Option<&'m str> {
    match &machine.items.get(&ItemId::file(path))?.what {
        What::File { content: Content::Text(text), .. } => Some(text),
        _ => None,
    }
}

/// Reads a file as a component would: one document, as JSON.
fn document(machine: &Machine, path: &str) -> Option<String> {
    let item = machine.items.get(&ItemId::file(path))?;
    if matches!(&item.what, What::File { content: Content::Secret { .. }, .. }) {
        return Some(SEALED.to_owned());
    }
    let mut read = manifest::read(text(machine, path)?).ok()?;
    (read.len() == 1).then(|| read.remove(0).into_value().to_string())
}

fn static_pod(machine: &Machine, name: &str) -> ComponentFacts {
    let path = format!("/etc/kubernetes/manifests/{name}.yaml");
    let Some(pod) = document(machine, &path) else { return component(machine, Vec::new(), 0) };
    let pod: Value = serde_json::from_str(&pod).unwrap();
    let words = serde_json::from_value(pod["spec"]["containers"][0]["command"].clone()).unwrap();
    let user = pod["spec"]["securityContext"]["runAsUser"].as_u64().unwrap_or_default();
    component(machine, vec![words], u32::try_from(user).unwrap())
}

fn component(machine: &Machine, started: Vec<Vec<String>>, user: u32) -> ComponentFacts {
    let (mut texts, mut places) = (BTreeMap::new(), BTreeMap::new());
    let mut open: Vec<String> = started.iter().flatten().flat_map(|word| paths(word)).collect();
    while let Some(path) = open.pop() {
        let is_there = machine.items.contains_key(&ItemId::file(&path))
            || machine.items.contains_key(&ItemId::directory(&path))
            || path == "/var/lib/etcd/data";
        let place = if is_there { Observed::Known(path.clone()) } else { Observed::Absent };
        if places.insert(path.clone(), place).is_some() {
            continue;
        }
        match document(machine, &path) {
            Some(text) => {
                let value: Value = serde_json::from_str(&text).unwrap();
                inner(&value, &mut open);
                texts.insert(path, Observed::Known(text));
            }
            None => {
                texts.insert(path, Observed::Absent);
            }
        }
    }
    let process = |words: Vec<String>| ProcessFacts {
        arguments: Observed::Known(words),
        environment: Observed::Known(Variables::default()),
        user: Observed::Known(user),
        in_pod: None,
        executable: None,
    };
    ComponentFacts {
        processes: match started.is_empty() {
            true => Observed::Absent,
            false => Observed::Known(started.into_iter().map(process).collect()),
        },
        release: Observed::Absent,
        texts,
        below: BTreeMap::new(),
        places,
    }
}

fn paths(word: &str) -> Vec<String> {
    let value = word.split_once('=').map_or(word, |(_, value)| value);
    value.split(',').filter(|path| path.starts_with('/')).map(str::to_owned).collect()
}

fn inner(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.extend(paths(text)),
        Value::Array(items) => items.iter().for_each(|item| inner(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| inner(field, found)),
        _ => {}
    }
}

fn files(machine: &Machine) -> BTreeMap<String, Observed<FileFacts>> {
    let seen =
        |kind, mode, owner| Observed::Known(FileFacts { kind, mode, owner, acl: Observed::Absent });
    let mut files = BTreeMap::new();
    for (id, item) in &machine.items {
        match (id, &item.what) {
            (ItemId::File(path), What::File { mode, owner, .. }) => {
                files.insert(path.clone(), seen(FileKind::File, *mode, *owner));
            }
            (ItemId::Directory(path), What::Directory { mode, owner }) => {
                files.insert(path.clone(), seen(FileKind::Directory, *mode, *owner));
            }
            _ => {}
        }
    }
    let all: Vec<String> = files.keys().cloned().chain(LOOKED_FOR.map(str::to_owned)).collect();
    for path in &all {
        for (at, _) in path.match_indices('/') {
            let above = if at == 0 { "/" } else { &path[..at] };
            let made = || seen(FileKind::Directory, FileMode(0o755), ROOT);
            files.entry(above.to_owned()).or_insert_with(made);
        }
    }
    files
}

fn listed(files: &BTreeMap<String, Observed<FileFacts>>, tree: &str) -> Observed<Vec<String>> {
    let begin = format!("{tree}/");
    let inner = files.keys().filter_map(|path| path.strip_prefix(&begin)).map(str::to_owned);
    match files.contains_key(tree) {
        true => Observed::Known(inner.collect()),
        false => Observed::Absent,
    }
}

fn certificates(machine: &Machine) -> BTreeMap<String, Observed<CertSeen>> {
    let seen = |subject: Subject, key: &str| {
        Observed::Known(CertSeen {
            authority_key_id: String::new(),
            subject,
            usages: BTreeSet::new(),
            names: BTreeSet::new(),
            public_key: Digest::of(key.as_bytes()),
            key_kind: String::new(),
            not_before: 0,
            not_after: 1,
        })
    };
    let mut found = BTreeMap::new();
    for (id, item) in &machine.items {
        let (ItemId::File(path), What::File { content, .. }) = (id, &item.what) else { continue };
        let certificate = match content {
            Content::Issued(request) => seen(request.subject.clone(), path),
            Content::Text(text) if path.ends_with(".crt") => {
                let nobody = Subject { common_name: String::new(), organizations: BTreeSet::new() };
                seen(nobody, text)
            }
            _ => continue,
        };
        found.insert(path.clone(), certificate);
    }
    found
}

fn accounts(machine: &Machine) -> Accounts {
    let mut accounts = Accounts::default();
    accounts.users.insert(0, "root".to_owned());
    accounts.groups.insert(0, "root".to_owned());
    for (id, item) in &machine.items {
        if let (ItemId::User(name), What::User { owner }) = (id, &item.what) {
            accounts.users.insert(owner.uid, name.clone());
            accounts.groups.insert(owner.gid, name.clone());
        }
    }
    accounts
}

/// Gives what the API lists: what the blueprint applies, and the namespaces that are always there.
pub(crate) fn objects(blueprint: &Blueprint) -> Vec<Value> {
    let namespace =
        |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let applied = blueprint.objects.iter().map(|object| object.object.clone());
    applied.chain(["default", "kube-public", "kube-system"].map(namespace)).collect()
}

/// Counts them.
pub(crate) fn tally(documents: &[Value]) -> Tally {
    let mut all = Objects::new(World::Closed, None);
    for (document, object) in documents.iter().enumerate() {
        all.add(Origin { file: 0, document }, object);
    }
    let is_one = |it: &&Value| KINDS.iter().any(|(_, kind)| it["kind"] == *kind);
    let objects = documents.iter().filter(is_one).cloned().collect();
    Tally::of(&all, &Admitting { objects, unlisted: Vec::new() })
}
