//! Machines as other libraries see them, as facts: static pods, files with modes and owners, kubelets.
//!
//! What they do not tell is not made up, but for what they take for granted: a kubelet that reads static pods
//! where kubeadm has it, and directories that only root writes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfort_facts::manifest;
use ringfort_model::machine::MachineFacts;
use serde_json::{Value, json};

use crate::machine::file;

const PROGRAMS: [&str; 6] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "etcd",
];

/// Where their facts of a control plane keep each component.
const OF_PLANE: [(&str, &str); 3] = [
    ("APIServerInfo", "kube-apiserver"),
    ("controllerManagerInfo", "kube-controller-manager"),
    ("schedulerInfo", "kube-scheduler"),
];

/// Networks by the names that they give them, each with its plugin and its program.
const NETWORKS: [(&str, &str, &str); 4] = [
    ("Calico", "calico", "calico-node"),
    ("Cilium", "cilium-cni", "cilium-agent"),
    ("Flannel", "flannel", "flanneld"),
    ("aws", "aws-cni", "aws-k8s-agent"),
];

/// Programs that enforce network policies.
const ENFORCERS: [&str; 5] =
    ["antrea-agent", "calico-node", "cilium-agent", "kube-router", "ringfort"];

#[derive(Default)]
struct Machine {
    components: BTreeMap<String, Value>,
    files: BTreeMap<String, Value>,
    plugins: Vec<String>,
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
}

/// Gives the machines that documents tell of. What is there twice is of another machine.
pub(super) fn machines(documents: &[Value]) -> Vec<MachineFacts> {
    let mut all: Vec<Machine> = Vec::new();
    for document in documents {
        let one = Machine::of(document);
        let is_free = |it: &&mut Machine| {
            one.components.keys().all(|name| !it.components.contains_key(name))
                && one.files.keys().all(|path| !it.files.contains_key(path))
        };
        match all.iter_mut().find(is_free) {
            Some(machine) => machine.take(one),
            None => all.push(one),
        }
    }
    all.into_iter().map(Machine::facts).collect()
}

fn known(value: impl Into<Value>) -> Value {
    json!({ "known": value.into() })
}

impl Machine {
    fn of(document: &Value) -> Self {
        let mut machine = Self::default();
        let data = &document["data"];
        match document["kind"].as_str() {
            Some("Pod") => machine.add_pod(document),
            Some("ConfigMap") => machine.add_proxy(data),
            Some("KubeletInfo") => machine.add_kubelet(data),
            Some("ControlPlaneInfo") => {
                for (key, program) in OF_PLANE {
                    machine.add_component(program, &data[key]);
                }
                if let Some(path) = data["etcdDataDir"]["path"].as_str() {
                    machine.run("etcd", &["etcd".to_owned(), format!("--data-dir={path}")], &[]);
                }
            }
            Some("CNIInfo") => {
                let files = data["CNIConfigFiles"].as_array().into_iter().flatten();
                let names =
                    files.filter_map(|it| it["path"].as_str()?.strip_prefix("/etc/cni/net.d/"));
                machine.plugins = names.map(str::to_owned).collect();
                machine.add_network(data);
            }
            _ => {}
        }
        machine.add_files(data);
        machine
    }

    fn take(&mut self, other: Self) {
        self.components.extend(other.components);
        self.files.extend(other.files);
        self.plugins.extend(other.plugins);
        self.users.extend(other.users);
        self.groups.extend(other.groups);
    }

    fn add_pod(&mut self, pod: &Value) {
        let container = &pod["spec"]["containers"][0];
        let lists = ["command", "args"].map(|key| container[key].as_array());
        let words: Vec<String> = lists
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect();
        let program = words.first().and_then(|it| it.rsplit('/').next()).unwrap_or_default();
        if PROGRAMS.contains(&program) {
            self.run(program, &words, &[]);
        }
    }

    fn add_component(&mut self, program: &str, info: &Value) {
        let Some(line) = info["cmdLine"].as_str() else { return };
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let texts: Vec<_> = ["encryptionProviderConfigFile", "auditPolicyFile"]
            .iter()
            .filter_map(|key| text(&info[*key], info[*key]["path"].as_str()?))
            .collect();
        self.run(program, &words, &texts);
    }

    fn add_kubelet(&mut self, data: &Value) {
        let Some(line) = data["cmdLine"].as_str() else { return };
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        // What is told of a kubelet is a kubelet's, also where its name is left out.
        if words.first().is_some_and(|it| it.starts_with('-')) {
            words.insert(0, "kubelet".to_owned());
        }
        // Of a flag that stands twice the last one counts, and of its file they tell.
        let named = words.iter().rev().find_map(|word| word.strip_prefix("--config="));
        let config = named.and_then(|path| text(&data["configFile"], path));
        let texts: Vec<_> =
            config.into_iter().map(|(path, text)| (path, as_kubelet(&text))).collect();
        // An authority of which there is a file is one that the kubelet was told of.
        if let Some(path) = data["clientCAFile"]["path"].as_str() {
            words.push(format!("--client-ca-file={path}"));
        }
        self.run("kubelet", &words, &texts);
        // They keep the kubeconfig's mode and owner under another path than the kubelet's flag names.
        let named = words.iter().find_map(|word| word.strip_prefix("--kubeconfig="));
        if let (Some(path), true) = (named, data["kubeConfigFile"].is_object()) {
            let mut moved = data["kubeConfigFile"].clone();
            moved["path"] = path.into();
            self.add_files(&moved);
        }
    }

    fn add_proxy(&mut self, data: &Value) {
        let Some(config) = data["config.conf"].as_str() else { return };
        let path = "/var/lib/kube-proxy/config.conf";
        let words = ["kube-proxy".to_owned(), format!("--config={path}")];
        self.run("kube-proxy", &words, &[(path.to_owned(), as_json(config))]);
    }

    /// Takes the networks that are in use, where they are told by name: as the plugin that the runtime calls, and
    /// the program beside it.
    fn add_network(&mut self, data: &Value) {
        let Some(names) = data["CNINames"].as_array() else { return };
        let used = NETWORKS.iter().filter(|(name, ..)| names.iter().any(|it| it == name));
        let plugins: Vec<Value> = used.clone().map(|(_, kind, _)| json!({"type": kind})).collect();
        let path = "/etc/cni/net.d/10-network.conflist".to_owned();
        let text = json!({"plugins": plugins}).to_string();
        self.plugins.push("10-network.conflist".to_owned());
        self.run("containerd", &["containerd".to_owned()], &[(path, text)]);
        for program in ENFORCERS {
            let is_used = used.clone().any(|(.., used)| *used == program);
            self.run(program, &[program.to_owned()], &[]);
            if !is_used {
                self.components.get_mut(program).unwrap()["processes"] = known(json!([]));
            }
        }
    }

    fn run(&mut self, program: &str, words: &[String], texts: &[(String, String)]) {
        let process = json!({
            "arguments": known(words), "environment": known(json!({})), "user": known(0)
        });
        let values = words.iter().map(|word| word.split_once('=').map_or(word.as_str(), |it| it.1));
        let places: BTreeMap<&str, Value> =
            values.filter(|it| it.starts_with('/')).map(|it| (it, known(it))).collect();
        let texts: BTreeMap<&str, Value> =
            texts.iter().map(|(path, text)| (path.as_str(), known(text.as_str()))).collect();
        self.components.insert(
            program.to_owned(),
            json!({
                "processes": known(json!([process])), "release": "absent", "texts": texts,
                "below": {}, "places": places,
            }),
        );
    }

    /// Takes every file of which a path, a mode and an owner are told.
    fn add_files(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|it| self.add_files(it)),
            Value::Object(fields) => {
                if let (Some(path), Some(mode)) =
                    (value["path"].as_str(), value["permissions"].as_u64())
                {
                    let owner = &value["ownership"];
                    let uid = number(&mut self.users, &owner["username"], &owner["uid"]);
                    let gid = number(&mut self.groups, &owner["groupname"], &owner["gid"]);
                    let kind = if path.ends_with("/etcd") { "directory" } else { "file" };
                    let mode = u32::try_from(mode).unwrap();
                    self.files.insert(path.to_owned(), file(kind, mode, uid, gid));
                }
                fields.values().for_each(|it| self.add_files(it));
            }
            _ => {}
        }
    }

    fn facts(mut self) -> MachineFacts {
        if !self.components.contains_key("kubelet") {
            let path = "/var/lib/kubelet/config.yaml";
            let config = json!({
                "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
                "staticPodPath": "/etc/kubernetes/manifests",
            });
            let words = ["kubelet".to_owned(), format!("--config={path}")];
            self.run("kubelet", &words, &[(path.to_owned(), config.to_string())]);
        }
        let paths: Vec<String> = self.files.keys().cloned().collect();
        for path in &paths {
            let ways =
                path.match_indices('/').map(|(at, _)| if at == 0 { "/" } else { &path[..at] });
            for way in ways {
                self.files.entry(way.to_owned()).or_insert_with(|| file("directory", 0o755, 0, 0));
            }
        }
        let names = |of: &BTreeMap<String, u32>| -> BTreeMap<String, String> {
            let root = [("0".to_owned(), "root".to_owned())];
            root.into_iter()
                .chain(of.iter().map(|(name, id)| (id.to_string(), name.clone())))
                .collect()
        };
        let below = match self.plugins.is_empty() {
            true => json!({}),
            false => json!({"/etc/cni/net.d": known(self.plugins.clone())}),
        };
        let facts = json!({
            "apiVersion": "facts.ringfort.dev/v1", "kind": "MachineFacts", "name": known("theirs"),
            "components": self.components, "files": self.files, "below": below,
            "certificates": {}, "kernel": {},
            "accounts": known(json!({"users": names(&self.users), "groups": names(&self.groups)})),
        });
        MachineFacts::read(&facts.to_string()).unwrap()
    }
}

/// The number of an account: theirs may give one number to several names.
fn number(known: &mut BTreeMap<String, u32>, name: &Value, id: &Value) -> u32 {
    match name.as_str() {
        Some("root") => 0,
        Some(name) if !name.is_empty() => {
            let next = 1000 + u32::try_from(known.len()).unwrap();
            *known.entry(name.to_owned()).or_insert(next)
        }
        _ => u32::try_from(id.as_u64().unwrap_or_default()).unwrap(),
    }
}

fn text(info: &Value, path: &str) -> Option<(String, String)> {
    let content = STANDARD.decode(info["content"].as_str()?).ok()?;
    Some((path.to_owned(), as_json(&String::from_utf8(content).ok()?)))
}

/// Theirs do not say of which kind they are, without which no kubelet starts.
fn as_kubelet(json: &str) -> String {
    let mut value: Value = serde_json::from_str(json).unwrap_or_default();
    if value.is_object() && value["kind"].is_null() {
        value["kind"] = "KubeletConfiguration".into();
    }
    value.to_string()
}

fn as_json(yaml: &str) -> String {
    let read = manifest::read(yaml).ok().and_then(|all| all.into_iter().next());
    read.map_or_else(String::new, |document| document.value().to_string())
}
