//! What is found reaches those who are to be told, and a proof says when it does not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cases::well;
use crate::cluster::{Cluster, Said};
use crate::receiver::TOKEN;

const CONTROL: &str = "audit/findings-are-told";
const PLANES: [&str; 3] = ["cp1", "cp2", "cp3"];

/// Where nothing of the webhook's token may be seen, each with a word that is: a look that does not find it has not
/// looked.
const LOOKS: [(&str, &str); 3] = [
    ("journalctl --no-pager --since=-1h", "ringfort-tell"),
    ("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ", "webhook-token"),
    ("cat /var/lib/ringfort-tell/*/* /var/lib/ringfort-metrics/*", "canary"),
];

/// The canaries of this proof that somebody was told of, by whose findings they are.
type Canaries = BTreeMap<String, BTreeSet<String>>;

/// A webhook and a syslog server have what every control plane found. While they are away the proof fails and names
/// them. When they are back the next finding reaches them at once, behind all that they missed.
pub fn reached(cluster: &Cluster) {
    let before = by_webhook(cluster);
    assert_eq!(before.keys().collect::<Vec<_>>(), PLANES, "{before:?}");
    assert_eq!(by_syslog(cluster), before);
    cluster.stop_receiving();
    let failed = prove(cluster);
    assert_eq!(failed.end()["failed"], 1, "{} {}", failed.end(), failed.stderr);
    let row = row(&failed);
    for plane in PLANES {
        let said = format!("{plane} to the webhook, the syslog server");
        assert!(row.contains(&said), "{row}");
    }
    println!("     {row}");
    PLANES.iter().for_each(|plane| no_token_on(cluster, plane));
    cluster.start_receiving();
    let proved = prove(cluster);
    well(&proved);
    assert_eq!(proved.end()["proved"], 1, "{}", proved.end());
    let now = by_webhook(cluster);
    for plane in PLANES {
        let came: Vec<&String> = now[plane].difference(&before[plane]).collect();
        assert_eq!(came.len(), 2, "what {plane} found while they were away, and then: {came:?}");
    }
    assert_eq!(by_syslog(cluster), now);
    let archive = cluster.kubeconfig().with_file_name("evidence.tar");
    no_token_in(&std::fs::read(archive).unwrap());
    for said in [&failed, &proved] {
        no_token_in(format!("{}{}", said.stdout, said.stderr).as_bytes());
    }
}

fn no_token_on(cluster: &Cluster, machine: &str) {
    for (look, word) in LOOKS {
        let count = |word: &str| {
            // Written so that whoever looks for it is not what is found.
            let (first, rest) = word.split_at(1);
            let look = format!("{look} 2>/dev/null | grep -ac '[{first}]{rest}'; true");
            cluster.on(machine, &look).trim().parse::<u64>().unwrap()
        };
        assert!(count(word) > 0, "{look} on {machine} does not show {word}");
        assert_eq!(count(TOKEN), 0, "the token is seen on {machine} by {look}");
    }
}

fn no_token_in(bytes: &[u8]) {
    let holds = |word: &str| bytes.windows(word.len()).any(|it| it == word.as_bytes());
    assert!(holds(CONTROL) && !holds(TOKEN));
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

fn by_webhook(cluster: &Cluster) -> Canaries {
    let mut canaries = Canaries::new();
    for (source, finding) in cluster.receiver.taken() {
        let object = finding["object"].as_str().unwrap_or_default();
        if finding["detection"] == "detect/secrets-role" && object.contains("-told-") {
            assert_eq!(finding["canary"], true, "{finding}");
            canaries.entry(source).or_default().insert(object.to_owned());
        }
    }
    canaries
}

fn by_syslog(cluster: &Cluster) -> Canaries {
    let mut canaries = Canaries::new();
    for message in cluster.receiver.messages() {
        let Some((head, words)) = message.split_once(" ringfort-audit - canary - ") else {
            continue;
        };
        let object = words.split(": ").find_map(|part| part.strip_prefix("create "));
        let source = head.rsplit(' ').next().unwrap_or_default();
        let is_it =
            |object: &&str| words.contains(" detect/secrets-role: ") && object.contains("-told-");
        if let Some(object) = object.filter(is_it) {
            canaries.entry(source.to_owned()).or_default().insert(object.to_owned());
        }
    }
    canaries
}
