//! What is found reaches those who are to be told, and a proof says when it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cases::well;
use crate::cluster::{Cluster, Said};
use crate::receiver::TOKEN;

const CONTROL: &str = "audit/findings-are-told";

/// A webhook and a syslog server have what every control plane found. While they are away the proof fails and names
/// them, and what they missed comes when they are back.
pub fn reached(cluster: &Cluster) {
    let planes = ["cp1", "cp2", "cp3"].map(str::to_owned);
    let before = canaries(cluster);
    assert_eq!(before.keys().cloned().collect::<Vec<_>>(), planes, "{before:?}");
    let messages = cluster.receiver.messages();
    for plane in &planes {
        let from = format!(" {plane} ringfort-audit - finding - ");
        assert!(messages.contains(&from), "nothing in syslog of {plane}");
    }
    cluster.stop_receiving();
    let proved = prove(cluster);
    assert_eq!(proved.end()["failed"], 1, "{} {}", proved.end(), proved.stderr);
    let row = row(&proved);
    for plane in &planes {
        let said = format!("{plane} to the webhook, the syslog server");
        assert!(row.contains(&said), "{row}");
    }
    println!("     {row}");
    for word in
        ["journalctl --no-pager --since=-1h", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ"]
    {
        // Written so that whoever looks for it is not what is found.
        let (first, rest) = TOKEN.split_at(1);
        let look = format!("{word} 2>/dev/null | grep -ac '[{first}]{rest}'; true");
        let seen = cluster.on("cp1", &look);
        assert_eq!(seen.trim(), "0", "the token is seen by {word}");
    }
    cluster.start_receiving();
    let begun = Instant::now();
    // What was missed comes, at the latest a minute after the last attempt.
    loop {
        let now = canaries(cluster);
        if planes.iter().all(|plane| now[plane].len() > before[plane].len()) {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "what was missed does not come: {now:?}"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    println!(
        "     what was missed came {:.1} s after the receivers",
        begun.elapsed().as_secs_f64()
    );
    let proved = prove(cluster);
    well(&proved);
    assert_eq!(proved.end()["proved"], 1, "{}", proved.end());
}

fn prove(cluster: &Cluster) -> Said {
    cluster.ringfort("prove", &["--control", CONTROL])
}

/// Gives what the proof said.
fn row(said: &Said) -> String {
    let is_it = |event: &&Value| event["event"] == "proof" && event["control"] == CONTROL;
    let row = said.events.iter().rfind(is_it).expect("the proof was made");
    row["detail"].as_str().unwrap().to_owned()
}

/// Gives the canaries of this proof that the webhook was told of, by whose findings they are.
fn canaries(cluster: &Cluster) -> BTreeMap<String, BTreeSet<String>> {
    let mut canaries: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (source, finding) in cluster.receiver.taken() {
        let object = finding["object"].as_str().unwrap_or_default();
        if finding["detection"] == "detect/secrets-role" && object.contains("-told-") {
            canaries.entry(source).or_default().insert(object.to_owned());
        }
    }
    canaries
}
