//! Counts what arrives on a machine from outside: packets of WireGuard, and packets of pods that are
//! in no tunnel. The kernel's filter counts; nothing is read of any packet, and none is changed.

use serde_json::Value;

use ringfort_model::act::Heard;
use ringfort_model::net::Cidr;
use ringfort_model::tunnel::TUNNEL_PORT;

/// The table, which nobody else has.
const COUNTS: &str = "inet ringfort_canary";

/// Gives the command that begins to count anew.
pub(crate) fn begin(pods: Cidr) -> String {
    let family = if pods.base().is_ipv4() { "ip" } else { "ip6" };
    // What has been taken out of the tunnel, and what pods of the machine itself say, comes from
    // these.
    let outside = "iifname != { \"ringfort0\", \"cni0\", \"lo\" }";
    format!(
        "nft 'table {COUNTS} {{}}; delete table {COUNTS}; table {COUNTS} {{ \
           counter sealed {{ }}; counter open {{ }}; \
           chain arrives {{ type filter hook prerouting priority -400; \
             {outside} udp dport {TUNNEL_PORT} counter name \"sealed\"; \
             {outside} {family} saddr {pods} counter name \"open\"; }}; }}'"
    )
}

/// Gives the command that tells what was counted, and ends it.
pub(crate) fn end() -> String {
    format!("nft -j list table {COUNTS} && nft delete table {COUNTS}")
}

/// Reads what was counted.
pub(crate) fn read(text: &[u8]) -> Result<Heard, String> {
    let said: Value = serde_json::from_slice(text).map_err(|error| format!("nft: {error}"))?;
    let parts = said["nftables"].as_array().ok_or("nft lists no table")?;
    let count = |name: &str| {
        let counter = parts.iter().map(|part| &part["counter"]).find(|part| part["name"] == name);
        counter.and_then(|counter| counter["packets"].as_u64())
    };
    match (count("sealed"), count("open")) {
        (Some(sealed), Some(open)) => Ok(Heard { sealed, open }),
        _ => Err("nft lists no counters of ours".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::act::Heard;

    use super::read;

    #[test]
    fn counts_are_read_as_nft_lists_them() {
        let text = br#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"table": {"family": "inet", "name": "ringfort_canary", "handle": 1}},
            {"counter": {"family": "inet", "name": "sealed", "table": "ringfort_canary", "packets": 41, "bytes": 9}},
            {"counter": {"family": "inet", "name": "open", "table": "ringfort_canary", "packets": 0, "bytes": 0}}]}"#;
        assert_eq!(read(text), Ok(Heard { sealed: 41, open: 0 }));
        for bad in ["", "{}", r#"{"nftables": []}"#] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
