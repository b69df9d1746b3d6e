//! Where clouds tell a machine its own secrets, to whoever asks from its address. The one list of them: whoever keeps
//! pods away from there goes by it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address at which a cloud tells a machine its secrets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// The cloud.
    pub cloud: &'static str,
    /// The address.
    pub address: IpAddr,
    /// The ports, on TCP, at which it tells them.
    pub ports: &'static [u16],
    /// The port at which it also answers everybody's questions for names, which gives nothing away.
    pub names_at: Option<u16>,
}

impl Endpoint {
    /// Whether the address is one of links, which no router passes on.
    pub fn is_of_links(&self) -> bool {
        match self.address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        }
    }

    const fn v4(cloud: &'static str, address: [u8; 4]) -> Self {
        let [a, b, c, d] = address;
        let address = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        Self { cloud, address, ports: WEB, names_at: None }
    }

    const fn v6(cloud: &'static str, address: [u16; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = address;
        let address = IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h));
        Self { cloud, address, ports: WEB, names_at: None }
    }
}

const WEB: &[u16] = &[80];
/// Azure's agent of the machine is answered at another port as well.
const OF_AZURE: &[u16] = &[80, 32526];

/// All that are known here.
pub const ENDPOINTS: [Endpoint; 7] = [
    Endpoint::v4("most clouds", [169, 254, 169, 254]),
    Endpoint::v4("Alibaba Cloud", [100, 100, 100, 200]),
    Endpoint { ports: OF_AZURE, names_at: Some(53), ..Endpoint::v4("Azure", [168, 63, 129, 16]) },
    Endpoint::v6("AWS", [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]),
    Endpoint::v6("Google Cloud", [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]),
    Endpoint::v6("Oracle Cloud", [0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]),
    Endpoint::v6("Scaleway", [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]),
];

/// The addresses of links, by family: none of them is for anybody but a machine itself.
pub const LINKS: [&str; 2] = ["169.254.0.0/16", "fe80::/10"];

#[cfg(test)]
mod tests {
    use super::{ENDPOINTS, LINKS};
    use crate::net::Cidr;

    #[test]
    fn addresses_are_written_as_clouds_write_them() {
        let written = ENDPOINTS.map(|it| it.address.to_string());
        let expected = [
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
        ];
        assert_eq!(written, expected);
    }

    #[test]
    fn what_is_of_links_lies_in_their_ranges() {
        let links: Vec<Cidr> = LINKS.iter().map(|it| it.parse().unwrap()).collect();
        for endpoint in ENDPOINTS {
            let is_within = links.iter().any(|range| range.contains(endpoint.address));
            assert_eq!(is_within, endpoint.is_of_links(), "{endpoint:?}");
        }
    }
}
