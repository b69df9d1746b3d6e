//! Receivers that go away, answer that they cannot, are slow or are somebody else: nothing is lost, and nobody else is
//! told anything.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver as Heard, Sender, channel};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use ringfort_model::secret::Secret;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::os::deliver::{Deliverer, Pace};
use crate::os::disk::Directory;
use crate::os::send::{Receiver, SendError, Syslog, Webhook};
use crate::os::spool::{Batch, Room, Spool};
use crate::os::tls::Tls;

/// An authority, with a certificate of it for 127.0.0.1.
struct Authority {
    pem: String,
    config: Arc<ServerConfig>,
    old: Arc<ServerConfig>,
}

static OURS: LazyLock<Authority> = LazyLock::new(authority);
static OTHER: LazyLock<Authority> = LazyLock::new(authority);

fn authority() -> Authority {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
    let leaf = leaf.signed_by(&key, &ca).unwrap();
    let config = |versions: &[&'static rustls::SupportedProtocolVersion]| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![leaf.der().clone()], key).unwrap())
    };
    let config_13 = config(rustls::ALL_VERSIONS);
    Authority { pem: ca.pem(), config: config_13, old: config(&[&rustls::version::TLS12]) }
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// Serves connections one after the other, each with its number. Tells what was read of each.
fn serve(
    listener: TcpListener,
    tls: &Arc<ServerConfig>,
    answer: fn(usize, &mut Stream) -> String,
) -> Heard<String> {
    let (tell, heard) = channel();
    let tls = Arc::clone(tls);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            if tell.send(answer(number, &mut stream)).is_err() {
                return;
            }
        }
    });
    heard
}

/// Reads a request, with its body.
fn request(stream: &mut Stream) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() >= length.unwrap().parse().unwrap() {
                return text;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return text,
            Ok(count) => all.extend_from_slice(&buffer[..count]),
        }
    }
}

fn say(stream: &mut Stream, status: &str) {
    let _ = stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn takes(_: usize, stream: &mut Stream) -> String {
    let request = request(stream);
    say(stream, "200 OK");
    request
}

fn ids(requests: &[String]) -> Vec<u64> {
    let of = |request: &String| {
        let body = request.split_once("\r\n\r\n").unwrap().1;
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!((&body["version"], &body["source"]), (&1.into(), &"cp1".into()));
        let findings = body["findings"].as_array().unwrap().clone();
        findings.into_iter().map(|finding| finding["id"].as_u64().unwrap())
    };
    requests.iter().flat_map(of).collect()
}

fn lines(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| format!("{{\"id\":{number}}}")).collect()
}

pub(super) const FAST: Pace =
    Pace { first: Duration::from_millis(20), most: Duration::from_millis(80) };
const LONG: Duration = Duration::from_secs(20);
const TOKEN: &str = "hidden-hidden-hidden-hidden-hidden";

fn tls(pem: &str, patience: Duration) -> Tls {
    Tls::new("127.0.0.1", pem, patience).unwrap()
}

fn webhook(at: SocketAddr, patience: Duration) -> Box<dyn Receiver> {
    Box::new(Webhook {
        url: format!("https://127.0.0.1:{}/in", at.port()).parse().unwrap(),
        address: at.ip(),
        tls: tls(&OURS.pem, patience),
        token: Some(Secret::new(TOKEN.to_owned())),
        source: "cp1".to_owned(),
    })
}

fn spool(directory: &tempfile::TempDir) -> Spool<Directory> {
    Spool::open(Directory::new(directory.path()).unwrap(), Room::default()).unwrap()
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    (listener, at)
}

/// Waits until an attempt has failed, and gives why.
pub(super) fn trouble(deliverer: &Deliverer) -> String {
    loop {
        if let Some(trouble) = deliverer.state().trouble {
            return trouble;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_a_receiver_missed_while_it_was_away_comes_in_its_order_and_once() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, at) = listen();
    drop(listener);
    let deliverer = Deliverer::new(spool(&directory), webhook(at, LONG), FAST);
    deliverer.push(&lines(0..3)).unwrap();
    let why = trouble(&deliverer);
    assert!(why.contains(&at.to_string()) && !why.contains("hidden"), "{why}");
    drop(deliverer);
    // Also over a restart.
    let deliverer = Deliverer::new(spool(&directory), webhook(at, LONG), FAST);
    deliverer.push(&lines(3..5)).unwrap();
    let heard = serve(TcpListener::bind(at).unwrap(), &OURS.config, takes);
    assert!(deliverer.drain(LONG), "{:?}", deliverer.state());
    let requests: Vec<String> = heard.try_iter().collect();
    assert_eq!(ids(&requests), [0, 1, 2, 3, 4]);
    assert!(requests[0].starts_with("POST /in HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].contains(&format!("\r\nAuthorization: Bearer {TOKEN}\r\n")));
    assert_eq!(deliverer.state(), crate::os::Delivery::default());
}

#[test]
fn what_was_not_answered_well_is_sent_again_before_what_comes_after() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, at) = listen();
    let heard = serve(listener, &OURS.config, |number, stream| {
        let request = request(stream);
        match number {
            0 => say(stream, "500 Internal Server Error"),
            1 => say(stream, "302 Found"),
            // It hangs up without a word, and then says something else than HTTP.
            2 => {}
            3 => drop(stream.write_all(b"SSH-2.0-x\r\n")),
            _ => say(stream, "204 No Content"),
        }
        request
    });
    let deliverer = Deliverer::new(spool(&directory), webhook(at, LONG), FAST);
    deliverer.push(&lines(0..1)).unwrap();
    assert!(trouble(&deliverer).contains("500 Internal"), "{:?}", deliverer.state());
    deliverer.push(&lines(1..2)).unwrap();
    assert!(deliverer.drain(LONG), "{:?}", deliverer.state());
    let requests: Vec<String> = heard.try_iter().collect();
    let (failed, received) = requests.split_at(4);
    assert!(failed.iter().all(|request| ids(std::slice::from_ref(request))[0] == 0));
    assert_eq!(ids(received), [0, 1]);
}

#[test]
fn a_receiver_that_is_slow_holds_up_nobody_for_longer_than_it_may() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, at) = listen();
    let heard = serve(listener, &OURS.config, |number, stream| {
        let request = request(stream);
        if number == 0 {
            // A letter now and then is no answer either.
            for letter in "HTTP/1.1 200 OK".bytes() {
                let written = stream.write_all(&[letter]).and_then(|()| stream.flush());
                if written.is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
            return request;
        }
        say(stream, "200 OK");
        request
    });
    let short = Duration::from_millis(800);
    let deliverer = Deliverer::new(spool(&directory), webhook(at, short), FAST);
    deliverer.push(&lines(0..2)).unwrap();
    assert!(trouble(&deliverer).contains("too long"), "{:?}", deliverer.state());
    assert!(deliverer.drain(LONG), "{:?}", deliverer.state());
    // An attempt may be given up before all of it was read.
    let whole = heard.try_iter().filter(|request| request.ends_with("]}"));
    assert!(ids(&whole.collect::<Vec<_>>()).ends_with(&[0, 1]));
}

/// Takes nothing until it is back, and tells when it was tried.
struct Away {
    tried: Sender<Instant>,
    is_back: Arc<AtomicBool>,
}

impl Receiver for Away {
    fn send(&mut self, _: &Batch) -> Result<(), SendError> {
        let _ = self.tried.send(Instant::now());
        self.is_back.load(Ordering::Relaxed).then_some(()).ok_or(SendError::Nobody)
    }
}

/// An outage that is over is over for the next finding, however long it was, and not only when the pause ends.
#[test]
fn what_comes_cuts_a_long_pause_short() {
    let directory = tempfile::tempdir().unwrap();
    let (tried, attempts) = channel();
    let is_back = Arc::new(AtomicBool::new(false));
    let receiver = Away { tried, is_back: Arc::clone(&is_back) };
    let first = Duration::from_millis(5);
    let pace = Pace { first, most: Duration::from_secs(7200) };
    let deliverer = Deliverer::new(spool(&directory), Box::new(receiver), pace);
    let mut last = None;
    // Twenty failures make the pause longer than an hour.
    for number in 0..20 {
        deliverer.push(&lines(number..number + 1)).unwrap();
        let now = attempts.recv_timeout(LONG).expect("what came was tried");
        let since = last.map(|last| now - last);
        assert!(since.is_none_or(|since| since >= first), "{since:?}");
        last = Some(now);
    }
    let idle = attempts.recv_timeout(Duration::from_millis(200));
    assert!(idle.is_err(), "without anything new the pause is kept");
    is_back.store(true, Ordering::Relaxed);
    deliverer.push(&lines(20..21)).unwrap();
    assert!(deliverer.drain(LONG), "{:?}", deliverer.state());
}

#[test]
fn an_impostor_and_an_old_tls_hear_nothing() {
    for (config, why) in [(&OTHER.config, "certificate"), (&OURS.old, "")] {
        let directory = tempfile::tempdir().unwrap();
        let (listener, at) = listen();
        let heard = serve(listener, config, |_, stream| request(stream));
        let deliverer = Deliverer::new(spool(&directory), webhook(at, LONG), FAST);
        deliverer.push(&lines(0..1)).unwrap();
        let said = trouble(&deliverer);
        assert!(said.contains(why) && !said.contains("hidden"), "{said}");
        assert_eq!(heard.recv_timeout(LONG).unwrap(), "");
        assert_eq!(deliverer.state().waiting, 1);
    }
}

/// Takes messages by their lengths.
fn messages(text: &str) -> Vec<String> {
    let (mut rest, mut all) = (text, Vec::new());
    while let Some((length, more)) = rest.split_once(' ') {
        let (message, more) = more.split_at(length.parse().unwrap());
        all.push(message.to_owned());
        rest = more;
    }
    all
}

#[test]
fn a_syslog_server_gets_messages_by_their_lengths_until_it_has_read_them() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, at) = listen();
    let heard = serve(listener, &OURS.config, |number, stream| {
        if number == 0 {
            // It is ended before it has read a word.
            return String::new();
        }
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        // An end that TLS does not say may be anybody's on the way, whatever was read before it.
        if number > 1 {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        text
    });
    let receiver = Syslog { address: at, tls: Some(tls(&OURS.pem, LONG)) };
    let deliverer = Deliverer::new(spool(&directory), Box::new(receiver), FAST);
    deliverer.push(&["<106>1 - ä".to_owned(), "<106>1 - two words".to_owned()]).unwrap();
    assert!(deliverer.drain(LONG), "{:?}", deliverer.state());
    assert_eq!(heard.recv_timeout(LONG).unwrap(), "");
    let wanted = ["<106>1 - ä", "<106>1 - two words"];
    for time in ["without a word of TLS at its end", "in good order"] {
        assert_eq!(messages(&heard.recv_timeout(LONG).unwrap()), wanted, "{time}");
    }
}

#[test]
fn by_datagrams_each_message_is_one() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let receiver = Syslog { address: socket.local_addr().unwrap(), tls: None };
    let deliverer = Deliverer::new(spool(&directory), Box::new(receiver), FAST);
    deliverer.push(&["one".to_owned(), "ä".repeat(3000)]).unwrap();
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"one");
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!((length, std::str::from_utf8(&buffer[..length]).is_ok()), (2048, true));
}
