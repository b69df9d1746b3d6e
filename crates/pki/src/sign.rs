//! Signing: an authority, opened for a moment, gives certificates to keys that it never sees.

use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use ringfort_model::certificate::{Authority, CertRequest, San, Subject, Usage};
use ringfort_model::secret::Secret;
use x509_parser::prelude::{FromDer as _, X509CertificationRequest};

use crate::ca::{BACKDATED_SECONDS, Ca, CaError, serial};
use crate::key::{KeyError, PrivateKey};
use crate::time::{after, calendar, day};

/// How long a machine's certificate lives: a year.
pub const LEAF_LIFE: Duration = Duration::from_secs(365 * 86_400);

/// An authority that is ready to sign: within its life, and with the key that its certificate names.
pub struct Signer {
    authority: Authority,
    issuer: Issuer<'static, KeyPair>,
    not_before: i64,
    not_after: i64,
    now: i64,
}

/// A client's certificate and private key, made and held in memory by the operator.
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key, PKCS #8.
    pub key_pem: Secret<String>,
    /// The certificate's serial number, in hexadecimal.
    pub serial: String,
    /// End of its life, in seconds since 1970.
    pub not_after: i64,
}

/// Says why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The authority cannot be used.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The authority's life is over.
    #[error(
        "the authority {} expired on {on}, unless the operator's clock is wrong. Authorities of a cluster that stands are not replaced: ringfort reset and then ringfort up make it anew, with new ones and without its data", .authority.common_name()
    )]
    Expired {
        /// Which one.
        authority: Authority,
        /// Its last day.
        on: String,
    },
    /// The authority's life has not begun.
    #[error("the authority {} is not valid before {on}: set the operator's clock right", .authority.common_name())]
    NotYet {
        /// Which one.
        authority: Authority,
        /// Its first day.
        on: String,
    },
    /// The request is for another authority.
    #[error("a certificate of {} was asked of the authority {}", .wanted.common_name(), .asked.common_name())]
    OtherAuthority {
        /// The authority that the request names.
        wanted: Authority,
        /// The authority that was asked.
        asked: Authority,
    },
    /// The signing request is none.
    #[error("the machine's signing request is not understood ({why})")]
    Request {
        /// What is wrong with it.
        why: String,
    },
    /// The signing request is not signed by the key that it names.
    #[error(
        "the machine's signing request is not signed by its own key: it was changed on its way"
    )]
    Forged,
    /// What the certificate should say cannot be said in one.
    #[error("a certificate for {subject} cannot be written: {why}")]
    Unwritable {
        /// Whom it is for.
        subject: Subject,
        /// What cannot be written.
        why: String,
    },
}

impl Signer {
    /// Opens an authority at a time.
    ///
    /// # Errors
    /// The authority is broken, or its life is over or has not begun.
    pub fn open(authority: Authority, ca: &Ca, now: i64) -> Result<Self, SignError> {
        let (not_before, not_after) = (ca.not_before()?, ca.facts()?.not_after);
        if now >= not_after {
            return Err(SignError::Expired { authority, on: day(not_after) });
        }
        if now < not_before {
            return Err(SignError::NotYet { authority, on: day(not_before) });
        }
        let issuer = Issuer::from_ca_cert_pem(&ca.certificate_pem, ca.key()?.pair)
            .map_err(|error| CaError::Certificate { why: error.to_string() })?;
        Ok(Self { authority, issuer, not_before, not_after, now })
    }

    /// Gives a machine's key the certificate that the blueprint asks for. Of the signing request
    /// only the public key is taken; what it says of names and usages is not read.
    ///
    /// # Errors
    /// The request is for another authority, is broken, is not signed by its own key, or asks for
    /// what no certificate can say.
    pub fn sign(
        &self,
        request: &CertRequest,
        signing_request_pem: &str,
        life: Duration,
    ) -> Result<String, SignError> {
        if request.authority != self.authority {
            let (wanted, asked) = (request.authority, self.authority);
            return Err(SignError::OtherAuthority { wanted, asked });
        }
        let serial = Self::number(&request.subject)?;
        self.issue(&requested_key(signing_request_pem)?, request, serial, life)
    }

    /// Makes a key and a certificate for a client that lives on the operator's side.
    ///
    /// # Errors
    /// The machine gives no randomness, or the subject cannot be written.
    pub fn client(&self, subject: &Subject, life: Duration) -> Result<ClientIdentity, SignError> {
        self.identity(subject, Usage::ClientAuth, life)
    }

    /// Makes a key and a certificate on the operator's side, for a usage.
    ///
    /// # Errors
    /// The machine gives no randomness, or the subject cannot be written.
    pub fn identity(
        &self,
        subject: &Subject,
        usage: Usage,
        life: Duration,
    ) -> Result<ClientIdentity, SignError> {
        let key = PrivateKey::make()?;
        let request = CertRequest {
            authority: self.authority,
            subject: subject.clone(),
            usages: [usage].into(),
            names: [].into(),
            key: String::new(),
        };
        let number = Self::number(subject)?;
        let serial = number.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(ClientIdentity {
            certificate_pem: self.issue(&key.pair, &request, number, life)?,
            key_pem: key.pem(),
            serial,
            not_after: self.end(life),
        })
    }

    fn number(subject: &Subject) -> Result<SerialNumber, SignError> {
        serial().map_err(|why| SignError::Unwritable { subject: subject.clone(), why })
    }

    fn issue(
        &self,
        key: &impl PublicKeyData,
        request: &CertRequest,
        serial: SerialNumber,
        life: Duration,
    ) -> Result<String, SignError> {
        let unwritable =
            |why: String| SignError::Unwritable { subject: request.subject.clone(), why };
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished(&request.subject).map_err(unwritable)?;
        params.subject_alt_names = alternative(&request.names).map_err(unwritable)?;
        params.serial_number = Some(serial);
        params.not_before = calendar(self.not_before.max(self.now - BACKDATED_SECONDS));
        params.not_after = calendar(self.end(life));
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = request.usages.iter().copied().map(purpose).collect();
        params
            .signed_by(key, &self.issuer)
            .map(|certificate| certificate.pem())
            .map_err(|error| unwritable(error.to_string()))
    }

    /// No certificate outlives its authority: what is asked beyond that is cut.
    fn end(&self, life: Duration) -> i64 {
        after(self.now, life).min(self.not_after)
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("authority", &self.authority).finish_non_exhaustive()
    }
}

fn requested_key(pem: &str) -> Result<SubjectPublicKeyInfo, SignError> {
    let request = |why: String| SignError::Request { why };
    let pem = pem::parse(pem).map_err(|error| request(error.to_string()))?;
    let (rest, csr) = X509CertificationRequest::from_der(pem.contents())
        .map_err(|error| request(error.to_string()))?;
    if !rest.is_empty() {
        return Err(request("more follows it".to_owned()));
    }
    csr.verify_signature().map_err(|_| SignError::Forged)?;
    let key = SubjectPublicKeyInfo::from_der(csr.certification_request_info.subject_pki.raw)
        .map_err(|error| request(error.to_string()))?;
    if key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
        return Err(request("its key is not ECDSA P-256".to_owned()));
    }
    Ok(key)
}

fn distinguished(subject: &Subject) -> Result<DistinguishedName, String> {
    let mut groups = subject.organizations.iter();
    let mut name = DistinguishedName::new();
    if subject.common_name.is_empty() {
        return Err("it names no user".to_owned());
    }
    if let Some(group) = groups.next() {
        name.push(DnType::OrganizationName, group.as_str());
    }
    if groups.next().is_some() {
        return Err("it is of more than one group".to_owned());
    }
    name.push(DnType::CommonName, subject.common_name.as_str());
    Ok(name)
}

fn alternative<'a>(names: impl IntoIterator<Item = &'a San>) -> Result<Vec<SanType>, String> {
    let written = |san: &San| match san {
        San::Ip(address) => Ok(SanType::IpAddress(*address)),
        San::Dns(name) if is_host(name) => {
            let ascii = name.as_str().try_into().map_err(|_| format!("{name:?} is not ASCII"))?;
            Ok(SanType::DnsName(ascii))
        }
        San::Dns(name) => Err(format!("{name:?} is no host name")),
    };
    names.into_iter().map(written).collect()
}

/// No wildcards and no trailing dot: a certificate of the cluster names its hosts one by one.
fn is_host(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    name.len() <= 253
        && name
            .split('.')
            .all(|label| !label.is_empty() && label.len() <= 63 && label.bytes().all(inner))
}

fn purpose(usage: Usage) -> ExtendedKeyUsagePurpose {
    match usage {
        Usage::ClientAuth => ExtendedKeyUsagePurpose::ClientAuth,
        Usage::ServerAuth => ExtendedKeyUsagePurpose::ServerAuth,
    }
}

#[cfg(test)]
mod tests;
