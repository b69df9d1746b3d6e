//! Stops a part of a cluster under a steady load of writes, and counts what the writer met.
//!
//! A machine on which something is stopped starts it again by itself, should nobody tell it to: the
//! operator may be killed, or lose its way to the machine.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use ringfort_api::Cluster;
use ringfort_host::Host;
use ringfort_model::act::{Load, Part};
use ringfort_model::name::NodeName;

use crate::etcd;
use crate::halt::Halt;

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

/// Writes begin so long before the stop, and go on so long after the recovery.
const LEAD: Duration = Duration::from_millis(1_500);
/// Time between two writes.
const PACE: Duration = Duration::from_millis(100);
/// A write that takes longer counts as not acknowledged.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
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
    pub(crate) down: Duration,
}

impl Stopped<'_> {
    async fn is_ready(&self) -> bool {
        match self.part {
            Part::ControlPlane | Part::Balancer => self.server.text("/readyz").await.is_ok(),
            Part::Etcd => run(self.host, &etcd::health()).await.is_ok(),
        }
    }
}

/// Stops a part of a cluster, writes through balancers meanwhile, and starts it again in any case. If it
/// is halted, the start comes at once.
pub(crate) async fn rehearse(
    stopped: &Stopped<'_>,
    writers: &[&Cluster],
    namespace: &str,
    stop: &NodeName,
    halt: &Halt,
) -> Result<Load, String> {
    let over = AtomicBool::new(false);
    let orders = Orders::for_part(stopped.part);
    let prefix = format!("load-{stop}-{:?}", stopped.part).to_lowercase();
    let fault = async {
        let is_ready = async || stopped.is_ready().await;
        let run = async |command: &str| run(stopped.host, command).await;
        let came_back = match halt.rest(LEAD).await {
            Ok(()) => down_and_up(&orders, run, is_ready, stopped.down, halt).await,
            Err(why) => Err(why),
        };
        // What follows the recovery shows nothing more where there was none.
        let _ = halt.rest(LEAD).await;
        over.store(true, Ordering::Relaxed);
        came_back
    };
    let writes = writers.iter().enumerate().map(|(at, writer)| {
        let prefix = format!("{prefix}-{at}");
        let over = &over;
        async move { write(writer, namespace, &prefix, over).await }
    });
    let (written, recovery) = tokio::join!(futures::future::join_all(writes), fault);
    let recovery = recovery?;
    let first = writers.first().ok_or("nobody writes")?;
    let there = names(first, namespace).await?;
    let written = written.into_iter().fold(Written::default(), Written::and);
    let lost = written.acknowledged.iter().filter(|name| !there.contains(*name)).count();
    Ok(Load {
        tried: written.tried,
        acknowledged: written.acknowledged.len() as u64,
        lost: lost as u64,
        longest_pause_ms: millis(written.longest_pause),
        recovery_ms: millis(recovery),
    })
}

/// Stops what is to be stopped and starts it again; gives how long it took to come back.
async fn down_and_up(
    orders: &Orders,
    run: impl AsyncFn(&str) -> Result<(), String>,
    is_ready: impl AsyncFn() -> bool,
    down: Duration,
    halt: &Halt,
) -> Result<Duration, String> {
    run(&orders.arm).await?;
    let stopped = match run(&orders.stop).await {
        Ok(()) => halt.rest(down).await,
        Err(why) => Err(why),
    };
    let start = Instant::now();
    // Where this fails, the machine does it by itself.
    run(&orders.start).await?;
    run(&orders.disarm).await?;
    stopped?;
    while start.elapsed() < RECOVERY_LIMIT {
        if is_ready().await {
            return Ok(start.elapsed());
        }
        halt.rest(RECOVERY_PACE).await?;
    }
    Err(format!("it does not serve {} s after its start", RECOVERY_LIMIT.as_secs()))
}

async fn run(host: &Host, command: &str) -> Result<(), String> {
    let output = host.run(command, &[]).await.map_err(|error| error.to_string())?;
    if output.ok() { Ok(()) } else { Err(output.complaint()) }
}

#[derive(Default)]
struct Written {
    tried: u64,
    acknowledged: BTreeSet<String>,
    longest_pause: Duration,
}

impl Written {
    /// What two writers wrote. The longest pause is that of whoever waited longest.
    fn and(mut self, other: Self) -> Self {
        self.tried += other.tried;
        self.acknowledged.extend(other.acknowledged);
        self.longest_pause = self.longest_pause.max(other.longest_pause);
        self
    }
}

async fn write(cluster: &Cluster, namespace: &str, prefix: &str, over: &AtomicBool) -> Written {
    let mut written = Written::default();
    let mut last = Instant::now();
    while !over.load(Ordering::Relaxed) {
        written.tried += 1;
        let name = format!("{prefix}-{}", written.tried);
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
        });
        let write = tokio::time::timeout(WRITE_LIMIT, cluster.create(&object)).await;
        if let Ok(Ok(_)) = write {
            written.longest_pause = written.longest_pause.max(last.elapsed());
            last = Instant::now();
            written.acknowledged.insert(name);
        }
        tokio::time::sleep(PACE).await;
    }
    written.longest_pause = written.longest_pause.max(last.elapsed());
    written
}

async fn names(cluster: &Cluster, namespace: &str) -> Result<BTreeSet<String>, String> {
    let listed = cluster.list("v1", "ConfigMap", Some(namespace), None).await;
    let name = |object: &Value| {
        object.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned)
    };
    Ok(listed.map_err(|error| error.to_string())?.iter().filter_map(name).collect())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use super::{Halt, Orders, Part, down_and_up};

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
        let down = if pressed == orders.stop { day } else { Duration::ZERO };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let ended = runtime.block_on(down_and_up(&orders, run, is_ready, down, &halt));
        assert_eq!(ended.map(|_| ()), said.map_err(str::to_owned), "{fails:?} {pressed:?}");
        assert_eq!(*done.borrow(), expected, "{fails:?} {pressed:?}");
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
    fn a_machine_starts_by_itself_what_it_is_told_to_stop() {
        for part in [Part::ControlPlane, Part::Etcd, Part::Balancer] {
            let Orders { arm, stop, start, .. } = Orders::for_part(part);
            let unit = start.strip_prefix("systemctl start ").unwrap();
            assert!(stop.contains(&format!("systemctl stop {unit}")), "{stop}");
            assert!(arm.ends_with(&start), "{arm}");
        }
    }
}
