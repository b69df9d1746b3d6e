//! Files of machines are watched, and what changes them is told.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::{Cluster, Said};

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", said.stdout, said.stderr))
}

/// What somebody puts beside the files of a machine is told with who did it, stays unexplained until somebody
/// answers for it, and an agent that is stopped is missed.
pub fn watched(cluster: &Cluster) {
    let status = json(&cluster.integrity(&["status", "--json"]));
    let machines = status["machines"].as_array().unwrap();
    assert_eq!(machines.len(), crate::MACHINES.len());
    for machine in machines {
        let of = &machine["status"];
        assert_eq!(machine["runs"], true, "{machine}");
        assert!(of["verified"].is_u64() && of["refused"].is_null(), "{machine}");
        assert_eq!(of["limits"], Value::Array(Vec::new()), "{machine}");
        println!(
            "     {}: {} watched, {} unexplained, asked {} times, {} µs each, {} at most",
            machine["node"],
            of["watched"],
            machine["unexplained"],
            of["asked"],
            of["answerMicroseconds"],
            of["longestAnswerMicroseconds"]
        );
    }
    let before = json(&cluster.integrity(&["changes", "--json", "--since", "24h"]));
    for of in before["machines"].as_array().unwrap() {
        let open = of["changes"].as_array().unwrap().iter();
        for change in open.filter(|it| it["why"] == "unexplained") {
            println!("     unexplained before: {} {change}", of["node"]);
        }
    }
    cluster
        .on("w1", "cp /etc/hostname /etc/cron.d/evil && sleep 2 && rm /etc/cron.d/evil && sleep 2");
    let after = cluster.integrity(&["changes", "--json", "--node", "w1", "--since", "10m"]);
    assert_eq!(after.code, Some(1), "{}", after.stderr);
    let after = json(&after);
    let changes = after["machines"][0]["changes"].as_array().unwrap();
    let evil: Vec<&Value> =
        changes.iter().filter(|change| change["path"] == "/etc/cron.d/evil").collect();
    let [made, removed] = evil[..] else { panic!("{changes:#?}") };
    let exe = |change: &Value| change["who"]["process"]["exe"].as_str().unwrap_or("").to_owned();
    assert!(exe(made).ends_with("/cp") && exe(removed).ends_with("/rm"), "{evil:#?}");
    delivered(cluster);
    for change in evil {
        let id = change["id"].as_str().unwrap();
        let words = ["accept", id, "--reason", "a test", "--owner", "tests", "--node", "w1"];
        let accepted = cluster.integrity(&words);
        assert_eq!(accepted.code, Some(0), "{}{}", accepted.stdout, accepted.stderr);
        let again = cluster.integrity(&words);
        assert_eq!(again.code, Some(2), "{}", again.stderr);
    }
    let verified = cluster.integrity(&["verify", "--node", "w1"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    cluster.on("w2", "systemctl stop ringfort-integrity.service && sleep 12");
    let stopped = cluster.integrity(&["status", "--json", "--node", "w2"]);
    assert_eq!(stopped.code, Some(1), "{}", stopped.stdout);
    cluster.on("w2", "systemctl start ringfort-integrity.service");
}

/// Sees that what was found on a worker is kept on a control plane, by whose it is.
fn delivered(cluster: &Cluster) {
    let search = format!(
        "ringfort audit search --json --store {} since=10m resource=files name=/etc/cron.d/evil source=w1",
        crate::audit::STORE
    );
    let begun = Instant::now();
    loop {
        let kept: String =
            ["cp1", "cp2", "cp3"].map(|machine| cluster.on(machine, &search)).concat();
        if kept.matches("integrity/unexplained-change").count() >= 2 {
            assert!(kept.contains("agent/w1"), "{kept}");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "not delivered: {kept}");
        std::thread::sleep(Duration::from_secs(1));
    }
    println!(
        "     kept on a control plane {:.1} s after it was looked for",
        begun.elapsed().as_secs_f64()
    );
}
