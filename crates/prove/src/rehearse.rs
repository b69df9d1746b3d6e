//! Stops a control plane under a steady load of writes, and counts what the writer met.
//!
//! A machine whose control plane is stopped starts it again by itself, should nobody tell it to: the
//! operator may be killed, or lose its way to the machine.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use ringfort_api::Cluster;
use ringfort_host::Host;
use ringfort_model::act::Load;
use ringfort_model::name::NodeName;

use crate::halt::Halt;

/// Has the machine itself start kubelet after a minute, unless that is called off: longer than the
/// control plane stays down, and longer than commands take. What an earlier run left is called off
/// first, since a unit's name is given once.
const ARM: &str = "systemctl stop ringfort-rehearsal.timer 2>/dev/null; \
    systemctl reset-failed ringfort-rehearsal.timer ringfort-rehearsal.service 2>/dev/null; \
    systemd-run --quiet --collect --unit=ringfort-rehearsal --on-active=60 \
        --timer-property=AccuracySec=1s systemctl start kubelet";
/// Kills the control plane's processes; with kubelet stopped nobody starts them again.
const STOP: &str = "systemctl stop kubelet && \
    pkill -KILL -x 'etcd|kube-apiserver|kube-controller|kube-scheduler'";
const START: &str = "systemctl start kubelet";
/// Calls off what was armed, which is over already if its time has come.
const DISARM: &str = "systemctl stop ringfort-rehearsal.timer 2>/dev/null || true";
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

/// The control plane that is stopped.
pub(crate) struct Stopped<'a> {
    pub(crate) host: &'a Host,
    pub(crate) server: &'a Cluster,
    pub(crate) down: Duration,
}

/// Stops a control plane, writes through a balancer meanwhile, and starts it again in any case. If it is
/// halted, the start comes at once.
pub(crate) async fn rehearse(
    stopped: &Stopped<'_>,
    writer: &Cluster,
    namespace: &str,
    stop: &NodeName,
    halt: &Halt,
) -> Result<Load, String> {
    let over = AtomicBool::new(false);
    let prefix = format!("load-{stop}");
    let fault = async {
        let is_ready = async || stopped.server.text("/readyz").await.is_ok();
        let run = async |command: &'static str| run(stopped.host, command).await;
        let came_back = match halt.rest(LEAD).await {
            Ok(()) => down_and_up(run, is_ready, stopped.down, halt).await,
            Err(why) => Err(why),
        };
        // What follows the recovery shows nothing more where there was none.
        let _ = halt.rest(LEAD).await;
        over.store(true, Ordering::Relaxed);
        came_back
    };
    let (written, recovery) = tokio::join!(write(writer, namespace, &prefix, &over), fault);
    let recovery = recovery?;
    let there = names(writer, namespace).await?;
    let lost = written.acknowledged.iter().filter(|name| !there.contains(*name)).count();
    Ok(Load {
        tried: written.tried,
        acknowledged: written.acknowledged.len() as u64,
        lost: lost as u64,
        longest_pause_ms: millis(written.longest_pause),
        recovery_ms: millis(recovery),
    })
}

/// Stops the control plane and starts it again; gives how long it took to come back.
async fn down_and_up(
    run: impl AsyncFn(&'static str) -> Result<(), String>,
    is_ready: impl AsyncFn() -> bool,
    down: Duration,
    halt: &Halt,
) -> Result<Duration, String> {
    run(ARM).await?;
    let stopped = match run(STOP).await {
        Ok(()) => halt.rest(down).await,
        Err(why) => Err(why),
    };
    let start = Instant::now();
    // Where this fails, the machine does it by itself.
    run(START).await?;
    run(DISARM).await?;
    stopped?;
    while start.elapsed() < RECOVERY_LIMIT {
        if is_ready().await {
            return Ok(start.elapsed());
        }
        halt.rest(RECOVERY_PACE).await?;
    }
    Err(format!("the server is not ready {} s after its start", RECOVERY_LIMIT.as_secs()))
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

    use super::{ARM, DISARM, Halt, START, STOP, down_and_up};

    /// Rehearses on a machine where one command fails; Ctrl-C is pressed as soon as `pressed` is done.
    fn check(fails: &str, pressed: &str, expected: &[&'static str], said: Result<(), &str>) {
        let (call, halt) = Halt::new();
        let done = RefCell::new(Vec::new());
        let run = async |command: &'static str| {
            done.borrow_mut().push(command);
            if command == pressed {
                call.send(true).unwrap();
            }
            if command == fails { Err("it failed".to_owned()) } else { Ok(()) }
        };
        let is_ready = async || pressed.is_empty();
        let day = Duration::from_secs(86_400);
        let down = if pressed == STOP { day } else { Duration::ZERO };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let ended = runtime.block_on(down_and_up(run, is_ready, down, &halt));
        assert_eq!(ended.map(|_| ()), said.map_err(str::to_owned), "{fails:?} {pressed:?}");
        assert_eq!(*done.borrow(), expected, "{fails:?} {pressed:?}");
    }

    #[test]
    fn what_was_stopped_is_started_again_whatever_happens() {
        let all = [ARM, STOP, START, DISARM];
        check("", "", &all, Ok(()));
        check("", STOP, &all, Err("interrupted"));
        check(STOP, "", &all, Err("it failed"));
        // Nothing is stopped that would not come back by itself.
        check(ARM, "", &[ARM], Err("it failed"));
        check(START, "", &[ARM, STOP, START], Err("it failed"));
        check("", START, &all, Err("interrupted"));
    }
}
