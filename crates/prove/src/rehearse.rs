//! Stops a part of a cluster under a steady load of writes, and counts what the writer met.
//!
//! A machine on which something is stopped starts it again by itself, should nobody tell it to: the
//! operator may be killed, or lose its way to the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::Value;

use ringfort_api::Cluster;
use ringfort_host::Host;
use ringfort_model::act::{Load, Part};
use ringfort_model::name::NodeName;

use crate::counter::Counter;
use crate::etcd;
use crate::halt::Halt;
use crate::writer::{Times, Writer, millis};

/// What is told to a machine, in the order in which it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Orders {
    /// Has the machine itself start again what is stopped, unless that is called off.
    arm: String,
    stop: String,
    start: String,
    /// Calls off what was armed, which is over already if its time has come.
    disarm: String,
}

impl Orders {
    /// For a unit that is stopped by these commands and starts what they stop. The machine waits for longer
    /// than the unit stays down and commands take. What an earlier run left is called off first, since a
    /// unit's name is given once.
    fn of(unit: &str, stop: String, patience: Duration) -> Self {
        let (timer, seconds) = (format!("ringfort-rehearsal-{unit}"), patience.as_secs());
        let start = format!("systemctl start {unit}");
        Self {
            arm: format!(
                "systemctl stop {timer}.timer 2>/dev/null; \
                 systemctl reset-failed {timer}.timer {timer}.service 2>/dev/null; \
                 systemd-run --quiet --collect --unit={timer} --on-active={seconds} \
                 --timer-property=AccuracySec=1s {start}"
            ),
            stop,
            start,
            disarm: format!("systemctl stop {timer}.timer 2>/dev/null || true"),
        }
    }

    /// For a part of a cluster. With kubelet stopped nobody starts again what is killed.
    fn for_part(part: Part) -> Self {
        let kill = |names: &str| format!("systemctl stop kubelet && pkill -KILL -x '{names}'");
        let minute = Duration::from_secs(60);
        match part {
            Part::ControlPlane => {
                let all = "etcd|kube-apiserver|kube-controller|kube-scheduler";
                Self::of("kubelet", kill(all), minute)
            }
            Part::Etcd => Self::of("kubelet", kill("etcd"), minute),
            Part::Balancer => {
                let stop = "systemctl stop ringfort-balance".to_owned();
                Self::of("ringfort-balance", stop, minute)
            }
        }
    }

    /// For a worker that is lost: for as long as its pods need to be missed.
    fn for_loss() -> Self {
        Self::of("kubelet", "systemctl stop kubelet".to_owned(), Duration::from_secs(300))
    }
}

/// Stops a machine's kubelet, as if the machine were lost.
pub(crate) async fn lose(host: &Host) -> Result<(), String> {
    let orders = Orders::for_loss();
    run(host, &orders.arm).await?;
    run(host, &orders.stop).await
}

/// Starts again what was stopped.
pub(crate) async fn regain(host: &Host) -> Result<(), String> {
    let orders = Orders::for_loss();
    run(host, &orders.start).await?;
    run(host, &orders.disarm).await
}

/// How long writers may take at most to write twice before the stop. Nothing comes of writing for longer: what was
/// stopped meets connections that are used, and the pause is measured from each writer's begin.
const LEAD_LIMIT: Duration = Duration::from_millis(1_000);
/// Writes go on for so long after the recovery.
const AFTER: Duration = Duration::from_millis(1_000);
/// How long writers may take at least to go on after the recovery.
const AFTER_LIMIT: Duration = Duration::from_secs(10);
/// The pause between two looks at whether everybody writes on.
const LOOK_PACE: Duration = Duration::from_millis(100);
/// The pause between two looks at whether it has come back.
const RECOVERY_PACE: Duration = Duration::from_millis(300);
/// How long the control plane may take to come back: longer than the 240 s that its startup probe gives
/// a server that does not listen yet.
const RECOVERY_LIMIT: Duration = Duration::from_secs(300);

/// What is stopped.
pub(crate) struct Stopped<'a> {
    pub(crate) part: Part,
    pub(crate) host: &'a Host,
    /// Who says that it serves again.
    pub(crate) server: &'a Cluster,
    /// For how long, at most.
    pub(crate) down: Duration,
    /// For how long everybody has to write on for it to be started sooner.
    pub(crate) writes_on: Option<Duration>,
}

/// Who writes meanwhile.
pub(crate) struct Writing<'a> {
    /// Through whose balancers.
    pub(crate) through: BTreeMap<&'a NodeName, &'a Cluster>,
    pub(crate) namespace: &'a str,
    /// The object in which somebody else counts up.
    pub(crate) counter: Option<&'a str>,
}

impl Stopped<'_> {
    async fn is_ready(&self) -> bool {
        let [member, server] = awaits(self.part);
        (!server || self.server.text("/readyz").await.is_ok())
            && (!member || run(self.host, &etcd::health()).await.is_ok())
    }
}

/// Says whether a member of etcd and an API server have to be ready again behind a stop. A server is content with any
/// member that answers, while its own may still catch up: were the next one stopped meanwhile, two of three would be gone.
fn awaits(part: Part) -> [bool; 2] {
    match part {
        Part::ControlPlane => [true, true],
        Part::Etcd => [true, false],
        Part::Balancer => [false, true],
    }
}

/// Stops a part of a cluster, writes through machines' balancers meanwhile, and starts it again in any
/// case. If it is halted, the start comes at once.
pub(crate) async fn rehearse(
    stopped: &Stopped<'_>,
    writing: &Writing<'_>,
    stop: &NodeName,
    halt: &Halt,
) -> Result<Load, String> {
    let over = AtomicBool::new(false);
    let orders = Orders::for_part(stopped.part);
    let prefix = format!("load-{stop}-{:?}", stopped.part).to_lowercase();
    let Writing { through, namespace, counter } = writing;
    let first = through.values().next().ok_or("nobody writes")?;
    let prefixes = (0..).map(|at| format!("{prefix}-{at}"));
    let writers: Vec<Writer<'_>> = through
        .values()
        .zip(prefixes)
        .map(|(cluster, prefix)| Writer::new(cluster, namespace, prefix))
        .collect();
    let counter = counter.map(|name| Counter::new(first, namespace, name));
    let writes_on = async |since, time, limit| {
        let everybody = || {
            writers.iter().all(|writer| writer.goes_on(since, time))
                && counter.iter().all(|counter| counter.goes_on(since))
        };
        until(everybody, limit, halt).await
    };
    let fault = async {
        let is_ready = async || stopped.is_ready().await;
        let run = async |command: &str| run(stopped.host, command).await;
        let down = async |since| match stopped.writes_on {
            Some(time) => writes_on(since, time, stopped.down).await,
            None => halt.rest(stopped.down).await,
        };
        let times = match writes_on(Instant::now(), Duration::ZERO, LEAD_LIMIT).await {
            Ok(()) => down_and_up(&orders, run, is_ready, down, halt).await,
            Err(why) => Err(why),
        };
        if let Ok(times) = &times {
            // Who is halted here has seen all of the fault.
            let _ = writes_on(times.back, AFTER, stopped.down.max(AFTER_LIMIT)).await;
        }
        over.store(true, Ordering::Relaxed);
        times
    };
    let write = join_all(writers.iter().map(|writer| writer.write(&over)));
    let look = join_all(counter.iter().map(|counter| counter.look(&over)));
    let (_, _, times) = tokio::join!(write, look, fault);
    let times = times?;
    let there = names(first, namespace).await?;
    let met = through.keys().zip(&writers);
    Ok(Load {
        writers: met.map(|(node, writer)| ((*node).clone(), writer.met(&times, &there))).collect(),
        counted: counter.map(|counter| counter.met(&times)),
        down_ms: millis(times.started - times.stopped),
        recovery_ms: millis(times.back - times.started),
    })
}

/// Rests until something is as it should be, or until it has taken too long.
async fn until(is_so: impl Fn() -> bool, limit: Duration, halt: &Halt) -> Result<(), String> {
    let begun = Instant::now();
    while !is_so() && begun.elapsed() < limit {
        halt.rest(LOOK_PACE).await?;
    }
    Ok(())
}

/// Stops what is to be stopped and starts it again when `down` says so; gives when it was stopped, told to
/// start, and back.
async fn down_and_up(
    orders: &Orders,
    run: impl AsyncFn(&str) -> Result<(), String>,
    is_ready: impl AsyncFn() -> bool,
    down: impl AsyncFn(Instant) -> Result<(), String>,
    halt: &Halt,
) -> Result<Times, String> {
    run(&orders.arm).await?;
    let ended = run(&orders.stop).await;
    let stopped = Instant::now();
    let ended = match ended {
        Ok(()) => down(stopped).await,
        Err(why) => Err(why),
    };
    let started = Instant::now();
    // Where this fails, the machine does it by itself.
    run(&orders.start).await?;
    run(&orders.disarm).await?;
    ended?;
    while started.elapsed() < RECOVERY_LIMIT {
        if is_ready().await {
            return Ok(Times { stopped, started, back: Instant::now() });
        }
        halt.rest(RECOVERY_PACE).await?;
    }
    Err(format!("it does not serve {} s after its start", RECOVERY_LIMIT.as_secs()))
}

async fn run(host: &Host, command: &str) -> Result<(), String> {
    let output = host.run(command, &[]).await.map_err(|error| error.to_string())?;
    if output.ok() { Ok(()) } else { Err(output.complaint()) }
}

async fn names(cluster: &Cluster, namespace: &str) -> Result<BTreeSet<String>, String> {
    let listed = cluster.list("v1", "ConfigMap", Some(namespace), None).await;
    let name = |object: &Value| {
        object.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned)
    };
    Ok(listed.map_err(|error| error.to_string())?.iter().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::{Duration, Instant};

    use super::{Halt, Orders, Part, awaits, down_and_up, until};

    /// Rehearses on a machine where one command fails; Ctrl-C is pressed as soon as `pressed` is done.
    fn check(fails: &str, pressed: &str, expected: &[&str], said: Result<(), &str>) {
        let orders = orders();
        let (call, halt) = Halt::new();
        let done = RefCell::new(Vec::new());
        let run = async |command: &str| {
            done.borrow_mut().push(command.to_owned());
            if command == pressed {
                call.send(true).unwrap();
            }
            if command == fails { Err("it failed".to_owned()) } else { Ok(()) }
        };
        let is_ready = async || pressed.is_empty();
        let day = Duration::from_secs(86_400);
        let time = if pressed == orders.stop { day } else { Duration::ZERO };
        let down = async |_| halt.rest(time).await;
        let ended = runtime().block_on(down_and_up(&orders, run, is_ready, down, &halt));
        assert_eq!(ended.map(|_| ()), said.map_err(str::to_owned), "{fails:?} {pressed:?}");
        assert_eq!(*done.borrow(), expected, "{fails:?} {pressed:?}");
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    fn orders() -> Orders {
        let word = |text: &str| text.to_owned();
        Orders {
            arm: word("arm"),
            stop: word("stop"),
            start: word("start"),
            disarm: word("disarm"),
        }
    }

    #[test]
    fn what_was_stopped_is_started_again_whatever_happens() {
        let all = ["arm", "stop", "start", "disarm"];
        check("", "", &all, Ok(()));
        check("", "stop", &all, Err("interrupted"));
        check("stop", "", &all, Err("it failed"));
        // Nothing is stopped that would not come back by itself.
        check("arm", "", &["arm"], Err("it failed"));
        check("start", "", &["arm", "stop", "start"], Err("it failed"));
        check("", "start", &all, Err("interrupted"));
    }

    #[test]
    fn what_is_awaited_is_so_or_takes_too_long_or_is_interrupted() {
        let (call, halt) = Halt::new();
        let (begun, minute) = (Instant::now(), Duration::from_secs(60));
        let wait = |is_so: bool, limit| runtime().block_on(until(|| is_so, limit, &halt));
        assert_eq!(wait(true, minute), Ok(()));
        assert_eq!(wait(false, Duration::ZERO), Ok(()));
        call.send(true).unwrap();
        assert_eq!(wait(false, minute), Err("interrupted".to_owned()));
        assert!(begun.elapsed() < minute);
    }

    /// The next is stopped as soon as it is ready.
    #[test]
    fn a_control_plane_is_back_with_its_member_of_etcd() {
        assert_eq!(awaits(Part::ControlPlane), [true, true]);
    }

    #[test]
    fn a_machine_starts_by_itself_what_it_is_told_to_stop() {
        for part in [Part::ControlPlane, Part::Etcd, Part::Balancer] {
            let Orders { arm, stop, start, .. } = Orders::for_part(part);
            let unit = start.strip_prefix("systemctl start ").unwrap();
            assert!(stop.contains(&format!("systemctl stop {unit}")), "{stop}");
            assert!(arm.ends_with(&start), "{arm}");
        }
    }
}
