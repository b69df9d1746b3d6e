//! What API servers log is kept, whatever becomes of the collector and of the log.

use std::time::{Duration, Instant};

use crate::cases::well;
use crate::cluster::Cluster;
use crate::proofs::{LOGS, RESTARTED};

/// Where a control plane keeps its log.
pub const STORE: &str = "/var/lib/ringfort-audit";

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
                kill(cluster, machine, "ringfort-collect");
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
    let trouble = "journalctl -u ringfort-collect -o cat -n 20 --no-pager";
    caught_up(cluster, machine, &Place { logs: LOGS, store: STORE, least: 1_000, trouble });
    assert_eq!(whole(cluster, machine), key, "another store was begun");
    // It ends in good order, and says how much there was.
    cluster.on(machine, "systemctl stop ringfort-collect");
    let end = cluster.on(machine, "journalctl -u ringfort-collect -o cat -n 20 --no-pager");
    assert!(end.contains(r#""type":"counts""#), "{end}");
    cluster.on(machine, "systemctl start ringfort-collect");
    well(&cluster.ringfort("prove", &[]));
}

/// Who is root on a machine writes its log anew, with its own key: the store alone looks whole, and what another
/// machine saw of it does not fit.
pub fn rewritten(cluster: &Cluster) {
    let (machine, witness) = ("cp1", "cp2");
    let key = whole(cluster, machine);
    cluster.on(
        machine,
        &format!("systemctl stop ringfort-collect && {SEAL} && systemctl start ringfort-collect"),
    );
    let sealed = cluster.on(machine, &format!("ls {STORE}/*.checkpoint | wc -l"));
    let sealed: u64 = sealed.trim().parse().unwrap();
    let signer = cluster.on(witness, &format!("cat {WITNESS}/key.pub")).trim().to_owned();
    let verify = format!(
        "ringfort audit verify --store {STORE} --key {key} --witness {signer}=/tmp/seen 2>&1; echo \"exit $?\""
    );
    let begun = Instant::now();
    loop {
        // The first that it sees makes the file.
        let seen =
            cluster.on(witness, &format!("! test -e {WITNESS}/seen.* || cat {WITNESS}/seen.*"));
        cluster.on(machine, &format!("cat >/tmp/seen <<'END'\n{}\nEND", seen.trim_end()));
        let said = cluster.on(machine, &verify);
        if !seen.trim().is_empty() && said.contains("; wrong 0\n") && !said.contains("exit 3") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody sees what was sealed: {said}");
        std::thread::sleep(Duration::from_secs(1));
    }
    // Nothing that has to do with secrets was ever asked, it says then, and as many segments as before say so.
    cluster.on(machine, "systemctl stop ringfort-collect ringfort-witness && cp -a /var/lib/ringfort-audit /tmp/store");
    let rewrite = format!(
        "cd {STORE} && find . -type f ! -name key -delete && for of in $(seq {sealed}); do \
         grep -v secrets {LOGS}/audit.log | head -n $((of * 20)) >/tmp/forged.log; \
         ringfort audit collect --once --seal-minutes 0 --log /tmp/forged.log --store {STORE} \
         --source of-$of >/dev/null || exit; done"
    );
    cluster.on(machine, &rewrite);
    assert_eq!(whole(cluster, machine), key, "for whoever asks nobody else it is whole");
    let said = cluster.on(machine, &verify);
    assert!(said.contains("exit 1") && said.contains("witness"), "{said}");
    println!("     {}", said.lines().find(|line| line.contains("witness")).unwrap_or_default());
    cluster.on(
        machine,
        &format!(
            "rm -rf {STORE} /tmp/seen /tmp/forged.log && mv /tmp/store {STORE} && \
             systemctl start ringfort-collect ringfort-witness"
        ),
    );
    well(&cluster.ringfort("prove", &["--control", "audit/events-are-kept"]));
}

/// A real API server sends what it logs to a receiver that is killed again and again, and so is the collector behind
/// it: everything that stands in the server's own log is kept.
pub fn sent(cluster: &Cluster) {
    let machine = "cp1";
    let address = cluster.on(machine, BEGIN_SENDING).trim().to_owned();
    let server = format!("--server=https://{address}:7443");
    let begun = Instant::now();
    while cluster.kubectl(&[&server, "get", "--raw", "/readyz"]).code != Some(0) {
        assert!(begun.elapsed() < Duration::from_secs(90), "the second server does not start");
        std::thread::sleep(Duration::from_secs(1));
    }
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            for _ in 0..40 {
                cluster.kubectl(&[&server, "get", "pods,secrets,nodes", "-A"]);
            }
        });
        while !asking.is_finished() {
            for unit in SENT {
                kill(cluster, machine, unit);
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    });
    // Nothing more is logged, and what is under way comes to its end.
    cluster.on(machine, "sleep 15; systemctl stop sent-server");
    let place =
        Place { logs: "/run/sent", store: "/run/sent/store", least: 200, trouble: SENT_TROUBLE };
    caught_up(cluster, machine, &place);
    for unit in SENT {
        let begun = cluster.on(machine, &format!("systemctl show -P NRestarts {unit}"));
        assert!(begun.trim().parse::<u32>().unwrap() > 2, "{unit} was killed too seldom: {begun}");
    }
    cluster.on(machine, &format!("systemctl stop {}; rm -rf /run/sent", SENT.join(" ")));
}

/// Somebody takes lines out of a log before they are collected, and elsewhere nobody collects: the machine that witnesses
/// each says so, and the proof does not pass meanwhile.
pub fn counted(cluster: &Cluster) {
    cluster.on("cp1", "systemctl stop ringfort-collect");
    busy(cluster, "cp1");
    // In place, so that the server goes on in the same file.
    let taken = format!(
        "cd {LOGS} && grep -v '/secrets?limit=' audit.log >/run/less && cat /run/less >audit.log && rm /run/less && \
         systemctl start ringfort-collect"
    );
    cluster.on("cp1", &taken);
    cluster.on("cp3", "systemctl stop ringfort-collect");
    let search = format!("ringfort audit search --store {STORE} --json resource=audit-log");
    let told = |of: &str, by: &str, name: &str| {
        let found = cluster.on(by, &search);
        found.lines().any(|line| line.contains(name) && line.contains(&format!("witness/{of}")))
    };
    let begun = Instant::now();
    while !told("cp1", "cp2", "audit/events-lost") || !told("cp3", "cp1", "audit/nothing-comes") {
        let said = || cluster.on("cp1", "journalctl -o cat -u ringfort-witness -n 20");
        let is_late = begun.elapsed() > Duration::from_secs(150);
        assert!(!is_late, "nobody tells what is missing: {}", said());
        std::thread::sleep(Duration::from_secs(2));
    }
    println!("     what does not come was told after {:.0} s", begun.elapsed().as_secs_f64());
    let verify = format!("ringfort audit verify --store {STORE} --key $(cat {STORE}/key.pub)");
    let said = cluster.on("cp2", &format!("{verify}; echo \"exit $?\""));
    let is_named = |line: &str| line.starts_with("log of cp1, ") && line.contains("did not come");
    assert!(said.lines().any(is_named) && said.contains("exit 1"), "{said}");
    let proved = cluster.ringfort("prove", &["--control", "audit/events-are-kept"]);
    assert_eq!(proved.code, Some(1), "{}{}", proved.stdout, proved.stderr);
    cluster.on("cp3", "systemctl start ringfort-collect");
    well(&cluster.ringfort("prove", &["--control", "audit/events-are-kept"]));
}

/// Somebody is refused many things, a few by each API server: no log shows it by itself, and one control plane tells it.
pub fn together(cluster: &Cluster) {
    let planes = ["cp1", "cp2", "cp3"];
    planes.iter().for_each(|machine| quiet(cluster, machine));
    // Also what a server's own log showed.
    let grep = format!("grep -h '\"detect/refusals\"' {STORE}/findings; true");
    let found = || {
        let all = planes.map(|machine| cluster.on(machine, &grep)).concat();
        let lines = all.lines().filter(|line| line.contains("/spread/"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = found();
    let contexts = cluster.kubectl(&["config", "get-contexts", "-o", "name"]).stdout;
    let is_of_one = |name: &&str| planes.iter().any(|machine| name.ends_with(machine));
    let four = contexts.lines().filter(is_of_one).flat_map(|context| [context; 4]);
    for (number, context) in four.enumerate() {
        let path = format!("/spread/{number}");
        let asked = ["--context", context, "--as", "nobody", "get", "--raw", path.as_str()];
        let asked = cluster.kubectl(&asked);
        assert_eq!(asked.code, Some(1), "{}{}", asked.stdout, asked.stderr);
    }
    let begun = Instant::now();
    let new = || {
        let lines = found().into_iter().filter(|line| !before.contains(line));
        lines.collect::<Vec<_>>()
    };
    while new().is_empty() {
        let said = || cluster.on("cp3", "journalctl -o cat -u ringfort-witness -n 20");
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody tells it: {}", said());
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("     what is spread was told after {:.0} s", begun.elapsed().as_secs_f64());
    // Whoever would tell it as well does so by then.
    std::thread::sleep(Duration::from_secs(8));
    let new = new();
    assert_eq!(new.len(), 1, "it was told twice: {new:?}");
    let is_beside = new[0].contains("with what other API servers logged");
    assert!(is_beside, "one server's log showed it: {new:?}");
}

/// Waits until a server has refused the administrator nothing for a minute: what was refused before would count with
/// what is refused now.
fn quiet(cluster: &Cluster, machine: &str) {
    let refused = "last=$(grep '\"code\":403' /var/log/kubernetes/audit.log | grep '\"ringfort:admin\"' | tail -n 1 | \
                   grep -o 'stageTimestamp[^,}]*' | cut -d: -f2- | tr -d '\"'); \
                   [ -z \"$last\" ] && echo 1000 || echo $(($(date +%s) - $(date -d \"$last\" +%s)))";
    let begun = Instant::now();
    while cluster.on(machine, refused).trim().parse::<u64>().unwrap() < 62 {
        assert!(begun.elapsed() < Duration::from_secs(90), "{machine} refuses on and on");
        std::thread::sleep(Duration::from_secs(2));
    }
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

/// Where something is logged and kept.
struct Place {
    logs: &'static str,
    store: &'static str,
    /// So much is logged at least, or the case tries nothing.
    least: u64,
    /// Says why something is not kept.
    trouble: &'static str,
}

/// Waits until all that was logged by now is kept, and sees that nothing of it is kept twice.
fn caught_up(cluster: &Cluster, machine: &str, place: &Place) {
    let Place { logs, store, least, trouble } = place;
    let ids = "grep -o '\"auditID\":\"[^\"]*\",\"stage\":\"[^\"]*\"' | sort -u";
    let logged = format!("cat {logs}/audit*.log | {ids} >/tmp/logged; wc -l </tmp/logged");
    let logged: u64 = cluster.on(machine, &logged).trim().parse().unwrap();
    assert!(logged > *least, "{logged} events are logged");
    let search = format!("ringfort audit search --json --store {store} since=30d");
    let missing =
        format!("{search} | {ids} >/tmp/kept; comm -23 /tmp/logged /tmp/kept | head -n 3");
    let begun = Instant::now();
    loop {
        let missing = cluster.on(machine, &missing);
        if missing.trim().is_empty() {
            break;
        }
        if begun.elapsed() > Duration::from_secs(60) {
            panic!("not kept: {missing}{}", cluster.on(machine, trouble));
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    println!("     {logged} events logged, all of them kept");
    let twice = cluster.on(machine, &format!("{search} | sort | uniq -d | wc -l"));
    assert_eq!(twice.trim(), "0", "lines that are kept twice");
    cluster.on(machine, "rm /tmp/logged /tmp/kept");
}

/// Sees that a store is whole, and gives its key.
fn whole(cluster: &Cluster, machine: &str) -> String {
    let key = cluster.on(machine, &format!("cat {STORE}/key.pub")).trim().to_owned();
    let verify = format!("ringfort audit verify --store {STORE} --key {key}; echo \"exit $?\"");
    let said = cluster.on(machine, &verify);
    // What was missed of another's log meanwhile is told there too, and is not what is asked.
    assert!(said.contains("; wrong 0\n") && !said.contains("exit 3"), "{said}");
    key
}

/// Kills a unit, whatever it does. Between two starts there is nothing to kill.
fn kill(cluster: &Cluster, machine: &str, unit: &str) {
    cluster.on(machine, &format!("systemctl kill --signal=KILL {unit} || true"));
}

fn began(cluster: &Cluster, machine: &str) {
    let begun = Instant::now();
    while cluster.on(machine, "systemctl is-active ringfort-collect; true").trim() != "active" {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not start again");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Where a control plane keeps what it saw of another's log, and what was seen of its own.
const WITNESS: &str = "/var/lib/ringfort-witness";
/// Seals what there is.
const SEAL: &str = "\
    { $(sed -n 's/^ExecStart=//p' /etc/systemd/system/ringfort-collect.service) --seal-minutes 0 --once >/dev/null || \
    [ $? -eq 3 ]; }";
/// Who receives and who keeps what a second API server sends.
const SENT: [&str; 2] = ["sent-witness", "sent-collect"];
/// Starts a second API server that sends what it logs, and who receives it.
const BEGIN_SENDING: &str = include_str!("sending.sh");
/// What says why something was not kept.
const SENT_TROUBLE: &str = "\
    for unit in witness collect server; do journalctl -u sent-$unit -n 400 -o cat --no-pager | \
    grep -iE 'type|audit|webhook' | tail -n 6 | cut -c1-400; done; ls -l /run/sent/received /run/sent/store";
/// What the server calls a file that it has rotated. One of another time it might take away for its age.
const ROTATED: &str = "audit-$(date -u +%Y-%m-%dT%H-%M-%S.000).log";
