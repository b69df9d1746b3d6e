//! Every port that speaks TLS refuses what is older than 1.3, agrees on a key exchange that later
//! machines do not undo, and shows a certificate of the right authority, for its own address, that is
//! good today and for no longer than planned. What lies on machines and is never shown, such as certificates of
//! clients, is for named uses, for no longer than planned and for the same kind of key; one that is over opens
//! nothing, and is left where it lies.

use ringfort_model::act::{Act, Dialled, Ended, Flaw, Hello, Next, Seen, TlsSeen, Transcript};
use ringfort_model::certificate::{CertSeen, ECDSA_P256, San, Usage};

use crate::proof::certificates::certificates;
use crate::proof::port::{PORTS, Port, answer, place};
use crate::proof::{Course, Gaps, Scene, course, fail, pass};

/// The hybrid of X25519 and ML-KEM-768 (FIPS 203).
const HYBRID: &str = "X25519MLKEM768";
/// The longest life of a machine's certificate: a year, and the hours that clocks may differ.
const LONGEST_S: i64 = 367 * 86_400;

/// What Go's TLS and rustls answer to who offers no version that they speak. A connection that ends in another way, as
/// by a reset or for another want, says nothing of versions.
const NO_SUCH_VERSION: &str = "alert ProtocolVersion";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let dial = |hello| {
            let one = move |port: Port| port.dial(scene, hello, Some((port.client, Flaw::None)));
            PORTS.into_iter().flat_map(one)
        };
        let ports: Vec<Port> = PORTS
            .into_iter()
            .flat_map(|port| port.places(scene).into_iter().map(move |_| port))
            .collect();
        let new = course.step(dial(Hello::Tls13).collect())?;
        let old = course.step(dial(Hello::Tls12).collect())?;
        let mut gaps = Gaps::default();
        for ((act, seen), port) in new.iter().zip(&ports) {
            let (component, place) = (port.component, place(act));
            match seen {
                Seen::Dialled(Dialled { end: Ended::Distrusted { why }, .. }) => {
                    let said =
                        format!("{place}: {component}'s certificate is not its authority's: {why}");
                    return Ok(fail(said, "ringfort up"));
                }
                Seen::Dialled(Dialled { tls: Some(tls), end: Ended::Answered { .. } }) => {
                    if let Some(wrong) = wrong(scene, *port, act, tls) {
                        return Ok(fail(format!("{place}: {component} {wrong}"), "ringfort up"));
                    }
                }
                other => gaps.add(format!("{place}: {component}: {}", answer(other))),
            }
        }
        for ((act, seen), port) in old.iter().zip(&ports) {
            let (component, place) = (port.component, place(act));
            match seen {
                Seen::Dialled(Dialled { tls: None, end: Ended::BrokenOff { how } })
                    if how == NO_SUCH_VERSION => {}
                Seen::Dialled(Dialled { tls: Some(_), .. }) => {
                    return Ok(fail(
                        format!("{place}: {component} speaks TLS 1.2"),
                        "check its --tls-min-version: ringfort up",
                    ));
                }
                other => gaps.add(format!("{place}: {component}, TLS 1.2: {}", answer(other))),
            }
        }
        let count = lying(course, scene, &mut gaps)?;
        gaps.close()?;
        Ok(pass(
            format!(
                "{} ports refuse TLS 1.2, agree on {HYBRID} in TLS 1.3, and show certificates of their own authority, for names of their machine; these and all others on machines, {count} files, are for uses that they name, for the planned life and for keys of {ECDSA_P256}",
                ports.len()
            ),
            course.so_far(),
        ))
    })
}

/// Judges every certificate on every machine, and gives how many the cluster's authorities signed.
fn lying(course: &mut Course<'_>, scene: &Scene, gaps: &mut Gaps) -> Result<usize, Next> {
    certificates(course, scene, gaps, |node, path, certificate| {
        if !is_signed_for_somebody(scene, certificate) {
            return Ok(false);
        }
        match unplanned(certificate) {
            Some(wrong) => {
                Err(fail(format!("{node}: {path} holds a certificate {wrong}"), "ringfort up"))
            }
            None => Ok(true),
        }
    })
}

/// Says whether one of the cluster's authorities signed it, and not for itself.
fn is_signed_for_somebody(scene: &Scene, certificate: &CertSeen) -> bool {
    let mut authorities = scene.authorities.values();
    authorities.any(|it| {
        it.key_id == certificate.authority_key_id && it.public_key != certificate.public_key
    })
}

/// Says what no certificate of ringfort's is.
fn unplanned(certificate: &CertSeen) -> Option<String> {
    let life = certificate.not_after - certificate.not_before;
    match () {
        () if certificate.key_kind != ECDSA_P256 => {
            Some(format!("for another kind of key: {}", certificate.key_kind))
        }
        () if certificate.usages.is_empty() => Some("for every use".to_owned()),
        () if life > LONGEST_S => Some(format!("for {} days", life / 86_400)),
        () => None,
    }
}

/// Says what is wrong with what a port agreed on or showed.
fn wrong(scene: &Scene, port: Port, act: &Act, tls: &TlsSeen) -> Option<String> {
    let Act::Dial(dial) = act else { return None };
    let certificate = &tls.certificate;
    let known = scene.authorities.get(&port.server).zip(scene.names.get(&dial.from));
    let Some((authority, names)) = known else {
        return Some("shows a certificate that nothing is known to compare with".to_owned());
    };
    match () {
        () if tls.version != "TLSv1_3" => Some(format!("agrees on {}", tls.version)),
        () if tls.exchange != HYBRID => {
            Some(format!("agrees on the key exchange {}", tls.exchange))
        }
        () if certificate.authority_key_id != authority.key_id => {
            Some("shows a certificate of another authority".to_owned())
        }
        () if !certificate.names.contains(&San::Ip(dial.to.ip())) => {
            Some("shows a certificate without its address".to_owned())
        }
        () if !certificate.names.is_subset(names) => {
            Some("shows a certificate with names that are not its machine's".to_owned())
        }
        () if !certificate.usages.contains(&Usage::ServerAuth) => {
            Some("shows a certificate that is no server's".to_owned())
        }
        () if certificate.not_after <= scene.now_s => {
            Some("shows a certificate that is over".to_owned())
        }
        () => unplanned(certificate).map(|wrong| format!("shows a certificate {wrong}")),
    }
}
