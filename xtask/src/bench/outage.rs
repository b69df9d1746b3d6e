//! How long the API is silent while a control plane is off: its plug is pulled, as nothing announces
//! itself that way, and it comes back. Seen from a worker through its balancer and from a pod
//! through the `kubernetes` Service, apart.
//!
//! The prober is a program of the host that runs inside the network of the worker or of the pod: the
//! cluster's own policies admit no pod that would carry it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::lab::{LAB, Lab};
use super::load;
use crate::failure::{Failure, Result};
use crate::process;

/// What a prober met while one control plane was off.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outage {
    /// The control plane.
    pub(super) stopped: String,
    /// From where, and over what kind of connection.
    pub(super) seen_from: &'static str,
    /// Requests.
    pub(super) tried: u64,
    /// Those without an answer within two seconds, or with a bad one.
    pub(super) failed: u64,
    /// The longest time between two answers.
    pub(super) silent_seconds: f64,
}

impl Outage {
    /// As a part of the report.
    pub(super) fn json(&self) -> Value {
        json!({
            "stopped": self.stopped,
            "seenFrom": self.seen_from,
            "tried": self.tried,
            "failed": self.failed,
            "silentSeconds": self.silent_seconds,
        })
    }
}

/// The worker on which the probers are.
const WORKER: &str = "w1";
/// A process of the sample workload.
const SAMPLE: &str = "probe";
/// Probers run so long before the plug is pulled.
const LEAD: Duration = Duration::from_secs(3);
/// A control plane stays off so long: longer than its leases, by which servers know each other.
const OFF: Duration = Duration::from_secs(25);
/// How long a control plane may take to come back.
const PATIENCE: Duration = Duration::from_secs(240);

/// Pulls the plug of each control plane in turn.
pub(super) fn measure(lab: &Lab<'_>, root: &Path) -> Result<Vec<Outage>> {
    let prober = build(root, &lab.ground.directory)?;
    let kubeconfig = write_kubeconfig(lab)?;
    let sample = root.join("examples/sample.yaml");
    lab.kubectl(&["apply", "-f", &sample.to_string_lossy()])?;
    lab.kubectl(&["-n", "sample", "rollout", "status", "deployment/hello", "--timeout=120s"])?;
    let policy = lab.ground.directory.join("asks-api.json");
    fs::write(&policy, asks_api().to_string())
        .map_err(|source| Failure::at("write", &policy, &source))?;
    lab.kubectl(&["apply", "-f", &policy.to_string_lossy()])?;
    let service = ["get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}"];
    let service = lab.kubectl(&service)?;
    let vantages = vantages(&service)?;
    let mut outages = Vec::new();
    for name in ["cp1", "cp2", "cp3"] {
        eprintln!("pulling the plug of {name}");
        let start = |vantage: &Vantage| vantage.start(&prober, &kubeconfig);
        let probers: Vec<_> = vantages.iter().map(start).collect::<Result<_>>()?;
        let returned = off_and_on(lab, name);
        for (vantage, prober) in vantages.iter().zip(probers) {
            outages.extend(vantage.conclude(name, prober)?);
        }
        returned?;
    }
    match outages.iter().find(|outage| outage.failed == outage.tried) {
        Some(Outage { seen_from, .. }) => {
            Err(Failure::stuck(format!("{seen_from}, nothing was answered before or after")))
        }
        None => Ok(outages),
    }
}

/// Lets the sample's pods ask the API, since their namespace is closed.
fn asks_api() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "asks-api", "namespace": "sample"},
        "spec": {
            "podSelector": {}, "policyTypes": ["Egress"],
            "egress": [{"ports": [{"port": 6443, "protocol": "TCP"}]}],
        },
    })
}

fn build(root: &Path, directory: &Path) -> Result<PathBuf> {
    let out = directory.join("prober");
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-o"]).arg(&out).arg("xtask/src/bench/prober.go");
    process::run(go.current_dir(root).env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0"))?;
    Ok(out)
}

fn write_kubeconfig(lab: &Lab<'_>) -> Result<PathBuf> {
    let path = lab.ground.directory.join("kubeconfig.json");
    let text = lab.kubectl(&["config", "view", "--raw", "--minify", "-o", "json"])?;
    let mut options = fs::OpenOptions::new();
    let file = options.create(true).truncate(true).write(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| Failure::at("write", &path, &source))?;
    Ok(path)
}

/// A network from which the API is asked.
struct Vantage {
    /// A process in it.
    inside: u32,
    url: String,
    /// Names of the two ways of asking.
    names: [&'static str; 2],
}

fn vantages(service: &str) -> Result<[Vantage; 2]> {
    let machines = load::machines(LAB);
    let process = |name: &str| machines.get(WORKER).and_then(|worker| worker.process(name));
    let found = process("systemd").zip(process(SAMPLE));
    let missing = || Failure::stuck(format!("no pod of the sample workload runs on {WORKER}"));
    let (node, pod) = found.ok_or_else(missing)?;
    let url = |address: &str| format!("https://{address}/api/v1/namespaces/default");
    Ok([
        Vantage {
            inside: node,
            url: url("127.0.0.1:6444"),
            names: [
                "a node, by its balancer, on a kept connection",
                "a node, by its balancer, on new connections",
            ],
        },
        Vantage {
            inside: pod,
            url: url(&format!("{service}:443")),
            names: [
                "a pod, by the Service, on a kept connection",
                "a pod, by the Service, on new connections",
            ],
        },
    ])
}

impl Vantage {
    fn start(&self, prober: &Path, kubeconfig: &Path) -> Result<Child> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.inside)).arg(prober).arg(kubeconfig);
        command.arg(&self.url).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().map_err(|source| Failure::stuck(format!("cannot run nsenter: {source}")))
    }

    /// Ends a prober by closing its input, and reads what it says.
    fn conclude(&self, stopped: &str, prober: Child) -> Result<[Outage; 2]> {
        let output = prober.wait_with_output();
        let output = output.map_err(|source| Failure::stuck(format!("the prober: {source}")))?;
        let said: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| Failure::stuck(format!("the prober ended with {}", output.status)))?;
        let [kept, fresh] = self.names;
        Ok([outage(stopped, kept, &said["kept"]), outage(stopped, fresh, &said["fresh"])])
    }
}

fn outage(stopped: &str, seen_from: &'static str, said: &Value) -> Outage {
    Outage {
        stopped: stopped.to_owned(),
        seen_from,
        tried: said["tried"].as_u64().unwrap_or_default(),
        failed: said["failed"].as_u64().unwrap_or_default(),
        silent_seconds: said["longestSilentSeconds"].as_f64().unwrap_or(f64::INFINITY),
    }
}

fn off_and_on(lab: &Lab<'_>, name: &str) -> Result<()> {
    let address = "jsonpath={.status.addresses[?(@.type==\"InternalIP\")].address}";
    let address = lab.kubectl(&["get", "node", name, "-o", address])?;
    thread::sleep(LEAD);
    process::run(&mut lab.command(&["stop", LAB, name, "--hard"]))?;
    thread::sleep(OFF);
    process::run(&mut lab.command(&["start", LAB, name]))?;
    let back = Instant::now();
    // The next plug may be pulled only when this server serves, with its member of etcd.
    while back.elapsed() < PATIENCE {
        if serves(lab, name, &address) {
            thread::sleep(LEAD);
            return Ok(());
        }
        thread::sleep(Duration::from_secs(1));
    }
    Err(Failure::stuck(format!("{name} did not come back within {} s", PATIENCE.as_secs())))
}

fn serves(lab: &Lab<'_>, name: &str, address: &str) -> bool {
    let listening = lab.on(name, "ss -Hltn 'sport = :6443'");
    let server = format!("https://{address}:6443");
    listening.is_ok_and(|printed| !printed.trim().is_empty())
        && lab.gets(&["--server", &server, "get", "--raw", "/readyz"])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::outage;

    #[test]
    fn a_prober_that_says_nothing_has_seen_no_answer() {
        let said = json!({"tried": 9, "failed": 2, "longestSilentSeconds": 1.5});
        let found = outage("cp1", "a node", &said);
        assert_eq!((found.tried, found.failed, found.silent_seconds), (9, 2, 1.5));
        assert!(outage("cp1", "a node", &json!(null)).silent_seconds.is_infinite());
    }
}
