//! What packets cost in the lab, without policies, with some and with many; and how long a new pod waits for its
//! rules there.

use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::super::lab::{Asked, Lab};
use super::compare::{Better, COUNTS, Figure, Round, Spread, is_in_force, policies};
use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

/// The namespace of the pods that are measured. A waiver leaves it open until a policy closes it.
const NAMESPACE: &str = "bench";
const WAIVER: &str = "  - control: network/default-deny
    scope: { namespaces: [bench] }
    reason: what policies cost is measured against none
    owner: bench
    expires: 2099-12-31
";
/// The pods: one that is asked, and one that asks on the same machine and on another.
const SERVER: (&str, &str) = ("server", "w1");
const CLIENTS: [(&str, &str, &str); 2] =
    [("near", "w1", "on the same machine"), ("far", "w2", "from another machine")];
/// The port that the measuring program answers on.
const PORT: u16 = 5_000;
/// What is measured: what it is called, its key, its unit, and which end is the better one.
const FIGURES: [(&str, &str, &str, Better); 2] = [
    ("a connection with a byte there and back", "connection_us", "µs", Better::Less),
    ("bytes of one connection", "gbit_s", "Gbit/s", Better::More),
];
/// How many pods are started at each number of policies.
const STARTS: usize = 5;
/// How long rules may take to be in force.
const PATIENCE: Duration = Duration::from_secs(60);

/// Finds the network of a pod by its address.
const NETWORK: &str = "network() { for found in /run/netns/*; do
    nsenter --net=$found ip -o -4 addr show | grep -qF \" inet $1/\" && echo $found && return; done
    echo \"no network has $1\" >&2; return 1; }";

/// Boots a lab, measures, and prints what was found; gives what grew with the number of policies.
pub(super) fn measure(
    workspace: &Workspace,
    asked: &Asked,
    rounds: usize,
    program: &Path,
) -> Result<Vec<String>> {
    let ground = asked.prepare(workspace)?;
    let lab = Lab::boot(&ground)?;
    lab.waive("", WAIVER)?;
    let (_, made) = lab.converge("up")?;
    if !made.handed_over {
        return Err(Failure::findings(format!("not proved: {}", made.not_proved.join("; "))));
    }
    let bench = Bench::new(&lab, program)?;
    let mut found: Vec<Found> = Vec::new();
    let mut starts: Vec<Starts> = Vec::new();
    for round in 1..=rounds {
        let mut phases = Vec::new();
        for count in COUNTS {
            bench.policies(count)?;
            phases.push(bench.figures()?);
            if round == 1 {
                starts.push(bench.starts(count)?);
            }
        }
        found.push(phases);
        eprintln!("round {round} of {rounds}");
    }
    println!("in the lab, medians of {rounds} rounds and their spread");
    let mut grown = Vec::new();
    for figure in figures(&found) {
        let (line, grew) = figure.report();
        println!("{line}");
        grown.extend(grew);
    }
    for (count, starts) in COUNTS.into_iter().zip(&starts) {
        println!("{}", starts.line(count));
    }
    Ok(grown)
}

/// What was found in one round: for each number of policies, for each client, each figure.
type Found = Vec<Vec<[f64; FIGURES.len()]>>;

fn figures(found: &[Found]) -> Vec<Figure> {
    let mut all = Vec::new();
    for (client, (_, _, from)) in CLIENTS.iter().enumerate() {
        for (at, (what, _, unit, better)) in FIGURES.into_iter().enumerate() {
            let round = |phases: &Found| -> Option<Round> {
                let each = phases.iter().map(|phase| phase[client][at]).collect::<Vec<_>>();
                each.try_into().ok()
            };
            let rounds = found.iter().filter_map(round).collect();
            all.push(Figure { what: format!("{what}, {from}"), unit, better, rounds });
        }
    }
    all
}

/// Pods in a lab, of which some ask another.
struct Bench<'l, 'g> {
    lab: &'l Lab<'g>,
    server: String,
    /// The addresses of those who ask.
    clients: [String; 2],
}

impl<'l, 'g> Bench<'l, 'g> {
    /// Starts the pods, and has one of them answer.
    fn new(lab: &'l Lab<'g>, program: &Path) -> Result<Self> {
        lab.kubectl(&["create", "namespace", NAMESPACE])?;
        until("the namespace has no account", || {
            Ok(lab.kubectl(&["-n", NAMESPACE, "get", "serviceaccount", "default"]).is_ok())
        })?;
        let mut addresses = Vec::new();
        for (name, worker) in [SERVER].into_iter().chain(CLIENTS.map(|(name, on, _)| (name, on))) {
            create(lab, &pod(name, worker))?;
            let pod = format!("pod/{name}");
            let wait = ["-n", NAMESPACE, "wait", "--for=condition=Ready", "--timeout=60s", &pod];
            lab.kubectl(&wait)?;
            let get = ["-n", NAMESPACE, "get", &pod, "-o", "jsonpath={.status.podIP}"];
            addresses.push(lab.kubectl(&get)?.trim().to_owned());
        }
        for worker in ["w1", "w2"] {
            let mut file =
                File::open(program).map_err(|source| Failure::at("read", program, &source))?;
            lab.feed(worker, "cat >/root/figures && chmod 0700 /root/figures", &mut file)?;
        }
        let [server, near, far] = <[String; 3]>::try_from(addresses)
            .map_err(|_| Failure::stuck("not all pods have addresses"))?;
        let serve = format!(
            "{NETWORK}\nown=$(network {server}) || exit 1\n\
             setsid timeout 7200 nsenter --net=$own /root/figures serve >/dev/null 2>&1 </dev/null &"
        );
        lab.on(SERVER.1, &serve)?;
        Ok(Self { lab, server, clients: [near, far] })
    }

    /// Has so many policies hold, and waits until they are in force.
    fn policies(&self, count: usize) -> Result<()> {
        let lab = self.lab;
        lab.kubectl(&["-n", NAMESPACE, "delete", "networkpolicy", "--all"])?;
        if count > 0 {
            create(lab, &policies(NAMESPACE, PORT, count))?;
        }
        let of = |worker: &str| -> Vec<String> {
            let all = [SERVER].into_iter().chain(CLIENTS.map(|(name, on, _)| (name, on)));
            all.filter(|(_, on)| *on == worker).map(|(it, _)| format!("{NAMESPACE}/{it}")).collect()
        };
        for worker in ["w1", "w2"] {
            let pods = of(worker);
            let pods: Vec<&str> = pods.iter().map(String::as_str).collect();
            until("policies are not in force", || {
                Ok(is_in_force(&self.shown(worker)?, &pods, count))
            })?;
        }
        Ok(())
    }

    fn shown(&self, worker: &str) -> Result<Value> {
        let shown = self.lab.on(worker, "ringfort node policy --show")?;
        serde_json::from_str(&shown).map_err(|_| Failure::stuck("an enforcer shows something else"))
    }

    /// Measures from each client.
    fn figures(&self) -> Result<Vec<[f64; FIGURES.len()]>> {
        let mut all = Vec::new();
        for ((name, worker, _), address) in CLIENTS.iter().zip(&self.clients) {
            let ask = format!(
                "{NETWORK}\nown=$(network {address}) && nsenter --net=$own /root/figures ask {}",
                self.server
            );
            let said: Value = serde_json::from_str(&self.lab.on(worker, &ask)?).map_err(|_| {
                Failure::stuck(format!("{name}: the measurement said something else"))
            })?;
            let mut found = [0.0; FIGURES.len()];
            for (figure, (_, key, ..)) in found.iter_mut().zip(FIGURES) {
                *figure = said[key]
                    .as_f64()
                    .ok_or_else(|| Failure::stuck(format!("{name}: {key} was not measured")))?;
            }
            all.push(found);
        }
        Ok(all)
    }

    /// Starts pods one after the other, and gives for each the milliseconds until its network plugin asked for
    /// its rules.
    fn starts(&self, policies: usize) -> Result<Starts> {
        let start = |number| self.start(&format!("start-{policies}-{number}"));
        let asked = (0..STARTS).map(start).collect::<Result<Vec<f64>>>()?;
        Ok(Starts { asked, waited: self.shown("w1")?["waited"].clone() })
    }

    /// The question is written down when it comes: to look at rules again and again would hold them up.
    fn start(&self, name: &str) -> Result<f64> {
        let began = SystemTime::now();
        create(self.lab, &pod(name, "w1"))?;
        let pod = format!("pod/{name}");
        self.lab.kubectl(&[
            "-n",
            NAMESPACE,
            "wait",
            "--for=condition=Ready",
            "--timeout=60s",
            &pod,
        ])?;
        // The machine's clock is this host's.
        let asked = format!(
            "date -r \"$(grep -l '\"name\":\"{name}\"' /run/ringfort-policy/pods/*)\" +%s%3N"
        );
        let asked = self.lab.on("w1", &asked)?;
        let asked: f64 =
            asked.trim().parse().map_err(|_| Failure::stuck("the machine told no time"))?;
        let began = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.lab.kubectl(&["-n", NAMESPACE, "delete", &pod, "--now"])?;
        Ok(asked - began * 1e3)
    }
}

/// How long pods took that were started at a number of policies.
struct Starts {
    asked: Vec<f64>,
    /// How long the last pods of the machine waited for their rules, as its enforcer counts it.
    waited: Value,
}

impl Starts {
    fn line(&self, policies: usize) -> String {
        let asked = match Spread::of(self.asked.iter().copied()) {
            Some(Spread { median, least, most }) => {
                format!("{median:.0} ms ({least:.0} to {most:.0})")
            }
            None => "not measured".to_owned(),
        };
        let Value::Object(waited) = &self.waited else {
            return format!("  with {policies} policies no pod waited for its rules");
        };
        let of = |key: &str| waited.get(key).unwrap_or(&Value::Null);
        format!(
            "  with {policies} policies, from `kubectl create` of a pod to its plugin's question {asked}, and from \
             there to its rules in force {} ms in the median, {} at most, of the last {} pods",
            of("median_ms"),
            of("most_ms"),
            of("pods")
        )
    }
}

fn create(lab: &Lab<'_>, object: &Value) -> Result<()> {
    let path = lab.ground.directory.join("create.json");
    fs::write(&path, object.to_string()).map_err(|source| Failure::at("write", &path, &source))?;
    lab.kubectl(&["create", "-f", &path.display().to_string()]).map(|_| ())
}

fn until(what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !is_so()? {
        if began.elapsed() > PATIENCE {
            return Err(Failure::stuck(format!("{what} after {} s", PATIENCE.as_secs())));
        }
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn pod(name: &str, worker: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": NAMESPACE, "name": name},
        "spec": {"nodeName": worker, "containers": [{
            "name": "probe", "image": "ringfort.dev/probe:1", "args": ["serve"],
            "securityContext": {
                "allowPrivilegeEscalation": false, "runAsNonRoot": true, "runAsUser": 65532,
                "capabilities": {"drop": ["ALL"]},
            },
        }]},
    })
}
