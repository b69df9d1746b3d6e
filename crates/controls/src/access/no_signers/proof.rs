//! No machine holds an authority's key, and a request for a certificate comes to nothing even if it is
//! approved, whoever is asked to sign it.

use serde_json::json;

use ringfort_model::act::{Act, Ask, KeyFile, Next, Seen, TokenSeen, Transcript};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::name::NodeName;

use crate::proof::{Course, Gaps, Scene, course, fail, pass, words};

/// Upstream's own signers.
const SIGNERS: [(&str, &str); 4] = [
    ("kubernetes.io/kube-apiserver-client", "client auth"),
    ("kubernetes.io/kube-apiserver-client-kubelet", "client auth"),
    ("kubernetes.io/kubelet-serving", "server auth"),
    ("kubernetes.io/legacy-unknown", "client auth"),
];
/// What a server answers to whom it does not know.
const UNKNOWN: u16 = 401;
/// A signer would have signed by then.
const PATIENCE_MS: u64 = 3_000;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let looked_at = no_authority(course, scene)?;
        let approved = nobody_signs(course, scene)?;
        nobody_joins(course, scene)?;
        let said = format!(
            "no authority's key is on any of {} machines ({looked_at} keys looked at), {} requests for certificates, {approved} of them approved, were signed by nobody, and a bootstrap token is known to no server",
            scene.machines().count(),
            SIGNERS.len(),
        );
        Ok(pass(said, course.so_far()))
    })
}

/// Looks at every private key on every machine, and gives how many there are.
fn no_authority(course: &mut Course<'_>, scene: &Scene) -> Result<usize, Next> {
    let look = |node: &NodeName| Act::PrivateKeys { node: node.clone() };
    let looks = course.step(scene.machines().map(look).collect())?;
    let mut gaps = Gaps::default();
    let mut count = 0;
    for (node, (_, seen)) in scene.machines().zip(looks) {
        let Seen::Keys(keys) = seen else {
            gaps.add(format!("{node}: {}", words(seen)));
            continue;
        };
        for KeyFile { path, public_key } in keys {
            let Some(public) = public_key else {
                gaps.add(format!("{node}: {path} holds a key of a kind that is not understood"));
                continue;
            };
            let mut authorities = scene.authorities.iter();
            if let Some((whose, _)) = authorities.find(|(_, mark)| mark.public_key == *public) {
                return Err(fail(
                    format!("{node}: {path} holds the key of {}", whose.common_name()),
                    "take it away, and make the cluster anew: who had it can be anybody",
                ));
            }
        }
        if keys.is_empty() {
            gaps.add(format!("{node}: no key was found at all"));
        }
        count += keys.len();
    }
    gaps.close()?;
    Ok(count)
}

/// Asks each signer for a certificate, approves what is taken, and gives how many were.
fn nobody_signs(course: &mut Course<'_>, scene: &Scene) -> Result<usize, Next> {
    let object = |(place, (signer, usage)): (usize, &(&str, &str))| {
        scene.ask(Ask::Create(json!({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
            "metadata": {"name": name(scene, place), "labels": {"ringfort.dev/canary": "true"}},
            "spec": {"request": REQUEST, "signerName": signer, "usages": ["digital signature", usage]},
        })))
    };
    let mut gaps = Gaps::default();
    let mut pending = Vec::new();
    let made = course.step(SIGNERS.iter().enumerate().map(object).collect())?;
    for (place, (_, seen)) in made.iter().enumerate() {
        match seen {
            Seen::Object(_) => pending.push(place),
            // A request that is not even taken comes to nothing as well.
            Seen::Refused { status: 403 | 422, .. } => {}
            other => gaps.add(format!("a request for a certificate: {}", words(other))),
        }
    }
    let each = |ask: fn(ObjectKey) -> Ask| {
        pending.iter().map(|place| scene.ask(ask(key(scene, *place)))).collect::<Vec<_>>()
    };
    let mut approved = 0;
    for (_, seen) in course.step(each(Ask::Approve))? {
        match seen {
            Seen::Object(_) => approved += 1,
            Seen::Refused { status: 403 | 422, .. } => {}
            other => gaps.add(format!("the approval of a request: {}", words(other))),
        }
    }
    let mut look = vec![Act::Wait { ms: PATIENCE_MS }];
    look.extend(each(Ask::Get));
    let looked = course.step(look)?;
    course.step(each(Ask::Delete))?;
    for (place, (_, seen)) in pending.iter().zip(&looked[1..]) {
        match seen {
            Seen::Object(request) if request["status"]["certificate"].is_string() => {
                return Err(fail(
                    format!(
                        "a request to {} was signed by somebody in the cluster",
                        SIGNERS[*place].0
                    ),
                    "check --controllers of kube-controller-manager: ringfort up",
                ));
            }
            Seen::Object(_) | Seen::Absent => {}
            other => gaps.add(format!("what became of a request: {}", words(other))),
        }
    }
    gaps.close()?;
    Ok(approved)
}

/// Makes a bootstrap token, as who joins machines by hand would, and shows it to each server.
fn nobody_joins(course: &mut Course<'_>, scene: &Scene) -> Result<(), Next> {
    let mut gaps = Gaps::default();
    for (_, seen) in course.step(vec![Act::TryBootstrapToken { server: scene.server() }])? {
        match seen {
            Seen::Token(TokenSeen { status, .. }) => {
                let known = status.iter().find(|(_, status)| **status != UNKNOWN);
                if let Some((server, status)) = known {
                    return Err(fail(
                        format!("{server} knows a bootstrap token: it answered {status}"),
                        "check --enable-bootstrap-token-auth of kube-apiserver: ringfort up",
                    ));
                }
                for server in &scene.control_planes {
                    if !status.contains_key(server) {
                        gaps.add(format!("{server} was not shown the bootstrap token"));
                    }
                }
            }
            // Where nobody may even make one, there is none.
            Seen::Refused { status: 403, .. } => {}
            other => gaps.add(format!("a bootstrap token: {}", words(other))),
        }
    }
    gaps.close()
}

fn name(scene: &Scene, place: usize) -> String {
    format!("{}-{place}", scene.namespace)
}

fn key(scene: &Scene, place: usize) -> ObjectKey {
    ObjectKey {
        api_version: "certificates.k8s.io/v1".to_owned(),
        kind: "CertificateSigningRequest".to_owned(),
        namespace: None,
        name: name(scene, place),
    }
}

/// A request (PKCS #10, in base64 of its PEM text) whose key nobody has: it was thrown away.
const REQUEST: &str = "\
LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlId01JR1dBZ0VBTURReEZUQVRCZ05WQkFvTURITjVjM1Js\
YlRwdWIyUmxjekViTUJrR0ExVUVBd3dTYzNsegpkR1Z0T201dlpHVTZZMkZ1WVhKNU1Ga3dFd1lIS29aSXpqMENBUVlJS29a\
SXpqMERBUWNEUWdBRWpWejB0MzFCCjFaNkU5TVdOU0gzUWZiVDRWbHpJd1R4OFpiUEtJOVBLTVJ4eHZRNEkvT2ZTQ0dEMFQ2\
dzF6cmduUXdkR3o1YXQKYlp0OWd2Q3JWbEUyVjZBQU1Bb0dDQ3FHU000OUJBTUNBMGtBTUVZQ0lRRDFFUDU1aVdYRE9tQUY5\
Uk9yWFFYTQpNZmsyb05rSjR5cENxeUNlZHhtSklnSWhBSVA2alBJanlWeDFSWlpkYnFnaG15bFl6QkgrYU9aTVkvQkFiNFpp\
CjMzYW8KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==";
