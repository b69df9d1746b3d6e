//! The cluster's authorities, as the keyring keeps them.

use std::fmt::Write as _;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyUsagePurpose,
    SerialNumber,
};
use ringfort_model::certificate::Authority;
use ringfort_model::secret::Secret;
use ringfort_model::trust::AuthorityFacts;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::key::{KeyError, PrivateKey};
use crate::time::{after, calendar};

/// How long an authority lives: ten years.
pub const CA_LIFE: Duration = Duration::from_secs(3650 * 86_400);

/// How far a certificate's life begins before its making, in seconds, so that a machine whose
/// clock is behind accepts it.
pub(crate) const BACKDATED_SECONDS: i64 = 300;

/// An authority: its certificate and its private key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ca {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key, PKCS #8.
    pub key_pem: Secret<String>,
}

/// Says what is wrong with an authority.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// Its certificate cannot be read.
    #[error("an authority's certificate is not understood ({why}): put the keyring's backup back")]
    Certificate {
        /// What the parser says.
        why: String,
    },
    /// Its key cannot be read or made.
    #[error("an authority's private key: {0}")]
    Key(#[source] KeyError),
    /// Its certificate is for another key.
    #[error(
        "an authority's certificate and private key do not belong together: put the keyring's backup back"
    )]
    Mismatch,
    /// The library did not make it.
    #[error("no authority can be made ({why}): look whether the machine has randomness")]
    Made {
        /// What the library says.
        why: String,
    },
}

impl Ca {
    /// Makes an authority that signs leaves and nothing below them.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn make(authority: Authority, now: i64) -> Result<Self, CaError> {
        let key = PrivateKey::make().map_err(CaError::Key)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, authority.common_name());
        params.serial_number = Some(serial().map_err(|why| CaError::Made { why })?);
        params.not_before = calendar(now - BACKDATED_SECONDS);
        params.not_after = calendar(after(now, CA_LIFE));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate =
            params.self_signed(&key.pair).map_err(|e| CaError::Made { why: e.to_string() })?;
        Ok(Self { certificate_pem: certificate.pem(), key_pem: key.pem() })
    }

    /// Reads what everybody may know of the authority.
    ///
    /// # Errors
    /// The certificate is none, or not one of an authority.
    pub fn facts(&self) -> Result<AuthorityFacts, CaError> {
        let der = self.der()?;
        let certificate = parsed(&der)?;
        let key_id = certificate
            .get_extension_unique(&x509_parser::oid_registry::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER)
            .ok()
            .flatten()
            .and_then(|extension| match extension.parsed_extension() {
                x509_parser::extensions::ParsedExtension::SubjectKeyIdentifier(id) => {
                    Some(hex(id.0))
                }
                _ => None,
            })
            .ok_or_else(|| bad("it has no subject key id"))?;
        Ok(AuthorityFacts {
            certificate_pem: self.certificate_pem.clone(),
            key_id,
            not_after: certificate.validity().not_after.timestamp(),
        })
    }

    /// Reads the first second of the authority's life.
    /// Gives the beginning of its life, in seconds since 1970.
    ///
    /// # Errors
    /// The certificate is broken.
    pub fn not_before(&self) -> Result<i64, CaError> {
        let der = self.der()?;
        Ok(parsed(&der)?.validity().not_before.timestamp())
    }

    /// Reads the private key and sees that the certificate is for it.
    pub(crate) fn key(&self) -> Result<PrivateKey, CaError> {
        use rcgen::PublicKeyData as _;
        let key = PrivateKey::read(self.key_pem.expose()).map_err(CaError::Key)?;
        let der = self.der()?;
        if parsed(&der)?.public_key().raw != key.pair.subject_public_key_info() {
            return Err(CaError::Mismatch);
        }
        Ok(key)
    }

    fn der(&self) -> Result<Vec<u8>, CaError> {
        let pem = pem::parse(&self.certificate_pem).map_err(|error| bad(&error))?;
        if pem.tag() != "CERTIFICATE" {
            return Err(bad("it is another kind of PEM"));
        }
        Ok(pem.into_contents())
    }
}

fn parsed(der: &[u8]) -> Result<X509Certificate<'_>, CaError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) if certificate.is_ca() => Ok(certificate),
        Ok(([], _)) => Err(bad("it is not an authority's")),
        Ok(_) => Err(bad("more follows it")),
        Err(error) => Err(bad(&error)),
    }
}

fn bad(why: &(impl ToString + ?Sized)) -> CaError {
    CaError::Certificate { why: why.to_string() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Draws a serial number of 127 random bits, more than RFC 5280 and the CA/Browser Forum ask for.
pub(crate) fn serial() -> Result<SerialNumber, String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "no randomness".to_owned())?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

#[cfg(test)]
mod tests {
    use ringfort_model::certificate::Authority;
    use ringfort_model::secret::Secret;
    use x509_parser::prelude::{FromDer as _, X509Certificate};

    use super::Ca;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn an_authority_lives_ten_years_and_signs_leaves_only() {
        for authority in Authority::ALL {
            let ca = Ca::make(authority, NOW).unwrap();
            let der = ca.der().unwrap();
            let (_, seen) = X509Certificate::from_der(&der).unwrap();
            seen.verify_signature(None).unwrap();
            assert_eq!(seen.subject().to_string(), format!("CN={}", authority.common_name()));
            assert_eq!(seen.issuer(), seen.subject());
            assert_eq!(seen.validity().not_before.timestamp(), NOW - 300);
            assert_eq!(seen.validity().not_after.timestamp(), NOW + 3650 * 86_400);
            let limits = seen.basic_constraints().unwrap().unwrap();
            assert!(limits.critical && limits.value.ca);
            assert_eq!(limits.value.path_len_constraint, Some(0));
            let usage = seen.key_usage().unwrap().unwrap();
            assert!(usage.critical && usage.value.key_cert_sign() && usage.value.crl_sign());
            assert!(!usage.value.digital_signature());
            assert_eq!(ca.facts().unwrap().key_id.len(), 40);
            assert_eq!(ca.facts().unwrap().not_after, NOW + 3650 * 86_400);
        }
    }

    #[test]
    fn authorities_do_not_share_keys_or_serial_numbers() {
        let one = Ca::make(Authority::Cluster, NOW).unwrap();
        let two = Ca::make(Authority::Cluster, NOW).unwrap();
        assert_ne!(one.facts().unwrap().key_id, two.facts().unwrap().key_id);
        let serial = |ca: &Ca| super::parsed(&ca.der().unwrap()).unwrap().raw_serial().to_vec();
        assert_ne!(serial(&one), serial(&two));
        assert_eq!(serial(&one).len(), 16);
    }

    #[test]
    fn a_foreign_key_and_a_broken_certificate_are_named() {
        let good = Ca::make(Authority::Cluster, NOW).unwrap();
        let check = |ca: Ca, expected: &str| {
            let error = ca.key().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        let other = Ca::make(Authority::Cluster, NOW).unwrap();
        check(Ca { key_pem: other.key_pem, ..good.clone() }, "do not belong together");
        check(Ca { certificate_pem: "x".to_owned(), ..good.clone() }, "not understood");
        check(Ca { key_pem: Secret::new("x".to_owned()), ..good.clone() }, "no ECDSA P-256");
        let cut = good.certificate_pem[..200].to_owned();
        check(Ca { certificate_pem: cut, ..good.clone() }, "not understood");
        assert!(good.key().is_ok() && good.facts().is_ok());
    }
}
