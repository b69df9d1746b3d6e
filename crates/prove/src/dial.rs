//! Speaks with a port from a machine: through its SSH channel, so that what is on loopback there is
//! within reach, and no key ever goes to the machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, join};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use ringfort_facts::certificate;
use ringfort_host::{Ending, Host};
use ringfort_model::act::{Credential, Dial, Dialled, Ended, Hello, TlsSeen};
use ringfort_model::certificate::Authority;
use ringfort_model::secret::Secret;

/// What conversations need: whom to trust, and what to show.
#[derive(Default)]
pub struct Papers {
    /// Certificates of the authorities, in PEM.
    pub authorities: BTreeMap<Authority, String>,
    /// What is shown.
    pub credentials: BTreeMap<Credential, ClientPapers>,
}

/// A client's certificate and key, in PEM.
pub struct ClientPapers {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key.
    pub key_pem: Secret<String>,
}

/// The most that is read of an answer before its status is known.
const ANSWER_BYTES: usize = 4_096;

/// Makes one conversation.
///
/// `program` leads to the port, on the machine that is spoken from.
pub(crate) async fn dial(
    host: &Host,
    program: &str,
    papers: &Papers,
    dial: &Dial,
) -> Result<Dialled, String> {
    let config = match dial.hello {
        Hello::Plain => None,
        Hello::Tls12 => Some(config(papers, dial, &[&rustls::version::TLS12])?),
        Hello::Tls13 => Some(config(papers, dial, &[&rustls::version::TLS13])?),
    };
    let command = format!("exec {program} node connect {}", dial.to);
    let pipe = host.open(&command).await.map_err(|e| e.to_string())?;
    let (reader, writer, ending) = pipe.into_parts();
    let stream = join(reader, writer);
    let Some(config) = config else {
        return settle(None, ask(stream, dial).await, ending).await;
    };
    let name = ServerName::from(dial.to.ip());
    let mut stream = match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
        Ok(stream) => stream,
        Err(error) => return settle(None, Err(error), ending).await,
    };
    let tls = agreed(&stream)?;
    let answer = ask(&mut stream, dial).await;
    settle(Some(tls), answer, ending).await
}

fn config(
    papers: &Papers,
    dial: &Dial,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<ClientConfig, String> {
    let authority = papers.authorities.get(&dial.expects);
    let authority = authority.ok_or("the authority's certificate is not at hand")?;
    let mut roots = RootCertStore::empty();
    roots.add(der(authority)?).map_err(|e| e.to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let verifier = verifier.build().map_err(|e| e.to_string())?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|e| e.to_string())?
        .with_webpki_verifier(verifier);
    let Some(shown) = &dial.shows else { return Ok(builder.with_no_client_auth()) };
    let shown = papers.credentials.get(shown).ok_or("this certificate is not at hand")?;
    let key = PrivateKeyDer::from_pem_slice(shown.key_pem.expose().as_bytes());
    let key = key.map_err(|_| "the private key cannot be read")?;
    builder
        .with_client_auth_cert(vec![der(&shown.certificate_pem)?], key)
        .map_err(|e| e.to_string())
}

fn der(pem: &str) -> Result<CertificateDer<'static>, String> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| e.to_string())
}

fn agreed<T>(stream: &TlsStream<T>) -> Result<TlsSeen, String> {
    let (_, session) = stream.get_ref();
    let leaf = session.peer_certificates().and_then(<[_]>::first).ok_or("no certificate came")?;
    Ok(TlsSeen {
        version: session.protocol_version().map_or_else(String::new, |v| format!("{v:?}")),
        exchange: session
            .negotiated_key_exchange_group()
            .map_or_else(String::new, |group| format!("{:?}", group.name())),
        certificate: certificate::read_der(leaf).map_err(|e| e.to_string())?,
    })
}

/// Sends the request and reads the status of the answer; `None` where the end came first.
async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    dial: &Dial,
) -> std::io::Result<Option<u16>> {
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: ringfort\r\nConnection: close\r\n\r\n",
        dial.path, dial.to
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    let mut piece = [0; 512];
    while answer.len() < ANSWER_BYTES {
        let count = stream.read(&mut piece).await?;
        answer.extend_from_slice(&piece[..count]);
        if count == 0 || answer.contains(&b'\n') {
            break;
        }
    }
    Ok(status(&answer))
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.trim().parse().ok()
}

async fn settle(
    tls: Option<TlsSeen>,
    answer: std::io::Result<Option<u16>>,
    ending: Ending,
) -> Result<Dialled, String> {
    let how = match answer {
        Ok(Some(status)) => return Ok(Dialled { tls, end: Ended::Answered { status } }),
        Ok(None) => "it ended without an answer".to_owned(),
        Err(error) => match tls_error(&error) {
            Some(rustls::Error::InvalidCertificate(why)) => {
                return Ok(Dialled { tls, end: Ended::Distrusted { why: why.to_string() } });
            }
            Some(rustls::Error::AlertReceived(alert)) => {
                return Ok(Dialled { tls, end: broken(format!("alert {alert:?}")) });
            }
            Some(other) => return Ok(Dialled { tls, end: broken(other.to_string()) }),
            None => error.to_string(),
        },
    };
    // The machine's end of the channel knows whether anybody listened.
    let said = ending.complaint().await;
    match () {
        () if said.contains("onnection refused") => Ok(Dialled { tls, end: Ended::Closed }),
        () if said.is_empty() => Ok(Dialled { tls, end: broken(how) }),
        () if said.contains("reset by peer") || said.contains("roken pipe") => {
            Ok(Dialled { tls, end: broken(said) })
        }
        () => Err(said),
    }
}

fn broken(how: String) -> Ended {
    Ended::BrokenOff { how }
}

fn tls_error(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn only_http_has_a_status() {
        assert_eq!(status(b"HTTP/1.1 401 Unauthorized\r\nX: y"), Some(401));
        assert_eq!(status(b"HTTP/1.0 400 Bad Request\r\n\r\n"), Some(400));
        assert_eq!(status(b"\x15\x03\x01\x00\x02\x02\x46"), None);
        assert_eq!(status(b""), None);
    }
}
