//! The benchmark on a cluster that ringfort made.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::proofs;

/// Every recommendation is decided, and none fails without somebody who answers for it.
pub fn decided(cluster: &Cluster) {
    // Canaries of proofs use the account that nobody else should.
    proofs::gone(cluster);
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
    assert_eq!((rows.len(), said.code), (131, Some(0)));
    assert_eq!(report["machines"].as_array().map(Vec::len), Some(crate::MACHINES.len()));
    for row in rows.iter().filter(|row| row["verdict"] == "waived") {
        assert!(row["waiver"]["owner"].is_string(), "{row}");
    }
    println!("     check: {}", report["counts"]);
}
