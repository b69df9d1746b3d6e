//! Who is spoken to, and who speaks: TLS 1.3 and nothing older.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ringfort_facts::certificate;
use ringfort_model::secret::Secret;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use super::timed::Timed;

/// How a server is known, and how long it may take.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// Whom its certificate has to speak for, where that is asked.
    subject: Option<String>,
    patience: Duration,
}

/// So long a batch may take as a whole.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why nobody could be known.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The authorities.
    #[error("no certificate of an authority can be read in it: {0}")]
    Authorities(String),
    /// The name.
    #[error("{0:?} is no name that a certificate can be for")]
    Name(String),
    /// The own certificate or its key.
    #[error("the own certificate and its key cannot be used: {0}")]
    Own(String),
}

/// What a machine shows of itself to others, and by whom it knows them.
pub struct Papers {
    /// The certificates of the authorities, in PEM.
    pub authorities_pem: String,
    /// The own certificate, in PEM.
    pub certificate_pem: String,
    /// Its key, in PEM.
    pub key_pem: Secret<String>,
}

impl Tls {
    /// Knows a server by its name, in a certificate that one of these authorities signed. Only TLS 1.3 is spoken.
    ///
    /// # Errors
    /// There is no authority in the text, or the name is none.
    pub fn new(name: &str, authorities_pem: &str, patience: Duration) -> Result<Self, TlsError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider speaks TLS 1.3")
            .with_root_certificates(roots(authorities_pem)?)
            .with_no_client_auth();
        let name =
            ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
        Ok(Self { config: Arc::new(config), name, subject: None, patience })
    }

    /// Knows a server by its address and by whom its certificate speaks for, and shows the own certificate.
    ///
    /// # Errors
    /// The papers cannot be used.
    pub fn between(
        address: IpAddr,
        subject: &str,
        papers: &Papers,
        patience: Duration,
    ) -> Result<Self, TlsError> {
        let (config, name) = (Arc::new(papers.client()?), ServerName::from(address));
        Ok(Self { config, name, subject: Some(subject.to_owned()), patience })
    }

    pub(super) fn connect(
        &self,
        at: SocketAddr,
    ) -> io::Result<StreamOwned<ClientConnection, Timed>> {
        let begun = std::time::Instant::now();
        let tcp = TcpStream::connect_timeout(&at, self.patience)?;
        let left = self.patience.saturating_sub(begun.elapsed());
        let tls = ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(tls, Timed::new(tcp, left));
        if let Some(subject) = &self.subject {
            stream.conn.complete_io(&mut stream.sock)?;
            let shown = stream.conn.peer_certificates().and_then(<[_]>::first);
            let name = shown.and_then(speaks_for).unwrap_or_default();
            if name != *subject {
                let said = format!("it shows a certificate of {name:?}, which is not {subject}");
                return Err(io::Error::other(said));
            }
        }
        Ok(stream)
    }
}

impl Papers {
    fn own(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let wrong = |error: &dyn fmt::Display| TlsError::Own(error.to_string());
        let chain = CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(&error))?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.expose().as_bytes());
        Ok((chain, key.map_err(|_| wrong(&"the key cannot be read"))?))
    }

    /// Speaks to those to whom one of the authorities gave a certificate, by TLS 1.3, and shows the own one.
    ///
    /// # Errors
    /// The papers cannot be used.
    pub fn client(&self) -> Result<ClientConfig, TlsError> {
        let (chain, key) = self.own()?;
        ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider speaks TLS 1.3")
            .with_root_certificates(roots(&self.authorities_pem)?)
            .with_client_auth_cert(chain, key)
            .map_err(|error| TlsError::Own(error.to_string()))
    }

    /// Serves those to whom one of the authorities gave a certificate, and nobody else.
    pub(super) fn server(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let (chain, key) = self.own()?;
        let wrong = |error: &dyn fmt::Display| TlsError::Own(error.to_string());
        let roots = Arc::new(roots(&self.authorities_pem)?);
        let clients = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
        let clients = clients.map_err(|error| TlsError::Authorities(error.to_string()))?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider speaks TLS 1.3")
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .map_err(|error| wrong(&error))?;
        Ok(Arc::new(config))
    }
}

/// Whom a certificate speaks for; nobody where it cannot be read.
pub(super) fn speaks_for(certificate: &CertificateDer<'_>) -> Option<String> {
    certificate::read_der(certificate).ok().map(|it| it.subject.common_name)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn roots(pem: &str) -> Result<RootCertStore, TlsError> {
    let why = |error: &dyn fmt::Display| TlsError::Authorities(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| why(&error))?;
        roots.add(certificate).map_err(|error| why(&error))?;
    }
    match roots.is_empty() {
        true => Err(why(&"there is none")),
        false => Ok(roots),
    }
}
