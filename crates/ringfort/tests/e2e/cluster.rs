//! One lab with one cluster, and the program under test.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use serde_json::Value;

use crate::MACHINES;
use crate::receiver::{HUB, Receiver};
use crate::running::Running;

/// What lab a cluster is on.
pub struct Ground {
    /// What the lab's name ends in.
    pub end: &'static str,
    /// What it is made with.
    pub options: &'static [&'static str],
    /// Those of its machines that the cluster is made of at first.
    pub machines: &'static [&'static str],
    /// Those that it is made without, to join later.
    pub spare: &'static [&'static str],
    /// The address of the lab's bridge, at which those listen who are told what is found.
    pub hub: IpAddr,
}

/// What nearly all cases are on.
pub const USUAL: Ground = Ground {
    end: "",
    options: &["--control-planes", "4", "--workers", "4"],
    machines: MACHINES,
    spare: &["cp4", "w4"],
    hub: IpAddr::V4(HUB),
};

/// One lab with one cluster.
pub struct Cluster {
    /// Where `cluster.yaml` and the operator's state lie.
    pub directory: PathBuf,
    ground: &'static Ground,
    lab: String,
    bundle: PathBuf,
    /// What was on the machines before ringfort was.
    bare: BTreeMap<String, BTreeSet<String>>,
    /// Who is told what is found.
    pub receiver: Receiver,
    receiving: Mutex<Option<Running>>,
    /// Why the case that runs could not look.
    skipped: Mutex<Option<&'static str>>,
}

/// What a run of the program said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its events, if it was asked for JSON.
    pub events: Vec<Value>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Said {
    /// Gives the last event.
    pub fn end(&self) -> &Value {
        self.events.last().unwrap_or(&Value::Null)
    }

    /// Gives when each stage began.
    pub fn stages(&self) -> impl Iterator<Item = (&str, f64)> {
        let stages = self.events.iter().filter(|event| event["event"] == "stage");
        stages.filter_map(|stage| Some((stage["name"].as_str()?, stage["seconds"].as_f64()?)))
    }

    /// Gives what was changed, as `place item`.
    pub fn steps(&self) -> Vec<String> {
        let steps = self.events.iter().filter(|event| event["event"] == "step");
        steps
            .map(|step| {
                let place = step["node"].as_str().unwrap_or("api");
                format!("{place} {}", step["item"].as_str().unwrap_or_default())
            })
            .collect()
    }
}

const LIST: &str = "\
    find / /var/lib/containerd /var/lib/etcd /var/lib/kubelet -xdev \
        \\( -path /var/log -o -path /var/cache -o -path /var/lib/systemd -o -path /tmp -o -path /root \
           -o -path /var/lib/ringfort/bin \\) -prune -o \
        ! -path /var/lib -a ! -path /var/lib/ringfort -a ! -path / -a ! -path /run \
        -printf '%p %y %m %U %s %T@\\n'";

/// Every file with what is in it, but not what a system writes on its own: logs, caches, the times of
/// its timers, what it keeps of its lists of users as they were before a change. Programs and
/// libraries are told by size and time. What goes away between the listing and the reading has no digest. The
/// kernel's settings are those of a machine's own network: the others are one for all machines of a lab.
const CONTENT: &str = "\
    look() { find / /var/lib/containerd /var/lib/etcd /var/lib/kubelet -xdev \
        \\( -path /var/log -o -path /var/cache -o -path /var/lib/systemd -o -path /tmp \
           -o -path /var/tmp -o -path /run -o -path /root -o -path '/etc/*shadow-' \
           -o -path '/etc/sub?id-' -o -path /etc/passwd- -o -path /etc/group- \\) \
        -prune -o \"$@\"; }; \
    look ! -type d -path '/usr/*' -printf '%p %y %m %U %G %l %s %T@\\n'; \
    look ! -path '/usr/*' -printf '%p %y %m %U %G %l\\n'; \
    look -type f ! -path '/usr/*' -exec sh -c \
        'sha256sum \"$@\" 2>&1 | grep -v \"No such file\"; true' sh {} +; \
    grep -sH . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv[46]/conf/all/*; true";

const RINGFORT: &str = env!("CARGO_BIN_EXE_ringfort");

impl Cluster {
    /// Boots the machines, those that the cluster is made without as well.
    pub fn boot(ground: &'static Ground) -> Self {
        let bundle = std::env::var_os("RINGFORT_BUNDLE").expect("RINGFORT_BUNDLE names the bundle");
        // `cargo xtask test` takes down what bears a test's name and the number of a process that is
        // no more.
        let whose = if is_kept() { "kept" } else { "rf-test" };
        let lab = format!("{whose}-{}{}", std::process::id(), ground.end);
        let directory = std::env::temp_dir().join(format!("ringfort-{lab}"));
        std::fs::create_dir_all(&directory).unwrap();
        let bare = BTreeMap::new();
        let skipped = Mutex::new(None);
        let (receiver, told) = Receiver::prepare(&directory, ground.hub);
        let receiving = Mutex::new(None);
        let bundle = bundle.into();
        let mut cluster =
            Self { directory, ground, lab, bundle, bare, receiver, receiving, skipped };
        let start = Instant::now();
        let bundle = cluster.bundle.display().to_string();
        let up = ["up", &cluster.lab, "--store", &bundle];
        cluster.lab(&up.iter().chain(ground.options).copied().collect::<Vec<_>>());
        let (count, took) = (cluster.all_machines().count(), start.elapsed().as_secs_f64());
        println!("{count} machines booted in {took:.1} s");
        let spec = cluster.lab(&["hosts", &cluster.lab]).stdout;
        let is_spare = |line: &str| ground.spare.iter().any(|name| line.contains(&host_end(name)));
        let lines = spec.lines().filter(|line| !is_spare(line));
        let spec: String = lines.map(|line| format!("{line}\n")).collect();
        let spec = spec.replace("waivers:\n", &format!("{told}waivers:\n"));
        std::fs::write(cluster.spec(), spec).unwrap();
        cluster.start_receiving();
        cluster.bare = cluster.contents();
        cluster
    }

    /// Names the machines that the cluster is made of at first.
    pub fn machines(&self) -> &'static [&'static str] {
        self.ground.machines
    }

    fn all_machines(&self) -> impl Iterator<Item = &'static str> {
        self.ground.machines.iter().chain(self.ground.spare).copied()
    }

    /// Says that the case that runs could not look: it does not count as passed.
    pub fn skip(&self, why: &'static str) {
        *self.skipped.lock().unwrap() = Some(why);
    }

    /// Gives why the case before could not look, if it said so.
    pub fn skipped(&self) -> Option<&'static str> {
        self.skipped.lock().unwrap().take()
    }

    /// Lets those be there who are told what is found.
    pub fn start_receiving(&self) {
        *self.receiving.lock().unwrap() = Some(self.receiver.start(RINGFORT, &self.lab));
    }

    /// Lets them be away.
    pub fn stop_receiving(&self) {
        if let Some(receiving) = self.receiving.lock().unwrap().take() {
            receiving.kill();
        }
    }

    /// Puts other machines into the specification in the place of some.
    pub fn exchange(&self, pairs: &[(&str, &str)]) {
        let all = self.lab(&["hosts", &self.lab]).stdout;
        let line = |name: &str| {
            let found = all.lines().find(|line| line.contains(&host_end(name)));
            found.expect("the lab has the machine").to_owned()
        };
        let old = std::fs::read_to_string(self.spec()).unwrap();
        let exchanged =
            pairs.iter().fold(old, |text, (out, into)| text.replace(&line(out), &line(into)));
        std::fs::write(self.spec(), exchanged).unwrap();
    }

    /// Says what every machine of the lab has that it had not before ringfort came, and the reverse.
    pub fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        for (machine, files) in self.contents() {
            let bare = &self.bare[&machine];
            differences.extend(files.difference(bare).map(|line| format!("{machine} + {line}")));
            differences.extend(bare.difference(&files).map(|line| format!("{machine} - {line}")));
        }
        differences
    }

    fn contents(&self) -> BTreeMap<String, BTreeSet<String>> {
        let machines = self.all_machines();
        machines.map(|machine| (machine.to_owned(), self.lines(machine, CONTENT))).collect()
    }

    fn lines(&self, machine: &str, command: &str) -> BTreeSet<String> {
        self.on(machine, command).lines().map(str::to_owned).collect()
    }

    /// Gives the path of `cluster.yaml`.
    pub fn spec(&self) -> PathBuf {
        self.directory.join("cluster.yaml")
    }

    /// Runs the program on the cluster: `up`, `plan` and so on.
    pub fn ringfort(&self, command: &str, more: &[&str]) -> Said {
        said(&self.operator(command, more).output().expect("ringfort starts"))
    }

    /// Runs the program on another specification or with another bundle.
    pub fn ringfort_with(&self, spec: &Path, bundle: &Path, command: &[&str]) -> Said {
        said(&self.operator_with(spec, bundle, command).output().expect("ringfort starts"))
    }

    /// Proves the cluster as one of which nothing but a kubeconfig is known.
    pub fn prove_as_strange(&self) -> Said {
        let mut operator = Command::new(RINGFORT);
        operator.args(["lab", "run", &self.lab, "--", RINGFORT, "prove", "--json", "--kubeconfig"]);
        operator.arg(self.kubeconfig()).stdin(Stdio::null());
        said(&operator.output().expect("ringfort starts"))
    }

    /// Judges the cluster by its specification, its machines and its API.
    pub fn check(&self) -> Said {
        let mut check = Command::new(RINGFORT);
        check.args(["lab", "run", &self.lab, "--", RINGFORT, "check", "--format", "json"]);
        check.arg("--cluster").arg(self.spec()).arg("--kubeconfig").arg(self.kubeconfig());
        said(&check.stdin(Stdio::null()).output().expect("ringfort starts"))
    }

    /// Judges the objects of the cluster by every guideline.
    pub fn check_objects(&self) -> Said {
        let mut check = Command::new(RINGFORT);
        check.args(["lab", "run", &self.lab, "--", RINGFORT, "check", "--objects"]);
        check.args(["--format", "sarif", "--kubeconfig"]).arg(self.kubeconfig());
        said(&check.stdin(Stdio::null()).output().expect("ringfort starts"))
    }

    /// Runs `ringfort netpol` with the kubeconfig that was handed over.
    pub fn netpol(&self, arguments: &[&str]) -> Said {
        let mut netpol = Command::new(RINGFORT);
        netpol.args(["lab", "run", &self.lab, "--", RINGFORT, "netpol"]).args(arguments);
        netpol.arg("--kubeconfig").arg(self.kubeconfig()).stdin(Stdio::null());
        said(&netpol.output().expect("ringfort starts"))
    }

    /// Runs `ringfort integrity` as the operator does.
    pub fn integrity(&self, arguments: &[&str]) -> Said {
        let mut integrity = Command::new(RINGFORT);
        integrity.args(["lab", "run", &self.lab, "--", RINGFORT, "integrity"]).args(arguments);
        integrity.arg("--file").arg(self.spec()).stdin(Stdio::null());
        integrity.env("XDG_CONFIG_HOME", self.directory.join("config"));
        said(&integrity.output().expect("ringfort starts"))
    }

    /// Starts the program on the cluster, to be told of its events while it runs.
    pub fn start_told(&self, spec: &Path, command: &[&str]) -> Running {
        Running::start(self.operator_with(spec, &self.bundle, command))
    }

    fn operator(&self, command: &str, more: &[&str]) -> Command {
        let mut operator = self.operator_with(&self.spec(), &self.bundle, &[command]);
        operator.args(more);
        operator
    }

    fn operator_with(&self, spec: &Path, bundle: &Path, command: &[&str]) -> Command {
        let mut operator = Command::new(RINGFORT);
        operator.args(["lab", "run", &self.lab, "--", RINGFORT]).args(command);
        operator.arg("--file").arg(spec).arg("--bundle").arg(bundle).arg("--json");
        operator.stdin(Stdio::null());
        operator.env("XDG_CONFIG_HOME", self.directory.join("config"));
        operator
    }

    /// Writes a specification that differs from the cluster's, beside it.
    pub fn spec_with(&self, change: impl FnOnce(String) -> String) -> PathBuf {
        let text = std::fs::read_to_string(self.spec()).unwrap();
        let changed = change(text.clone());
        assert_ne!(text, changed, "nothing was changed in the specification");
        let path = self.directory.join("other.yaml");
        std::fs::write(&path, changed).unwrap();
        path
    }

    /// Gives the bundle's directory.
    pub fn bundle(&self) -> &Path {
        &self.bundle
    }

    /// Lists every file of some machines with its mode, owner, size and time, apart from what lives
    /// on its own and the program that ringfort brings to look with.
    pub fn listing(&self, machines: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
        machines.iter().map(|machine| ((*machine).to_owned(), self.lines(machine, LIST))).collect()
    }

    /// Runs kubectl with the kubeconfig that was handed over.
    pub fn kubectl(&self, arguments: &[&str]) -> Said {
        let mut kubectl = Command::new(RINGFORT);
        kubectl.args(["lab", "run", &self.lab, "--"]).arg(self.bundle.join("files/kubectl"));
        kubectl.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments);
        kubectl.stdin(Stdio::null());
        said(&kubectl.output().expect("kubectl starts"))
    }

    /// Gives the path of the kubeconfig that was handed over.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join(".ringfort").join(&self.lab).join("admin.conf")
    }

    /// Gives the path of a copy of a kubeconfig that somebody kept over a reset.
    pub fn old_kubeconfig(&self) -> PathBuf {
        self.directory.join("old.conf")
    }

    /// Runs a shell command on a machine; it must succeed.
    pub fn on(&self, machine: &str, command: &str) -> String {
        self.lab(&["ssh", &self.lab, machine, "--", command]).stdout
    }

    /// Asks etcd on a control plane, as only root there can.
    pub fn etcd(&self, command: &str) -> String {
        let pki = "/etc/kubernetes/pki";
        let etcdctl = format!(
            "etcdctl --endpoints=https://127.0.0.1:2379 --cacert={pki}/etcd-client-ca.crt \
             --cert={pki}/apiserver-etcd-client.crt --key={pki}/apiserver-etcd-client.key"
        );
        self.on("cp1", &format!("{etcdctl} {command}"))
    }

    /// Runs `ringfort keys`, which needs no machine; it must succeed.
    pub fn keys(&self, spec: &Path, verb: &str) {
        let mut keys = Command::new(RINGFORT);
        keys.args(["keys", verb, "--file"]).arg(spec);
        let output = keys.env("XDG_CONFIG_HOME", self.directory.join("config")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Renews the kubeconfig, or makes another, which needs no machine.
    pub fn renew(&self, more: &[&str]) -> Said {
        let mut renew = Command::new(RINGFORT);
        renew.arg("kubeconfig").arg("--file").arg(self.spec()).args(more).stdin(Stdio::null());
        renew.env("XDG_CONFIG_HOME", self.directory.join("config"));
        said(&renew.output().expect("ringfort starts"))
    }

    /// Gives the machines of the specification, each with its address.
    pub fn members(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.spec()).unwrap();
        let member = |line: &str| {
            let rest = line.trim().strip_prefix("- { address: ")?;
            let (address, rest) = rest.split_once(", name: ")?;
            let name = rest.split([',', ' ']).next()?;
            Some((name.to_owned(), address.trim_matches('"').to_owned()))
        };
        text.lines().filter_map(member).collect()
    }

    /// Runs a command of the lab; it must succeed.
    pub fn lab(&self, arguments: &[&str]) -> Said {
        let said = said(&Command::new(RINGFORT).arg("lab").args(arguments).output().unwrap());
        assert_eq!(said.code, Some(0), "lab {arguments:?}: {}", said.stderr);
        said
    }

    /// Gives the lab's name.
    pub fn name(&self) -> &str {
        &self.lab
    }

    /// Prints what helps to understand a failure.
    pub fn show_trouble(&self) {
        for machine in ["cp1", "w1"] {
            let mut look = Command::new(RINGFORT);
            look.args(["lab", "ssh", &self.lab, machine, "--"]);
            look.arg("systemctl --failed --no-legend; journalctl -u kubelet -n 15 --no-pager");
            if let Ok(output) = look.output() {
                println!("--- {machine}\n{}", String::from_utf8_lossy(&output.stdout));
            }
        }
    }

    /// Takes the lab down and leaves nothing.
    pub fn end(&self) {
        self.stop_receiving();
        if is_kept() {
            println!("kept: lab {}, {}", self.lab, self.directory.display());
            return;
        }
        self.lab(&["down", &self.lab]);
        remove(&self.directory);
    }
}

/// Says whether somebody wants to look at the lab afterwards.
fn is_kept() -> bool {
    std::env::var_os("RINGFORT_E2E_KEEP").is_some()
}

/// How a machine's line in the specification ends.
fn host_end(machine: &str) -> String {
    format!("name: {machine} }}")
}

fn remove(directory: &Path) {
    if let Err(error) = std::fs::remove_dir_all(directory) {
        println!("{} is left: {error}", directory.display());
    }
}

/// Reads what a program said.
pub fn said(output: &Output) -> Said {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let events = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Said { code: output.status.code(), events, stdout, stderr }
}
