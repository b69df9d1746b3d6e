//! kubeadm beside ringfort: the same version, machines, programs, images and network plugins; `init`,
//! then two control planes and three workers, all of whom join side by side.
//!
//! Where there was a choice it is in kubeadm's favour: its own program is on the machines before the
//! clock runs (ringfort carries its own within its time), joins do not wait for each other, the
//! checks before each command are off, and neither kube-proxy nor CoreDNS is installed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::lab::{Ground, Lab, READINESS, ready_seconds};
use crate::failure::{Failure, Result};
use crate::process;

/// How long kubeadm took, each from the start of its clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Took {
    /// Until every machine had the runtime, programs and images.
    pub(super) prepared: f64,
    /// Until `kubeadm init` had ended.
    pub(super) initialised: f64,
    /// Until the last `kubeadm join` had ended.
    pub(super) joined: f64,
    /// Until the last of six nodes was Ready.
    pub(super) ready: f64,
}

impl Took {
    /// As a part of the report.
    pub(super) fn json(&self) -> Value {
        let Self { prepared, initialised, joined, ready } = self;
        json!({
            "preparedSeconds": prepared,
            "initialisedSeconds": initialised,
            "joinedSeconds": joined,
            "readySeconds": ready,
        })
    }
}

/// One machine.
#[derive(Clone, Debug)]
struct Node {
    name: String,
    address: String,
    /// The files that it has in common with ringfort's machine of this name.
    common: Vec<(&'static str, String)>,
    /// Other machines' pod ranges and addresses.
    routes: String,
}

/// What both kinds of machines have word for word.
const COMMON: [&str; 3] = [
    "etc/cni/net.d/10-ringfort.conflist",
    "etc/containerd/config.toml",
    "etc/systemd/system/containerd.service",
];
/// The plugin by which a pod waits for ringfort's rules.
const ENFORCER: &str = "ringfort-policy";
/// Where the first control plane is reached by the others.
const FIRST: &str = "cp1";
/// Secrets of machines that live for minutes in a network of their own.
const TOKEN: &str = "abcdef.0123456789abcdef";
const CERTIFICATE_KEY: &str = "e6a2eb8581237ab72a4f494f30285ec12a9694d750b9785706a83bfcbbbd2204";
/// How long nodes may take to be Ready after the last join.
const PATIENCE: Duration = Duration::from_secs(180);

/// What is installed beside the control plane.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Addons {
    /// Nothing, to be quick.
    None,
    /// The objects of kube-proxy and CoreDNS, as everybody has them; their images are not there, so that no pod of
    /// theirs runs.
    Usual,
}

/// Boots fresh machines and makes a cluster of them.
pub(super) fn measure(ground: &Ground) -> Result<Took> {
    make(&Lab::boot(ground)?, Addons::None)
}

/// Makes a cluster of machines that have booted.
pub(super) fn make(lab: &Lab<'_>, addons: Addons) -> Result<Took> {
    let ground = lab.ground;
    let kubeadm = ground.program("kubeadm")?;
    let nodes = nodes(lab)?;
    let first = nodes.iter().find(|node| node.name == FIRST);
    let first = first.ok_or_else(|| Failure::stuck(format!("there is no machine {FIRST}")))?;
    let (version, images) = read_lock(&ground.bundle)?;
    side_by_side(&nodes, |node| {
        let mut program =
            File::open(&kubeadm).map_err(|source| Failure::at("read", &kubeadm, &source))?;
        lab.feed(&node.name, "install -m 755 /dev/stdin /usr/local/bin/kubeadm", &mut program)
    })?;
    let (began, clock) = (SystemTime::now(), Instant::now());
    side_by_side(&nodes, |node| {
        lab.feed(&node.name, "sh -eus", &mut prepare(node, &images).as_bytes())
    })?;
    let prepared = clock.elapsed().as_secs_f64();
    let init = "kubeadm init --upload-certs --config /dev/stdin";
    lab.feed(FIRST, init, &mut init_configuration(first, &version, addons).as_bytes())?;
    let initialised = clock.elapsed().as_secs_f64();
    let others: Vec<_> = nodes.iter().filter(|node| node.name != FIRST).cloned().collect();
    side_by_side(&others, |node| {
        let configuration = join_configuration(node, first);
        lab.feed(&node.name, "kubeadm join --config /dev/stdin", &mut configuration.as_bytes())
    })?;
    let joined = clock.elapsed().as_secs_f64();
    let ready = wait(lab, began, nodes.len())?;
    Ok(Took { prepared, initialised, joined, ready })
}

/// Reads the machines and their network from what ringfort would write on them.
fn nodes(lab: &Lab<'_>) -> Result<Vec<Node>> {
    let out = lab.ground.directory.join("blueprint");
    let mut render = Command::new(&lab.ground.ringfort);
    render.arg("render").arg("--file").arg(lab.spec()).arg("--bundle").arg(&lab.ground.bundle);
    process::capture(render.arg("--out").arg(&out))?;
    let directory = out.join("nodes");
    let listed =
        fs::read_dir(&directory).map_err(|source| Failure::at("read", &directory, &source))?;
    let mut nodes = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .map(|path| node(&path))
        .collect::<Result<Vec<_>>>()?;
    nodes.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(nodes)
}

fn node(directory: &Path) -> Result<Node> {
    let read = |path: &str| {
        let path = directory.join(path);
        fs::read_to_string(&path).map_err(|source| Failure::at("read", &path, &source))
    };
    let routes: Value = serde_json::from_str(&read("etc/kubernetes/routes.json")?)
        .map_err(|error| Failure::stuck(format!("routes.json is not JSON: {error}")))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let peers = routes["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let route = |peer: &Value| format!("{} {}", text(&peer["pods"]), text(&peer["address"]));
    Ok(Node {
        name: text(&routes["self"]["node"]),
        address: text(&routes["self"]["address"]),
        common: COMMON
            .iter()
            .map(|path| Ok((*path, without_enforcer(read(path)?)?)))
            .collect::<Result<_>>()?,
        routes: peers.iter().map(route).collect::<Vec<_>>().join("\n"),
    })
}

/// Leaves out of the network's configuration what enforces policies by ringfort; other files stay as they are.
fn without_enforcer(text: String) -> Result<String> {
    if !text.contains(ENFORCER) {
        return Ok(text);
    }
    let mut network: Value = serde_json::from_str(&text).map_err(|error| {
        Failure::stuck(format!("the network is not configured in JSON: {error}"))
    })?;
    if let Some(plugins) = network["plugins"].as_array_mut() {
        plugins.retain(|plugin| plugin["type"] != ENFORCER);
    }
    Ok(network.to_string())
}

/// The release of Kubernetes and the archive of each image, by the image's short name.
fn read_lock(bundle: &Path) -> Result<(String, BTreeMap<String, String>)> {
    let path = bundle.join("bundle.lock");
    let text = fs::read_to_string(&path).map_err(|source| Failure::at("read", &path, &source))?;
    let lock: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::stuck(format!("{} is not JSON: {error}", path.display())))?;
    let entries = lock["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let images = entries.iter().filter(|entry| entry["kind"] == "image").filter_map(|entry| {
        Some((entry["name"].as_str()?.to_owned(), entry["path"].as_str()?.to_owned()))
    });
    Ok((lock["kubernetes"].as_str().unwrap_or_default().to_owned(), images.collect()))
}

fn is_control_plane(node: &Node) -> bool {
    node.name.starts_with("cp")
}

fn prepare(node: &Node, images: &BTreeMap<String, String>) -> String {
    let wanted: &[&str] = if is_control_plane(node) {
        &["pause", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]
    } else {
        &["pause"]
    };
    let archives: Vec<_> =
        wanted.iter().filter_map(|name| images.get(*name)).map(String::as_str).collect();
    let files = node.common.iter().map(|(path, text)| {
        format!(
            "mkdir -p \"$(dirname /{path})\"\ncat >/{path} <<'END_OF_FILE'\n{text}\nEND_OF_FILE\n"
        )
    });
    format!(
        "{}images='{}'\nroutes='{}'\n{}",
        files.collect::<String>(),
        archives.join(" "),
        node.routes,
        include_str!("kubeadm/prepare.sh"),
    )
}

fn init_configuration(node: &Node, version: &str, addons: Addons) -> String {
    let Node { address, .. } = node;
    let skipped = if addons == Addons::None { "[addon]" } else { "[]" };
    let registration = registration(node);
    format!(
        "apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens: [{{ token: {TOKEN} }}]
certificateKey: {CERTIFICATE_KEY}
localAPIEndpoint: {{ advertiseAddress: {address} }}
skipPhases: {skipped}
{registration}---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v{version}
controlPlaneEndpoint: {address}:6443
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
"
    )
}

fn join_configuration(node: &Node, first: &Node) -> String {
    let (registration, endpoint) = (registration(node), &first.address);
    let mut text = format!(
        "apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken:
    apiServerEndpoint: {endpoint}:6443
    token: {TOKEN}
    unsafeSkipCAVerification: true
{registration}"
    );
    if is_control_plane(node) {
        text.push_str(&format!(
            "controlPlane:\n  certificateKey: {CERTIFICATE_KEY}\n  localAPIEndpoint: {{ advertiseAddress: {} }}\n",
            node.address
        ));
    }
    text
}

fn registration(node: &Node) -> String {
    let Node { name, address, .. } = node;
    format!(
        "nodeRegistration:
  name: {name}
  criSocket: unix:///run/containerd/containerd.sock
  imagePullPolicy: Never
  ignorePreflightErrors: [all]
  kubeletExtraArgs: [{{ name: node-ip, value: {address} }}]
patches: {{ directory: /etc/kubeadm/patches }}
"
    )
}

/// Waits until all nodes are Ready and says when the last one was.
fn wait(lab: &Lab<'_>, began: SystemTime, nodes: usize) -> Result<f64> {
    let begun = Instant::now();
    let look =
        format!("kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes -o '{READINESS}'");
    loop {
        let found = lab.on(FIRST, &look).and_then(|printed| ready_seconds(began, &printed, nodes));
        match found {
            Ok(seconds) => return Ok(seconds),
            Err(failure) if begun.elapsed() > PATIENCE => return Err(failure),
            Err(_) => thread::sleep(Duration::from_millis(500)),
        }
    }
}

fn side_by_side(nodes: &[Node], act: impl Fn(&Node) -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let running: Vec<_> = nodes.iter().map(|node| scope.spawn(|| act(node))).collect();
        let ended: Vec<_> = running.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ended
            .into_iter()
            .try_for_each(|end| end.unwrap_or_else(|_| Err(Failure::stuck("a thread fell over"))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> Node {
        Node {
            name: name.to_owned(),
            address: "10.0.0.9".to_owned(),
            common: vec![("etc/a/b.conf", "it's\n".to_owned())],
            routes: "10.1.0.0/24 10.0.0.8\n10.1.1.0/24 10.0.0.7".to_owned(),
        }
    }

    #[test]
    fn only_control_planes_get_the_images_of_control_planes() {
        let images = [("pause", "i/p"), ("etcd", "i/e")];
        let images = images.map(|(name, path)| (name.to_owned(), path.to_owned())).into();
        assert!(prepare(&node("cp1"), &images).contains("images='i/p i/e'\n"));
        assert!(prepare(&node("w1"), &images).contains("images='i/p'\n"));
    }

    #[test]
    fn nobody_else_gets_the_plugin_of_the_enforcer() {
        let network = r#"{"name":"a","plugins":[{"type":"bridge"},{"type":"ringfort-policy"}]}"#;
        let left = without_enforcer(network.to_owned()).unwrap();
        assert_eq!(left, r#"{"name":"a","plugins":[{"type":"bridge"}]}"#);
        assert_eq!(without_enforcer("a = 1".to_owned()).unwrap(), "a = 1");
    }

    #[test]
    fn only_control_planes_join_as_such() {
        let join = |name: &str| join_configuration(&node(name), &node("cp1"));
        assert!(join("cp2").contains("\ncontrolPlane:\n"));
        assert!(!join("w1").contains("controlPlane"));
    }
}
