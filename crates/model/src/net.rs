//! Addresses and ranges of networks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
    if address.is_ipv4() { 32 } else { 128 }
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
    use super::Cidr;

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
    }
}
