use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ringfort_model::certificate::{Authority, CertRequest, San, Subject, Usage};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{LEAF_LIFE, SignError, Signer};
use crate::ca::{CA_LIFE, Ca};
use crate::key::PrivateKey;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn ca() -> Ca {
    Ca::make(Authority::Cluster, NOW).unwrap()
}

fn request(subject: Subject, usages: &[Usage], names: &[San]) -> CertRequest {
    CertRequest {
        authority: Authority::Cluster,
        subject,
        usages: usages.iter().copied().collect(),
        names: names.iter().cloned().collect(),
        key: "/etc/kubernetes/pki/x.key".to_owned(),
    }
}

fn kubelet() -> CertRequest {
    let names = [San::Dns("w1".to_owned()), San::Ip(IpAddr::from([10, 0, 0, 21]))];
    let both = [Usage::ClientAuth, Usage::ServerAuth];
    request(Subject::member("system:node:w1", "system:nodes"), &both, &names)
}

fn asked() -> (PrivateKey, String) {
    let key = PrivateKey::make().unwrap();
    let asked = key.signing_request().unwrap();
    (key, asked)
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn roots(ca: &Ca) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(der(&ca.certificate_pem)).unwrap();
    Arc::new(roots)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn moment(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap()))
}

fn is_client(ca: &Ca, leaf: &str, at: i64) -> bool {
    WebPkiClientVerifier::builder_with_provider(roots(ca), provider())
        .build()
        .unwrap()
        .verify_client_cert(&der(leaf), &[], moment(at))
        .is_ok()
}

fn is_server(ca: &Ca, leaf: &str, name: &str, at: i64) -> bool {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    WebPkiServerVerifier::builder_with_provider(roots(ca), provider())
        .build()
        .unwrap()
        .verify_server_cert(&der(leaf), &[], &name, &[], moment(at))
        .is_ok()
}

#[test]
fn others_accept_what_is_signed_for_what_it_was_asked_for() {
    let ca = ca();
    let signer = Signer::open(Authority::Cluster, &ca, NOW).unwrap();
    let sign = |request: &CertRequest| signer.sign(request, &asked().1, LEAF_LIFE).unwrap();

    let both = sign(&kubelet());
    assert!(is_client(&ca, &both, NOW));
    assert!(is_server(&ca, &both, "w1", NOW) && is_server(&ca, &both, "10.0.0.21", NOW));
    assert!(!is_server(&ca, &both, "w2", NOW) && !is_server(&ca, &both, "10.0.0.22", NOW));
    assert!(is_client(&ca, &both, NOW - 299) && !is_client(&ca, &both, NOW - 301));
    assert!(is_client(&ca, &both, NOW + 365 * DAY) && !is_client(&ca, &both, NOW + 366 * DAY));
    let other = Ca::make(Authority::Cluster, NOW).unwrap();
    assert!(!is_client(&other, &both, NOW) && !is_server(&other, &both, "w1", NOW));

    let client = sign(&request(Subject::user("u"), &[Usage::ClientAuth], &[]));
    assert!(is_client(&ca, &client, NOW));
    let server =
        sign(&request(Subject::user("s"), &[Usage::ServerAuth], &[San::Dns("s".to_owned())]));
    assert!(!is_client(&ca, &server, NOW) && is_server(&ca, &server, "s", NOW));
}

#[test]
fn a_certificate_says_what_was_asked_and_nothing_else() {
    let ca = ca();
    let (key, asked) = asked();
    let signer = Signer::open(Authority::Cluster, &ca, NOW).unwrap();
    let leaf = der(&signer.sign(&kubelet(), &asked, LEAF_LIFE).unwrap());
    let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();

    assert_eq!(leaf.subject().to_string(), "O=system:nodes, CN=system:node:w1");
    assert_eq!(
        ringfort_model::digest::Digest::of(leaf.public_key().raw),
        key.public().id,
        "the machine's key"
    );
    let usage = leaf.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_encipherment() && !usage.key_cert_sign());
    let limits = leaf.basic_constraints().unwrap().unwrap();
    assert!(limits.critical && !limits.value.ca);
    let extended = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && extended.server_auth && !extended.any);
    let names = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(names[..], [GeneralName::DNSName("w1"), GeneralName::IPAddress(&[10, 0, 0, 21])]);
    let issuer = leaf.iter_extensions().find_map(|e| match e.parsed_extension() {
        x509_parser::extensions::ParsedExtension::AuthorityKeyIdentifier(id) => {
            id.key_identifier.as_ref().map(|id| format!("{id:x}").replace(':', ""))
        }
        _ => None,
    });
    assert_eq!(issuer, Some(ca.facts().unwrap().key_id));
    assert_eq!(leaf.raw_serial().len(), 16);
}

#[test]
fn names_and_usages_of_a_signing_request_are_not_believed() {
    let key = PrivateKey::make().unwrap();
    let mut greedy = rcgen::CertificateParams::new(vec!["kubernetes.default".to_owned()]).unwrap();
    greedy.distinguished_name.push(rcgen::DnType::CommonName, "root");
    greedy.distinguished_name.push(rcgen::DnType::OrganizationName, "system:masters");
    greedy.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    greedy.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let asked = greedy.serialize_request(&key.pair).unwrap().pem().unwrap();

    let ca = ca();
    let signer = Signer::open(Authority::Cluster, &ca, NOW).unwrap();
    let wanted = request(Subject::user("small"), &[Usage::ClientAuth], &[]);
    let leaf = der(&signer.sign(&wanted, &asked, LEAF_LIFE).unwrap());
    let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
    assert_eq!(leaf.subject().to_string(), "CN=small");
    assert!(!leaf.is_ca() && leaf.subject_alternative_name().unwrap().is_none());
    assert!(!leaf.key_usage().unwrap().unwrap().value.key_cert_sign());
}

#[test]
fn a_signing_request_that_was_changed_is_refused() {
    let signer = Signer::open(Authority::Cluster, &ca(), NOW).unwrap();
    let check = |pem: &str, expected: fn(&SignError) -> bool| {
        let error = signer.sign(&kubelet(), pem, LEAF_LIFE).unwrap_err();
        assert!(expected(&error), "{error:?}");
    };
    let good = pem::parse(asked().1).unwrap();
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = good.contents().to_vec();
        change(&mut bytes);
        pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", bytes))
    };
    check(&with(|bytes| *bytes.last_mut().unwrap() ^= 1), |e| matches!(e, SignError::Forged));
    check(&with(|bytes| bytes.push(0)), |e| matches!(e, SignError::Request { .. }));
    check(&with(|bytes| bytes.truncate(60)), |e| matches!(e, SignError::Request { .. }));
    check("", |e| matches!(e, SignError::Request { .. }));

    let foreign = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let foreign = rcgen::CertificateParams::default().serialize_request(&foreign).unwrap();
    check(&foreign.pem().unwrap(), |e| matches!(e, SignError::Request { .. }));
}

#[test]
fn a_signing_request_with_anothers_key_is_refused() {
    let (mine, theirs) = (PrivateKey::make().unwrap(), PrivateKey::make().unwrap());
    let mut bytes = pem::parse(mine.signing_request().unwrap()).unwrap().into_contents();
    let (from, to) = (mine.pair.public_key_raw(), theirs.pair.public_key_raw());
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    let asked = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", bytes));
    let signer = Signer::open(Authority::Cluster, &ca(), NOW).unwrap();
    let error = signer.sign(&kubelet(), &asked, LEAF_LIFE).unwrap_err();
    assert!(matches!(error, SignError::Forged), "{error:?}");
}

#[test]
fn no_certificate_outlives_its_authority_or_is_older() {
    let ca = ca();
    let end = NOW + 3650 * DAY;
    let check = |now: i64, life: Duration, begins: i64, ends: i64| {
        let signer = Signer::open(Authority::Cluster, &ca, now).unwrap();
        let leaf = der(&signer.sign(&kubelet(), &asked().1, life).unwrap());
        let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
        let life = (leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp());
        assert_eq!(life, (begins, ends));
    };
    check(NOW - 100, LEAF_LIFE, NOW - 300, NOW - 100 + 365 * DAY);
    check(NOW + DAY, LEAF_LIFE, NOW + DAY - 300, NOW + 366 * DAY);
    check(end - DAY, LEAF_LIFE, end - DAY - 300, end);
    check(NOW, CA_LIFE * 2, NOW - 300, end);
}

#[test]
fn an_authority_signs_only_within_its_life() {
    let ca = ca();
    let end = NOW + 3650 * DAY;
    let check = |now: i64, expected: &str| {
        let error = Signer::open(Authority::Cluster, &ca, now).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(end, "expired on 2037-01-12");
    check(end + DAY, "expired on 2037-01-12");
    check(NOW - 301, "not valid before 2027-01-15");
    assert!(Signer::open(Authority::Cluster, &ca, end - 1).is_ok());
}

#[test]
fn another_authoritys_certificate_is_not_signed() {
    let signer = Signer::open(Authority::EtcdPeer, &ca(), NOW).unwrap();
    let error = signer.sign(&kubelet(), &asked().1, LEAF_LIFE).unwrap_err();
    assert!(matches!(error, SignError::OtherAuthority { .. }), "{error:?}");
}

#[test]
fn what_no_certificate_can_say_is_refused() {
    let signer = Signer::open(Authority::Cluster, &ca(), NOW).unwrap();
    let check = |request: CertRequest, expected: &str| {
        let error = signer.sign(&request, &asked().1, LEAF_LIFE).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let named = |name: &str| {
        request(Subject::user("s"), &[Usage::ServerAuth], &[San::Dns(name.to_owned())])
    };
    for bad in ["", "*.a", "a..b", "a.", "ü", "a b"] {
        check(named(bad), "no host name");
    }
    check(request(Subject::user(""), &[], &[]), "names no user");
    let groups = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    let many = Subject { common_name: "u".to_owned(), organizations: groups };
    check(request(many, &[], &[]), "more than one group");
}

#[test]
fn a_clients_identity_is_short_lived_and_not_printed() {
    let ca = ca();
    let signer = Signer::open(Authority::Cluster, &ca, NOW).unwrap();
    let hour = Duration::from_secs(3600);
    let identity = signer.client(&Subject::user("ringfort:admin"), hour).unwrap();
    assert_eq!(identity.not_after, NOW + 3600);
    assert!(is_client(&ca, &identity.certificate_pem, NOW + 3599));
    assert!(!is_client(&ca, &identity.certificate_pem, NOW + 3601));
    let key = PrivateKey::read(identity.key_pem.expose()).unwrap();
    let leaf = der(&identity.certificate_pem);
    let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
    assert_eq!(ringfort_model::digest::Digest::of(leaf.public_key().raw), key.public().id);
    let body = identity.key_pem.expose().lines().nth(1).unwrap();
    assert!(!format!("{identity:?} {signer:?}").contains(body));
}
