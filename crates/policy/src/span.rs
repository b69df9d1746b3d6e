//! Runs of numbers and of addresses, put together so that none of them share anything.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ringfort_model::net::Cidr;

/// A run from one number to another, both within.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Span<T> {
    /// The first.
    pub first: T,
    /// The last.
    pub last: T,
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// Gives the family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Gives the address of a number.
    pub fn address(self, number: u128) -> IpAddr {
        match self {
            // The bits of an address of this family are never more.
            #[allow(clippy::cast_possible_truncation)]
            Self::V4 => IpAddr::V4(Ipv4Addr::from(number as u32)),
            Self::V6 => IpAddr::V6(Ipv6Addr::from(number)),
        }
    }
}

/// Gives the number of an address.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// Gives all addresses of a range as a run.
pub fn of_range(range: Cidr) -> Span<u128> {
    let width: u32 = if range.base().is_ipv4() { 32 } else { 128 };
    let first = number(range.base());
    let host = width - u32::from(range.prefix());
    let size = 1u128.checked_shl(host).map_or(u128::MAX, |size| size - 1);
    Span { first, last: first + size }
}

/// Takes runs out of a run.
pub fn without(whole: Span<u128>, mut out: Vec<Span<u128>>) -> Vec<Span<u128>> {
    out.sort();
    let mut left = Vec::new();
    let mut next = Some(whole.first);
    for each in out {
        let Some(first) = next else { break };
        if each.first > whole.last {
            break;
        }
        if each.first > first {
            left.push(Span { first, last: each.first - 1 });
        }
        next = each.last.checked_add(1).map(|after| after.max(first));
    }
    if let Some(first) = next.filter(|first| *first <= whole.last) {
        left.push(Span { first, last: whole.last });
    }
    left
}

/// Joins runs of ports that touch or overlap, in order.
pub fn join(mut spans: Vec<Span<u16>>) -> Vec<Span<u16>> {
    spans.sort();
    let mut joined: Vec<Span<u16>> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.first <= last.last.saturating_add(1) => {
                last.last = last.last.max(span.last);
            }
            _ => joined.push(span),
        }
    }
    joined
}

/// Cuts runs that may overlap into runs that do not, each with all that held of those it lies in. It goes
/// over the edges of runs once, from the lowest on. Gives nothing where pieces hold more than `most` together.
pub fn cut<T: Clone + Ord>(
    runs: &[(Span<u128>, T)],
    most: usize,
) -> Option<Vec<(Span<u128>, Vec<T>)>> {
    let mut left = most;
    let begins = runs.iter().map(|(run, what)| (run.first, Edge::Begin, what));
    let ends = runs
        .iter()
        .filter_map(|(run, what)| run.last.checked_add(1).map(|behind| (behind, Edge::End, what)));
    let mut edges: Vec<(u128, Edge, &T)> = begins.chain(ends).collect();
    edges.sort_unstable();
    // How many runs of each are open.
    let mut open: BTreeMap<&T, usize> = BTreeMap::new();
    let mut pieces: Vec<(Span<u128>, Vec<T>)> = Vec::new();
    let mut at_once = edges.chunk_by(|one, other| one.0 == other.0).peekable();
    while let Some(here) = at_once.next() {
        for (_, edge, what) in here {
            let count = open.entry(*what).or_default();
            match edge {
                Edge::Begin => *count += 1,
                Edge::End => *count -= 1,
            }
        }
        open.retain(|_, count| *count > 0);
        if open.is_empty() {
            continue;
        }
        let first = here[0].0;
        let last = at_once.peek().map_or(u128::MAX, |next| next[0].0 - 1);
        left = left.checked_sub(open.len())?;
        let held: Vec<T> = open.keys().map(|what| (*what).clone()).collect();
        match pieces.last_mut() {
            Some((before, of)) if *of == held && before.last + 1 == first => before.last = last,
            _ => pieces.push((Span { first, last }, held)),
        }
    }
    Some(pieces)
}

/// An edge of a run.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Edge {
    Begin,
    End,
}

#[cfg(test)]
mod tests {
    use super::{Span, cut, join, of_range, without};

    fn spans<T: Copy>(pairs: &[(T, T)]) -> Vec<Span<T>> {
        pairs.iter().map(|(first, last)| Span { first: *first, last: *last }).collect()
    }

    #[test]
    fn a_range_is_a_run() {
        let run = |text: &str| of_range(text.parse().unwrap());
        assert_eq!(run("10.0.0.0/30"), Span { first: 0x0a00_0000, last: 0x0a00_0003 });
        assert_eq!(run("0.0.0.0/0"), Span { first: 0, last: u128::from(u32::MAX) });
        assert_eq!(run("::/0"), Span { first: 0, last: u128::MAX });
        assert_eq!(run("::1/128"), Span { first: 1, last: 1 });
    }

    #[test]
    fn what_is_excepted_is_taken_out() {
        let check = |out: &[(u128, u128)], left: &[(u128, u128)]| {
            assert_eq!(without(Span { first: 10, last: 20 }, spans(out)), spans(left));
        };
        check(&[], &[(10, 20)]);
        check(&[(12, 14)], &[(10, 11), (15, 20)]);
        check(&[(18, 30), (0, 10)], &[(11, 17)]);
        check(&[(10, 20)], &[]);
        check(&[(0, u128::MAX)], &[]);
        check(&[(12, 18), (13, 14)], &[(10, 11), (19, 20)]);
        check(&[(0, 5), (30, 40)], &[(10, 20)]);
    }

    #[test]
    fn ports_that_touch_are_one_run() {
        let of = |pairs: &[(u16, u16)]| join(spans(pairs));
        assert_eq!(of(&[(80, 80), (81, 90), (85, 86), (100, 100)]), spans(&[(80, 90), (100, 100)]));
        assert_eq!(of(&[(1, u16::MAX), (5, 6)]), spans(&[(1, u16::MAX)]));
    }

    #[test]
    fn runs_that_overlap_are_cut_apart() {
        let runs = [
            (Span { first: 0, last: 9 }, 'a'),
            (Span { first: 5, last: 14 }, 'b'),
            (Span { first: 20, last: u128::MAX }, 'a'),
        ];
        let piece = |first, last, held: &str| (Span { first, last }, held.chars().collect());
        let expected = vec![
            piece(0, 4, "a"),
            piece(5, 9, "ab"),
            piece(10, 14, "b"),
            piece(20, u128::MAX, "a"),
        ];
        assert_eq!(cut(&runs, 5), Some(expected));
        assert_eq!(cut(&runs, 4), None);
    }
}
