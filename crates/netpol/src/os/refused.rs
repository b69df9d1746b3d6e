//! What was refused, as the kernel's sets remember it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use ringfort_policy::{Direction, Protocol};

/// A connection that was refused.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Refusal {
    /// The way, seen from the node's pod: `egress` or `ingress`.
    pub way: String,
    /// The node's pod.
    pub own: IpAddr,
    /// The other end.
    pub peer: IpAddr,
    /// The protocol.
    pub protocol: String,
    /// The port of whoever was to be reached.
    pub port: u16,
}

/// The sets that hold refused connections.
pub(super) fn flows() -> Vec<String> {
    let ways = Direction::BOTH.iter();
    ways.flat_map(|way| [4, 6].map(|family| format!("{}{family}_flows", way.word()))).collect()
}

/// Reads refused connections with how many packets each lost.
pub(super) fn connections(listed: &str) -> BTreeMap<Refusal, u64> {
    let mut found = BTreeMap::new();
    for_each(listed, |set, element| {
        let Some(way) = ["egress", "ingress"].iter().find(|way| set.starts_with(**way)) else {
            return;
        };
        let parts = element["val"]["concat"].as_array().map(Vec::as_slice).unwrap_or_default();
        let [own, peer, protocol, port] = parts else { return };
        let address = |value: &Value| value.as_str()?.parse().ok();
        let port = || match port {
            Value::Number(number) => number.as_u64()?.try_into().ok(),
            _ => None,
        };
        let (Some(own), Some(peer), Some(port)) = (address(own), address(peer), port()) else {
            return;
        };
        let of = |it: &&Protocol| protocol.as_u64() == Some(it.number().into());
        let by_number = Protocol::ALL.iter().find(of).map(|it| it.word());
        // Without a file that knows protocols by name, nft writes numbers.
        let protocol = protocol.as_str().or(by_number).unwrap_or("unknown").to_owned();
        let refusal = Refusal { way: (*way).to_owned(), own, peer, protocol, port };
        found.insert(refusal, packets(element));
    });
    found
}

/// Reads how many packets of each pod were refused.
pub(super) fn pods(listed: &str) -> BTreeMap<(String, IpAddr), u64> {
    let mut found = BTreeMap::new();
    for_each(listed, |set, element| {
        let Some((way, _)) = set.split_once(['4', '6']) else { return };
        let Some(address) = element["val"].as_str().and_then(|it| it.parse().ok()) else { return };
        found.insert((way.to_owned(), address), packets(element));
    });
    found
}

fn packets(element: &Value) -> u64 {
    element["counter"]["packets"].as_u64().unwrap_or_default()
}

fn for_each(listed: &str, mut each: impl FnMut(&str, &Value)) {
    // Several commands give several documents, one a line or one after the other.
    let documents = serde_json::Deserializer::from_str(listed).into_iter::<Value>();
    for document in documents.map_while(Result::ok) {
        for entry in document["nftables"].as_array().into_iter().flatten() {
            let set = &entry["set"];
            let Some(name) = set["name"].as_str() else { continue };
            for element in set["elem"].as_array().into_iter().flatten() {
                each(name, &element["elem"]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{connections, pods};

    #[test]
    fn counters_are_read_as_nft_writes_them() {
        let listed = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"set": {"family": "inet",
            "name": "egress4_flows", "elem": [{"elem": {"val": {"concat": ["10.1.0.2", "10.1.2.3",
            "tcp", 8080]}, "timeout": 120, "expires": 60, "counter": {"packets": 3, "bytes": 180}}}]}}]}
            {"nftables": [{"set": {"name": "ingress6_flows"}}]}"#;
        let found = connections(listed);
        let (refusal, packets) = found.first_key_value().unwrap();
        assert_eq!((refusal.way.as_str(), refusal.port, *packets), ("egress", 8080, 3));
        assert_eq!(found.len(), 1);
        let listed = r#"{"nftables": [{"set": {"name": "ingress4_refused", "elem": [{"elem": {"val":
            "10.1.0.2", "counter": {"packets": 7, "bytes": 1}}}]}}]}"#;
        let found: Vec<_> = pods(listed).into_iter().collect();
        let expected = (("ingress".to_owned(), "10.1.0.2".parse().unwrap()), 7);
        assert_eq!(found, [expected]);
    }
}
