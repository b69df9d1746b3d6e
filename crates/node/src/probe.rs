//! Asks a component on this machine whether it serves: one request, a status line back.
//!
//! Certificates are checked against the component's authority. A component that makes its own
//! certificate at start is asked on loopback only, where there is nobody in between.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use ringfort_model::item::Probe;

use crate::root::Root;

/// Says why a component does not count as serving.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No connection, no handshake or no answer in time.
    #[error("{at} does not answer: {why}")]
    Silent {
        /// Where it was asked.
        at: SocketAddr,
        /// What the system or the handshake said.
        why: String,
    },
    /// Nobody listens there.
    #[error("{at} refuses connections")]
    Refused {
        /// Where it was asked.
        at: SocketAddr,
    },
    /// It answered something else than 200.
    #[error("{at} answers {status:?}")]
    Unwell {
        /// Where it was asked.
        at: SocketAddr,
        /// The status line.
        status: String,
    },
    /// The authority's certificate cannot be used.
    #[error("{path} holds no certificate of an authority: {why}")]
    Authority {
        /// Where it is.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A component without an authority that is not on loopback.
    #[error("{at} is not on loopback, so its certificate must be checked: name its authority")]
    Unchecked {
        /// Where it would be asked.
        at: SocketAddr,
    },
}

/// Asks once, and takes no longer than the limit for each wait.
///
/// # Errors
/// The component does not serve, and why.
pub fn ask(probe: &Probe, root: &Root, limit: Duration) -> Result<(), ProbeError> {
    match probe {
        Probe::Http { at, path } => request(connect(*at, limit)?, *at, path),
        Probe::Https { at, path, ca } => {
            let trust = match ca {
                Some(ca) => trust(root, ca)?,
                None if at.ip().is_loopback() => self_made(),
                None => return Err(ProbeError::Unchecked { at: *at }),
            };
            ask_tls(&trust, *at, path, limit)
        }
    }
}

/// The most of a page that is read, in bytes: etcd's measurements are a tenth of it.
const PAGE_LIMIT: u64 = 4 << 20;

/// Reads a page of a component that is asked without TLS.
///
/// # Errors
/// The component does not serve it, and why.
pub(crate) fn page(at: SocketAddr, path: &str, limit: Duration) -> Result<String, ProbeError> {
    let silent = |error: std::io::Error| ProbeError::Silent { at, why: error.to_string() };
    let mut stream = connect(at, limit)?;
    // In HTTP/1.0 the body has no pieces, and its end is that of the connection.
    let text = format!("GET {path} HTTP/1.0\r\nHost: {at}\r\nUser-Agent: ringfort\r\n\r\n");
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).map_err(silent)?;
    let mut answer = Vec::new();
    stream.take(PAGE_LIMIT).read_to_end(&mut answer).map_err(silent)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default().to_owned();
    match answer.split_once("\r\n\r\n") {
        Some((_, body)) if is_well(&status) => Ok(body.to_owned()),
        _ => Err(ProbeError::Unwell { at, status }),
    }
}

fn is_well(status: &str) -> bool {
    status.split_whitespace().nth(1) == Some("200")
}

/// Asks over TLS with trust that was prepared before.
///
/// # Errors
/// The component does not serve, and why.
pub(crate) fn ask_tls(
    trust: &Arc<ClientConfig>,
    at: SocketAddr,
    path: &str,
    limit: Duration,
) -> Result<(), ProbeError> {
    let silent = |error: rustls::Error| ProbeError::Silent { at, why: error.to_string() };
    let name = ServerName::IpAddress(at.ip().into());
    let tls = ClientConnection::new(Arc::clone(trust), name).map_err(silent)?;
    request(rustls::StreamOwned::new(tls, connect(at, limit)?), at, path)
}

fn connect(at: SocketAddr, limit: Duration) -> Result<TcpStream, ProbeError> {
    let connected = TcpStream::connect_timeout(&at, limit).and_then(|stream| {
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        Ok(stream)
    });
    connected.map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => ProbeError::Refused { at },
        _ => ProbeError::Silent { at, why: error.to_string() },
    })
}

/// The most of an answer that is looked at, in bytes.
const STATUS_LIMIT: usize = 256;

fn request(mut stream: impl Read + Write, at: SocketAddr, path: &str) -> Result<(), ProbeError> {
    let silent = |error: std::io::Error| ProbeError::Silent { at, why: error.to_string() };
    let text = format!(
        "GET {path} HTTP/1.1\r\nHost: {at}\r\nUser-Agent: ringfort\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).map_err(silent)?;
    let mut answer = Vec::new();
    let mut piece = [0; STATUS_LIMIT];
    while answer.len() < STATUS_LIMIT && !answer.contains(&b'\n') {
        match stream.read(&mut piece).map_err(silent)? {
            0 => break,
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default().to_owned();
    if is_well(&status) { Ok(()) } else { Err(ProbeError::Unwell { at, status }) }
}

/// Prepares trust in the authority whose certificate is at a path.
///
/// # Errors
/// No certificate is there.
pub(crate) fn trust(root: &Root, path: &str) -> Result<Arc<ClientConfig>, ProbeError> {
    let bad = |why: String| ProbeError::Authority { path: path.to_owned(), why };
    let file = root.item(path).map_err(|error| bad(error.to_string()))?;
    let pem = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("the file holds none".to_owned()));
    }
    let config = builder().with_root_certificates(roots);
    Ok(Arc::new(config.with_no_client_auth()))
}

fn self_made() -> Arc<ClientConfig> {
    let verifier = Arc::new(SelfMade { provider: provider() });
    let config = builder().dangerous().with_custom_certificate_verifier(verifier);
    Arc::new(config.with_no_client_auth())
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has the cipher suites of its own defaults")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Takes any certificate whose key signs the handshake.
#[derive(Debug)]
struct SelfMade {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for SelfMade {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::time::Duration;

    use super::{ProbeError, ask, page};
    use crate::root::Root;
    use ringfort_model::item::Probe;

    fn answering(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(answer);
        });
        at
    }

    #[test]
    fn only_200_is_well() {
        let check = |answer: &'static [u8], expected: fn(&Result<(), ProbeError>) -> bool| {
            let probe = Probe::Http { at: answering(answer), path: "/readyz".to_owned() };
            let result = ask(&probe, &Root::new("/"), Duration::from_secs(5));
            assert!(expected(&result), "{result:?}");
        };
        check(b"HTTP/1.1 200 OK\r\n\r\nok", Result::is_ok);
        check(b"HTTP/1.1 500 Internal Server Error\r\n\r\n", |r| {
            matches!(r, Err(ProbeError::Unwell { .. }))
        });
        check(b"HTTP/1.1 401 200\r\n", |r| matches!(r, Err(ProbeError::Unwell { .. })));
        check(b"", |r| r.is_err());
        check(b"garbage", |r| r.is_err());
    }

    #[test]
    fn a_page_is_what_comes_behind_its_head() {
        let read =
            |answer: &'static [u8]| page(answering(answer), "/metrics", Duration::from_secs(5));
        assert_eq!(read(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\none\n\ntwo\n").unwrap(), "one\n\ntwo\n");
        assert!(matches!(read(b"HTTP/1.0 404 None\r\n\r\n"), Err(ProbeError::Unwell { .. })));
        assert!(matches!(read(b"HTTP/1.0 200 OK\r\n"), Err(ProbeError::Unwell { .. })));
    }

    #[test]
    fn certificates_go_unchecked_on_loopback_only() {
        let at = "192.0.2.1:10257".parse().unwrap();
        let probe = Probe::Https { at, path: "/healthz".to_owned(), ca: None };
        let refused = ask(&probe, &Root::new("/"), Duration::from_secs(1)).unwrap_err();
        assert!(matches!(refused, ProbeError::Unchecked { .. }));
    }
}
