//! Many ranges of addresses, of which one that holds an address is found by halving.

use std::net::IpAddr;

use ringfort_model::net::Cidr;

/// Ranges, in order and apart: first and last address as numbers, those of IPv4 as IPv6 maps them.
#[derive(Debug)]
pub(super) struct Ranges(Vec<(u128, u128)>);

impl Ranges {
    /// Reads a range or an address of each line, or gives back the first line that is neither.
    pub(super) fn read<'l>(lines: &[(usize, &'l str)]) -> Result<Self, (usize, &'l str)> {
        let mut all = Vec::with_capacity(lines.len());
        for (number, line) in lines {
            let range = match line.parse::<IpAddr>() {
                Ok(address) => (bits(address), bits(address)),
                Err(_) => line.parse().map(ends).map_err(|_| (*number, *line))?,
            };
            all.push(range);
        }
        all.sort_unstable();
        let mut apart: Vec<(u128, u128)> = Vec::with_capacity(all.len());
        for (first, last) in all {
            match apart.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => apart.push((first, last)),
            }
        }
        Ok(Self(apart))
    }

    /// Whether one holds an address.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        let behind = self.0.partition_point(|(first, _)| *first <= bits);
        behind > 0 && self.0[behind - 1].1 >= bits
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn ends(range: Cidr) -> (u128, u128) {
    let width = if range.base().is_ipv4() { 32 } else { 128 };
    let first = bits(range.base());
    let rest = width - u32::from(range.prefix());
    (first, first | 1_u128.checked_shl(rest).map_or(u128::MAX, |size| size - 1))
}

#[cfg(test)]
mod tests {
    use super::Ranges;

    #[test]
    fn ranges_hold_what_they_name_wherever_it_is_asked() {
        let lines = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "::/0"];
        for (count, inside, outside) in [
            (1, "10.255.255.255", "11.0.0.0"),
            (2, "10.2.0.0", "9.255.255.255"),
            (3, "192.0.2.7", "192.0.2.8"),
            (3, "::ffff:192.0.2.7", "::192.0.2.7"),
            (4, "2001:db8:ffff::1", "2001:db9::"),
        ] {
            let lines: Vec<(usize, &str)> = lines.into_iter().take(count).enumerate().collect();
            let ranges = Ranges::read(&lines).unwrap();
            assert!(ranges.contains(inside.parse().unwrap()), "{inside}");
            assert!(!ranges.contains(outside.parse().unwrap()), "{outside}");
        }
        let all = Ranges::read(&[(1, "::/0")]).unwrap();
        assert!(all.contains("2001:db8::1".parse().unwrap()));
    }
}
