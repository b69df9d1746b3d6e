//! Refuses what a machine passes on to an address and port. Silence alone does not tell whether a filter
//! stopped a packet or nobody was there; a refusal, behind all filters, tells the two apart.

use std::net::SocketAddr;

/// The table, which nobody else has.
const REFUSALS: &str = "inet ringfort_canary_refusal";

/// Gives the command that begins to refuse. Packets come here last of all that passes through the machine.
pub(crate) fn begin(at: SocketAddr) -> String {
    let family = if at.is_ipv4() { "ip" } else { "ip6" };
    let (address, port) = (at.ip(), at.port());
    format!(
        "nft 'table {REFUSALS} {{}}; delete table {REFUSALS}; table {REFUSALS} {{ \
           chain passes {{ type filter hook forward priority 300; \
             {family} daddr {address} tcp dport {port} reject with tcp reset; }}; }}'"
    )
}

/// Gives the command that ends it.
pub(crate) fn end() -> String {
    format!("nft 'table {REFUSALS} {{}}; delete table {REFUSALS}'")
}
