//! Reads an X.509 certificate into the noun that the blueprint is compared with.
//!
//! Reads only; whether a certificate is good is decided elsewhere.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use ringfort_model::certificate::{CertSeen, ECDSA_P256, San, Subject, Usage};
use ringfort_model::digest::Digest;

/// Says why bytes are no certificate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotACertificate {
    /// No PEM block of the right kind.
    #[error("no block that begins with -----BEGIN CERTIFICATE-----")]
    NoPem,
    /// The block holds something else than a certificate.
    #[error("the PEM block holds no X.509 certificate: {why}")]
    NotX509 {
        /// What the parser said.
        why: String,
    },
}

/// Reads the first certificate of a PEM file: the leaf, where a chain follows it.
///
/// # Errors
/// The file holds no certificate.
pub fn read(pem: &[u8]) -> Result<CertSeen, NotACertificate> {
    let blocks = pem::parse_many(pem).map_err(|_| NotACertificate::NoPem)?;
    let block = blocks.iter().find(|b| b.tag() == "CERTIFICATE").ok_or(NotACertificate::NoPem)?;
    read_der(block.contents())
}

/// Reads every certificate of a PEM file: whom all of them sign for is trusted where the file names authorities.
///
/// # Errors
/// The file holds none, or one that cannot be read.
pub fn read_all(pem: &[u8]) -> Result<Vec<CertSeen>, NotACertificate> {
    let blocks = pem::parse_many(pem).map_err(|_| NotACertificate::NoPem)?;
    let certificates = blocks.iter().filter(|block| block.tag() == "CERTIFICATE");
    let read: Vec<_> =
        certificates.map(|block| read_der(block.contents())).collect::<Result<_, _>>()?;
    if read.is_empty() { Err(NotACertificate::NoPem) } else { Ok(read) }
}

/// Reads a certificate in DER.
///
/// # Errors
/// The bytes are no certificate.
pub fn read_der(der: &[u8]) -> Result<CertSeen, NotACertificate> {
    let (_, certificate) = X509Certificate::from_der(der)
        .map_err(|error| NotACertificate::NotX509 { why: error.to_string() })?;
    Ok(CertSeen {
        authority_key_id: authority_key_id(&certificate),
        subject: subject(&certificate),
        usages: usages(&certificate),
        names: names(&certificate),
        public_key: Digest::of(certificate.public_key().raw),
        key_kind: key_kind(&certificate),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
    })
}

/// Gives the signer's key id; empty where the certificate names none (RFC 5280, 4.2.1.1).
fn authority_key_id(certificate: &X509Certificate<'_>) -> String {
    certificate
        .iter_extensions()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref(),
            _ => None,
        })
        .map(|id| hexadecimal(id.0))
        .unwrap_or_default()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn subject(certificate: &X509Certificate<'_>) -> Subject {
    let name = certificate.subject();
    let common_name = name.iter_common_name().find_map(|part| part.as_str().ok());
    let organizations = name.iter_organization().filter_map(|part| part.as_str().ok());
    Subject {
        common_name: common_name.unwrap_or_default().to_owned(),
        organizations: organizations.map(str::to_owned).collect(),
    }
}

/// Names the kind of key: by its curve, or by its algorithm (RFC 5480, RFC 8017).
fn key_kind(certificate: &X509Certificate<'_>) -> String {
    let algorithm = &certificate.public_key().algorithm;
    let parameter = algorithm.parameters.as_ref().and_then(|it| it.as_oid().ok());
    match (algorithm.algorithm.to_id_string().as_str(), parameter) {
        ("1.2.840.10045.2.1", Some(curve)) => match curve.to_id_string().as_str() {
            "1.2.840.10045.3.1.7" => ECDSA_P256.to_owned(),
            other => format!("ECDSA on the curve {other}"),
        },
        ("1.2.840.113549.1.1.1", _) => "RSA".to_owned(),
        (other, _) => format!("the algorithm {other}"),
    }
}

fn usages(certificate: &X509Certificate<'_>) -> BTreeSet<Usage> {
    let Ok(Some(extension)) = certificate.extended_key_usage() else { return BTreeSet::new() };
    let uses = [
        (extension.value.client_auth, Usage::ClientAuth),
        (extension.value.server_auth, Usage::ServerAuth),
    ];
    uses.into_iter().filter_map(|(has, usage)| has.then_some(usage)).collect()
}

fn names(certificate: &X509Certificate<'_>) -> BTreeSet<San> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return BTreeSet::new();
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn name(name: &GeneralName<'_>) -> Option<San> {
    match name {
        GeneralName::DNSName(dns) => Some(San::Dns((*dns).to_owned())),
        GeneralName::IPAddress(bytes) => address(bytes).map(San::Ip),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = |b: [u8; 4]| IpAddr::from(Ipv4Addr::from(b));
    let v6 = |b: [u8; 16]| IpAddr::from(Ipv6Addr::from(b));
    bytes.try_into().map(v4).or_else(|_| bytes.try_into().map(v6)).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rcgen::{
        CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType,
    };

    use ringfort_model::certificate::{San, Usage};
    use ringfort_model::digest::Digest;

    use super::{NotACertificate, read};

    #[test]
    fn a_leaf_is_read_whole() {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, ca_key).unwrap();

        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::default();
        leaf.distinguished_name.push(DnType::CommonName, "system:node:cp1");
        leaf.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        leaf.use_authority_key_identifier_extension = true;
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.subject_alt_names = vec![
            SanType::DnsName("cp1".try_into().unwrap()),
            SanType::IpAddress("10.0.0.11".parse().unwrap()),
            SanType::IpAddress("fd00::11".parse().unwrap()),
        ];
        let leaf = leaf.signed_by(&key, &ca).unwrap();

        let seen = read(leaf.pem().as_bytes()).unwrap();
        assert_eq!(seen.subject.to_string(), "CN=system:node:cp1,O=system:nodes");
        assert_eq!(seen.usages, BTreeSet::from([Usage::ServerAuth]));
        assert_eq!(
            seen.names,
            BTreeSet::from([
                San::Dns("cp1".to_owned()),
                San::Ip("10.0.0.11".parse().unwrap()),
                San::Ip("fd00::11".parse().unwrap()),
            ])
        );
        let spki = pem::parse(key.public_key_pem()).unwrap();
        assert_eq!(seen.public_key, Digest::of(spki.contents()));
        assert_eq!(seen.authority_key_id.len(), 40);
        assert!(seen.not_before < seen.not_after);
    }

    #[test]
    fn what_is_no_certificate_is_said() {
        let check = |text: &str, expected: fn(&NotACertificate) -> bool| {
            assert!(expected(&read(text.as_bytes()).unwrap_err()), "{text}");
        };
        check("", |e| *e == NotACertificate::NoPem);
        check("-----BEGIN CERTIFICATE-----", |e| *e == NotACertificate::NoPem);
        check("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", |e| {
            *e == NotACertificate::NoPem
        });
        check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", |e| {
            matches!(e, NotACertificate::NotX509 { .. })
        });
    }
}
