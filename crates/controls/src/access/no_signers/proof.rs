//! No machine holds an authority's key, and a request for a certificate comes to nothing even if it is
//! approved, whoever is asked to sign it.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, KeyFile, Next, Seen, TokenSeen, Transcript};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::name::NodeName;

use crate::proof::{Course, Gaps, Scene, course, fail, pass, words};

/// Upstream's own signers, and one that nobody is.
const SIGNERS: [(&str, &str); 4] = [
    ("kubernetes.io/kube-apiserver-client", "client auth"),
    ("kubernetes.io/kube-apiserver-client-kubelet", "client auth"),
    ("kubernetes.io/kubelet-serving", "server auth"),
    ("canary.ringfort.dev/nobody", "client auth"),
];
/// What a server answers to whom it does not know.
const UNKNOWN: u16 = 401;
/// A signer would have signed by then.
const PATIENCE_MS: u64 = 3_000;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let looked_at = no_authority(course, scene)?;
        nobody_signs(course, scene)?;
        nobody_joins(course, scene)?;
        let said = format!(
            "no authority's key is on any of {} machines ({looked_at} keys looked at), {} requests for certificates, all of them approved, were signed by nobody, and a bootstrap token is known to no server",
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

/// Asks each signer for a certificate and approves it. Who was not asked, or not told to go on, has shown
/// nothing.
fn nobody_signs(course: &mut Course<'_>, scene: &Scene) -> Result<(), Next> {
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
            other => gaps.add(format!("a request to {}: {}", SIGNERS[place].0, words(other))),
        }
    }
    let each = |ask: fn(ObjectKey) -> Ask| {
        pending.iter().map(|place| scene.ask(ask(key(scene, *place)))).collect::<Vec<_>>()
    };
    for (_, seen) in course.step(each(Ask::Approve))? {
        if !matches!(seen, Seen::Object(_)) {
            gaps.add(format!("the approval of a request: {}", words(seen)));
        }
    }
    let mut look = vec![Act::Wait { ms: PATIENCE_MS }];
    look.extend(each(Ask::Get));
    let looked = course.step(look)?;
    course.step(each(Ask::Delete))?;
    for (place, (_, seen)) in pending.iter().zip(&looked[1..]) {
        let signer = SIGNERS[*place].0;
        match seen {
            Seen::Object(request) if request["status"]["certificate"].is_string() => {
                return Err(fail(
                    format!("a request to {signer} was signed by somebody in the cluster"),
                    "check --controllers of kube-controller-manager: ringfort up",
                ));
            }
            Seen::Object(request) if is_approved(request) => {}
            Seen::Object(_) => gaps.add(format!("a request to {signer} was not approved")),
            other => gaps.add(format!("what became of a request: {}", words(other))),
        }
    }
    gaps.close()
}

fn is_approved(request: &Value) -> bool {
    let conditions = request["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|one| one["type"] == "Approved" && one["status"] == "True")
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
