//! The benchmark on a cluster that ringfort made.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::Cluster;
use crate::proofs;

/// Waits until every server's audit log tells of as long a time as rows that rest on it ask for.
fn logged_for_long_enough(cluster: &Cluster) {
    // Of nothing, `date` makes today's midnight.
    let seconds = "first=$(head -n 1 /var/log/kubernetes/audit.log | grep -o 'stageTimestamp[^,}]*' | cut -d: -f2-); \
                   if [ -z \"$first\" ]; then echo 0; else \
                   echo $(($(date +%s) - $(date -d \"$(echo $first | tr -d '\\\"')\" +%s))); fi";
    let begun = Instant::now();
    for server in ["cp1", "cp2", "cp3"] {
        while cluster.on(server, seconds).trim().parse::<u64>().unwrap() < LOGGED_SECONDS {
            assert!(begun.elapsed().as_secs() < LOGGED_SECONDS, "the log of {server} has no age");
            std::thread::sleep(Duration::from_secs(5));
        }
    }
}

/// Ten minutes, and what came last may be a little older than now.
const LOGGED_SECONDS: u64 = 620;

/// Every recommendation is decided, and none fails without somebody who answers for it.
pub fn decided(cluster: &Cluster) {
    // Canaries of proofs use the account that nobody else should.
    proofs::gone(cluster);
    logged_for_long_enough(cluster);
    let said = cluster.check();
    let report: Value = serde_json::from_str(&said.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", said.stdout, said.stderr));
    let rows = report["rows"].as_array().unwrap();
    let wrong: Vec<String> = rows
        .iter()
        .filter(|row| matches!(row["verdict"].as_str(), Some("fail" | "unknown") | None))
        .map(|row| format!("{} {}: {}", row["id"], row["verdict"], row["said"]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let is_beyond = |row: &&Value| row["id"].as_str().is_some_and(|id| id.contains('/'));
    let beyond = rows.iter().filter(is_beyond).count();
    assert_eq!((rows.len() - beyond, said.code), (131, Some(0)));
    assert!(beyond > 20, "{beyond} rows beyond the benchmark");
    assert_eq!(report["machines"].as_array().map(Vec::len), Some(crate::MACHINES.len()));
    for row in rows.iter().filter(|row| row["verdict"] == "waived") {
        assert!(row["waiver"]["owner"].is_string(), "{row}");
    }
    println!("     check: {}; beyond it: {}", report["counts"], report["beyond"]);
}

/// Objects are all listed, and judged by every guideline: what ringfort's own roles give is found, and what every API
/// server makes at its start is left out, as it was not changed.
pub fn objects_judged(cluster: &Cluster) {
    let said = cluster.check_objects();
    let sarif: Value = serde_json::from_str(&said.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", said.stdout, said.stderr));
    let run = &sarif["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], true, "{}", said.stderr);
    let results = run["results"].as_array().unwrap();
    let rules_of = |role: &str| -> Vec<&str> {
        let is_of = |result: &&Value| {
            let artifact = &result["locations"][0]["physicalLocation"]["artifactLocation"];
            // As addresses are written.
            let uri = format!("ClusterRole/{}", role.replace(':', "%3A"));
            artifact["uri"] == uri.as_str()
        };
        results.iter().filter(is_of).filter_map(|result| result["ruleId"].as_str()).collect()
    };
    let own = rules_of("ringfort:admin");
    assert!(own.contains(&"access/no-broad-deleting"), "{own:?}");
    assert_eq!(rules_of("cluster-admin"), [""; 0]);
    assert_eq!(said.code, Some(1));
}
