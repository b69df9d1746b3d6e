//! Two machines over TLS: one shows its checkpoints, the other has seen them before. Who is away misses nothing, and
//! who is somebody else is told nothing.

mod kept;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use ringfort_model::certificate::{Authority, CertRequest, San, Subject, Usage};
use ringfort_pki::{Ca, LEAF_LIFE, PrivateKey, Signer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::deliver::{FAST, trouble};
use super::*;
use crate::format::reported::Reported;
use crate::format::verify::Wrong;
use crate::format::witness::Note;
use crate::os::deliver::Deliverer;
use crate::os::http::Answer;
use crate::os::listen::{Answering, Door};
use crate::os::notes::Notes;
use crate::os::offer::{OfferError, Offering, Peer, WITNESSED};
use crate::os::received::{Intake, Outlet, Received};
use crate::os::send::Collectors;
use crate::os::spool::{Room, Spool};
use crate::os::tally::COUNT;
use crate::os::tls::{Papers, Tls};
use crate::os::witness::{HEALTH, Office, Witness};
use crate::os::{Came, Directory, claim, verify};

static CAS: LazyLock<[Ca; 2]> =
    LazyLock::new(|| [1, 2].map(|_| Ca::make(Authority::Cluster, now()).unwrap()));

fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    now.as_secs().cast_signed()
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(20);
const BOTH: &[Usage] = &[Usage::ServerAuth, Usage::ClientAuth];

/// Papers of somebody, by one of the authorities.
fn papers(ca: &Ca, name: &str, usages: &[Usage], signed_at: i64, life: Duration) -> Papers {
    papers_of(Authority::Cluster, ca, name, usages, signed_at, life)
}

fn papers_of(
    authority: Authority,
    ca: &Ca,
    name: &str,
    usages: &[Usage],
    signed_at: i64,
    life: Duration,
) -> Papers {
    let key = PrivateKey::make().unwrap();
    let request = CertRequest {
        authority,
        subject: Subject::user(name),
        usages: usages.iter().copied().collect(),
        names: [San::Ip(HERE)].into(),
        key: String::new(),
    };
    let signer = Signer::open(authority, ca, signed_at).unwrap();
    let certificate_pem = signer.sign(&request, &key.signing_request().unwrap(), life).unwrap();
    Papers { authorities_pem: CAS[0].certificate_pem.clone(), certificate_pem, key_pem: key.pem() }
}

fn of(name: &str) -> Papers {
    papers(&CAS[0], name, BOTH, now(), LEAF_LIFE)
}

/// A witness that listens, with what it heard. It lives as long as the tests.
struct Witnessing {
    at: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

fn begin(state: &Path, at: SocketAddr, patience: Duration) -> Witnessing {
    begin_as(state, at, patience, &of("ringfort:witness:cp2"))
}

fn begin_as(state: &Path, at: SocketAddr, patience: Duration, papers: &Papers) -> Witnessing {
    let claimed = claim(state).unwrap();
    let witness = Witness::open(Notes::new(claimed.directory), claimed.key).unwrap();
    let received = Directory::new(&state.join("received")).unwrap();
    let intake = Some(Intake::open(received).unwrap());
    let office = Office::new(witness, vec!["cp1".to_owned()], intake);
    let office = office.for_servers(vec!["kube-apiserver".to_owned()]);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    let answering: Arc<Answering> = Arc::new(move |caller, request| {
        office.answer(caller, request, now(), &mut |machine, came| {
            let came = match came {
                Came::Shown(came) => came,
                Came::Events(count) => {
                    return told.lock().unwrap().push(format!("{machine} sent {count}"));
                }
                Came::Delivered(count, lost) => {
                    return told.lock().unwrap().push(format!("{machine} {count} lost {lost}"));
                }
            };
            let came = came.map(|sight| (sight.through, sight.is_another));
            let came = came.map_err(|error| error.to_string());
            told.lock().unwrap().push(format!("{machine} {came:?}"));
        })
    });
    let door = Door::open(at, papers, patience).unwrap();
    let at = door.at().unwrap();
    std::thread::spawn(move || door.serve(&answering));
    Witnessing { at, heard }
}

fn anywhere() -> SocketAddr {
    SocketAddr::new(HERE, 0)
}

fn peer(at: SocketAddr, papers: &Papers) -> Peer {
    let tls = Tls::between(HERE, "ringfort:witness:cp2", papers, LONG).unwrap();
    Peer { machine: "cp2".to_owned(), at, tls }
}

fn offering(at: &Path, to: SocketAddr) -> Offering<Directory> {
    let notes = Notes::new(Directory::new(&at.join("own")).unwrap());
    Offering::new(&at.join("store"), notes, peer(to, &of("ringfort:witness:cp1"))).unwrap()
}

/// Adds sealed segments to a store.
fn sealed(store: &Path, count: u64, source: &str) {
    let claimed = claim(store).unwrap();
    let limits = Limits { seal_seconds: 0, ..ALL };
    let (mut kept, _) = Store::open(claimed.directory, claimed.key, limits, now()).unwrap();
    for number in 0..count {
        let text = event(number);
        let entry = Entry { source, time: 7, kind: Kind::Event, text: text.as_bytes() };
        kept.append(&[entry], b"", now()).unwrap();
        assert!(kept.tend(now()).unwrap().is_some());
    }
}

/// What one of both noted, of what was seen.
fn notes(file: &Path) -> Vec<Note> {
    let text = std::fs::read_to_string(file).unwrap();
    let all = text.lines().map(|line| Note::read(line.as_bytes()).unwrap());
    all.filter(|note| note.refused.is_none()).collect()
}

#[test]
fn what_waited_for_a_witness_is_seen_when_it_is_back_and_kept_at_both_sides() {
    let at = tempfile::tempdir().unwrap();
    let (store, state) = (at.path().join("store"), at.path().join("witness"));
    let listener = TcpListener::bind(anywhere()).unwrap();
    let to = listener.local_addr().unwrap();
    drop(listener);
    let mut offering = offering(at.path(), to);
    assert_eq!(offering.offer(now()).unwrap(), None, "nothing was kept yet");
    sealed(&store, 70, "cp1");
    assert!(matches!(offering.offer(now()), Err(OfferError::Reach { .. })));
    let witnessing = begin(&state, to, LONG);
    // Who is seen for the first time is seen by its newest, which names all before it.
    assert_eq!(offering.offer(now()).unwrap(), Some(70));
    assert_eq!(offering.offer(now()).unwrap(), None);
    sealed(&store, 130, "cp1");
    assert_eq!(offering.offer(now()).unwrap(), Some(200), "more than are shown at once");
    assert_eq!(
        *witnessing.heard.lock().unwrap(),
        [
            "cp1 Ok((70, false))",
            "cp1 Ok((134, false))",
            "cp1 Ok((198, false))",
            "cp1 Ok((200, false))",
        ]
    );
    let (own, theirs) =
        (notes(&at.path().join("own").join(WITNESSED)), notes(&state.join("seen.cp1")));
    let signed = |notes: &[Note]| notes.iter().map(|it| it.signed.clone()).collect::<Vec<_>>();
    assert_eq!((own.len(), signed(&own)), (131, signed(&theirs)));
    // Also after a restart nothing is noted twice.
    let mut again = self::offering(at.path(), to);
    assert_eq!(again.offer(now()).unwrap(), Some(200));
    assert_eq!(notes(&at.path().join("own").join(WITNESSED)).len(), 131);
    let witness = crate::os::public_key(&state).unwrap();
    let key = crate::os::public_key(&store).unwrap();
    let seen: Vec<_> = theirs.into_iter().map(|note| (note.signed, witness)).collect();
    let report = verify(&store, key, &seen).unwrap();
    assert_eq!((report.witnessed, report.wrong, report.unseen), (131, vec![], vec![]));
}

#[test]
fn a_store_that_was_rewritten_or_put_back_is_refused_and_both_sides_say_so() {
    let at = tempfile::tempdir().unwrap();
    let (store, state) = (at.path().join("store"), at.path().join("witness"));
    let witnessing = begin(&state, anywhere(), LONG);
    let wrong = || {
        let places = crate::os::Places {
            log: at.path().join("log"),
            store: store.clone(),
            witnessed: at.path().join("own").join(WITNESSED),
            count: at.path().join("own").join(COUNT),
            together: at.path().join("together"),
        };
        crate::os::held(&places, "x", jiff::Timestamp::now()).unwrap().wrong
    };
    let refused = |says: &str| {
        let error = offering(at.path(), witnessing.at).offer(now()).unwrap_err();
        let OfferError::Refused { said, .. } = error else { panic!("{error}") };
        assert!(said.contains(says), "{said}");
        assert!(wrong().iter().any(|wrong| wrong.contains(says)), "{:?}", wrong());
    };
    sealed(&store, 2, "cp1");
    let copy = |from: &str, to: &str| {
        let (from, to) = (at.path().join(from), at.path().join(to));
        let _ = std::fs::remove_dir_all(&to);
        std::fs::create_dir(&to).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    };
    copy("store", "old");
    sealed(&store, 2, "cp1");
    assert_eq!(offering(at.path(), witnessing.at).offer(now()).unwrap(), Some(4));
    let (good, key) = (at.path().join("good"), crate::os::public_key(&store).unwrap());
    copy("store", "good");
    copy("old", "store");
    refused("the newest segment is 2, and 4 was seen");
    copy("good", "store");
    assert_eq!(wrong(), Vec::<String>::new(), "it is what was signed last again");
    copy("old", "store");
    assert_eq!(wrong().len(), 1, "what was signed long ago is not the last");
    // From the beginning, with the same key, and longer than before.
    for file in std::fs::read_dir(&store).unwrap() {
        let file = file.unwrap();
        if !["key", "key.pub"].contains(&file.file_name().to_str().unwrap()) {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    std::fs::remove_file(store.join("key.pub")).unwrap();
    sealed(&store, 5, "rewritten");
    refused("segment 5 was another one");
    let witness = crate::os::public_key(&state).unwrap();
    let seen = || notes(&state.join("seen.cp1")).into_iter().map(|note| (note.signed, witness));
    let report = verify(&store, key, &seen().collect::<Vec<_>>()).unwrap();
    assert_eq!(report.wrong.iter().map(|it| it.wrong).collect::<Vec<_>>(), [Wrong::Witness]);
    let report = verify(&good, key, &seen().collect::<Vec<_>>()).unwrap();
    assert_eq!((report.wrong, report.witnessed), (vec![], 1));
    // With a key of its own, so that all of it is as it should be for whoever asks nobody else.
    std::fs::remove_dir_all(&store).unwrap();
    sealed(&store, 5, "cp1");
    assert_eq!(offering(at.path(), witnessing.at).offer(now()).unwrap(), Some(5));
    assert_eq!(witnessing.heard.lock().unwrap().last().unwrap(), "cp1 Ok((5, true))");
    let report =
        verify(&store, crate::os::public_key(&store).unwrap(), &seen().collect::<Vec<_>>());
    assert_eq!(
        report.unwrap().wrong.iter().map(|it| it.wrong).collect::<Vec<_>>(),
        [Wrong::Replaced]
    );
}

/// What a certificate comes to, asked as a proof asks: by the alert that ends the conversation, or a status.
fn knock(at: SocketAddr, shown: Option<&Papers>, method: &str, path: &str) -> String {
    knock_in(&[&rustls::version::TLS13], at, shown, method, path)
}

fn knock_in(
    versions: &[&'static rustls::SupportedProtocolVersion],
    at: SocketAddr,
    shown: Option<&Papers>,
    method: &str,
    path: &str,
) -> String {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(CAS[0].certificate_pem.as_bytes()).unwrap();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let config = match shown {
        None => builder.with_no_client_auth(),
        Some(papers) => {
            let chain = CertificateDer::from_pem_slice(papers.certificate_pem.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(papers.key_pem.expose().as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![chain], key).unwrap()
        }
    };
    let tls = ClientConnection::new(Arc::new(config), ServerName::from(HERE)).unwrap();
    let mut stream = StreamOwned::new(tls, TcpStream::connect(at).unwrap());
    let request = format!("{method} {path} HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    let mut answer = Vec::new();
    let asked = stream.write_all(request.as_bytes()).and_then(|()| stream.flush());
    match asked.and_then(|()| stream.read_to_end(&mut answer)) {
        Ok(_) => {
            let answer = String::from_utf8_lossy(&answer);
            answer.split(' ').nth(1).unwrap_or_default().to_owned()
        }
        Err(error) => match error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::AlertReceived(alert)) => format!("{alert:?}"),
            _ => error.to_string(),
        },
    }
}

/// The proof over ports expects these very alerts of this door (`ringfort-controls`, `proof::port`).
#[test]
fn the_door_lets_in_who_it_hears_and_each_other_is_refused_in_its_own_way() {
    let at = tempfile::tempdir().unwrap();
    let to = begin(&at.path().join("witness"), anywhere(), LONG).at;
    let (peer, keeper) = (of("ringfort:witness:cp1"), of("ringfort:keeper"));
    let check = |shown: Option<&Papers>, method: &str, path: &str, expected: &str| {
        assert_eq!(knock(to, shown, method, path), expected, "{method} {path}");
    };
    check(Some(&peer), "GET", HEALTH, "200");
    check(Some(&peer), "GET", &format!("/seen/{}", "ab".repeat(32)), "200");
    check(Some(&peer), "GET", "/seen/ab", "400");
    check(Some(&peer), "POST", "/checkpoints", "400");
    check(Some(&peer), "GET", "/checkpoints", "404");
    check(Some(&keeper), "GET", HEALTH, "200");
    check(Some(&keeper), "POST", "/checkpoints", "403");
    check(Some(&keeper), "GET", "/seen/ab", "403");
    for other in ["ringfort:witness:cp3", "ringfort:canary", "system:node:cp1"] {
        check(Some(&of(other)), "GET", HEALTH, "403");
        check(Some(&of(other)), "POST", "/checkpoints", "403");
    }
    check(None, "GET", HEALTH, "CertificateRequired");
    let name = "ringfort:witness:cp1";
    let stranger = papers(&CAS[1], name, BOTH, now(), LEAF_LIFE);
    check(Some(&stranger), "GET", HEALTH, "DecryptError");
    let server = papers(&CAS[0], name, &[Usage::ServerAuth], now(), LEAF_LIFE);
    check(Some(&server), "GET", HEALTH, "UnsupportedCertificate");
    let born = CAS[0].not_before().unwrap();
    let expired = papers(&CAS[0], name, BOTH, born, Duration::from_secs(1));
    check(Some(&expired), "GET", HEALTH, "CertificateExpired");
    let of_etcd = Ca::make(Authority::EtcdPeer, now()).unwrap();
    let other = papers_of(Authority::EtcdPeer, &of_etcd, name, BOTH, now(), LEAF_LIFE);
    check(Some(&other), "GET", HEALTH, "UnknownCA");
    let old = knock_in(&[&rustls::version::TLS12], to, Some(&peer), "GET", HEALTH);
    assert_eq!(old, "ProtocolVersion");
    // Without TLS nothing is answered that could be taken for an answer.
    let mut plain = TcpStream::connect(to).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn who_is_not_the_witness_is_shown_nothing() {
    let impostors = [
        // Another machine of the cluster, another cluster, and one that shows a client's certificate alone.
        papers(&CAS[0], "ringfort:witness:cp3", BOTH, now(), LEAF_LIFE),
        papers(&CAS[1], "ringfort:witness:cp2", BOTH, now(), LEAF_LIFE),
        papers(&CAS[0], "ringfort:witness:cp2", &[Usage::ClientAuth], now(), LEAF_LIFE),
    ];
    for (number, impostor) in impostors.iter().enumerate() {
        let at = tempfile::tempdir().unwrap();
        sealed(&at.path().join("store"), 1, "cp1");
        let witnessing = begin_as(&at.path().join("witness"), anywhere(), LONG, impostor);
        let error = offering(at.path(), witnessing.at).offer(now()).unwrap_err();
        assert!(matches!(error, OfferError::Reach { .. }), "{number}: {error}");
        assert!(witnessing.heard.lock().unwrap().is_empty(), "{number}");
        assert!(!at.path().join("own").join(WITNESSED).exists(), "{number}");
    }
}

#[test]
fn a_witness_that_signs_something_else_is_not_believed() {
    let at = tempfile::tempdir().unwrap();
    sealed(&at.path().join("store"), 1, "cp1");
    let answers = BTreeMap::from([
        ("GET", r#"{"version":1,"segment":null}"#),
        ("POST", r#"{"version":1,"witness":"00","signatures":[]}"#),
    ]);
    let answering: Arc<Answering> = Arc::new(move |_, request| {
        let body = answers[request.method.as_str()].as_bytes().to_vec();
        Answer { status: 200, body }
    });
    let door = Door::open(anywhere(), &of("ringfort:witness:cp2"), LONG).unwrap();
    let to = door.at().unwrap();
    std::thread::spawn(move || door.serve(&answering));
    let error = offering(at.path(), to).offer(now()).unwrap_err();
    assert!(matches!(error, OfferError::Answer { .. }), "{error}");
    assert!(!at.path().join("own").join(WITNESSED).exists());
}

#[test]
fn who_says_nothing_holds_up_nobody() {
    let at = tempfile::tempdir().unwrap();
    let patience = Duration::from_millis(600);
    let to = begin(&at.path().join("witness"), anywhere(), patience).at;
    let few: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(to).unwrap()).collect();
    let peer = of("ringfort:witness:cp1");
    assert_eq!(knock(to, Some(&peer), "GET", HEALTH), "200");
    // As many as there are places for an address: whoever comes from there then is turned away, until they are given up.
    let more: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(to).unwrap()).collect();
    let begun = std::time::Instant::now();
    while knock(to, Some(&peer), "GET", HEALTH) != "200" {
        assert!(begun.elapsed() < LONG, "nobody is let in any more");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop((few, more));
}

fn agent(spool: &Path, to: &[SocketAddr], papers: &Papers) -> Deliverer {
    let spool = Spool::open(Directory::new(spool).unwrap(), Room::default()).unwrap();
    let patience = Duration::from_secs(2);
    let peers = to.iter().map(|at| {
        let tls = Tls::between(HERE, "ringfort:witness:cp2", papers, patience).unwrap();
        Peer { machine: "cp2".to_owned(), at: *at, tls }
    });
    Deliverer::new(spool, Box::new(Collectors::new(peers.collect())), FAST)
}

fn found(number: u32) -> String {
    format!("{{\"id\":\"{number}\"}}")
}

#[test]
fn what_an_agent_found_waits_until_one_of_several_takes_it() {
    let at = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind(anywhere()).unwrap();
    let away = listener.local_addr().unwrap();
    drop(listener);
    // Somebody who takes connections and says nothing.
    let silent = TcpListener::bind(anywhere()).unwrap();
    let to = [away, silent.local_addr().unwrap()];
    let papers = of("ringfort:agent:w1");
    let deliverer = agent(&at.path().join("spool"), &to, &papers);
    deliverer.push(&[found(1), found(2)]).unwrap();
    trouble(&deliverer);
    assert_eq!(deliverer.state().waiting, 2);
    drop(deliverer);
    // Also over a restart: what waited comes first, and the one that is well is asked at last.
    let witnessing = begin(&at.path().join("witness"), away, LONG);
    let deliverer = agent(&at.path().join("spool"), &[to[1], away], &papers);
    deliverer.push(&[found(3)]).unwrap();
    assert!(deliverer.drain(LONG), "{:?}", deliverer.state());
    let received = Directory::new(&at.path().join("witness/received")).unwrap();
    let mut outlet = Outlet::new(received);
    let mut all = Vec::new();
    loop {
        let lines = outlet.give().unwrap();
        if lines.is_empty() {
            break;
        }
        all.extend(lines);
    }
    let texts: Vec<&str> = all.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, [found(1), found(2), found(3)]);
    assert!(all.iter().all(|it| it.source == "agent/w1"), "{all:?}");
    assert!(witnessing.heard.lock().unwrap().iter().all(|it| it.starts_with("w1 ")));
}

#[test]
fn an_impostor_delivers_nothing_and_is_given_nothing() {
    let at = tempfile::tempdir().unwrap();
    let witnessing = begin(&at.path().join("witness"), anywhere(), LONG);
    let stranger = papers(&CAS[1], "ringfort:agent:w1", BOTH, now(), LEAF_LIFE);
    let callers =
        [(stranger, "alert"), (of("system:node:w1"), "403"), (of("ringfort:witness:cp3"), "403")];
    for (number, (papers, expected)) in callers.iter().enumerate() {
        let deliverer = agent(&at.path().join(format!("spool{number}")), &[witnessing.at], papers);
        deliverer.push(&[found(1)]).unwrap();
        let why = trouble(&deliverer);
        assert!(why.contains(expected), "{number}: {why}");
        assert_eq!(deliverer.state().waiting, 1);
    }
    assert!(witnessing.heard.lock().unwrap().is_empty());
    // Whoever is no control plane is told nothing of what was found.
    let impostor = of("system:node:w2");
    let heard = begin_as(&at.path().join("impostor"), anywhere(), LONG, &impostor);
    let deliverer = agent(&at.path().join("spool"), &[heard.at], &of("ringfort:agent:w1"));
    deliverer.push(&[found(1)]).unwrap();
    assert!(trouble(&deliverer).contains("which is not ringfort:witness:cp2"));
    assert!(heard.heard.lock().unwrap().is_empty());
}

/// A witness tells what its own machine's server counts and nobody has; what agents find is not for it to say, nor the
/// other way round.
#[test]
fn each_finds_what_is_its_own_to_find() {
    let at = tempfile::tempdir().unwrap();
    let witnessing = begin(&at.path().join("witness"), anywhere(), LONG);
    let found = |name: &str| {
        format!(
            r#"{{"id":"a","finding":{{"detection":"{name}","severity":"high","time":"T","user":"","source":"elsewhere","verb":"log","object":"audit-log cp1","said":"s"}},"line":{{}}}}"#
        )
    };
    for caller in ["ringfort:witness:cp1", "ringfort:agent:cp1"] {
        let peer = peer(witnessing.at, &of(caller));
        let lines = ["audit/events-lost", "integrity/blind"].map(found);
        peer.deliver(&lines, 0).unwrap();
    }
    let mut outlet = Outlet::new(Directory::new(&at.path().join("witness/received")).unwrap());
    let lines = std::iter::from_fn(|| Some(outlet.give().unwrap()).filter(|it| !it.is_empty()));
    let lines: Vec<Received> = lines.flatten().collect();
    let kept = lines.iter().map(|it| {
        let found = Reported::read(it.text.as_bytes()).unwrap().finding;
        format!("{} {:?} {} by {}", it.source, it.kind, found.detection, found.source)
    });
    assert_eq!(
        kept.collect::<Vec<_>>(),
        [
            "witness/cp1 Finding audit/events-lost by cp1",
            "witness/cp1 Unreadable integrity/blind by elsewhere",
            "agent/cp1 Unreadable audit/events-lost by elsewhere",
            "agent/cp1 Finding integrity/blind by cp1",
        ]
    );
}
