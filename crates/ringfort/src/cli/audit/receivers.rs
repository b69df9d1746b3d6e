//! Where findings are sent over the network, as a command line says it: a webhook, a syslog server, and what waits for
//! them on disk.

use std::fs::File;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ringfort_audit::finding::Finding;
use ringfort_model::receiver::HttpsUrl;
use ringfort_model::secret::Secret;
use ringfort_store::os::{
    Deliverer, Delivery, Directory, PATIENCE, Pace, Receiver, Room, Spool, Syslog, Tls, Webhook,
    hold, id_of, machine,
};
use serde::Serialize;

use super::tell::{Told, priority};
use super::{line, plain};
use crate::cli::Fault;
use crate::cli::files::{self, Unread};

/// Where findings are sent.
#[derive(Args)]
pub(super) struct Receivers {
    /// Send findings to a webhook, by TLS 1.3: POST of JSON, in their order
    ///
    /// An object with `version`, `source`, `lost` (how many findings there was no room for, ever) and `findings`, each
    /// with an `id` by which what comes twice is known, and `canary` where a proof of ringfort's did it. Any status but
    /// 2xx is tried again, after a second and up to a minute, or when something more is found.
    #[arg(long, value_name = "URL", requires_all = ["webhook_ca", "spool"])]
    webhook: Option<HttpsUrl>,
    /// The address that is connected to; needed where the URL has a name
    #[arg(long, value_name = "ADDRESS", requires = "webhook")]
    webhook_address: Option<IpAddr>,
    /// Who may have signed the webhook's certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "webhook")]
    webhook_ca: Option<PathBuf>,
    /// The token that the webhook asks for, in a file that only its owner may read
    #[arg(long, value_name = "FILE", requires = "webhook")]
    webhook_token: Option<PathBuf>,
    /// Send findings to a syslog server (RFC 5424), by TLS 1.3 (RFC 5425)
    #[arg(long, value_name = "ADDRESS:PORT", requires = "spool")]
    syslog_server: Option<SocketAddr>,
    /// The name that the server's certificate is for [default: its address]
    #[arg(long, value_name = "NAME", requires = "syslog_server", conflicts_with = "syslog_udp")]
    syslog_name: Option<String>,
    /// Who may have signed the server's certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "syslog_server", conflicts_with = "syslog_udp")]
    syslog_ca: Option<PathBuf>,
    /// Send datagrams: anybody on the way reads and forges them, and what is lost is not known
    #[arg(long, requires = "syslog_server")]
    syslog_udp: bool,
    /// Where what is to be sent waits, 64 MiB for each receiver at most: a directory
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
    /// What this machine is called in what is sent; its name if nothing is said
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// A receiver, and what waits to be given to it.
pub(super) struct Sink {
    pub(super) name: &'static str,
    source: String,
    form: fn(&str, &Told<'_>) -> Result<String, Fault>,
    deliverer: Deliverer,
    fresh: Vec<String>,
    /// Held for as long as this is: two that send would do it twice.
    _lock: File,
}

impl Receivers {
    /// Begins to send what waits for each.
    pub(super) fn open(&self) -> Result<Vec<Sink>, Fault> {
        let Some(spool) = &self.spool else { return Ok(Vec::new()) };
        let source = self.source.clone().unwrap_or_else(machine);
        let mut sinks = Vec::new();
        if let Some(url) = &self.webhook {
            let receiver = Box::new(self.webhook(url, &source)?);
            sinks.push(Sink::open("webhook", &source, webhook_line, spool, receiver)?);
        }
        if let Some(address) = self.syslog_server {
            let receiver = Box::new(self.syslog(address)?);
            sinks.push(Sink::open("syslog", &source, syslog_line, spool, receiver)?);
        }
        Ok(sinks)
    }

    fn webhook(&self, url: &HttpsUrl, source: &str) -> Result<Webhook, Fault> {
        let address = url.address().or(self.webhook_address).ok_or_else(|| {
            Fault::usage(format!(
                "no name server is asked for {}: give --webhook-address",
                url.host
            ))
        })?;
        let tls = tls(&url.host, self.webhook_ca.as_deref())?;
        let token = self.webhook_token.as_deref().map(token).transpose()?;
        Ok(Webhook { url: url.clone(), address, tls, token, source: source.to_owned() })
    }

    fn syslog(&self, address: SocketAddr) -> Result<Syslog, Fault> {
        if self.syslog_udp {
            return Ok(Syslog { address, tls: None });
        }
        let name = self.syslog_name.clone().unwrap_or_else(|| address.ip().to_string());
        Ok(Syslog { address, tls: Some(tls(&name, self.syslog_ca.as_deref())?) })
    }
}

fn tls(name: &str, ca: Option<&Path>) -> Result<Tls, Fault> {
    let file = ca.ok_or_else(|| {
        Fault::usage("nothing says who may have signed the server's certificate: give --syslog-ca")
    })?;
    let text = files::text(file).map_err(Fault::usage)?;
    Tls::new(name, &text, PATIENCE).map_err(|error| Fault::usage(Unread::of(file, &error)))
}

/// The longest token that is read, in bytes.
const LONGEST: usize = 8 << 10;

/// Reads a token. No fault repeats it.
pub(in crate::cli) fn token(file: &Path) -> Result<Secret<String>, Fault> {
    let wrong = |why: &dyn std::fmt::Display| Fault::usage(Unread::of(file, why));
    let open = File::open(file).map_err(|error| wrong(&error))?;
    let facts = open.metadata().map_err(|error| wrong(&error))?;
    if facts.is_file() && facts.mode() & 0o077 != 0 {
        return Err(wrong(&"others may read it, and it holds a secret: chmod 600 it"));
    }
    // Room for all that is read, so that growing leaves no copies in memory.
    let mut text = String::with_capacity(LONGEST);
    let read = open.take(LONGEST as u64).read_to_string(&mut text);
    let text = Secret::new(text);
    read.map_err(|error| wrong(&error))?;
    let said = text.expose().trim();
    if said.is_empty() || !said.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong(&"it is no token: one line of letters, digits and signs"));
    }
    Ok(Secret::new(said.to_owned()))
}

impl Sink {
    fn open(
        name: &'static str,
        source: &str,
        form: fn(&str, &Told<'_>) -> Result<String, Fault>,
        spool: &Path,
        receiver: Box<dyn Receiver>,
    ) -> Result<Self, Fault> {
        let at = spool.join(name);
        let unable = |error| Fault::unable(Unread::of(&at, &error));
        let directory = Directory::new(&at).map_err(unable)?;
        let lock = hold(&at).map_err(unable)?.ok_or_else(|| {
            Fault::usage(Unread::of(&at, &"another process sends what waits there"))
        })?;
        let spool = Spool::open(directory, Room::default()).map_err(unable)?;
        let deliverer = Deliverer::new(spool, receiver, Pace::default());
        let source = source.to_owned();
        Ok(Self { name, source, form, deliverer, fresh: Vec::new(), _lock: lock })
    }

    /// Takes a finding, which is durable after [`Self::keep`].
    pub(super) fn take(&mut self, told: &Told<'_>) -> Result<(), Fault> {
        self.fresh.push((self.form)(&self.source, told)?);
        Ok(())
    }

    /// Makes what was taken durable.
    pub(super) fn keep(&mut self) -> Result<(), Fault> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        let name = self.name;
        let unable =
            |error| Fault::unable(format!("what waits for the {name} cannot be kept: {error}"));
        self.deliverer.push(&self.fresh).map_err(unable)?;
        self.fresh.clear();
        Ok(())
    }

    /// Says how it goes.
    pub(super) fn state(&self) -> Delivery {
        self.deliverer.state()
    }

    /// Waits until all was received, for a while.
    pub(super) fn drain(&self) -> Result<(), Fault> {
        if self.deliverer.drain(DRAIN) {
            return Ok(());
        }
        let Delivery { waiting, trouble, .. } = self.state();
        let why = trouble.unwrap_or_else(|| "it takes too long".to_owned());
        Err(Fault::unable(format!("{waiting} findings still wait for the {}: {why}", self.name)))
    }
}

/// How long the end of a command waits for receivers.
const DRAIN: Duration = Duration::from_secs(30);

/// A finding as a webhook gets it.
#[derive(Serialize)]
struct Sent<'t> {
    id: String,
    #[serde(flatten)]
    told: &'t Told<'t>,
}

fn id(source: &str, told: &Told<'_>) -> Result<String, Fault> {
    Ok(id_of(source, &line(told)?))
}

fn webhook_line(source: &str, told: &Told<'_>) -> Result<String, Fault> {
    let sent = line(&Sent { id: id(source, told)?, told })?;
    Ok(sent.trim_end().to_owned())
}

/// A message as RFC 5424 has it, with what it is as its MSGID, and the id at the beginning of its words.
fn syslog_line(source: &str, told: &Told<'_>) -> Result<String, Fault> {
    let Finding { severity, time, .. } = told.finding;
    let is_time = time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z');
    let time = if is_time { time.as_str() } else { "-" };
    let host: String = source.chars().filter(char::is_ascii_graphic).take(255).collect();
    let host = if host.is_empty() { "-" } else { &host };
    let kind = if told.canary { "canary" } else { "finding" };
    let words = plain(&format!("{} {told}", id(source, told)?));
    Ok(format!("<{}>1 {time} {host} ringfort-audit - {kind} - {words}", priority(*severity)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use ringfort_model::severity::Severity;

    use super::super::tell::tests::{canary, finding};
    use super::{Told, syslog_line, token, webhook_line};

    #[test]
    fn a_message_is_as_rfc_5424_has_it() {
        let mut finding = finding(Severity::Critical);
        finding.time = "2026-05-31T10:00:00.123456Z".to_owned();
        let told = Told::new(&finding, Some(2));
        let message = syslog_line("cp 1", &told).unwrap();
        let head = "<106>1 2026-05-31T10:00:00.123456Z cp1 ringfort-audit - finding - ";
        let words = message.strip_prefix(head).unwrap();
        assert!(words.ends_with("(2 times more)") && !words.contains('\n'), "{words}");
        assert_eq!(words.split(' ').next().unwrap().len(), 32);
        finding.time = "soon] x".to_owned();
        let told = Told::new(&finding, None);
        assert!(
            syslog_line("", &told).unwrap().starts_with("<106>1 - - ringfort-audit - finding - ")
        );
        let message = syslog_line("", &Told::new(&canary(), None)).unwrap();
        let words = message.strip_prefix("<108>1 - - ringfort-audit - canary - ").unwrap();
        assert!(words[33..].starts_with("canary: T medium "), "{words}");
    }

    #[test]
    fn the_same_finding_has_the_same_id_and_another_has_another() {
        let finding = finding(Severity::High);
        let id = |source: &str, again| {
            let sent = webhook_line(source, &Told::new(&finding, again)).unwrap();
            let sent: serde_json::Value = serde_json::from_str(&sent).unwrap();
            assert_eq!(sent["detection"], "secrets/all-read");
            sent["id"].as_str().unwrap().to_owned()
        };
        assert_eq!(id("cp1", None), id("cp1", None));
        assert_ne!(id("cp1", None), id("cp2", None));
        assert_ne!(id("cp1", None), id("cp1", Some(1)));
    }

    #[test]
    fn a_token_that_others_may_read_is_none_and_no_fault_repeats_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        let mode = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        std::fs::write(&file, "hidden\n").unwrap();
        mode(0o640);
        let fault = token(&file).err().unwrap();
        assert!(fault.to_string().contains("chmod 600"), "{fault}");
        mode(0o600);
        assert_eq!(token(&file).ok().unwrap().expose(), "hidden");
        for text in ["", "hidden words", "hidden\r\nX-Role: admin"] {
            std::fs::write(&file, text).unwrap();
            let fault = token(&file).err().unwrap();
            assert!(!fault.to_string().contains("hidden"), "{fault}");
        }
    }
}
