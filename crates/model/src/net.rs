//! Addresses and ranges of networks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A family of addresses. A cluster speaks one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Gives the family of an address.
    pub const fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Gives how many bits an address has: the prefix length of a range that holds one address.
    pub const fn width(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Writes a host as it stands before a port and in URLs: an address of IPv6 has brackets there (RFC 3986, 3.2.2).
pub fn bracketed(host: &str) -> String {
    match host.parse::<Ipv6Addr>() {
        Ok(_) => format!("[{host}]"),
        Err(_) => host.to_owned(),
    }
}

/// Writes a host and a port as one text.
pub fn host_port(host: &str, port: u16) -> String {
    format!("{}:{port}", bracketed(host))
}

/// Takes apart what [`host_port`] writes, or a host alone; `None` where brackets hold no address of IPv6.
pub fn apart(text: &str) -> Option<(&str, Option<&str>)> {
    let Some(rest) = text.strip_prefix('[') else {
        return Some(match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        });
    };
    let (host, behind) = rest.split_once(']')?;
    host.parse::<Ipv6Addr>().ok()?;
    match behind.strip_prefix(':') {
        Some(port) => Some((host, Some(port))),
        None => behind.is_empty().then_some((host, None)),
    }
}

/// A range of addresses in CIDR notation whose host bits are zero.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    base: IpAddr,
    prefix: u8,
}

/// Says why a text is no range.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotACidr {
    /// The text has another shape.
    #[error("{text:?} is not a range: write an address and a prefix length, such as 10.244.0.0/16")]
    Shape {
        /// What was written.
        text: String,
    },
    /// Bits behind the prefix are set.
    #[error("{text:?} has bits behind its prefix: the range that holds this address is {meant}")]
    HostBits {
        /// What was written.
        text: String,
        /// The range that was probably meant.
        meant: Cidr,
    },
}

impl Cidr {
    /// Makes the range of a prefix length that holds an address; `None` if the length is too large.
    pub fn holding(address: IpAddr, prefix: u8) -> Option<Self> {
        (prefix <= width(address)).then(|| Self { base: mask(address, prefix), prefix })
    }

    /// Makes the range that holds one address.
    pub fn single(address: IpAddr) -> Self {
        Self { base: address, prefix: width(address) }
    }

    /// Gives the family of its addresses.
    pub fn family(self) -> Family {
        Family::of(self.base)
    }

    /// Gives the first address.
    pub fn base(self) -> IpAddr {
        self.base
    }

    /// Gives the prefix length in bits.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Says whether an address lies in the range.
    pub fn contains(self, address: IpAddr) -> bool {
        width(address) == width(self.base) && mask(address, self.prefix) == self.base
    }

    /// Says whether two ranges share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }

    /// Gives the address at an offset from the base; `None` outside the range.
    pub fn nth(self, offset: u128) -> Option<IpAddr> {
        let address = from_bits(bits(self.base).checked_add(offset)?, self.base)?;
        self.contains(address).then_some(address)
    }

    /// Gives the sub-range of a longer prefix at an index; `None` outside the range.
    pub fn subnet(self, prefix: u8, index: u128) -> Option<Self> {
        let span = u32::from(width(self.base).checked_sub(prefix)?);
        if prefix < self.prefix {
            return None;
        }
        let offset = index.checked_mul(1u128.checked_shl(span)?)?;
        Self::holding(self.nth(offset)?, prefix)
    }
}

impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let shape = || NotACidr::Shape { text: text.to_owned() };
        let (address, prefix) = text.split_once('/').ok_or_else(shape)?;
        let address: IpAddr = address.parse().map_err(|_| shape())?;
        let plain = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix = plain.then(|| prefix.parse().ok()).flatten().ok_or_else(shape)?;
        let meant = Self::holding(address, prefix).ok_or_else(shape)?;
        if meant.base != address {
            return Err(NotACidr::HostBits { text: text.to_owned(), meant });
        }
        Ok(meant)
    }
}

impl TryFrom<String> for Cidr {
    type Error = NotACidr;

    fn try_from(text: String) -> Result<Self, NotACidr> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(range: Cidr) -> Self {
        range.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

fn width(address: IpAddr) -> u8 {
    Family::of(address).width()
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn from_bits(bits: u128, like: IpAddr) -> Option<IpAddr> {
    match like {
        IpAddr::V4(_) => u32::try_from(bits).ok().map(|b| Ipv4Addr::from(b).into()),
        IpAddr::V6(_) => Some(Ipv6Addr::from(bits).into()),
    }
}

fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    let behind = u32::from(width(address) - prefix);
    let kept = bits(address).checked_shr(behind).unwrap_or(0).checked_shl(behind).unwrap_or(0);
    from_bits(kept, address).unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::{Cidr, Family, apart, host_port};

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_are_read_strictly() {
        for good in ["10.244.0.0/16", "0.0.0.0/0", "10.0.0.1/32", "fd00::/48", "::/0"] {
            assert_eq!(cidr(good).to_string(), good);
        }
        for bad in
            ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "a/8", "10.0.0.0/8/8"]
        {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
        let meant = "10.0.0.7/24".parse::<Cidr>().unwrap_err().to_string();
        assert!(meant.contains("10.0.0.0/24"), "{meant}");
    }

    #[test]
    fn ranges_know_what_they_hold() {
        assert!(cidr("10.0.0.0/8").overlaps(cidr("10.244.0.0/16")));
        assert!(!cidr("10.96.0.0/16").overlaps(cidr("10.97.0.0/16")));
        assert!(!cidr("0.0.0.0/0").overlaps(cidr("::/0")));
        assert_eq!(cidr("10.96.0.0/16").nth(10), "10.96.0.10".parse().ok());
        assert_eq!(cidr("10.96.0.0/30").nth(4), None);
        assert_eq!(cidr("10.244.0.0/16").subnet(24, 3), "10.244.3.0/24".parse().ok());
        assert_eq!(cidr("10.244.0.0/16").subnet(24, 256), None);
        assert_eq!(cidr("10.244.0.0/16").subnet(8, 0), None);
        assert_eq!(cidr("fd00:10:96::/112").nth(10), "fd00:10:96::a".parse().ok());
        assert_eq!(cidr("fd00:10:244::/56").subnet(64, 3), "fd00:10:244:3::/64".parse().ok());
        assert_eq!(cidr("fd00:10:244::/56").subnet(64, 256), None);
        assert_eq!(Cidr::single("fd00::1".parse().unwrap()), cidr("fd00::1/128"));
        assert_eq!(cidr("fd00::/8").family().to_string(), "IPv6");
        assert_eq!(cidr("10.0.0.0/8").family(), Family::V4);
    }

    #[test]
    fn an_address_of_ipv6_has_brackets_before_a_port() {
        for (host, text) in [
            ("10.0.0.11", "10.0.0.11:443"),
            ("api.example.com", "api.example.com:443"),
            ("fd00::11", "[fd00::11]:443"),
        ] {
            assert_eq!(host_port(host, 443), text);
            assert_eq!(apart(text), Some((host, Some("443"))));
        }
        assert_eq!(apart("[fd00::11]"), Some(("fd00::11", None)));
        assert_eq!(apart("api"), Some(("api", None)));
        for bad in ["[10.0.0.11]:443", "[fd00::11", "[fd00::11]443", "[]:443"] {
            assert_eq!(apart(bad), None, "{bad}");
        }
        // Without brackets nobody knows where such an address ends.
        assert_eq!(apart("fd00::11:443"), Some(("fd00", Some(":11:443"))));
    }
}
