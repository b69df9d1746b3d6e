//! Stops a control plane under a steady load of writes, and counts what the writer met.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use ringfort_api::Cluster;
use ringfort_host::Host;
use ringfort_model::act::Load;
use ringfort_model::name::NodeName;

/// Kills the control plane's processes; with kubelet stopped nobody starts them again.
const STOP: &str = "systemctl stop kubelet && \
    pkill -KILL -x 'etcd|kube-apiserver|kube-controller|kube-scheduler'";
const START: &str = "systemctl start kubelet";
/// Writes begin so long before the stop, and go on so long after the recovery.
const LEAD: Duration = Duration::from_millis(1_500);
/// Time between two writes.
const PACE: Duration = Duration::from_millis(100);
/// A write that takes longer counts as not acknowledged.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// How long the control plane may take to come back.
const RECOVERY_LIMIT: Duration = Duration::from_secs(180);

/// The control plane that is stopped.
pub(crate) struct Stopped<'a> {
    pub(crate) host: &'a Host,
    pub(crate) server: &'a Cluster,
    pub(crate) down: Duration,
}

/// Stops a control plane, writes through a balancer meanwhile, and starts it again in any case.
pub(crate) async fn rehearse(
    stopped: &Stopped<'_>,
    writer: &Cluster,
    namespace: &str,
    stop: &NodeName,
) -> Result<Load, String> {
    let over = AtomicBool::new(false);
    let prefix = format!("load-{stop}");
    let fault = async {
        let came_back = down_and_up(stopped).await;
        tokio::time::sleep(LEAD).await;
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

async fn down_and_up(stopped: &Stopped<'_>) -> Result<Duration, String> {
    tokio::time::sleep(LEAD).await;
    let down = run(stopped.host, STOP).await;
    if down.is_ok() {
        tokio::time::sleep(stopped.down).await;
    }
    let start = Instant::now();
    run(stopped.host, START).await?;
    down?;
    while start.elapsed() < RECOVERY_LIMIT {
        if stopped.server.text("/readyz").await.is_ok() {
            return Ok(start.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
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
