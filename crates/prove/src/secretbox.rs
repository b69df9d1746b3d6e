//! Opens values that an API server sealed with secretbox, straight from etcd, and seals as it does.
//!
//! The layout is the API server's: `k8s:enc:secretbox:v1:<key name>:`, a nonce of 24 bytes, a tag of
//! 16 and the ciphertext (XSalsa20-Poly1305, as NaCl's `crypto_secretbox`). The nonce and the key do
//! not bind the place of a value in etcd: whoever can write there can swap two values.

use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit, StreamCipher};

/// What stands before every sealed value.
const PREFIX: &[u8] = b"k8s:enc:secretbox:v1:";
/// Length of a nonce.
pub const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// A value as it lies in etcd.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Raw<'a> {
    /// Sealed with secretbox under a named key.
    Sealed {
        /// The key's name.
        key: &'a str,
        /// Nonce, tag and ciphertext.
        body: &'a [u8],
    },
    /// Sealed in another way.
    Otherwise {
        /// The transformer's prefix, such as `k8s:enc:aescbc:v1:`.
        prefix: &'a [u8],
    },
    /// Not sealed.
    Plain,
}

/// Says why a sealed value could not be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotOpened {
    /// The value is shorter than a nonce and a tag.
    #[error("the value is cut short: {bytes} bytes are no nonce and tag")]
    Short {
        /// Its length.
        bytes: usize,
    },
    /// The tag does not fit.
    #[error("the tag does not fit: another key sealed it, or it was changed")]
    Tag,
}

/// Tells how a value lies in etcd.
pub fn read(value: &[u8]) -> Raw<'_> {
    if let Some(rest) = value.strip_prefix(PREFIX) {
        let name = rest.iter().position(|byte| *byte == b':').map(|end| rest.split_at(end));
        if let Some((key, body)) = name
            && let Ok(key) = std::str::from_utf8(key)
        {
            return Raw::Sealed { key, body: &body[1..] };
        }
    }
    if value.starts_with(b"k8s:enc:") {
        let colons = value.iter().enumerate().filter(|(_, byte)| **byte == b':').map(|(at, _)| at);
        let end = colons.take(4).last().map_or(value.len(), |at| at + 1);
        return Raw::Otherwise { prefix: &value[..end] };
    }
    Raw::Plain
}

/// Opens a sealed value's body.
///
/// # Errors
/// The body is cut short, was changed, or another key sealed it.
pub fn open(key: &[u8; 32], body: &[u8]) -> Result<Vec<u8>, NotOpened> {
    let (mut stream, ciphertext) = checked(key, body)?;
    let mut plain = ciphertext.to_vec();
    stream.apply_keystream(&mut plain);
    Ok(plain)
}

/// Tells whether a key opens a sealed value's body, by its tag: what is in it is neither made nor held.
///
/// # Errors
/// Those of [`open`], and no others.
pub fn check(key: &[u8; 32], body: &[u8]) -> Result<(), NotOpened> {
    checked(key, body).map(drop)
}

/// Gives what is sealed, and the stream that opens it, if the tag fits.
fn checked<'b>(key: &[u8; 32], body: &'b [u8]) -> Result<(XSalsa20, &'b [u8]), NotOpened> {
    let short = NotOpened::Short { bytes: body.len() };
    let (nonce, rest) = body.split_at_checked(NONCE_BYTES).ok_or(short)?;
    let (tag, ciphertext) = rest.split_at_checked(TAG_BYTES).ok_or(short)?;
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| short)?;
    let tag: [u8; TAG_BYTES] = tag.try_into().map_err(|_| short)?;
    let mut stream = XSalsa20::new(key.into(), (&nonce).into());
    let mut authenticator_key = [0; 32];
    stream.apply_keystream(&mut authenticator_key);
    let expected = Poly1305::new((&authenticator_key).into()).compute_unpadded(ciphertext);
    if !same(expected.as_slice(), &tag) {
        return Err(NotOpened::Tag);
    }
    Ok((stream, ciphertext))
}

/// Compares without telling by time where two tags differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Seals a value as an API server would. The nonce must never have sealed anything by this key.
pub fn seal(name: &str, key: &[u8; 32], nonce: [u8; NONCE_BYTES], plain: &[u8]) -> Vec<u8> {
    let mut stream = XSalsa20::new(key.into(), (&nonce).into());
    let mut authenticator_key = [0; 32];
    stream.apply_keystream(&mut authenticator_key);
    let mut ciphertext = plain.to_vec();
    stream.apply_keystream(&mut ciphertext);
    let tag = Poly1305::new((&authenticator_key).into()).compute_unpadded(&ciphertext);
    [PREFIX, name.as_bytes(), b":", &nonce, tag.as_slice(), &ciphertext].concat()
}

#[cfg(test)]
mod tests {
    use super::{NotOpened, Raw, check, open, read, seal};

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// The example of "Cryptography in NaCl" (D. J. Bernstein, 2009), sections 8 to 10.
    #[test]
    fn the_published_example_opens() {
        let key: [u8; 32] =
            bytes("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
                .try_into()
                .unwrap();
        let nonce = bytes("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
        let sealed = bytes(
            "f3ffc7703f9400e52a7dfb4b3d3305d9
             8e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a
             c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738
             b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da
             99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74
             e355a5",
        );
        let message = bytes(
            "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffc
             e5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31
             0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde
             048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864
             5e0705",
        );
        let published: [u8; 24] = nonce.clone().try_into().unwrap();
        let mut body = nonce;
        body.extend(sealed);
        assert_eq!(
            read(&seal("k1", &key, published, &message)),
            Raw::Sealed { key: "k1", body: &body }
        );
        assert_eq!(open(&key, &body).unwrap(), message);
        assert_eq!(check(&key, &body), Ok(()));
        for at in 0..body.len() {
            let mut changed = body.clone();
            changed[at] ^= 1;
            assert_eq!(open(&key, &changed), Err(NotOpened::Tag), "byte {at}");
            assert_eq!(check(&key, &changed), Err(NotOpened::Tag), "byte {at}");
        }
        let short = NotOpened::Short { bytes: 39 };
        assert_eq!(open(&key, &body[..39]), Err(short));
        assert_eq!(check(&key, &body[..39]), Err(short));
    }

    #[test]
    fn values_are_told_apart() {
        let check = |value: &[u8], expected: Raw<'_>| assert_eq!(read(value), expected);
        check(b"k8s:enc:secretbox:v1:k1:abc", Raw::Sealed { key: "k1", body: b"abc" });
        check(b"k8s:enc:aescbc:v1:k1:abc", Raw::Otherwise { prefix: b"k8s:enc:aescbc:v1:" });
        check(b"k8s:enc:secretbox:v1:cut", Raw::Otherwise { prefix: b"k8s:enc:secretbox:v1:" });
        check(b"k8s\0\n\x0c", Raw::Plain);
        check(b"", Raw::Plain);
    }
}
