//! What API servers log is kept, whatever becomes of the collector and of the log.

use std::time::{Duration, Instant};

use crate::cases::well;
use crate::cluster::Cluster;
use crate::proofs::{LOGS, RESTARTED};

const STORE: &str = "/var/lib/ringfort-audit";

/// The collector is killed while its server is busy, and the log is rotated twice while it is away: everything
/// that was logged is kept once, what it knew it still knows, and the store is whole.
pub fn kept(cluster: &Cluster) {
    let machine = "cp2";
    let key = whole(cluster, machine);
    // Killed again and again, at whatever it does.
    for _ in 0..3 {
        std::thread::scope(|scope| {
            let busy = scope.spawn(|| busy(cluster, machine));
            while !busy.is_finished() {
                cluster.on(machine, KILL);
                began(cluster, machine);
            }
        });
    }
    let begun = cluster.on(machine, "systemctl show -P NRestarts ringfort-collect");
    assert!(begun.trim().parse::<u32>().unwrap() > 2, "it was killed too seldom: {begun}");
    // Away while the log is rotated twice; the server begins a new file when it starts.
    cluster.on(machine, "systemctl stop ringfort-collect");
    for _ in 0..2 {
        cluster.on(machine, &format!("mv {LOGS}/audit.log {LOGS}/{ROTATED}; {RESTARTED}"));
        busy(cluster, machine);
    }
    cluster.on(machine, "systemctl start ringfort-collect");
    caught_up(cluster, machine);
    assert_eq!(whole(cluster, machine), key, "another store was begun");
    // It ends in good order, and says how much there was.
    cluster.on(machine, "systemctl stop ringfort-collect");
    let end = cluster.on(machine, "journalctl -u ringfort-collect -o cat -n 20 --no-pager");
    assert!(end.contains(r#""type":"counts""#), "{end}");
    cluster.on(machine, "systemctl start ringfort-collect");
    well(&cluster.ringfort("prove", &[]));
}

/// Asks one control plane's server for many things.
fn busy(cluster: &Cluster, machine: &str) {
    let contexts = cluster.kubectl(&["config", "get-contexts", "-o", "name"]).stdout;
    let context = contexts.lines().find(|name| name.ends_with(machine)).unwrap();
    for _ in 0..20 {
        let asked = cluster.kubectl(&["--context", context, "get", "pods,secrets", "-A"]);
        assert!(asked.code.is_some(), "{}", asked.stderr);
    }
}

/// Waits until all that was logged by now is kept, and sees that nothing of it is kept twice.
fn caught_up(cluster: &Cluster, machine: &str) {
    let ids = "grep -o '\"auditID\":\"[^\"]*\"' | sort -u";
    let logged = format!("cat {LOGS}/audit*.log | {ids} >/tmp/logged; wc -l </tmp/logged");
    let logged: u64 = cluster.on(machine, &logged).trim().parse().unwrap();
    assert!(logged > 1_000, "{logged} requests are logged");
    let search = format!("ringfort audit search --json --store {STORE} since=30d");
    let missing =
        format!("{search} | {ids} >/tmp/kept; comm -23 /tmp/logged /tmp/kept | head -n 3");
    let begun = Instant::now();
    loop {
        let missing = cluster.on(machine, &missing);
        if missing.trim().is_empty() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "not kept: {missing}");
        std::thread::sleep(Duration::from_secs(1));
    }
    println!("     {logged} requests logged, all of them kept");
    let twice = cluster.on(machine, &format!("{search} | sort | uniq -d | wc -l"));
    assert_eq!(twice.trim(), "0", "lines that are kept twice");
    cluster.on(machine, "rm /tmp/logged /tmp/kept");
}

/// Sees that a store is whole, and gives its key.
fn whole(cluster: &Cluster, machine: &str) -> String {
    let key = cluster.on(machine, &format!("cat {STORE}/key.pub")).trim().to_owned();
    let verify = format!("ringfort audit verify --store {STORE} --key {key}; echo \"exit $?\"");
    let said = cluster.on(machine, &verify);
    assert!(said.contains("exit 0"), "{said}");
    key
}

fn began(cluster: &Cluster, machine: &str) {
    let begun = Instant::now();
    while cluster.on(machine, "systemctl is-active ringfort-collect; true").trim() != "active" {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not start again");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Between two starts there is nothing to kill.
const KILL: &str = "systemctl kill --signal=KILL ringfort-collect || true";
/// What the server calls a file that it has rotated. One of another time it might take away for its age.
const ROTATED: &str = "audit-$(date -u +%Y-%m-%dT%H-%M-%S.000).log";
