//! Numbers and pieces as bytes. What is read may be anything: nothing is taken that is not there.

/// Reads pieces one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number in as few bytes as it needs, seven bits each.
    pub(crate) fn short(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number as it is used for lengths.
    pub(crate) fn length(&mut self) -> Option<usize> {
        self.short()?.try_into().ok()
    }

    /// A number that may be below zero.
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let number = self.short()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}

pub(crate) fn put_short(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_short(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_what_is_cut_off_does_not() {
        for number in [0, 1, -1, 63, 64, -64, -65, 1 << 40, i64::MIN, i64::MAX] {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, number);
            assert_eq!(Reader(&bytes).signed(), Some(number));
            assert_eq!(Reader(&bytes[..bytes.len() - 1]).signed(), None);
        }
        assert_eq!(Reader(&[0xff; 10]).short(), None, "more than 64 bits");
    }
}
